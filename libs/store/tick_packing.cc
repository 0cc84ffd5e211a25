// Packing and unpacking; the format stands in the header.
#include "libs/store/tick_packing.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "libs/base/ids.h"
#include "libs/base/varint.h"

namespace micropay {
namespace {

enum TextForm : uint8_t { kEmpty, kUuid, kAsBefore, kIdBefore, kBytes };

// Names in the order of their first use. A tick has some ten, so looking through them is quick.
class NamesOut {
 public:
  // True when it is new.
  bool append(std::string& out, const std::string& name) {
    for (size_t i = 0; i < names_.size(); ++i)  // nearly always it is the same object
      if (names_[i] == &name) return append_varint(out, i), false;
    for (size_t i = 0; i < names_.size(); ++i)
      if (*names_[i] == name) return append_varint(out, i), false;
    append_varint(out, names_.size());
    append_sized(out, name);
    names_.push_back(&name);
    return true;
  }

 private:
  std::vector<const std::string*> names_;
};

void append_text(std::string& out, std::string_view text, std::string_view before,
                 std::string_view id_before) {
  if (text.empty()) return out.push_back(kEmpty);
  if (text == before) return out.push_back(kAsBefore);
  if (text == id_before) return out.push_back(kIdBefore);
  if (const auto uuid = parse_canonical_uuid(text)) {
    out.push_back(kUuid);
    out.append(reinterpret_cast<const char*>(uuid->data()), uuid->size());
    return;
  }
  append_varint(out, kBytes + text.size());
  out.append(text);
}

void append_event(std::string& out, NamesOut& names, const EventRecord& event, const Envelope& before,
                  Time tick_time) {
  const Envelope& envelope = event.envelope;
  if (names.append(out, envelope.type())) names.append(out, envelope.service());
  append_varint(out, zigzag(envelope.time() - tick_time));
  append_text(out, envelope.id(), before.id(), before.id());
  append_text(out, envelope.key(), before.key(), before.id());
  append_text(out, envelope.correlation_id(), before.correlation_id(), before.id());
  append_text(out, envelope.causation_id(), before.causation_id(), before.id());
  append_text(out, envelope.actor(), before.actor(), before.id());
  append_text(out, envelope.traceparent(), before.traceparent(), before.id());
  if (!envelope.data().empty() || event.message == nullptr) return append_sized(out, envelope.data());
  append_varint(out, event.message->ByteSizeLong());
  event.message->AppendToString(&out);
}

// The names of a payload while it is read: new ones become names of the process.
class NamesIn {
 public:
  const std::string* read(ByteReader& in, bool* is_new = nullptr) {
    const uint64_t number = in.varint();
    const bool added = number == names_.size();
    if (added && in.good) names_.push_back(&name_of(in.sized()));
    if (is_new != nullptr) *is_new = added;
    if (number >= names_.size()) in.good = false;
    return in.good ? names_[number] : nullptr;
  }

 private:
  std::vector<const std::string*> names_;
};

}  // namespace

// Fills one envelope after the other; friend of Envelope, so that its strings keep their memory.
class EventUnpacker {
 public:
  explicit EventUnpacker(ByteReader& in) : in_(in) {}

  void read(Envelope& envelope, Time tick_time) {
    bool is_new = false;
    const std::string* type = names_.read(in_, &is_new);
    if (is_new && in_.good) services_.emplace_back(type, names_.read(in_));
    envelope.type_ = type;
    envelope.service_ = service_of(type);
    envelope.time_ = tick_time + unzigzag(in_.varint());
    text(envelope.id_, &Envelope::id_);
    text(envelope.key_, &Envelope::key_);
    text(envelope.correlation_id_, &Envelope::correlation_id_);
    text(envelope.causation_id_, &Envelope::causation_id_);
    text(envelope.actor_, &Envelope::actor_);
    text(envelope.traceparent_, &Envelope::traceparent_);
    envelope.data_ = in_.sized();
    if (!in_.good) envelope = {};
    before_ = &envelope;
  }
  const std::string* name() { return names_.read(in_); }

 private:
  const std::string* service_of(const std::string* type) const {
    for (const auto& [of, service] : services_)
      if (of == type) return service;
    in_.good = false;
    return nullptr;
  }

  void text(InlineText& into, InlineText Envelope::* field) {
    const uint64_t form = in_.varint();
    if (form >= kBytes) {
      into = in_.bytes(form - kBytes);
    } else if (form == kUuid) {
      const std::string_view bytes = in_.bytes(std::tuple_size_v<Uuid>);
      char text[kUuidText];
      if (in_.good) format_uuid(reinterpret_cast<const uint8_t*>(bytes.data()), text);
      if (in_.good) into = std::string_view(text, sizeof text);
    } else if (form == kEmpty) {
      into = std::string_view();
    } else if (before_ == nullptr) {
      in_.good = false;
    } else {
      into = form == kAsBefore ? before_->*field : before_->id_;
    }
  }

  ByteReader& in_;
  NamesIn names_;
  std::vector<std::pair<const std::string*, const std::string*>> services_;  // of types
  const Envelope* before_ = nullptr;
};

void append_row(std::string& out, const google::protobuf::Message& row) {
  const size_t start = out.size(), size = row.ByteSizeLong();
  out.resize(start + size);
  google::protobuf::io::ArrayOutputStream stream(out.data() + start, static_cast<int>(size));
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  row.SerializeWithCachedSizes(&coded);
}

std::string row_bytes(const google::protobuf::Message& row) {
  std::string bytes;
  append_row(bytes, row);
  return bytes;
}

void pack_tick(const Tick& tick, std::string& payload, std::vector<ChangePlace>& places) {
  static const Envelope kNothing{};
  NamesOut names;
  const Envelope* before = &kNothing;
  for (const auto& event : tick.events) {
    append_event(payload, names, *event, *before, tick.time);
    before = &event->envelope;
  }
  append_varint(payload, tick.changes.size());
  for (const RowChange& change : tick.changes) {
    names.append(payload, change.table->sql_name);
    append_sized(payload, change.key);
    ChangePlace& place = places.emplace_back();
    place.key_bytes = static_cast<uint32_t>(change.key.size());
    place.key = static_cast<uint32_t>(payload.size()) - place.key_bytes;
    if (change.row == nullptr) {
      append_varint(payload, 0);
      continue;
    }
    place.row_bytes = static_cast<uint32_t>(change.row->ByteSizeLong());
    append_varint(payload, uint64_t(place.row_bytes) + 1);
    place.row = static_cast<uint32_t>(payload.size());
    append_row(payload, *change.row);
  }
}

bool unpack_tick(TickRecord& record, size_t events) {
  ByteReader in{{record.payload.data(), record.payload.size()}};
  EventUnpacker unpacker(in);
  if (events > record.payload.size()) return false;  // an event has more than a byte
  record.events.resize(events);
  for (size_t i = 0; i < events && in.good; ++i) {
    unpacker.read(record.events[i], record.time);
    record.events[i].set_position(record.first_position + i);
  }
  const uint64_t changes = in.varint();
  if (!in.good || changes > in.rest.size()) return false;
  record.changes.clear();
  record.changes.reserve(changes);
  for (uint64_t i = 0; i < changes && in.good; ++i) {
    TickRecord::Change change{};
    change.table = unpacker.name();
    change.key = in.sized();
    const uint64_t size = in.varint();
    change.erased = size == 0;
    if (size > 0) change.row = in.bytes(size - 1);
    record.changes.push_back(change);
  }
  return in.good && in.rest.empty();
}

}  // namespace micropay
