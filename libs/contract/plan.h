// How each field of a message is read, written and checked: built once per message type, then shared by JSON
// and validation. Inside of this folder. Types are kept by address: those of a test's own pool must never be
// freed.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/contract/model.h"

namespace re2 {
class RE2;
}

namespace micropay::contract {

using google::protobuf::Reflection;

enum class Kind : uint8_t {
  kText,
  kTime,
  kBool,
  kInt32,
  kInt64,
  kUint32,
  kUint64,
  kDouble,
  kFloat,
  kEnum,
  kBytes,
  kMoney,
  kMetadata,
  kMessage,
};

struct MessagePlan;

struct FieldPlan {
  const FieldDescriptor* field = nullptr;
  const Reflection* reflection =
      nullptr;  // of the message: asking the message for it costs more than using it
  const FieldOptions* options = nullptr;
  Kind kind = Kind::kText;
  bool repeated = false;
  bool presence = false;     // it can be told whether it is set
  bool hidden = false;       // internal or secret: answers leave it out
  bool masked = false;       // personal or secret: logs show ***
  bool read_only = false;    // refused in input
  bool omit_zero = false;    // left out of answers when unset: its "" or 0 would be refused as input
  bool refuse_zero = false;  // a "" or 0 that is written breaks the field's bounds
  bool clears = false;       // null and "" are values: they take away what is there (RFC 7396)
  bool wide = false;         // 64 bits without bounds within 2^53: may come as a string
  std::string name;          // "pageSize"
  std::string key;           // "\"pageSize\":"
  const MessagePlan* child = nullptr;
  std::shared_ptr<const re2::RE2> pattern;
  uint32_t min_length = 0;
  uint32_t max_length = 0;
  size_t max_bytes = 0;  // of strings and metadata
};

struct MessagePlan {
  const Descriptor* descriptor = nullptr;
  const Reflection* reflection = nullptr;
  bool list = false;  // an answer with items and next_page_token
  std::vector<FieldPlan> fields;
};

constexpr int64_t kSafeInteger = int64_t(1) << 53;  // beyond it, JSON numbers lose digits in JavaScript
constexpr uint32_t kMaxText = 1024;                 // characters
constexpr uint32_t kMaxItems = 1000;
constexpr uint32_t kMaxBytes = 65536;
constexpr uint32_t kMaxMetadata = 50;  // entries, and characters of a key
constexpr uint32_t kMaxMetadataKey = 64;
constexpr uint32_t kMaxMetadataBytes = 8192;  // keys and values together

const MessagePlan& plan_of(const Message& message);
// Whether JSON always has the field: whatever the value, append_json() writes it.
bool always_written(const FieldPlan& plan);
const FieldPlan* field_named(const MessagePlan& plan, std::string_view json_name);
// `, did you mean "amount"?`, or nothing when no known field is near.
std::string nearest_field(const MessagePlan& plan, std::string_view json_name);
// The zero of an enum that means nothing was chosen: it is never written nor accepted.
bool is_unspecified(const google::protobuf::EnumValueDescriptor& value);

// The text of a string field, without a copy where the message keeps it as one.
const std::string& text_of(const Message& message, const FieldPlan& plan, std::string& scratch);
const std::string& text_of(const Message& message, const FieldPlan& plan, int index, std::string& scratch);

struct MoneyView {
  std::string_view currency;
  int64_t minor = 0;
};
MoneyView money_of(const Message& money, std::string& scratch);
void set_money(Message& money, std::string_view currency, int64_t minor);
// Entries of a Metadata message in the order of their keys.
std::vector<std::pair<std::string_view, std::string_view>> metadata_of(const Message& metadata);
void add_metadata(Message& metadata, std::string_view key, std::string_view value);
void set_metadata(Message& metadata, std::string_view key, std::string_view value);  // of a key that is there

// Sets a field (or adds an item) from text in its API form; the error's field is empty.
Result<void> set_text(Message& message, const FieldPlan& plan, std::string_view text);
Result<void> set_integer(Message& message, const FieldPlan& plan, __int128 value);
Result<void> set_double(Message& message, const FieldPlan& plan, double value);
void set_bool(Message& message, const FieldPlan& plan, bool value);

std::string base64url(std::string_view bytes);
std::optional<std::string> parse_base64(std::string_view text);  // either alphabet, padding or none

// Errors of input. The path grows from the inside out: the field's own part first, its parents on the way up.
std::unexpected<Error> refuse(std::string_view reason, std::string detail, std::string_view field = {});
std::unexpected<Error> below(std::string_view parent, Error error);
std::unexpected<Error> below(std::string_view parent, int index, Error error);
// Puts the whole path in front of the detail.
std::unexpected<Error> with_path(Error error);

}  // namespace micropay::contract
