// Primary keys as bytes: the order of the bytes is the order of the fields, and the fields can be told apart
// again. Caches and the log use them; SQL has the key's columns themselves.
#include <charconv>
#include <stdexcept>

#include "libs/base/ids.h"
#include "libs/contract/json.h"
#include "libs/contract/model.h"

namespace micropay::contract {
namespace {

constexpr uint64_t kSign = uint64_t(1) << 63;

bool is_text(const FieldDescriptor& field) { return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING; }
bool is_uuid_field(const FieldDescriptor& field) {
  return is_text(field) && options_of(field).format() == UUID;
}
bool is_unsigned(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64 ||
         field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32;
}

void append_big_endian(std::string& out, uint64_t bits) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(char(bits >> shift));
}

template <typename Integer>
bool append_integer(std::string& out, std::string_view text, uint64_t flip) {
  Integer value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  append_big_endian(out, uint64_t(value) ^ flip);
  return true;
}

// False when the text is not of this form.
bool append_part(std::string& out, Table::KeyForm form, std::string_view text) {
  switch (form) {
    case Table::KeyForm::kUuid: {
      const auto uuid = parse_uuid(text);
      if (uuid) out.append(reinterpret_cast<const char*>(uuid->data()), uuid->size());
      return uuid.has_value();
    }
    case Table::KeyForm::kText:
      if (text.find('\0') != text.npos) return false;
      out.append(text).push_back('\0');
      return true;
    case Table::KeyForm::kUnsigned: return append_integer<uint64_t>(out, text, 0);
    case Table::KeyForm::kSigned: return append_integer<int64_t>(out, text, kSign);
  }
  return false;
}

}  // namespace

std::string Table::key_of(const Message& row) const {
  std::string out;
  std::string scratch;
  for (size_t i = 0; i < key.size(); ++i) {
    const FieldDescriptor* field = key[i];
    const bool fits =
        is_text(*field)
            ? append_part(out, key_forms[i], row.GetReflection()->GetStringReference(row, field, &scratch))
            : append_part(out, key_forms[i], field_text(row, *field));
    if (!fits) throw std::invalid_argument(sql_name + ": a row without a usable key: " + field->name());
  }
  return out;
}

void Table::add_key_field(const FieldDescriptor* field) {
  key.push_back(field);
  key_forms.push_back(is_uuid_field(*field) ? KeyForm::kUuid
                      : is_text(*field)     ? KeyForm::kText
                      : is_unsigned(*field) ? KeyForm::kUnsigned
                                            : KeyForm::kSigned);
}

std::optional<std::string> Table::encode_key(std::span<const std::string_view> parts) const {
  std::string out;
  if (!append_key(out, parts)) return {};
  return out;
}

bool Table::append_key(std::string& out, std::span<const std::string_view> parts) const {
  if (parts.size() != key.size()) return false;
  for (size_t i = 0; i < parts.size(); ++i)
    if (!append_part(out, key_forms[i], parts[i])) return false;
  return true;
}

std::optional<std::vector<std::string>> Table::decode_key(std::string_view bytes) const {
  std::vector<std::string> parts;
  for (const FieldDescriptor* field : key) {
    if (is_text(*field) && !is_uuid_field(*field)) {
      const size_t end = bytes.find('\0');
      if (end == bytes.npos) return {};
      parts.emplace_back(bytes.substr(0, end));
      bytes.remove_prefix(end + 1);
      continue;
    }
    const size_t size = is_text(*field) ? 16 : 8;
    if (bytes.size() < size) return {};
    if (is_text(*field)) {
      Uuid uuid;
      std::copy_n(bytes.data(), size, reinterpret_cast<char*>(uuid.data()));
      parts.push_back(format_uuid(uuid));
    } else {
      uint64_t bits = 0;
      for (size_t i = 0; i < size; ++i) bits = bits << 8 | uint8_t(bytes[i]);
      parts.push_back(is_unsigned(*field) ? std::to_string(bits) : std::to_string(int64_t(bits ^ kSign)));
    }
    bytes.remove_prefix(size);
  }
  if (!bytes.empty()) return {};
  return parts;
}

}  // namespace micropay::contract
