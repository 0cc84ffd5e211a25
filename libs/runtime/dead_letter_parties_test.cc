// Whom a dead letter is about: staff drove again the top-up of its own wallet.
#include "libs/runtime/dead_letter_parties.h"

#include <gtest/gtest.h>

#include "contracts/account.pb.h"
#include "contracts/balance.pb.h"
#include "libs/runtime/testing.h"

namespace micropay {
namespace {

const std::string kAda = "018f2a54-0000-7000-8000-00000000000a",
                  kBob = "018f2a54-0000-7000-8000-00000000000b";

template <typename E>
DeadLetter letter_of(const E& event, const std::string& type, const std::string& actor = "system") {
  StoredEnvelope envelope;
  envelope.set_type(type);
  envelope.set_actor(actor);
  envelope.set_data(event.SerializeAsString());
  DeadLetter letter;
  letter.set_payload(envelope.SerializeAsString());
  return letter;
}

TEST(DeadLetterParties, AreThoseThatItNames) {
  AccountFrozen frozen;
  frozen.set_user_id(kAda);
  EXPECT_TRUE(is_about(letter_of(frozen, "account.frozen"), kAda));
  EXPECT_FALSE(is_about(letter_of(frozen, "account.frozen"), kBob));
  EXPECT_TRUE(is_about(letter_of(frozen, "account.frozen", kBob), kBob)) << "who caused it";
  AccountBalanceUpdated updated;
  updated.add_changes()->set_user_id(kBob);
  updated.add_changes()->set_user_id(kAda);
  EXPECT_TRUE(is_about(letter_of(updated, "account.balance.updated"), kAda)) << "however deep";
  EXPECT_FALSE(is_about(letter_of(updated, "account.balance.updated"), ""));
}

TEST(DeadLetterParties, OfEffectsAndTimersToo) {
  EffectRecord effect;
  effect.set_type("ProviderCall");
  effect.set_actor(kAda);
  DeadLetter letter;
  letter.set_kind(DeadLetter::EFFECT);
  effect.SerializeToString(letter.mutable_payload());
  EXPECT_TRUE(is_about(letter, kAda));
  EXPECT_FALSE(is_about(letter, kBob));
  letter.set_kind(DeadLetter::TIMER);
  EXPECT_FALSE(is_about(letter, kAda));
}

TEST(DeadLetterParties, WhatCannotBeReadNamesNobody) {
  for (const auto kind : {DeadLetter::EVENT, DeadLetter::EFFECT, DeadLetter::TIMER, DeadLetter::PROJECTION}) {
    DeadLetter letter;
    letter.set_kind(kind);
    letter.set_payload("\xff\xff\xff");
    EXPECT_FALSE(is_about(letter, kAda));
  }
  EXPECT_FALSE(is_about(letter_of(AccountFrozen(), "of.another.release"), kAda));
}

}  // namespace
}  // namespace micropay
