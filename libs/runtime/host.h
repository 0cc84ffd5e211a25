// The engine's side of a Context: one tick's unit of work, the events emitted in it, ids and randomness. Runs
// one input at a time and undoes what a failing one did.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "contracts/runtime.pb.h"
#include "libs/base/check_scope.h"
#include "libs/base/ids.h"
#include "libs/runtime/work.h"

namespace micropay {

// What an input is run for.
struct InputFrame {
  const contract::Service* service = nullptr;
  const Principal* principal = nullptr;
  std::string_view correlation_id;
  std::string_view causation_id;
  std::string_view traceparent;
  std::string_view actor;
  const Envelope* envelope = nullptr;
  const google::protobuf::Message* prepared = nullptr;
};

class Host final : public ContextHost {
 public:
  Host(const Store& store, uint64_t seed);

  // Ticks are not before the last one of the log, nor ids, whatever the clock says.
  void go_on_after(Time time);
  void begin_tick(Time now, uint64_t number, uint64_t first_position);
  // Runs `body(Context&)`; an error undoes it unless the handler kept its changes. An exception, or a CHECK
  // that fails, always does.
  template <typename Body>
  auto run(const InputFrame& frame, Body body) -> decltype(body(std::declval<Context&>())) {
    begin_input(frame);
    const Context::Input input{.service = frame.service,
                               .principal = frame.principal,
                               .now = now_,
                               .correlation_id = frame.correlation_id,
                               .envelope = frame.envelope,
                               .prepared = frame.prepared};
    Context context(*this, input);
    decltype(body(context)) result = guarded(context, body);
    end_input(result.has_value());
    return result;
  }
  // The engine's own changes outside any handler (deliveries, timers, idempotency): never undone.
  UnitOfWork& work() { return work_; }
  template <typename T>
  T& put(T row) {  // insert or replace
    const contract::Table& table = detail::table_of<T>();
    return static_cast<T&>(work_.replace(table, std::make_shared<T>(std::move(row))));
  }

  // An event of another process becomes part of this log as it is; only its position is new.
  void adopt(const EventRecord& foreign);

  Time now() const { return now_; }
  uint64_t tick() const { return tick_; }
  const std::vector<std::shared_ptr<EventRecord>>& emitted() const { return emitted_; }
  void abandon_input() { frame_ = nullptr; }  // something other than an error ended it
  // Everything the tick did, with the events' data encoded.
  Tick finish_tick();
  bool tick_empty() const { return emitted_.empty() && work_.unchanged(); }

  // ContextHost
  const google::protobuf::Message* find_row(const contract::Table& table, const std::string& key) override;
  Result<std::vector<Row>> list_rows(const ListQuery& query, std::string* next_page_token) override;
  google::protobuf::Message& edit_row(const contract::Table& table, const std::string& key) override;
  google::protobuf::Message& insert_row(const contract::Table& table, MutableRow row) override;
  google::protobuf::Message& put_row(const contract::Table& table, MutableRow row) override;
  bool erase_row(const contract::Table& table, const std::string& key) override;
  std::string new_id() override { return ids_.next(now_); }
  std::string random_bytes(size_t count) override;
  void emit(const contract::Event& type, MutableRow message) override;
  std::string request_effect(const google::protobuf::Message& request, const EffectOptions& options) override;
  void set_timer(std::string_view key, Time due, const google::protobuf::Message& timer) override;
  void cancel_timer(std::string_view type, std::string_view key) override;
  void keep_changes() override { keep_ = true; }

 private:
  template <typename Body>
  auto guarded(Context& context, Body& body) -> decltype(body(context)) {
    try {
      const CheckScope scope;
      return body(context);
    } catch (const CheckFailed& failed) {
      return broken(failed.what());
    } catch (const std::exception& error) {
      keep_ = false;
      return fail(Code::kInternal, "handler_threw", error.what());
    }
  }
  std::unexpected<Error> broken(const char* what);
  void begin_input(const InputFrame& frame);
  void end_input(bool succeeded);

  UnitOfWork work_;
  IdGenerator ids_;
  uint64_t seed_;  // 0: randomness from the system
  uint64_t random_calls_ = 0;
  Time now_ = 0;
  uint64_t tick_ = 0;
  uint64_t first_position_ = 1;
  std::vector<std::shared_ptr<EventRecord>> emitted_;
  const InputFrame* frame_ = nullptr;
  size_t emitted_before_ = 0;
  bool keep_ = false;
};

}  // namespace micropay
