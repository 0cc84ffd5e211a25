// What the log says of an event beside its message: the attributes of CloudEvents 1.0 and our extensions
// (DESIGN: correlation, causation, traceparent, partition key, actor). A plain object and no protobuf
// message, because ten of them are made for a payment and most of a message's cost is its strings.
#pragma once

#include <string>
#include <string_view>

#include "libs/base/inline_text.h"
#include "libs/base/time.h"

namespace micropay {

class StoredEnvelope;  // contracts/runtime.proto
namespace contract {
struct Event;
}

class Envelope {
 public:
  std::string_view id() const { return id_; }         // UUIDv7
  const std::string& type() const { return *type_; }  // "payment.completed"
  const std::string& service() const { return *service_; }
  Time time() const { return time_; }
  std::string_view key() const { return key_; }  // partitionkey and subject
  std::string_view correlation_id() const { return correlation_id_; }
  std::string_view causation_id() const { return causation_id_; }  // of the event or request before it
  std::string_view traceparent() const { return traceparent_; }
  std::string_view actor() const { return actor_; }  // user id, "system", or "key:<id>"
  const std::string& data() const { return data_; }  // the event message, protobuf
  uint64_t position() const { return position_; }    // place in the log, from 1, without gaps

  void set_id(std::string_view id) { id_ = id; }
  void set_type(std::string_view type);
  void set_service(std::string_view service);
  void set_type(const contract::Event& type);  // and the service that it is of
  void set_time(Time time) { time_ = time; }
  void set_key(std::string_view key) { key_ = key; }
  void set_correlation_id(std::string_view id) { correlation_id_ = id; }
  void set_causation_id(std::string_view id) { causation_id_ = id; }
  void set_traceparent(std::string_view text) { traceparent_ = text; }
  void set_actor(std::string_view actor) { actor_ = actor; }
  void set_data(std::string data) { data_ = std::move(data); }
  std::string* mutable_data() { return &data_; }
  void set_position(uint64_t position) { position_ = position; }

  // As a message, where one has to be stored in a row.
  void store(StoredEnvelope& into) const;
  static Envelope of(const StoredEnvelope& stored);

 private:
  friend class EventUnpacker;
  static const std::string kNone;
  const std::string* type_ = &kNone;  // one of the process's names, see name_of()
  const std::string* service_ = &kNone;
  Time time_ = 0;
  uint64_t position_ = 0;
  InlineText id_, key_, correlation_id_, causation_id_, traceparent_, actor_;
  std::string data_;
};

// The one string with this text that lives as long as the process. For names, of which there are few.
const std::string& name_of(std::string_view text);

}  // namespace micropay
