// The key ring: rotation does not sign anybody out, an outside rotation is seen, a damaged file is said to be
// damaged.
#include "libs/security/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "libs/security/key_file.h"

namespace micropay {
namespace {

class Keys : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "micropay_keys_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string file() const { return folder_ + "/keys.json"; }
  Signature sign(KeyRing& ring, std::string_view text) {
    return ring.sign(ring.current_key_id().value(), text).value();
  }

  std::string folder_;
  ManualClock clock_;
};

TEST_F(Keys, AreMadeAtFirstUseForTheOwnerOnly) {
  KeyRing ring(folder_, clock_);
  EXPECT_FALSE(std::filesystem::exists(file()));
  ASSERT_TRUE(ring.open());
  struct stat status{};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  KeyRing again(folder_, clock_);
  EXPECT_EQ(again.current_key_id().value(), ring.current_key_id().value());
}

TEST_F(Keys, ASignatureHoldsForItsTextAndKeyOnly) {
  KeyRing ring(folder_, clock_);
  Signature signature = sign(ring, "text");
  EXPECT_TRUE(ring.verify(signature.key_id, "text", signature.bytes));
  EXPECT_FALSE(ring.verify(signature.key_id, "texts", signature.bytes));
  EXPECT_FALSE(ring.verify("other", "text", signature.bytes));
  signature.bytes[3] ^= 1;
  EXPECT_FALSE(ring.verify(signature.key_id, "text", signature.bytes));
  EXPECT_FALSE(ring.verify(signature.key_id, "text", ""));
}

TEST_F(Keys, AReplacedKeyVerifiesForADay) {
  KeyRing ring(folder_, clock_);
  const Signature old = sign(ring, "text");
  ASSERT_TRUE(ring.rotate());
  clock_.advance(kPublishedFirst);
  const Signature fresh = sign(ring, "text");
  EXPECT_NE(old.key_id, fresh.key_id);
  EXPECT_TRUE(ring.verify(old.key_id, "text", old.bytes));
  EXPECT_NE(ring.jwks().find(old.key_id), std::string::npos);

  clock_.advance(kRetiredKeyLife);
  EXPECT_FALSE(ring.verify(old.key_id, "text", old.bytes));
  EXPECT_TRUE(ring.verify(fresh.key_id, "text", fresh.bytes));
  EXPECT_EQ(ring.jwks().find(old.key_id), std::string::npos);
  ASSERT_TRUE(ring.rotate());
  EXPECT_EQ(key_file::read(folder_).value().size(),
            2u);  // the one of two rotations ago is gone from the file
}

// Whoever has just fetched the key set keeps it for five minutes: a key that signed within a second was
// unknown to him, and good tokens were refused.
TEST_F(Keys, AKeyIsPublishedBeforeItSigns) {
  KeyRing ring(folder_, clock_);
  const std::string first = ring.current_key_id().value();
  const std::string second = ring.rotate().value();
  EXPECT_NE(ring.jwks().find(second), std::string::npos);
  EXPECT_EQ(ring.current_key_id().value(), first);
  clock_.advance(kKeySetMaxAge);
  EXPECT_EQ(ring.current_key_id().value(), first);
  EXPECT_EQ(KeyRing(folder_, clock_).current_key_id().value(), first) << "after a restart, too";
  const Signature last = sign(ring, "text");
  clock_.advance(kPublishedFirst - kKeySetMaxAge);
  EXPECT_EQ(ring.current_key_id().value(), second);
  EXPECT_EQ(KeyRing(folder_, clock_).current_key_id().value(), second);
  // What the first one signed last lives as long as any token does.
  clock_.advance(kRetiredKeyLife - 1);
  EXPECT_TRUE(ring.verify(first, "text", last.bytes));
  clock_.advance(1);
  EXPECT_FALSE(ring.verify(first, "text", last.bytes));
}

// Rotated again before the new key has signed: each signs in its turn, each is known before.
TEST_F(Keys, RotationsMayFollowAtOnce) {
  KeyRing ring(folder_, clock_);
  const std::string first = ring.current_key_id().value(), second = ring.rotate().value();
  clock_.advance(kMinute);
  const std::string third = ring.rotate().value();
  EXPECT_EQ(ring.current_key_id().value(), first);
  clock_.advance(kPublishedFirst - kMinute);
  EXPECT_EQ(ring.current_key_id().value(), second);
  clock_.advance(kMinute);
  EXPECT_EQ(ring.current_key_id().value(), third);
  for (const std::string& id : {first, second, third}) EXPECT_NE(ring.jwks().find(id), std::string::npos);
}

TEST_F(Keys, AnotherProcessRotates) {
  KeyRing server(folder_, clock_), command_line(folder_, clock_);
  const Signature old = sign(server, "text");
  const std::string fresh = command_line.rotate().value();
  clock_.advance(kSecond);
  EXPECT_NE(server.jwks().find(fresh), std::string::npos);
  clock_.advance(kPublishedFirst);
  EXPECT_EQ(server.current_key_id().value(), fresh);
  EXPECT_TRUE(server.verify(old.key_id, "text", old.bytes));
}

TEST_F(Keys, ADamagedFileIsRefusedAtStartAndSurvivedLater) {
  KeyRing server(folder_, clock_);
  const std::string id = server.current_key_id().value();
  std::ofstream(file()) << R"({"keys":[{"kid":"x","d":"AAAA","created":"2026-01-01"}]})";
  clock_.advance(kSecond);
  EXPECT_EQ(server.current_key_id().value(), id);
  KeyRing fresh(folder_, clock_);
  for (const char* content :
       {"", "{", "{}", R"({"keys":[]})", R"({"keys":[{"kid":"x","d":"AAAA","created":"2026-01-01"}]})"}) {
    std::ofstream(file(), std::ios::trunc) << content;
    EXPECT_EQ(fresh.open().error().reason, "keys_unavailable") << content;
  }
}

TEST_F(Keys, OfASeedAreTheSameEachTime) {
  auto one = KeyRing::from_seed("a"), two = KeyRing::from_seed("a"), other = KeyRing::from_seed("b");
  EXPECT_EQ(sign(*one, "text").bytes, sign(*two, "text").bytes);
  EXPECT_NE(one->current_key_id().value(), other->current_key_id().value());
  EXPECT_EQ(key_ring(""), key_ring(""));
  EXPECT_EQ(key_ring(folder_), key_ring(folder_));
}

TEST_F(Keys, TheSetShowsNoPrivatePart) {
  KeyRing ring(folder_, clock_);
  const std::string set = ring.jwks();
  EXPECT_NE(set.find(R"("kty":"OKP","crv":"Ed25519")"), std::string::npos);
  EXPECT_EQ(set.find("\"d\""), std::string::npos);
}

TEST_F(Keys, ARingThatWasShownKeysVerifiesAndDoesNotSign) {
  KeyRing signing(folder_, clock_);
  const Signature signature = sign(signing, "text");
  const auto verifying = KeyRing::verifying(clock_);
  EXPECT_FALSE(verifying->verify(signature.key_id, "text", signature.bytes));
  ASSERT_TRUE(verifying->show(signing.jwks()));
  EXPECT_TRUE(verifying->verify(signature.key_id, "text", signature.bytes));
  EXPECT_FALSE(verifying->verify(signature.key_id, "texts", signature.bytes));
  EXPECT_EQ(verifying->jwks(), signing.jwks());
  EXPECT_EQ(verifying->sign(signature.key_id, "text").error().reason, "keys_unavailable");
  EXPECT_EQ(verifying->current_key_id().error().reason, "keys_unavailable");
  EXPECT_EQ(verifying->show("{}").error().reason, "invalid_jwks");
  EXPECT_EQ(verifying->show(R"({"keys":[{"kid":"a","crv":"P-256","x":"AA"}]})").error().reason,
            "invalid_jwks");
  EXPECT_TRUE(verifying->verify(signature.key_id, "text", signature.bytes));  // what it has stays
}

}  // namespace
}  // namespace micropay
