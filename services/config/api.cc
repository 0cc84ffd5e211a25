#include "services/config/api.h"

#include <algorithm>

#include "libs/base/log.h"
#include "libs/http/error_response.h"
#include "services/config/rules/placeholders.h"
#include "services/config/rules/properties_file.h"
#include "services/config/rules/render.h"

namespace micropay::config {
namespace {

using Form = Target::Form;

constexpr std::string_view kOperator = "operator";
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kText = "text/plain; charset=utf-8";

HttpResponse content(std::string_view type, std::string body) {
  HttpResponse response{.body = std::move(body)};
  response.add("Content-Type", type);
  response.add("Cache-Control", "no-store");
  return response;
}

HttpResponse method_not_allowed(std::string_view allowed) {
  HttpResponse response =
      error_response(405, {.reason = "method_not_allowed", .detail = "The route has other methods."});
  response.add("Allow", allowed);
  return response;
}

// A flag of the query string: true when it is there without a value, too.
bool query_flag(const HttpRequest& request, std::string_view name, bool standard) {
  const auto pairs = parse_query(request.query);
  if (!pairs) return standard;
  for (const auto& [key, value] : *pairs)
    if (key == name) return value.empty() || value == "true";
  return standard;
}

std::vector<BasicCredentials> clients_of(const ConfigSettings& settings) {
  if (settings.password.empty()) return {};
  return {{settings.user, settings.password}, {std::string(kOperator), settings.operator_password}};
}

}  // namespace

Api::Api(const ConfigSettings& settings, Parts parts)
    : parts_(std::move(parts)),
      clients_(clients_of(settings), parts_.clock),
      operators_({{std::string(kOperator), settings.operator_password}}, parts_.clock) {}

HttpResponse Api::answer(const HttpRequest& request) {
  static Counter& served =
      counter("micropay_config_requests_total", "Requests of clients, by outcome", {{"outcome", "served"}});
  static Counter& refused =
      counter("micropay_config_requests_total", "Requests of clients, by outcome", {{"outcome", "refused"}});
  static Counter& failed =
      counter("micropay_config_requests_total", "Requests of clients, by outcome", {{"outcome", "failed"}});
  HttpResponse response = route(request);
  (response.status < 400 ? served : response.status < 500 ? refused : failed).add();
  return response;
}

HttpResponse Api::route(const HttpRequest& request) {
  const std::string_view path = request.path;
  const bool reading = request.method == "GET" || request.method == "HEAD";
  if (path == "/actuator/health") return reading ? health() : method_not_allowed("GET, HEAD");
  if (path == "/encrypt/status") return reading ? encrypt_status() : method_not_allowed("GET, HEAD");
  if (path == "/encrypt" || path == "/decrypt")
    return request.method == "POST" ? encrypt(request, path == "/decrypt") : method_not_allowed("POST");
  if (path == "/actuator/busrefresh" || path.starts_with("/actuator/busrefresh/") || path == "/monitor")
    return request.method == "POST" ? refresh(request) : method_not_allowed("POST");
  if (!reading) return method_not_allowed("GET, HEAD");
  if (!clients_.open()) {
    if (auto refusal = clients_.refuse(request)) return *std::move(refusal);
  }
  auto response = read(request);
  if (response) return *std::move(response);
  const Error& error = response.error();
  if (http_status(error.code) >= 500)
    log_error("config.unreadable", "Settings cannot be served",
              {{"url.path", path}, {"reason", error.reason}, {"error.message", error.detail}});
  return error_response(error);
}

HttpResponse Api::encrypt(const HttpRequest& request, bool back) {
  if (auto refusal = operators_.refuse(request)) return *std::move(refusal);
  std::string_view text = request.body;
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);  // of curl -d @file
  auto result = back ? parts_.cipher.decrypt(text) : parts_.cipher.encrypt(text);
  if (!result) return error_response(result.error());
  return content(kText, *std::move(result));
}

HttpResponse Api::encrypt_status() const {
  if (parts_.cipher.has_key()) return content(kJson, R"({"status":"OK"})");
  HttpResponse response = content(
      kJson, R"({"status":"NO_KEY","description":"No key was installed: config.key_file is not set"})");
  response.status = 404;
  return response;
}

HttpResponse Api::refresh(const HttpRequest& request) {
  if (auto refusal = operators_.refuse(request)) return *std::move(refusal);
  parts_.refresh();
  return {.status = 204};
}

HttpResponse Api::health() {
  const bool up = parts_.backend.tree("").has_value();
  if (healthy_.exchange(up) != up)
    log_warn("config.backend", up ? "The settings can be read again" : "The settings cannot be read");
  HttpResponse response = content(kJson, up ? R"({"status":"UP"})" : R"({"status":"DOWN"})");
  if (!up) response.status = 503;
  return response;
}

Result<Environment> Api::environment(const FileTree& tree, const Target& target) const {
  static Counter& undecryptable = counter("micropay_config_undecryptable_total",
                                          "Values that no key of ours decrypts, each time they are served");
  Environment environment = TRY(make_environment(tree, target.request));
  if (environment.request.label.empty()) environment.request.label = parts_.backend.default_label();
  if (const size_t failed = parts_.cipher.decrypt_all(environment.sources); failed > 0) {
    undecryptable.add(failed);
    log_warn("config.undecryptable", "Values cannot be decrypted; clients see them as invalid.<key>",
             {{"application", target.name}, {"count", failed}});
  }
  return environment;
}

Result<HttpResponse> Api::read(const HttpRequest& request) {
  const Target target = TRY(read_target(request.path, query_flag(request, "useDefaultLabel", false)));
  const FileTreePtr tree = TRY(parts_.backend.tree(target.request.label));
  parts_.asked(target.request.label);
  const Environment environment = TRY(this->environment(*tree, target));
  if (target.form == Form::kEnvironment) return content(kJson, environment_json(environment, target.name));
  const bool resolve = query_flag(request, "resolvePlaceholders", true);
  if (target.form == Form::kPlain) return plain_file(*tree, target, environment, resolve);
  std::vector<Property> all = merged(environment.sources);
  if (resolve) {
    const std::vector<Property> unresolved = all;
    const Placeholders placeholders(unresolved);
    for (Property& property : all)
      if (property.value.kind == PropertyValue::Kind::kText)
        property.value.text = placeholders.resolve(property.value.text);
  }
  if (target.form == Form::kProperties) return content(kText, write_properties(all));
  if (target.form == Form::kYaml) return content(kText, nested_yaml(all));
  return content(kJson, nested_json(all));
}

// As it is for who asks for bytes, with placeholders filled in for who asks for text.
Result<HttpResponse> Api::plain_file(const FileTree& tree, const Target& target,
                                     const Environment& environment, bool resolve) const {
  const std::string* file = find_plain_file(tree, target.path, target.request.profiles);
  if (file == nullptr) return fail(Code::kNotFound, "file_not_found", "There is no such file.", "path");
  if (!resolve || !is_utf8(*file)) return content("application/octet-stream", *file);
  const std::vector<Property> all = merged(environment.sources);
  return content(kText, Placeholders(all).resolve(*file));
}

}  // namespace micropay::config
