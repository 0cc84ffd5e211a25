#include "libs/runtime/page_tokens.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <cstring>

#include "libs/base/base64url.h"
#include "libs/contract/etag.h"

namespace micropay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

const FieldDescriptor* token_of(const Message& request) {
  const FieldDescriptor* field = request.GetDescriptor()->FindFieldByName("page_token");
  return field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING ? field : nullptr;
}

// The same in every process of this version: gateways and instances hand tokens to each other.
uint64_t list_digest(const contract::Method& method, const Principal& principal, const Message& request) {
  const std::unique_ptr<Message> shape(request.New());
  shape->CopyFrom(request);
  for (const char* name : {"page_token", "page_size"})
    if (const FieldDescriptor* field = shape->GetDescriptor()->FindFieldByName(name))
      shape->GetReflection()->ClearField(shape.get(), field);
  std::string bytes = method.full_name + '\n' + principal.user_id + '\n';
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);
    shape->SerializeWithCachedSizes(&out);
  }
  return contract::digest64(bytes);
}

}  // namespace

Result<std::unique_ptr<Message>> open_page_token(const contract::Method& method, const Principal& principal,
                                                 const Message& request) {
  const FieldDescriptor* field = method.list ? token_of(request) : nullptr;
  if (field == nullptr) return nullptr;
  std::string scratch;
  const std::string& token = request.GetReflection()->GetStringReference(request, field, &scratch);
  if (token.empty() || token.starts_with(kPageOffset)) return nullptr;
  const auto bytes = from_base64url(token);
  uint64_t digest = 0;
  if (bytes && bytes->size() > sizeof digest) std::memcpy(&digest, bytes->data(), sizeof digest);
  if (digest == 0 || digest != list_digest(method, principal, request))
    return fail(Code::kInvalidArgument, "invalid_page_token",
                "The token is not from an earlier page of this list, in this order and with these filters.",
                "pageToken");
  std::unique_ptr<Message> opened(request.New());
  opened->CopyFrom(request);
  opened->GetReflection()->SetString(opened.get(), field, bytes->substr(sizeof digest));
  return opened;
}

Row seal_page_token(const contract::Method& method, const Principal& principal, const Message& request,
                    Row answer) {
  if (!method.list || token_of(request) == nullptr) return answer;
  const FieldDescriptor* next = method.response->FindFieldByName("next_page_token");
  const std::string place = answer->GetReflection()->GetString(*answer, next);
  if (place.empty()) return answer;
  const uint64_t digest = list_digest(method, principal, request);
  std::string token(reinterpret_cast<const char*>(&digest), sizeof digest);
  token += place;
  // Usually the handler has just made it, and nobody else has it: a page of 500 is not copied for its token.
  auto sealed = std::const_pointer_cast<Message>(std::move(answer));
  if (sealed.use_count() > 1) {
    const auto shared = std::exchange(sealed, std::shared_ptr<Message>(sealed->New()));
    sealed->CopyFrom(*shared);
  }
  sealed->GetReflection()->SetString(sealed.get(), next, to_base64url(token));
  return sealed;
}

}  // namespace micropay
