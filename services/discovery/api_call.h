// One request as the parts of Api see it. Internal to api.cc and api_changes.cc.
#pragma once

#include <charconv>

#include "libs/http/error_response.h"
#include "services/discovery/api.h"

namespace micropay::discovery {

constexpr std::string_view kReplicated = "x-netflix-discovery-replication";

// Without a body: Eureka's client takes any body of an answer to a renewal for an instance.
inline HttpResponse not_found() { return {.status = 404}; }

struct Api::Call {
  const HttpRequest& request;
  std::vector<std::string> path;  // below /eureka
  std::vector<std::pair<std::string, std::string>> query;
  Form form = Form::kXml;  // of the answer
  Time now = 0;

  bool is(std::string_view method) const { return request.method == method; }
  bool replicated() const { return request.header(kReplicated) == "true"; }
  std::string_view value(std::string_view name) const {
    for (const auto& [key, value] : query)
      if (key == name) return value;
    return {};
  }
  int64_t number(std::string_view name) const {
    const std::string_view text = value(name);
    int64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }
  std::string app() const { return upper(path[1]); }
  const std::string& id() const { return path[2]; }
  HttpResponse body(const Node& root) const {
    return body_of(form, form == Form::kJson ? write_json(root) : write_xml(root));
  }
  static HttpResponse body_of(Form form, std::string text) {
    HttpResponse response{.body = std::move(text)};
    response.add("Content-Type", form == Form::kJson ? "application/json" : "application/xml");
    return response;
  }
};

}  // namespace micropay::discovery
