// What the store's tests share.
#include "libs/store/store_twin.h"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "contracts/audit.pb.h"
#include "contracts/payment.pb.h"
#include "libs/base/check.h"
#include "libs/store/log_record.h"

namespace micropay::test {

ScratchFolder::ScratchFolder()
    : path_((std::filesystem::temp_directory_path() / "store-test-XXXXXX").string()) {
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string uuid(uint64_t number) { return fmt::format("01900000-0000-7000-8000-{:012x}", number); }

DeadLetter letter(uint64_t number, const LetterOptions& options) {
  DeadLetter letter;
  letter.set_id(uuid(number));
  letter.set_service(options.service);
  letter.set_status(options.status);
  letter.set_detail(options.detail);
  letter.set_created_at(options.created_at);
  letter.set_attempts(static_cast<uint32_t>(number));
  return letter;
}

std::string letter_key(uint64_t number) { return table<DeadLetter>().key_of(letter(number)); }

PackedTickPtr packed(const Tick& tick) {
  RecordHeader header;
  TickEncoder encoder;
  CHECK(encoder.encode(tick, header));
  return encoder.packed(tick);
}

Tick TickMaker::next(std::vector<RowChange> changes, size_t events) {
  Tick tick{.number = end_.tick + 1,
            .first_position = end_.next_position,
            .time = 1'700'000'000 * kSecond,
            .events = {},
            .changes = std::move(changes)};
  for (size_t i = 0; i < events; ++i) {
    auto event = std::make_shared<EventRecord>();
    auto message = std::make_shared<PaymentInitiated>();
    message->set_payment_id(uuid(end_.next_position));
    event->type = contract::model().event_of<PaymentInitiated>();
    event->envelope.set_id(uuid(1'000'000 + end_.next_position));
    event->envelope.set_type(event->type->type);
    event->envelope.set_service("payment");
    event->envelope.set_key(message->payment_id());
    event->envelope.set_position(end_.next_position++);
    event->message = std::move(message);
    tick.events.push_back(std::move(event));
  }
  end_.tick = tick.number;
  return tick;
}

bool CountingProjector::runs(std::string_view service, std::string_view only) const {
  return std::ranges::find(services_, service) != services_.end() && (only.empty() || only == service);
}

std::vector<RowChange> CountingProjector::project(
    const std::vector<std::shared_ptr<const EventRecord>>& events, const RowReader& reader,
    std::string_view only_service) {
  ++calls;
  most_events = std::max(most_events, events.size());
  seen += events.size();
  std::map<uint64_t, AuditBlock> blocks;
  std::vector<RowChange> changes;
  for (const auto& event : events) {
    uint64_t number = event->envelope.position() / 4;
    if (runs("audit", only_service)) {
      auto [at, added] = blocks.try_emplace(number);
      at->second.set_number(number);
      if (added)
        if (Row row = reader.get(table<AuditBlock>(), table<AuditBlock>().key_of(at->second)))
          at->second = static_cast<const AuditBlock&>(*row);
      at->second.set_count(at->second.count() + 1);
    }
    if (runs("payment", only_service)) {
      RefundLink link;
      link.set_refund_id(std::string(event->envelope.key()));
      link.set_payment_id(std::string(event->envelope.id()));
      changes.push_back(put(link));
    }
  }
  for (const auto& [number, block] : blocks) changes.push_back(put(block));
  return changes;
}

std::string dump(const Store& store) {
  std::string text;
  for (const contract::Table* each : contract::model().tables())
    CHECK(store.scan(*each, [&](const Row& row) {
      text += fmt::format("{} {}\n", each->sql_name, row->ShortDebugString());
      return true;
    }));
  return text;
}

}  // namespace micropay::test
