// Page tokens as callers see them: what a list's handler says (a place in it), with a digest of the list it
// is of — the method, whose list, order and filters — so that a token of another list, order, filter or user
// is refused in every list, also in those that handlers put together themselves. Only the size of the page
// may change from page to page.
//
//   MessagePtr asked = TRY(open_page_token(method, principal, request));   // null: as it is
//   Row answer = handler(asked ? *asked : request);
//   answer = seal_page_token(method, principal, request, answer);
//
// The digest guards against mistakes, not against its maker: a token says where to begin, never what may be
// seen.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "libs/contract/model.h"
#include "libs/runtime/principal.h"
#include "libs/store/store.h"

namespace micropay {

// "offset:40" is the gateway's own way to say where a page begins (?offset=40), and goes through.
constexpr std::string_view kPageOffset = "offset:";

// The request with the handler's own token in it; null when it has none to be opened. invalid_page_token.
Result<std::unique_ptr<google::protobuf::Message>> open_page_token(const contract::Method& method,
                                                                   const Principal& principal,
                                                                   const google::protobuf::Message& request);
// The answer with its token sealed; the same answer when it is the last page, or no list.
Row seal_page_token(const contract::Method& method, const Principal& principal,
                    const google::protobuf::Message& request, Row answer);

}  // namespace micropay
