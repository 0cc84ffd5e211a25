// Who may hear an event live, worked out from the same words that say who may read records over REST, so that
// what one door refuses the other does, too, and an event of a new service is nobody else's until a route of
// that service says so.
//
// An event is about the records of its own service that its fields name, at any depth: `account_id` names an
// Account with key `id`, `batch_id` the record of table "batch", `account_id` in the service of balances the
// record with that key. Only records that some route shows count; those of a GET where there are any.
//
//   its audience   (fields marked so)   hears it, whatever else
//   a role         hears everybody's    when it stands in `roles` of a GET of each of these records, and no
//                                       field of the event is personal that none of them shows
//   an API key     hears its user's     when each of these records has a GET with one of its scopes
//
// A GET for whoever is signed in, whose handler shows staff everybody's, names those roles beside signed_in.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "libs/contract/model.h"

namespace micropay::contract {

struct EventReaders {
  uint32_t role_bits = 0;
  std::vector<const Table*> about;
  std::vector<std::vector<std::string>> scopes;  // of each record, those that open it

  // Whether an API key with these may hear what is its user's.
  bool in_scope(const std::vector<std::string>& held) const;
};

class EventAccess {
 public:
  explicit EventAccess(const Model& model);
  const EventReaders& of(const Event& event) const { return readers_.at(&event); }
  // Whether there is anything to be heard.
  bool any_in_scope(const std::vector<std::string>& held) const;
  bool any_for_roles(uint32_t role_bits) const { return (all_roles_ & role_bits) != 0; }

 private:
  std::unordered_map<const Event*, EventReaders> readers_;
  uint32_t all_roles_ = 0;
};

}  // namespace micropay::contract
