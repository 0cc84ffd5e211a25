// Makes requests: any method of the contracts, with values that its options allow, records that exist, and
// now and then something wrong. The generic part reads the contract; the few methods that move money have a
// hand that makes them succeed often.
#pragma once

#include "app/simulator/clock.h"
#include "app/simulator/known.h"
#include "libs/runtime/principal.h"

namespace micropay::app {

struct Draft {
  const contract::Method* method = nullptr;
  std::shared_ptr<google::protobuf::Message> message;
  Principal principal;
};

class Drafts {
 public:
  // Some runs ask for one command more than for all others, so that what only many repeats bring about
  // (a limit of a hundred) is brought about.
  Drafts(Known& known, const Clock& clock, std::vector<const contract::Method*> methods, Random& random);
  // What somebody asks for next. Early in a run that builds a small world: users, funded wallets.
  Draft next(Random& random);

 private:
  const contract::Method* choose(Random& random) const;
  void fill(google::protobuf::Message& message, const contract::Method& method, Random& random, int depth);
  void fill_field(google::protobuf::Message& message, const google::protobuf::FieldDescriptor& field,
                  const contract::Method& method, Random& random, int depth);
  std::string text_for(const google::protobuf::FieldDescriptor& field, const contract::Method& method,
                       Random& random);
  std::string id_for(const std::string& field, const contract::Method& method, Random& random);
  void shape(google::protobuf::Message& message, Random& random);
  void spoil(google::protobuf::Message& message, Random& random);
  Principal asker(const contract::Method& method, const google::protobuf::Message& message, Random& random);

  Known& known_;
  const Clock& clock_;
  const std::vector<const contract::Method*> methods_;
  std::vector<uint32_t> weights_;
  std::string asking_session_;  // whose user asks for an API key
};

}  // namespace micropay::app
