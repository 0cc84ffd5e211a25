#include "libs/rpc/builtin.h"

#include <set>

#include "contracts/rpc.pb.h"
#include "libs/base/grpc_code.h"

namespace micropay::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

constexpr int32_t kServing = 1, kNotServing = 2, kUnknownService = 3;

std::unexpected<Error> malformed() {
  return fail(Code::kInvalidArgument, "malformed_message", "The body is not a request of this method.");
}

template <typename T>
Result<T> parse(std::string_view bytes) {
  T message;
  if (!message.ParseFromArray(bytes.data(), int(bytes.size()))) return malformed();
  return message;
}

// Of "" (the process), "micropay.PaymentService" or "payment".
int32_t status_of_service(const Dispatch& dispatch, const std::string& name) {
  const bool known = name.empty() || std::ranges::any_of(dispatch.services(), [&](const std::string& full) {
                       return full == name || dispatch.short_name(full) == name;
                     });
  return !known ? kUnknownService : dispatch.serving() ? kServing : kNotServing;
}

Result<std::string> check(const Dispatch& dispatch, std::string_view request, bool watch) {
  const auto asked = TRY(parse<RpcHealthRequest>(request));
  RpcHealthAnswer answer;
  answer.set_status(status_of_service(dispatch, asked.service()));
  if (answer.status() == kUnknownService && !watch)
    return fail(Code::kNotFound, "unknown_service", asked.service() + " does not run here.");
  return answer.SerializeAsString();
}

// The file and all that it imports, each once.
void add_files(const FileDescriptor* file, std::set<const FileDescriptor*>& seen, RpcFiles& out) {
  if (!seen.insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  out.add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) add_files(file->dependency(i), seen, out);
}

void answer_file(const FileDescriptor* file, RpcReflectionAnswer& answer) {
  if (file == nullptr) {
    answer.mutable_error()->set_error_code(int32_t(grpc_code(Code::kNotFound)));
    answer.mutable_error()->set_error_message("There is no such file or name.");
    return;
  }
  std::set<const FileDescriptor*> seen;
  add_files(file, seen, *answer.mutable_files());
}

void answer_extensions(const DescriptorPool& pool, const std::string& type, RpcReflectionAnswer& answer) {
  const auto* message = pool.FindMessageTypeByName(type);
  if (message == nullptr) return answer_file(nullptr, answer);
  std::vector<const FieldDescriptor*> found;
  pool.FindAllExtensions(message, &found);
  answer.mutable_extensions()->set_base_type_name(type);
  for (const FieldDescriptor* field : found)
    answer.mutable_extensions()->add_extension_number(field->number());
}

const FileDescriptor* file_of_extension(const DescriptorPool& pool, const RpcExtensionRequest& asked) {
  const auto* message = pool.FindMessageTypeByName(asked.containing_type());
  const auto* field =
      message == nullptr ? nullptr : pool.FindExtensionByNumber(message, asked.extension_number());
  return field == nullptr ? nullptr : field->file();
}

Result<std::string> reflect(const Dispatch& dispatch, std::string_view request) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  RpcReflectionAnswer answer;
  *answer.mutable_original_request() = TRY(parse<RpcReflectionRequest>(request));
  const RpcReflectionRequest& asked = answer.original_request();
  answer.set_valid_host(asked.host());
  switch (asked.asked_case()) {
    case RpcReflectionRequest::kListServices:
      for (const std::string& name : dispatch.services())
        answer.mutable_services()->add_service()->set_name(name);
      answer.mutable_services();  // also when there are none
      break;
    case RpcReflectionRequest::kFileByFilename:
      answer_file(pool.FindFileByName(asked.file_by_filename()), answer);
      break;
    case RpcReflectionRequest::kFileContainingSymbol:
      answer_file(pool.FindFileContainingSymbol(asked.file_containing_symbol()), answer);
      break;
    case RpcReflectionRequest::kFileContainingExtension:
      answer_file(file_of_extension(pool, asked.file_containing_extension()), answer);
      break;
    case RpcReflectionRequest::kAllExtensionNumbersOfType:
      answer_extensions(pool, asked.all_extension_numbers_of_type(), answer);
      break;
    case RpcReflectionRequest::ASKED_NOT_SET: return malformed();
  }
  return answer.SerializeAsString();
}

}  // namespace

std::map<std::string, Builtin, std::less<>> builtins(const Dispatch& dispatch) {
  std::map<std::string, Builtin, std::less<>> all;
  all[std::string(kHealthCheckPath)] = {
      .answer = [&dispatch](std::string_view request) { return check(dispatch, request, false); }};
  all["/grpc.health.v1.Health/Watch"] = {
      .answer = [&dispatch](std::string_view request) { return check(dispatch, request, true); },
      .watches = true};
  for (const char* package : {"grpc.reflection.v1", "grpc.reflection.v1alpha"}) {
    all[fmt::format("/{}.ServerReflection/ServerReflectionInfo", package)] = {
        .answer = [&dispatch](std::string_view request) { return reflect(dispatch, request); },
        .streams = true};
  }
  return all;
}

std::string health_request(std::string_view service) {
  RpcHealthRequest request;
  request.set_service(std::string(service));
  return request.SerializeAsString();
}

bool says_serving(std::string_view answer) {
  RpcHealthAnswer health;
  return health.ParseFromArray(answer.data(), int(answer.size())) && health.status() == kServing;
}

}  // namespace micropay::rpc
