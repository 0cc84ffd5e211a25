// The page around style and script, its policy, and the event catalogue it shows.
#include "services/gateway/docs_page.h"

#include <sodium.h>

#include "libs/contract/json.h"

namespace micropay::gateway {
namespace {

constexpr std::string_view kBefore = R"~(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>MicroPay API reference</title>
<link rel="icon" href="data:,">
<style>)~";

constexpr std::string_view kBody = R"~(</style>
</head>
<body>
<a class="skip" href="#main">Skip to the routes</a>
<header>
  <h1>MicroPay <span id="version"></span></h1>
  <label class="search">Search <kbd>/</kbd>
    <input id="search" type="search" placeholder="payments, refund, ADMIN …" autocomplete="off">
  </label>
  <form id="session" aria-label="Who you are">
    <label>E-mail <input id="email" type="email" autocomplete="username"></label>
    <label>Password <input id="password" type="password" autocomplete="current-password"></label>
    <button>Sign in</button>
    <label>or token
      <input id="token" autocomplete="off" spellcheck="false" placeholder="access token or API key"></label>
    <span id="who" role="status"></span>
  </form>
</header>
<div class="columns">
<nav id="nav" aria-label="Services"></nav>
<main id="main" tabindex="-1">
  <section id="intro">
    <p id="about"></p>
    <p>JSON in lowerCamelCase; ids are UUIDs; times RFC 3339 in UTC; money is
      <code>{"currency":"EUR","value":"12.34"}</code>. The machine-readable form of this page is
      <a href="/openapi.json">/openapi.json</a>. Live events come over the WebSocket <code>/ws</code>.</p>
  </section>
  <div id="routes" aria-busy="true"><p>Loading …</p></div>
  <section id="events"><h2>Events</h2>
    <p>Facts on the log and on the live stream, as CloudEvents 1.0. Kept in order per key.</p>
    <div id="event-list"></div>
  </section>
  <section id="problems"><h2>Problems</h2>
    <p>An error is an <code>application/problem+json</code> document (RFC 9457). Act on <code>code</code>,
      which is stable, and on <code>field</code>, the path of the input at fault; quote
      <code>correlationId</code> when you ask for help.</p>
    <div id="problem-list"></div>
  </section>
</main>
</div>
<script>)~";

constexpr std::string_view kAfter = R"~(</script>
</body>
</html>
)~";

std::string source_hash(std::string_view text) {
  unsigned char digest[crypto_hash_sha256_BYTES];
  crypto_hash_sha256(digest, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  char base64[sodium_base64_ENCODED_LEN(sizeof digest, sodium_base64_VARIANT_ORIGINAL)];
  sodium_bin2base64(base64, sizeof base64, digest, sizeof digest, sodium_base64_VARIANT_ORIGINAL);
  return fmt::format("'sha256-{}'", base64);
}

void append_texts(std::string& out, std::string_view name, const std::vector<std::string>& texts) {
  out += fmt::format(",\"{}\":[", name);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ',';
    contract::append_json_string(out, texts[i]);
  }
  out += ']';
}

void append_event(std::string& out, const contract::Event& event) {
  auto text = [&](std::string_view name, std::string_view value) {
    out += fmt::format("{}\"{}\":", out.ends_with('{') ? "" : ",", name);
    contract::append_json_string(out, value);
  };
  out += '{';
  text("type", event.type);
  text("topic", event.topic);
  text("service", event.service->name);
  text("key", event.key->json_name());
  text("summary", event.summary);
  std::vector<std::string> fields, audience;
  for (int i = 0; i < event.descriptor->field_count(); ++i) {
    const contract::FieldDescriptor& field = *event.descriptor->field(i);
    if (contract::options_of(field).internal() || contract::options_of(field).secret()) continue;
    fields.push_back(std::string(field.json_name()));
  }
  for (const contract::FieldDescriptor* field : event.audience)
    audience.push_back(std::string(field->json_name()));
  append_texts(out, "fields", fields);
  append_texts(out, "audience", audience);
  out += '}';
}

}  // namespace

std::string reference_page() {
  std::string page;
  for (std::string_view part : {kBefore, kReferenceStyle, kBody, kReferenceScript, kAfter}) page += part;
  return page;
}

std::string reference_policy() {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      source_hash(kReferenceScript), source_hash(kReferenceStyle));
}

std::string events_json(const contract::Model& model) {
  std::string out = "[";
  for (const contract::Event* event : model.events()) {
    if (out.size() > 1) out += ',';
    append_event(out, *event);
  }
  return out + "]";
}

}  // namespace micropay::gateway
