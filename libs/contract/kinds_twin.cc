#include "libs/contract/kinds_twin.h"

namespace micropay::contract {

const Model& kinds() {
  static const Model& model = scratch_model(R"(
    enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; BLUE = 2; }
    message Item { string sku = 1 [(field) = {required: true, max_length: 8, pattern: "[A-Z0-9]+"}];
      int32 count = 2 [(field) = {min: 1, max: 9}]; Item inner = 3; }
    message All {
      string text = 1; int32 small = 2; int64 large = 3; uint32 usmall = 4; uint64 ularge = 5;
      double real = 6;
      bool flag = 7; Colour colour = 8; bytes data = 9; Money amount = 10; Metadata metadata = 11;
      int64 at = 12 [(field) = {format: TIME}]; string id = 13 [(field) = {format: UUID}];
      repeated Item items = 14; repeated string words = 15 [(field) = {max_length: 3}];
      repeated int32 numbers = 16;
      string server = 17 [(field) = {read_only: true}]; string inside = 18 [(field) = {internal: true}];
      string password = 19 [(field) = {format: PASSWORD}];
      string mail = 20 [(field) = {format: EMAIL, personal: true}];
      optional string note = 21 [(field) = {min_length: 2}]; Money price = 22 [(field) = {positive: true}];
      int64 bounded = 23 [(field) = {min: 5, max: 10}]; repeated Money amounts = 24; float ratio = 25;
      string day = 26 [(field) = {format: DATE}]; string link = 27 [(field) = {format: URL}];
      string language = 28 [(field) = {format: LANGUAGE}];
      string currency = 29 [(field) = {format: CURRENCY}];
      optional string tongue = 40 [(field) = {format: LANGUAGE}];
    }
    message ListAllResponse { repeated Item items = 1; string next_page_token = 2; })");
  return model;
}

}  // namespace micropay::contract
