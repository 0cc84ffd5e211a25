#include "libs/store/envelope.h"

#include <mutex>
#include <set>

#include "contracts/runtime.pb.h"
#include "libs/contract/model.h"

namespace micropay {

const std::string Envelope::kNone;

const std::string& name_of(std::string_view text) {
  static std::mutex& mutex = *new std::mutex;
  static auto& names = *new std::set<std::string, std::less<>>;
  const std::lock_guard lock(mutex);
  const auto at = names.find(text);
  return at != names.end() ? *at : *names.emplace(text).first;
}

void Envelope::set_type(std::string_view type) { type_ = &name_of(type); }
void Envelope::set_service(std::string_view service) { service_ = &name_of(service); }
void Envelope::set_type(const contract::Event& type) {
  type_ = &type.type;
  service_ = &type.service->name;
}

void Envelope::store(StoredEnvelope& into) const {
  into.set_id(std::string(id()));
  into.set_type(*type_);
  into.set_service(*service_);
  into.set_time(time_);
  into.set_key(std::string(key()));
  into.set_correlation_id(std::string(correlation_id()));
  into.set_causation_id(std::string(causation_id()));
  into.set_traceparent(std::string(traceparent()));
  into.set_actor(std::string(actor()));
  into.set_data(data_);
  into.set_position(position_);
}

Envelope Envelope::of(const StoredEnvelope& stored) {
  Envelope envelope;
  envelope.set_id(stored.id());
  envelope.set_type(stored.type());
  envelope.set_service(stored.service());
  envelope.set_time(stored.time());
  envelope.set_key(stored.key());
  envelope.set_correlation_id(stored.correlation_id());
  envelope.set_causation_id(stored.causation_id());
  envelope.set_traceparent(stored.traceparent());
  envelope.set_actor(stored.actor());
  envelope.set_data(stored.data());
  envelope.set_position(stored.position());
  return envelope;
}

}  // namespace micropay
