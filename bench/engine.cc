// The engine by itself: whole payments between wallets over a real store, in ticks of a given size, without
// HTTP. Prints microseconds of the engine thread's CPU; what other threads do (tables, projections) is not
// counted. build/bench_engine [payments [wallets [a tick]]]; under callgrind it counts instructions.
#include <ctime>

#include "app/modules.h"
#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/user.pb.h"
#include "libs/base/check.h"
#include "libs/runtime/engine.h"
#include "libs/store/store_twin.h"

namespace micropay {
namespace {

// Of this thread: other work on the machine does not count.
int64_t cpu_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

struct Sizes {
  size_t payments = 20'000, wallets = 2'000, a_tick = 32;
};

class EngineBench {
 public:
  explicit EngineBench(const Sizes& sizes) : sizes_(sizes) {
    for (const char* setting : {"fraud.mode=shadow", "account.limits=off"})
      CHECK(settings_.set(setting).has_value());
    services_ = *app::make_services({.settings = settings_, .data_folder = ""}, {});
    projector_ = Engine::make_projector(services_);
    auto opened = EmbeddedStore::open({.folder = folder_.at("data")}, contract::model(), projector_.get());
    CHECK(opened.has_value());
    store_ = std::move(*opened);
    engine_ = std::make_unique<Engine>(EngineOptions{}, *store_, system_clock(), services_);
    CHECK(engine_->open().has_value());
    make_wallets();
  }

  void run() {
    pay(sizes_.payments / 10);  // caches are filled
    const EngineStats before = engine_->stats();
    const int64_t cpu = pay(sizes_.payments);
    const EngineStats after = engine_->stats();
    const auto each = [&](double what) { return what / double(sizes_.payments); };
    fmt::print("engine, CPU a payment: {:.1f} us\n", each(double(cpu)) / 1e3);
    fmt::print("in handlers, wall: {:.1f} us\n", each(after.handler_seconds - before.handler_seconds) * 1e6);
    fmt::print("in commits, wall: {:.1f} us\n", each(after.commit_seconds - before.commit_seconds) * 1e6);
    fmt::print("payments a tick: {:.0f}\n", double(sizes_.payments) / double(after.ticks - before.ticks));
  }

 private:
  template <typename Response, typename Request>
  Response call(const Request& request, const Principal& principal) {
    Command command{.method = contract::model().method_of<Request>(),
                    .request = std::make_shared<Request>(request),
                    .principal = principal};
    const Answer answer = engine_->call(std::move(command));
    if (!answer.result) fmt::print(stderr, "{}\n", answer.result.error().detail);
    CHECK(answer.result.has_value());
    return static_cast<const Response&>(**answer.result);
  }

  void make_wallets() {
    CreateUserRequest person;
    person.set_password("bench password only");
    person.set_display_name("Bench");
    CreateAccountRequest account;
    account.set_currency("EUR");
    account.set_name("bench");
    for (size_t i = 0; i < sizes_.wallets; ++i) {
      if (i % kWalletsOfUser == 0) {
        person.set_email(fmt::format("bench{}@example.org", i));
        owners_.push_back({.kind = Principal::Kind::kUser, .user_id = call<User>(person, {}).id()});
      }
      wallets_.push_back(call<Account>(account, owners_.back()).id());
      CreateTopUpRequest money;
      money.set_account_id(wallets_.back());
      money.mutable_amount()->set_currency("EUR");
      money.mutable_amount()->set_minor(500'000);
      money.set_payment_method("card_ok");
      CHECK(call<TopUp>(money, owners_.back()).status() == TopUp::COMPLETED);
    }
  }

  Command payment() {
    const auto any = [this] { return size_t((random_ = random_ * 6'364'136'223'846'793'005u + 1) >> 33); };
    const size_t payer = any() % wallets_.size();
    auto request = std::make_shared<CreatePaymentRequest>();
    request->set_payer_account_id(wallets_[payer]);
    request->set_payee_account_id(wallets_[(payer + 1 + any() % (wallets_.size() - 1)) % wallets_.size()]);
    request->mutable_amount()->set_currency("EUR");
    request->mutable_amount()->set_minor(1);
    request->set_description("bench");
    return {
        .method = contract::model().method_of<CreatePaymentRequest>(),
        .request = std::move(request),
        .principal = owners_[payer / kWalletsOfUser],
        .idempotency_key = fmt::format("{:032}", ++keys_),
        .done = [this](const Answer& answer) {
          CHECK(answer.result && static_cast<const Payment&>(**answer.result).status() == Payment::COMPLETED);
          ++completed_;
        }};
  }

  // Nanoseconds of CPU in ticks.
  int64_t pay(size_t count) {
    const size_t until = completed_ + count;
    int64_t spent = 0;
    while (completed_ < until) {
      const size_t size = std::min(sizes_.a_tick, until - completed_);
      for (size_t i = 0; i < size; ++i) engine_->submit(payment());
      const int64_t start = cpu_ns();
      engine_->step();
      spent += cpu_ns() - start;
    }
    return spent;
  }

  static constexpr size_t kWalletsOfUser = 15;
  const Sizes sizes_;
  test::ScratchFolder folder_;
  Settings settings_;
  std::vector<Service> services_;
  std::unique_ptr<Projector> projector_;
  std::unique_ptr<EmbeddedStore> store_;
  std::unique_ptr<Engine> engine_;
  std::vector<Principal> owners_;
  std::vector<std::string> wallets_;
  uint64_t random_ = 1, keys_ = 0;
  size_t completed_ = 0;
};

}  // namespace
}  // namespace micropay

int main(int argc, char** argv) {
  micropay::Sizes sizes;
  size_t* const each[] = {&sizes.payments, &sizes.wallets, &sizes.a_tick};
  for (int i = 1; i < argc && i <= 3; ++i) *each[i - 1] = std::max(2ul, std::stoul(argv[i]));
  micropay::EngineBench(sizes).run();
}
