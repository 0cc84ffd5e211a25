// Writes a JSON document in order, for the few places that make one which is no message. Commas take care of
// themselves:
//
//   JsonText out;
//   out.object([&] { out.text("type", "array"); out.object("items", [&] { out.text("type", "string"); }); });
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "libs/contract/json.h"

namespace micropay::contract {

class JsonText {
 public:
  template <typename Body>
  void object(Body body) {
    nested('{', body, '}');
  }
  template <typename Body>
  void object(std::string_view key, Body body) {
    name(key), nested('{', body, '}');
  }
  template <typename Body>
  void list(std::string_view key, Body body) {
    name(key), nested('[', body, ']');
  }
  void text(std::string_view key, std::string_view value) { name(key), append_json_string(out_, value); }
  void number(std::string_view key, int64_t value) { name(key), out_ += std::to_string(value); }
  void flag(std::string_view key, bool value) { name(key), out_ += value ? "true" : "false"; }
  void item(std::string_view value) { separate(), append_json_string(out_, value), fresh_ = false; }
  // An object as an item of a list.
  template <typename Body>
  void item_object(Body body) {
    separate(), nested('{', body, '}');
  }
  std::string take() { return std::move(out_); }

 private:
  void separate() {
    if (!fresh_) out_.push_back(',');
  }
  void name(std::string_view key) {
    separate();
    append_json_string(out_, key);
    out_.push_back(':');
    fresh_ = false;
  }
  template <typename Body>
  void nested(char open, Body body, char close) {
    out_.push_back(open);
    fresh_ = true;
    body();
    out_.push_back(close);
    fresh_ = false;
  }

  std::string out_;
  bool fresh_ = true;
};

}  // namespace micropay::contract
