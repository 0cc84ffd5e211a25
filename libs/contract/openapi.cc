// The OpenAPI 3.1 document, written in the order of the contracts: the same contracts give the same bytes.
#include "libs/contract/documents.h"
#include "libs/contract/openapi_schemas.h"

namespace micropay::contract {
namespace {

struct Answer {
  int status;
  std::string_view name;  // of the component
  std::string_view description;
};
constexpr Answer kProblems[] = {
    {400, "BadRequest", "The request is malformed or breaks a bound; `field` says where."},
    {401, "Unauthorized", "No valid token or API key, or wrong credentials."},
    {402, "PaymentRequired", "The money did not move; `code` says why."},
    {403, "Forbidden", "The caller may not do this."},
    {404, "NotFound", "There is no such record, or it is another's."},
    {408, "RequestTimeout", "The request did not arrive in time; nothing was done."},
    {409, "Conflict", "The state does not allow it, or a request with the same Idempotency-Key still runs."},
    {412, "PreconditionFailed", "The record is no longer the one that If-Match names."},
    {413, "ContentTooLarge", "The body is over the limit."},
    {414, "UriTooLong", "Path and query are over the limit."},
    {415, "UnsupportedMediaType", "The body is not application/json."},
    {422, "UnprocessableContent", "The Idempotency-Key was used with another request."},
    {429, "TooManyRequests", "The rate limit is used up; Retry-After says when to come back."},
    {431, "HeadersTooLarge", "The headers are over the limit, by number or size."},
    {500, "InternalError", "A fault of the platform; the correlation id finds it in the logs."},
    {503, "Unavailable", "Overloaded or draining; nothing was done. Retry-After says when to come back."},
    {504, "Timeout",
     "The answer did not come in time; with the same Idempotency-Key it is safe to ask again."},
};

struct Header {
  std::string_view name;
  std::string_view description;
  std::string_view type;
  bool always = false;  // never left out of an answer that lists it
};
constexpr Header kHeaders[] = {
    {"X-Correlation-Id", "Follows the request through events and logs.", "string", true},
    {"ETag", "Version of the answer, for If-None-Match and If-Match.", "string"},
    {"RateLimit-Limit", "Requests that the window allows.", "integer"},
    {"RateLimit-Remaining", "Requests that are left.", "integer"},
    {"RateLimit-Reset", "Seconds until the window is full again.", "integer"},
    {"Retry-After", "Seconds to wait.", "integer", true},
    {"Location", "Where the record can be read.", "string"},
    {"Preference-Applied", "respond-async, when that was asked for.", "string"},
    {"WWW-Authenticate", "How to authenticate (RFC 6750).", "string", true},
    {"Content-Disposition", "The name of the file.", "string"},
    {"Idempotent-Replayed", "true when this is the first answer once more.", "string"},
};

bool has_body(const Method& method) { return method.verb != "GET" && !body_fields(method).empty(); }
bool by_key(const Method& method) { return method.verb == "POST" && method.options.idempotency() == BY_KEY; }
bool has_etag(const Method& method) { return method.verb == "GET" || method.resource != nullptr; }
bool takes_if_match(const Method& method) {
  return method.verb != "GET" && method.resource != nullptr && !method.variables.empty();
}
// Signing in answers 401, although anybody may try.
bool may_be_refused(const Method& method) {
  return !method.options.access().public_() || method.options.rate() == AUTH;
}

bool answers(const Method& method, int status) {
  switch (status) {
    case 401:
    case 403: return may_be_refused(method);
    case 402: return !method.options.failure_field().empty();
    case 409: return !method.query;
    case 412: return takes_if_match(method);
    case 413:
    case 415: return method.verb != "GET";
    case 422: return by_key(method);
    default: return true;
  }
}

std::string lower_first(std::string name) {
  name[0] = char(std::tolower(uint8_t(name[0])));
  return name;
}

class Document {
 public:
  Document(const Model& model, std::string_view version) : model_(model), version_(version), schemas_(out_) {}

  std::string make() {
    out_.object([&] {
      out_.text("openapi", "3.1.0");
      info();
      out_.list("servers", [&] { out_.item_object([&] { out_.text("url", "/"); }); });
      tags();
      paths();
      components();
    });
    return out_.take();
  }

 private:
  void info() {
    out_.object("info", [&] {
      out_.text("title", "MicroPay");
      out_.text("version", version_);
      out_.text(
          "description",
          "Wallets, payments and a double-entry ledger. Errors are RFC 9457 problem documents with a stable "
          "`code`. A POST with an `Idempotency-Key` can be repeated safely.");
      out_.object("license", [&] { out_.text("name", "Apache 2.0"), out_.text("identifier", "Apache-2.0"); });
    });
  }

  void tags() {
    out_.list("tags", [&] {
      for (const Service* service : model_.services()) {
        const bool is_public = std::any_of(service->methods.begin(), service->methods.end(),
                                           [](const Method* method) { return !method->verb.empty(); });
        if (!is_public) continue;
        out_.item_object(
            [&] { out_.text("name", service->name), out_.text("description", service->summary); });
      }
    });
  }

  void paths() {
    std::vector<std::string> order;  // as declared, each path once with all its verbs
    for (const Method* method : model_.methods())
      if (!method->verb.empty() && std::find(order.begin(), order.end(), public_path(*method)) == order.end())
        order.push_back(public_path(*method));
    out_.object("paths", [&] {
      for (const std::string& path : order)
        out_.object(path, [&] {
          for (const Method* method : model_.methods())
            if (!method->verb.empty() && public_path(*method) == path) operation(*method);
        });
    });
  }

  void operation(const Method& method) {
    std::string verb = method.verb;
    std::transform(verb.begin(), verb.end(), verb.begin(),
                   [](char c) { return char(std::tolower(uint8_t(c))); });
    out_.object(verb, [&] {
      out_.text("operationId", lower_first(method.name));
      out_.text("summary", method.options.summary());
      if (method.options.reasons_size() > 0)
        out_.text("description", fmt::format("Failures of its own, by `code`: {}.",
                                             fmt::join(method.options.reasons(), ", ")));
      out_.list("tags", [&] { out_.item(method.service->name); });
      security(method.options.access());
      parameters(method);
      if (has_body(method)) body(method);
      out_.object("responses", [&] { responses(method); });
      out_.text("x-rate-class", RateClass_Name(method.options.rate()));
      access(method.options.access());
    });
  }

  void security(const Access& access) {
    out_.list("security", [&] {
      if (access.public_()) return;
      out_.item_object([&] { out_.list("bearer", [] {}); });
      if (!access.scope().empty()) out_.item_object([&] { out_.list("apiKey", [] {}); });
    });
  }

  void access(const Access& access) {
    out_.object("x-access", [&] {
      if (access.public_()) out_.flag("public", true);
      if (access.signed_in()) out_.flag("signedIn", true);
      if (access.roles_size() > 0)
        out_.list("roles", [&] {
          for (const int role : access.roles()) out_.item(Role_Name(Role(role)));
        });
      if (access.has_owner())
        out_.object("owner", [&] {
          out_.text("record", access.owner().record());
          if (!access.owner().by().empty()) out_.text("by", access.owner().by());
        });
      if (!access.scope().empty()) out_.text("scope", access.scope());
    });
  }

  template <typename Schema>
  void parameter(std::string_view place, std::string_view name, bool required, std::string_view description,
                 Schema schema) {
    out_.item_object([&] {
      out_.text("name", name);
      out_.text("in", place);
      if (required) out_.flag("required", true);
      if (!description.empty()) out_.text("description", description);
      out_.object("schema", schema);
    });
  }

  void header_parameter(std::string_view name, std::string_view description, std::string_view example) {
    parameter("header", name, false, description, [&] {
      out_.text("type", "string");
      if (name == "Idempotency-Key") out_.text("pattern", "^[!-~]{1,255}$");
      out_.list("examples", [&] { out_.item(example); });
    });
  }

  void parameters(const Method& method) {
    out_.list("parameters", [&] {
      for (const FieldPlan& plan : plan_of(*method.request_prototype).fields)
        if (is_variable(method, plan))
          parameter("path", plan.name, true, {}, [&] { schemas_.field(plan, Direction::kInput); });
      if (method.verb == "GET") {
        for (const FieldPlan* plan : body_fields(method)) {
          const bool entries = plan->kind == Kind::kMetadata;  // a parameter each, named by its key
          parameter("query", entries ? plan->name + ".{key}" : plan->name, plan->options->required(),
                    plan->options->summary(), [&] {
                      if (entries) out_.text("type", "string"), out_.number("maxLength", kMaxText);
                      else schemas_.field(*plan, Direction::kInput);
                    });
        }
        if (method.list && method.request->FindFieldByName("page_token") != nullptr)
          parameter("query", "offset", false, "Items to skip, instead of a pageToken.", [&] {
            out_.text("type", "integer"), out_.number("minimum", 0), out_.number("maximum", 1'000'000);
          });
        if (method.options.media_field().empty())
          parameter(
              "query", "fields", false,
              "Only these fields of the answer, or of its items; separated by commas. The others are left "
              "out, "
              "also those that its schema requires.",
              [&] { out_.text("type", "string"), out_.text("pattern", "^[A-Za-z0-9]+(,[A-Za-z0-9]+)*$"); });
        header_parameter("If-None-Match", "Answers 304 when the ETag is still this one.",
                         "\"0123456789abcdef\"");
      }
      if (by_key(method))
        header_parameter("Idempotency-Key", "Repeats with the same key get the first answer.",
                         "0190c5b2-7e0c-7000-8000-000000000001");
      if (takes_if_match(method))
        header_parameter("If-Match", "Only when the record's ETag is still this one.",
                         "\"0123456789abcdef\"");
      if (method.options.awaits_size() > 0)
        header_parameter("Prefer",
                         "respond-async answers 202 at once instead of waiting for the final state.",
                         "respond-async");
    });
  }

  void body(const Method& method) {
    const auto fields = body_fields(method);
    out_.object("requestBody", [&] {
      out_.flag("required", std::any_of(fields.begin(), fields.end(),
                                        [](const FieldPlan* plan) { return plan->options->required(); }));
      out_.object("content", [&] {
        out_.object("application/json",
                    [&] { out_.object("schema", [&] { schemas_.body_reference(method); }); });
      });
    });
  }

  // As the gateway's router finds the route that reads what was made.
  bool has_location(const Method& method) const {
    const auto reads = [&](const Method* other) {
      return other->verb == "GET" && other->resource == method.resource && other->variables.size() == 1;
    };
    return method.resource != nullptr && method.resource->key.size() == 1 &&
           std::ranges::any_of(model_.methods(), reads);
  }

  void headers(std::initializer_list<std::string_view> names) {
    for (const auto name : names)
      out_.object(name, [&] { out_.text("$ref", fmt::format("#/components/headers/{}", name)); });
  }

  void success(const Method& method, uint32_t status, std::string_view description) {
    out_.object(std::to_string(status), [&] {
      out_.text("description", description);
      out_.object("headers", [&] {
        headers({"X-Correlation-Id", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"});
        if (has_etag(method)) headers({"ETag"});
        if (by_key(method)) headers({"Idempotent-Replayed"});
        if (status == 202) headers({"Preference-Applied"});
        if ((status == 201 || status == 202) && has_location(method)) headers({"Location"});
        if (!method.options.media_field().empty()) headers({"Content-Disposition"});
      });
      if (status == 204) return;
      const bool media = !method.options.media_field().empty();
      out_.object("content", [&] {
        out_.object(media ? "*/*" : "application/json", [&] {
          out_.object("schema", [&] {
            if (!media) schemas_.reference(plan_of(*method.response_prototype), Direction::kOutput);
          });
        });
      });
    });
  }

  void responses(const Method& method) {
    success(method, method.success, "Done.");
    if (method.options.awaits_size() > 0 && method.success != 202)
      success(method, 202, "Accepted; not final yet.");
    if (method.verb == "GET")
      out_.object("304", [&] {
        out_.text("description", "Unchanged since the ETag in If-None-Match.");
        out_.object("headers", [&] { headers({"X-Correlation-Id", "ETag"}); });
      });
    for (const Answer& problem : kProblems)
      if (answers(method, problem.status))
        out_.object(std::to_string(problem.status),
                    [&] { out_.text("$ref", fmt::format("#/components/responses/{}", problem.name)); });
  }

  void components() {
    out_.object("components", [&] {
      out_.object("securitySchemes", [&] {
        out_.object("bearer", [&] {
          out_.text("type", "http"), out_.text("scheme", "bearer"), out_.text("bearerFormat", "JWT");
        });
        out_.object("apiKey", [&] {
          out_.text("type", "http"), out_.text("scheme", "bearer"),
              out_.text("bearerFormat", "mk_<id>_<secret>");
        });
      });
      out_.object("headers", [&] {
        for (const Header& header : kHeaders)
          out_.object(header.name, [&] {
            out_.text("description", header.description);
            if (header.always) out_.flag("required", true);
            out_.object("schema", [&] { out_.text("type", header.type); });
          });
      });
      out_.object("responses", [&] {
        for (const Answer& problem : kProblems) problem_response(problem);
      });
      out_.object("schemas", [&] {
        out_.object("Problem", [&] { problem_schema(); });
        schemas_.components();
      });
    });
  }

  void problem_response(const Answer& problem) {
    out_.object(problem.name, [&] {
      out_.text("description", problem.description);
      out_.object("headers", [&] {
        headers({"X-Correlation-Id"});
        headers({"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"});
        if (problem.status == 402 || problem.status == 409) headers({"Idempotent-Replayed"});
        if (problem.status == 401) headers({"WWW-Authenticate"});
        if (problem.status == 429 || problem.status == 503) headers({"Retry-After"});
      });
      out_.object("content", [&] {
        out_.object("application/problem+json", [&] {
          out_.object("schema", [&] { out_.text("$ref", "#/components/schemas/Problem"); });
        });
      });
    });
  }

  void problem_schema() {
    out_.text("description", "RFC 9457. Clients act on `code`; texts may change.");
    out_.text("type", "object");
    out_.list("required", [&] { out_.item("title"), out_.item("status"), out_.item("code"); });
    out_.object("properties", [&] {
      out_.object("type", [&] { out_.text("type", "string"), out_.text("format", "uri-reference"); });
      out_.object("title", [&] { out_.text("type", "string"); });
      out_.object("status", [&] {
        out_.text("type", "integer"), out_.number("minimum", 400), out_.number("maximum", 599);
      });
      for (const std::string_view name : {"detail", "instance", "code", "field", "correlationId"})
        out_.object(name, [&] { out_.text("type", "string"); });
    });
  }

  const Model& model_;
  std::string_view version_;
  JsonText out_;
  Schemas schemas_;
};

}  // namespace

std::string openapi(const Model& model, std::string_view version) { return Document(model, version).make(); }

}  // namespace micropay::contract
