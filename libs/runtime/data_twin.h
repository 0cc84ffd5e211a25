// Data that outlives the processes over it, for tests of what one of them leaves to the next: an engine that
// is killed between two ticks, and started again over the same store.
//
//   Data data;
//   data.start(list(paying(), …));  data.pay();  data.kill();      // answered, and nothing since
//   data.start(list(paying(), …));  data.settle();
#pragma once

#include <gtest/gtest.h>

#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "libs/base/ids.h"
#include "libs/runtime/testing.h"

namespace micropay::test {

// Data, and the processes that come and go over it. A process does what it is told to: nothing by itself.
class Data {
 public:
  Engine& start(std::vector<Service> services) {
    kill();
    EngineOptions options{.seed = ++starts_};
    options.run_elsewhere = [this](std::function<void()> job) { jobs.push_back(std::move(job)); };
    options.shared_store = shared;
    engine_ = std::make_unique<Engine>(options, *store, *clock, std::move(services));
    EXPECT_TRUE(engine_->open());
    return *engine_;
  }
  void kill() {
    engine_.reset();
    jobs.clear();
  }
  // Answered, and that is all: what follows is left for later ticks.
  void pay() {
    CreatePaymentRequest request;
    request.set_payer_account_id(derived_uuid("payer"));
    bool answered = false;
    Command command{.method = contract::model().method_of<CreatePaymentRequest>(),
                    .request = std::make_shared<CreatePaymentRequest>(request),
                    .principal = system_principal()};
    command.done = [&](const Answer& answer) { answered = answer.result.has_value(); };
    engine_->submit(std::move(command));
    engine_->step();
    EXPECT_TRUE(answered);
  }
  void settle() {
    do {
      engine_->settle();
      for (auto& job : std::exchange(jobs, {})) job();
      clock->advance(kSecond);
    } while (engine_->step() || !jobs.empty());
  }
  template <typename T>
  std::vector<T> rows() {
    std::vector<T> rows;
    EXPECT_TRUE(store->scan(*contract::model().table_of<T>(), [&](const Row& row) {
      rows.push_back(static_cast<const T&>(*row));
      return true;
    }));
    return rows;
  }

  Engine& engine() { return *engine_; }

  std::unique_ptr<ManualClock> clock = std::make_unique<ManualClock>();
  std::shared_ptr<Store> store = make_memory_store(contract::model());
  bool shared = false;  // others write the store, too
  std::vector<std::function<void()>> jobs;

 private:
  uint64_t starts_ = 0;
  std::unique_ptr<Engine> engine_;
};

inline Service paying() {
  Service service{"payment"};
  service.command([](Context& ctx, const CreatePaymentRequest&) -> Result<Payment> {
    Payment payment;
    payment.set_id(ctx.new_id());
    payment.set_status(Payment::COMPLETED);
    ctx.table<Payment>().insert(payment);
    PaymentCompleted completed;
    completed.set_payment_id(payment.id());
    ctx.emit(completed);
    return payment;
  });
  return service;
}

std::vector<Service> list(auto... services) {
  std::vector<Service> all;
  (all.push_back(std::move(services)), ...);
  return all;
}

}  // namespace micropay::test
