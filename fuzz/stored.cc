// Rows of the runtime's own tables with any bytes in them, as a damaged disk or another version may leave
// them: an engine of all services opens over them, fires what is due, tries again, carries out, answers a
// request whose key is among them, and re-drives every dead letter. Nothing may end it, and at the end it
// still answers.
#include "app/modules.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "fuzz/messages.h"
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/base/ids.h"
#include "libs/base/log.h"
#include "libs/contract/json.h"
#include "libs/runtime/fingerprint.h"
#include "libs/runtime/testing.h"

namespace micropay::fuzz {
namespace {

using Records = std::vector<std::shared_ptr<google::protobuf::Message>>;

constexpr int kMostSteps = 200;
const std::string kKey = "k", kUser = derived_uuid("anna");

struct Words {  // that rows name what they hold by
  std::vector<std::string> events, timers, effects;
};

Words words_of(const std::vector<Service>& services) {
  Words words;
  for (const contract::Event* event : contract::model().events()) words.events.push_back(event->type);
  for (const Service& service : services) {
    for (const auto& timer : service.timers) words.timers.push_back(timer.type->name());
    for (const auto& effect : service.effects) words.effects.push_back(effect.type->name());
  }
  return words;
}

// The one that the line names, or any one.
const std::string& word(const std::vector<std::string>& words, std::string_view line) {
  std::vector<const std::string*> all;
  for (const std::string& each : words) all.push_back(&each);
  return *choose(all, line, [](const std::string& each) { return std::string_view(each); });
}

std::string service_of(const std::vector<Service>& services, std::string_view type) {
  if (const contract::Event* event = contract::model().event(type)) return event->service->name;
  for (const Service& service : services) {
    for (const auto& timer : service.timers)
      if (timer.type->name() == type) return service.name;
    for (const auto& effect : service.effects)
      if (effect.type->name() == type) return service.name;
  }
  return "payment";
}

// One sound record of each table, but for the bytes in it.
class Rows {
 public:
  Rows(const std::vector<Service>& services, std::string_view line, std::string_view bytes)
      : services_(services), words_(words_of(services)), line_(line), bytes_(bytes) {}

  void add_timer(Records& records) const {
    auto timer = std::make_shared<TimerRecord>();
    fill(*timer, word(words_.timers, line_));
    timer->set_timer_key(kKey);
    timer->set_message(bytes_);
    records.push_back(letter(DeadLetter::TIMER, timer->type(), kKey, timer->SerializeAsString()));
    records.push_back(std::move(timer));
  }
  void add_effect(Records& records) const {
    auto effect = std::make_shared<EffectRecord>();
    fill(*effect, word(words_.effects, line_));
    effect->set_id(kUser);
    effect->set_request(bytes_);
    records.push_back(letter(DeadLetter::EFFECT, effect->type(), kUser, effect->SerializeAsString()));
    records.push_back(std::move(effect));
  }
  // For every service: one of them hears it.
  void add_deliveries(Records& records) const {
    const contract::Event& type = *contract::model().event(word(words_.events, line_));
    StoredEnvelope envelope;
    envelope.set_id(kUser);
    envelope.set_type(type.type);
    envelope.set_service(type.service->name);
    envelope.set_key(kKey);
    envelope.set_data(bytes_);
    records.push_back(letter(DeadLetter::EVENT, type.type, kKey, envelope.SerializeAsString()));
    for (const Service& service : services_) {
      auto delivery = std::make_shared<DeliveryRecord>();
      delivery->set_service(service.name);
      delivery->set_event_key(kKey);
      *delivery->mutable_envelope() = envelope;
      records.push_back(std::move(delivery));
    }
  }
  void add_key(Records& records, const Command& command) const {
    auto record = std::make_shared<IdempotencyRecord>();
    record->ParseFromString(bytes_);
    record->set_key(command.key_id);
    record->set_method(command.method->name);
    record->set_digest(command.fingerprint.data(), command.fingerprint.size());
    if (line_.size() % 2 == 0) {  // an answer of any kind
      record->set_state(IdempotencyRecord::ANSWERED);
      record->set_status(command.method->success);
      record->set_response(bytes_);
      record->clear_reason();
    }
    records.push_back(std::move(record));
  }
  // The bytes themselves as a row, of whatever table.
  void add_any(Records& records) const {
    for (const google::protobuf::Message* kind :
         {static_cast<const google::protobuf::Message*>(&TimerRecord::default_instance()),
          static_cast<const google::protobuf::Message*>(&EffectRecord::default_instance()),
          static_cast<const google::protobuf::Message*>(&DeliveryRecord::default_instance()),
          static_cast<const google::protobuf::Message*>(&DeadLetter::default_instance()),
          static_cast<const google::protobuf::Message*>(&ConsumerRecord::default_instance())}) {
      std::shared_ptr<google::protobuf::Message> record(kind->New());
      if (record->ParseFromString(bytes_)) records.push_back(std::move(record));
    }
    for (const auto kind : {DeadLetter::EVENT, DeadLetter::EFFECT, DeadLetter::TIMER, DeadLetter::PROJECTION})
      records.push_back(letter(kind, std::string(line_), kKey, bytes_));
  }

 private:
  template <typename Record>
  void fill(Record& record, const std::string& type) const {
    record.set_type(type);
    record.set_service(service_of(services_, type));
  }
  std::shared_ptr<DeadLetter> letter(DeadLetter::Kind kind, const std::string& type, const std::string& key,
                                     const std::string& payload) const {
    auto letter = std::make_shared<DeadLetter>();
    letter->set_id(derived_uuid(fmt::format("{} {}", int(kind), payload)));
    letter->set_kind(kind);
    letter->set_type(type);
    letter->set_key(key);
    letter->set_service(service_of(services_, type));
    letter->set_payload(payload);
    return letter;
  }

  const std::vector<Service>& services_;
  const Words words_;
  const std::string_view line_;
  const std::string bytes_;
};

void keep(Store& store, const Records& records) {
  Tick tick{.number = 1, .first_position = 1, .time = kDay};
  for (const auto& record : records) {
    const contract::Table& table = *contract::model().table(record->GetDescriptor());
    const std::string bytes = record->SerializeAsString();
    if (!record->ParseFromString(bytes)) continue;  // text that is none: no store gives that back
    try {
      tick.changes.push_back({&table, table.key_of(*record), record});
    } catch (const std::invalid_argument&) {  // no store has such a row
    }
  }
  CHECK(store.commit(tick));
}

void go_on(Engine& engine, ManualClock& clock) {
  for (int i = 0; i < kMostSteps; ++i)
    if (!engine.step())
      clock.advance(std::clamp<Duration>(engine.next_due() - clock.monotonic(), 1, kMinute));
}

Answer redrive(Engine& engine, const std::string& id) {
  auto request = std::make_shared<RedriveDeadLetterRequest>();
  request->set_id(id);
  return engine.call({.method = contract::model().method_of<RedriveDeadLetterRequest>(),
                      .request = std::move(request),
                      .principal = system_principal()});
}

void check_alive(Engine& engine) {
  const auto letters = engine.query(*contract::model().method_of<ListDeadLettersRequest>(),
                                    system_principal(), ListDeadLettersRequest());
  CHECK(letters.has_value());
  CHECK(is_json(contract::to_json(**letters)));
  for (const DeadLetter& letter : static_cast<const ListDeadLettersResponse&>(**letters).dead_letters())
    redrive(engine, letter.id());
}

// A word a line, then the bytes.
void run(std::string_view bytes) {
  detail::log_level = LogLevel::kOff;
  const std::string_view line = take_line(bytes);
  Settings settings;
  auto services = app::make_services({.settings = settings, .data_folder = ""}, {});
  CHECK(services.has_value());
  Command asked{.method = contract::model().method_of<CreatePaymentRequest>(),
                .request = std::make_shared<CreatePaymentRequest>(),
                .principal = user_principal(kUser),
                .idempotency_key = kKey};
  make_fingerprint(asked);
  Records records;
  const Rows rows(*services, line, bytes);
  rows.add_timer(records), rows.add_effect(records), rows.add_deliveries(records);
  rows.add_key(records, asked), rows.add_any(records);
  ManualClock clock;
  const auto projector = Engine::make_projector(*services);
  const auto store = make_memory_store(contract::model(), projector.get());
  keep(*store, records);
  Engine engine({.seed = 1}, *store, clock, *std::move(services));
  CHECK(engine.open());
  go_on(engine, clock);
  const Answer answer = engine.call(std::move(asked));
  if (answer.result) CHECK(is_json(contract::to_json(**answer.result)));
  check_alive(engine);
  go_on(engine, clock);
  check_alive(engine);
}

const Register kRegistered("stored", run);

}  // namespace
}  // namespace micropay::fuzz
