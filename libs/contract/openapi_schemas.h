// JSON Schemas of messages and fields for the OpenAPI document. Requests are described exactly as parse_json
// and validate accept them, as far as a schema can say it; answers more loosely, because an unset string is
// "" there whatever its bounds, and because a later release may answer with values that this one does not
// know.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "libs/contract/json_text.h"
#include "libs/contract/plan.h"

namespace micropay::contract {

enum class Direction : uint8_t { kInput, kOutput };

class Schemas {
 public:
  explicit Schemas(JsonText& out) : out_(out) {}

  // Members of the schema object of one field: call inside an object().
  void field(const FieldPlan& plan, Direction direction);
  // "$ref" of a message; the schema itself is written by components().
  void reference(const MessagePlan& message, Direction direction);
  // The body of a method: its request without the variables of the path.
  void body_reference(const Method& method);
  // Everything referenced so far, and what that references in turn.
  void components();

 private:
  struct Wanted {
    std::string name;
    const MessagePlan* message;
    Direction direction;
    const Method* body_of;
  };
  void want(Wanted wanted);
  void message(const Wanted& wanted);
  void single(const FieldPlan& plan, Direction direction);
  void string(const FieldPlan& plan, Direction direction);
  void number(const FieldPlan& plan, Direction direction);
  void shared();

  JsonText& out_;
  std::vector<Wanted> wanted_;
  std::set<std::string> names_;
};

// Fields of a request that a client may set, without the variables of the path.
std::vector<const FieldPlan*> body_fields(const Method& method);
bool is_variable(const Method& method, const FieldPlan& plan);

}  // namespace micropay::contract
