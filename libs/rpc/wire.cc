#include "libs/rpc/wire.h"

#include <array>

#include "contracts/rpc.pb.h"
#include "libs/base/grpc_code.h"

namespace micropay::rpc {
namespace {

constexpr size_t kMaxId = 64, kMaxAddress = 64, kMaxKey = 255, kMaxScopes = 100;
constexpr size_t kMaxMessage = 1'000;     // of grpc-message
constexpr size_t kMaxDetails = 16 << 10;  // of an error, all together

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr auto kValues = [] {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (size_t i = 0; i < kAlphabet.size(); ++i) values[uint8_t(kAlphabet[i])] = int8_t(i);
  return values;
}();

bool visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

std::unexpected<Error> bad_context(std::string_view what) {
  return fail(Code::kInvalidArgument, "invalid_context", fmt::format("{} is out of bounds", what),
              std::string(kContextHeader));
}

void append_head(std::string& out, size_t length) {
  const auto size = uint32_t(length);
  const char head[kFrameHeadBytes] = {0, char(size >> 24), char(size >> 16), char(size >> 8), char(size)};
  out.append(head, sizeof head);
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void append_frame(std::string& out, const google::protobuf::Message& message) {
  const size_t length = message.ByteSizeLong(), begin = out.size() + kFrameHeadBytes;
  out.reserve(begin + length);
  append_head(out, length);
  out.resize(begin + length);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(out.data() + begin));
}

void append_frame(std::string& out, std::string_view message) {
  append_head(out, message.size());
  out.append(message);
}

Result<Frame> first_frame(std::string_view bytes, size_t max_bytes) {
  if (bytes.size() < kFrameHeadBytes) return Frame{};
  if (bytes[0] != 0) return fail(Code::kUnimplemented, "compressed", "Messages are not compressed here.");
  const auto at = [&](size_t i) { return uint32_t(uint8_t(bytes[i])); };
  const size_t length = at(1) << 24 | at(2) << 16 | at(3) << 8 | at(4);
  if (length > max_bytes)
    return fail(Code::kTooLarge, "message_too_large",
                fmt::format("{} bytes are more than the {} of a message", length, max_bytes));
  if (bytes.size() < kFrameHeadBytes + length) return Frame{};
  return Frame{bytes.substr(kFrameHeadBytes, length), kFrameHeadBytes + length};
}

namespace {

void write(RpcMark& out, const Mark& mark) {
  out.set_service(mark.service->name);
  out.set_partition(mark.partition);
  out.set_type(mark.type);
  out.set_position(mark.position);
}

Marks read(const google::protobuf::RepeatedPtrField<RpcMark>& given) {
  Marks marks;
  for (const RpcMark& mark : given) {
    const contract::Service* service = contract::model().service(mark.service());
    if (service == nullptr) continue;
    add_mark(marks, {service, mark.partition(), mark.type(), mark.position()});
  }
  return marks;
}

}  // namespace

std::string encode_marks(const Marks& marks) {
  RpcMarks all;
  for (const Mark& mark : marks) write(*all.add_marks(), mark);
  return all.SerializeAsString();
}

Marks decode_marks(std::string_view bytes) {
  RpcMarks all;
  if (bytes.size() > kMaxContextBytes || !all.ParseFromArray(bytes.data(), int(bytes.size()))) return {};
  return read(all.marks());
}

std::string encode_context(const Command& command, std::string_view caller) {
  const Principal& principal = command.principal;
  static thread_local RpcContext context;  // keeps its memory
  context.Clear();
  context.set_kind(uint32_t(principal.kind));
  context.set_user_id(principal.user_id);
  context.set_session_id(principal.session_id);
  context.set_role_bits(principal.role_bits);
  for (const std::string& scope : principal.scopes) context.add_scopes(scope);
  context.set_address(principal.address);
  context.set_correlation_id(command.correlation_id);
  context.set_idempotency_key(command.idempotency_key);
  context.set_fingerprint(command.sent_digest);
  context.set_respond_async(command.respond_async);
  context.set_if_match(command.if_match);
  context.set_caller(caller.data(), caller.size());
  for (const Mark& mark : command.after) write(*context.add_after(), mark);
  return context.SerializeAsString();
}

Result<void> decode_context(std::string_view bytes, Command& command, std::string* caller) {
  static thread_local RpcContext context;
  if (bytes.size() > kMaxContextBytes || !context.ParseFromArray(bytes.data(), int(bytes.size())))
    return bad_context("the whole");
  if (context.kind() > uint32_t(Principal::Kind::kSystem)) return bad_context("kind");
  if (context.user_id().size() > kMaxId) return bad_context("user_id");
  if (context.session_id().size() > kMaxId) return bad_context("session_id");
  if (context.scopes_size() > int(kMaxScopes)) return bad_context("scopes");
  if (context.address().size() > kMaxAddress) return bad_context("address");
  if (context.correlation_id().size() > kMaxId || !visible(context.correlation_id()))
    return bad_context("correlation_id");
  if (context.idempotency_key().size() > kMaxKey || !visible(context.idempotency_key()))
    return bad_context("idempotency_key");
  command.principal.kind = static_cast<Principal::Kind>(context.kind());
  command.principal.user_id = context.user_id();
  command.principal.session_id = context.session_id();
  command.principal.role_bits = context.role_bits();
  command.principal.scopes.assign(context.scopes().begin(), context.scopes().end());
  command.principal.address = context.address();
  command.correlation_id = context.correlation_id();
  command.idempotency_key = context.idempotency_key();
  command.sent_digest = context.fingerprint();
  command.respond_async = context.respond_async();
  command.if_match = context.if_match();
  command.after = read(context.after());
  if (caller != nullptr) *caller = context.caller();
  return {};
}

bool valid_traceparent(std::string_view text) {
  return text.size() == 55 && text[2] == '-' && text[35] == '-' && text[52] == '-' &&
         is_hex(text.substr(0, 2)) && is_hex(text.substr(3, 32)) && is_hex(text.substr(36, 16)) &&
         is_hex(text.substr(53));
}

std::string encode_binary(std::string_view bytes) {
  std::string out((bytes.size() * 8 + 5) / 6, '\0');
  const auto at = [&](size_t i) { return i < bytes.size() ? uint32_t(uint8_t(bytes[i])) : 0; };
  size_t to = 0;
  for (size_t from = 0; from < bytes.size(); from += 3) {
    const uint32_t group = at(from) << 16 | at(from + 1) << 8 | at(from + 2);
    for (int shift = 18; shift >= 0 && to < out.size(); shift -= 6)
      out[to++] = kAlphabet[group >> shift & 63];
  }
  return out;
}

std::optional<std::string> decode_binary(std::string_view text) {
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return {};
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = kValues[uint8_t(c)];
    if (value < 0) return {};
    bits = bits << 6 | uint32_t(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out.push_back(char(bits >> held));
    }
  }
  return out;
}

std::string encode_message(std::string_view text) {
  std::string out;
  text = text.substr(0, kMaxMessage);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool edge = i == 0 || i + 1 == text.size();  // a header's value has no blanks around it
    if (c >= ' ' && c < 127 && c != '%' && !(c == ' ' && edge)) out.push_back(c);
    else fmt::format_to(std::back_inserter(out), "%{:02X}", uint8_t(c));
  }
  return out;
}

std::string decode_message(std::string_view text) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
  };
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escaped =
        text[i] == '%' && i + 2 < text.size() && digit(text[i + 1]) >= 0 && digit(text[i + 2]) >= 0;
    out.push_back(escaped ? char(digit(text[i + 1]) * 16 + digit(text[i + 2])) : text[i]);
    if (escaped) i += 2;
  }
  return out;
}

std::string format_timeout(Duration duration) {
  constexpr Duration kMaxDigits = 99'999'999;
  duration = std::max<Duration>(duration, 1);
  if (duration <= kMaxDigits) return fmt::format("{}u", duration);
  const Duration ms = (duration + kMillisecond - 1) / kMillisecond;
  if (ms <= kMaxDigits) return fmt::format("{}m", ms);
  return fmt::format("{}S", std::min((duration + kSecond - 1) / kSecond, kMaxDigits));
}

std::optional<Duration> parse_timeout(std::string_view text) {
  if (text.size() < 2 || text.size() > 9) return {};
  Duration count = 0;
  for (const char c : text.substr(0, text.size() - 1)) {
    if (c < '0' || c > '9') return {};
    count = count * 10 + (c - '0');
  }
  switch (text.back()) {
    case 'H': return count * kHour;
    case 'M': return count * kMinute;
    case 'S': return count * kSecond;
    case 'm': return count * kMillisecond;
    case 'u': return count;
    case 'n': return count / 1'000;
    default: return {};
  }
}

Status status_of(const Error& error) {
  RpcError whole;
  whole.set_code(uint32_t(error.code));
  whole.set_reason(error.reason);
  whole.set_detail(error.detail);
  whole.set_field(error.field);
  for (const auto& [name, value] : error.extensions) {
    RpcExtension& extension = *whole.add_extensions();
    extension.set_name(name);
    extension.set_value(value);
  }
  whole.set_retry_after_s(error.retry_after_s);
  RpcStatus status;
  status.set_code(int32_t(grpc_code(error.code)));
  status.set_message(fmt::format("{}: {}", error.reason, error.detail).substr(0, kMaxMessage));
  // A trailer has its limit; a text that long has nothing more to say.
  if (whole.ByteSizeLong() > kMaxDetails / 2)
    whole.mutable_detail()->resize(std::min<size_t>(error.detail.size(), 1'000));
  status.add_details()->PackFrom(whole);
  return {grpc_code(error.code), status.message(), status.SerializeAsString()};
}

Error error_of(const Status& status) {
  RpcStatus given;
  if (status.details.size() <= kMaxDetails && given.ParseFromString(status.details)) {
    for (const auto& detail : given.details()) {
      RpcError whole;
      if (!detail.UnpackTo(&whole) || whole.code() > uint32_t(Code::kTooLarge)) continue;
      Error error{.code = static_cast<Code>(whole.code()),
                  .reason = whole.reason(),
                  .detail = whole.detail(),
                  .field = whole.field(),
                  .retry_after_s = whole.retry_after_s()};
      for (const auto& extension : whole.extensions())
        error.extensions.emplace_back(extension.name(), extension.value());
      return error;
    }
  }
  return {.code = code_of_grpc(status.code), .reason = "rpc_failed", .detail = status.message};
}

}  // namespace micropay::rpc
