// JSON both ways, as the hot path uses it: nanoseconds of one core for a payment and for a request to make
// one. build/bench_json; decisions/0002 has the figures that it gave.
#include <ctime>

#include "contracts/payment.pb.h"
#include "libs/base/check.h"
#include "libs/contract/json.h"
#include "libs/contract/sample_twin.h"
#include "libs/contract/validate.h"

namespace micropay {
namespace {

constexpr int kRounds = 200'000;

// Of this thread: other work on the machine does not count.
int64_t cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

template <typename Body>
void measure(const char* name, Body body) {
  const int64_t start = cpu_ns();
  for (int i = 0; i < kRounds; ++i) body();
  fmt::print("{}: {} ns\n", name, (cpu_ns() - start) / kRounds);
}

void run() {
  const Payment payment = contract::sample_payment();
  std::string out;
  measure("write a payment", [&] { out.clear(), contract::append_json(out, payment); });
  const std::string body = out;
  Payment target;
  CHECK(contract::parse_json(body, target).has_value());
  measure("read a payment", [&] { target.Clear(), (void)contract::parse_json(body, target); });
  const std::string create =
      R"({"payerAccountId":"0190c5b2-7e0c-7000-8000-000000000001","payeeAccountId":)"
      R"("0190c5b2-7e0c-7000-8000-000000000002","amount":{"currency":"EUR","value":"12.34"},)"
      R"("description":"Lunch"})";
  CreatePaymentRequest request;
  measure("read a request", [&] { request.Clear(), (void)contract::parse_json(create, request); });
  measure("validate a request", [&] { (void)contract::validate(request); });
}

}  // namespace
}  // namespace micropay

int main() { micropay::run(); }
