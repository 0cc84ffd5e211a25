#include "libs/runtime/host.h"

#include <sodium.h>

#include "libs/base/log.h"

namespace micropay {
namespace {

using google::protobuf::Message;

uint64_t system_seed() {
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  return seed;
}

const contract::Table& timer_table() { return detail::table_or_die(TimerRecord::descriptor()); }

}  // namespace

Host::Host(const Store& store, uint64_t seed)
    : work_(store.tick_reader(), &ids_), ids_(seed != 0 ? seed : system_seed()), seed_(seed) {}

void Host::go_on_after(Time time) {
  if (time == 0) return;
  now_ = std::max(now_, time);
  ids_.begin_after(time);
}

void Host::begin_tick(Time now, uint64_t number, uint64_t first_position) {
  work_.clear();
  emitted_.clear();
  ids_.mark();
  now_ = std::max(now_, now);
  tick_ = number;
  first_position_ = first_position;
}

void Host::begin_input(const InputFrame& frame) {
  CHECK(frame_ == nullptr);
  frame_ = &frame;
  emitted_before_ = emitted_.size();
  keep_ = false;
  work_.begin_input();
}

// What must hold does not: this input is as if it had never come.
std::unexpected<Error> Host::broken(const char* what) {
  keep_ = false;
  log_error("handler.check_failed", what, {{"service", frame_->service->name}});
  return fail(Code::kInternal, "invariant_broken", "Something that must hold does not: nothing was done.");
}

void Host::end_input(bool succeeded) {
  frame_ = nullptr;
  if (succeeded || keep_) return work_.accept();
  work_.undo();
  emitted_.resize(emitted_before_);
}

Tick Host::finish_tick() {
  Tick tick{.number = tick_,
            .first_position = first_position_,
            .time = now_,
            .events = {},
            .changes = work_.changes()};
  tick.events.reserve(emitted_.size());
  for (const auto& event : emitted_) {
    event->message->SerializeToString(event->envelope.mutable_data());
    tick.events.push_back(event);
  }
  return tick;
}

const Message* Host::find_row(const contract::Table& table, const std::string& key) {
  return work_.find(table, key);
}
Result<std::vector<Row>> Host::list_rows(const ListQuery& query, std::string* next_page_token) {
  return work_.list(query, next_page_token);
}
Message& Host::edit_row(const contract::Table& table, const std::string& key) {
  CHECK(!table.projection && "only projections write a projection's table");
  return work_.edit(table, key);
}
Message& Host::insert_row(const contract::Table& table, MutableRow row) {
  CHECK(!table.projection && "only projections write a projection's table");
  return work_.insert(table, std::move(row));
}
Message& Host::put_row(const contract::Table& table, MutableRow row) {
  CHECK(!table.projection && "only projections write a projection's table");
  return work_.put(table, std::move(row));
}
bool Host::erase_row(const contract::Table& table, const std::string& key) { return work_.erase(table, key); }

std::string Host::random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (seed_ == 0) {
    randombytes_buf(bytes.data(), count);
    return bytes;
  }
  uint8_t seed[randombytes_SEEDBYTES] = {};
  const uint64_t parts[] = {seed_, ++random_calls_};
  static_assert(sizeof parts <= sizeof seed);
  std::memcpy(seed, parts, sizeof parts);
  randombytes_buf_deterministic(bytes.data(), count, seed);
  return bytes;
}

void Host::emit(const contract::Event& type, MutableRow message) {
  CHECK(frame_ != nullptr);
  CHECK(type.service == frame_->service && "a service emits its own events only");
  auto event = std::make_shared<EventRecord>();
  event->type = &type;
  Envelope& envelope = event->envelope;
  std::string scratch;
  envelope.set_id(new_id());
  envelope.set_type(type);
  envelope.set_time(now_);
  envelope.set_key(message->GetReflection()->GetStringReference(*message, type.key, &scratch));
  envelope.set_correlation_id(frame_->correlation_id);
  envelope.set_causation_id(frame_->causation_id);
  envelope.set_traceparent(frame_->traceparent);
  envelope.set_actor(frame_->actor);
  envelope.set_position(first_position_ + emitted_.size());
  event->message = std::move(message);
  emitted_.push_back(std::move(event));
}

void Host::adopt(const EventRecord& foreign) {
  auto event = std::make_shared<EventRecord>(foreign);
  event->envelope.set_position(first_position_ + emitted_.size());
  emitted_.push_back(std::move(event));
}

std::string Host::request_effect(const Message& request, const EffectOptions& options) {
  EffectRecord record;
  record.set_id(new_id());
  record.set_service(frame_->service->name);
  record.set_type(request.GetDescriptor()->name());
  record.set_target(options.target.empty() ? frame_->service->name : options.target);
  request.SerializeToString(record.mutable_request());
  record.set_next_at(0);  // at once
  record.set_correlation_id(std::string(frame_->correlation_id));
  record.set_actor(std::string(frame_->actor));
  record.set_causation_id(std::string(frame_->causation_id));
  record.set_traceparent(std::string(frame_->traceparent));
  std::string id = record.id();
  put(std::move(record));
  return id;
}

void Host::set_timer(std::string_view key, Time due, const Message& timer) {
  TimerRecord record;
  record.set_type(timer.GetDescriptor()->name());
  record.set_timer_key(std::string(key));
  record.set_service(frame_->service->name);
  record.set_due(due);
  timer.SerializeToString(record.mutable_message());
  record.set_correlation_id(std::string(frame_->correlation_id));
  put(std::move(record));
}

void Host::cancel_timer(std::string_view type, std::string_view key) {
  work_.erase(timer_table(), detail::encode_key(timer_table(), {type, key}));
}

}  // namespace micropay
