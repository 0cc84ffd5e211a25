// Passwords: the cost is OWASP's, unknown users cost the same, and what is stored cannot be mistaken.
#include "libs/security/passwords.h"

#include <gtest/gtest.h>

#include <chrono>

#include "libs/security/encoding.h"

namespace micropay {
namespace {

double seconds(const auto& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

TEST(Passwords, AreArgon2idByOwaspParameters) {
  const std::string hash = hash_password("correct horse battery", random_salt()).value();
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
  EXPECT_TRUE(verify_password(hash, "correct horse battery"));
  EXPECT_FALSE(verify_password(hash, "correct horse batterx"));
  EXPECT_FALSE(verify_password(hash, ""));
}

TEST(Passwords, TwoHashesOfOnePasswordDiffer) {
  EXPECT_NE(hash_password("same", random_salt(), kCheapPasswordCost).value(),
            hash_password("same", random_salt(), kCheapPasswordCost).value());
}

TEST(Passwords, WhatIsNoHashMatchesNothing) {
  for (const std::string& bad : {std::string(), std::string("secret"), std::string("$argon2id$"),
                                 std::string(4000, 'x'), std::string("$argon2id$v=19$m=8,t=1,p=1$AAAA$AAAA")})
    EXPECT_FALSE(verify_password(bad, "secret")) << bad;
}

TEST(Passwords, AnUnknownUserCostsAsMuch) {
  const std::string real = hash_password("a password", random_salt()).value();
  const std::string dummy = dummy_hash();
  EXPECT_EQ(real.size(), dummy.size());
  EXPECT_EQ(real.substr(0, 31), dummy.substr(0, 31));
  // Others use the machine, too: the best of several, and a wide margin.
  double known = 1e9, unknown = 1e9;
  for (int i = 0; i < 5; ++i) {
    known = std::min(known, seconds([&] { EXPECT_FALSE(verify_password(real, "wrong")); }));
    unknown = std::min(unknown, seconds([&] { EXPECT_FALSE(verify_password(dummy, "wrong")); }));
  }
  EXPECT_LT(unknown, known * 1.6);
  EXPECT_GT(unknown, known * 0.6);
}

TEST(Encoding, TakesCanonicalBase64urlOnly) {
  for (size_t size : {0, 1, 2, 3, 16, 48}) {
    const std::string bytes(size, '\xfb');
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  EXPECT_EQ(to_base64url("\xfb\xff"), "-_8");
  for (const char* bad : {"-_9", "-_8=", "+/8", "a", "-_ 8", "-_8\n"})
    EXPECT_FALSE(from_base64url(bad)) << bad;
}

TEST(Passwords, OneOfSeveralHashesIsFound) {
  const std::string salt(16, 's'), other(16, 'o');
  const std::string hashes[] = {hash_password("one", salt, kCheapPasswordCost).value(),
                                hash_password("two", salt, kCheapPasswordCost).value(),
                                hash_password("three", other, kCheapPasswordCost).value(), "no hash",
                                hash_password("two", other, kCheapPasswordCost).value()};
  EXPECT_EQ(matching_hash(hashes, "one"), 0u);
  EXPECT_EQ(matching_hash(hashes, "two"), 1u);
  EXPECT_EQ(matching_hash(hashes, "three"), 2u);
  EXPECT_EQ(matching_hash(hashes, "four"), std::nullopt);
  EXPECT_EQ(matching_hash({}, "one"), std::nullopt);
  EXPECT_EQ(salt_of(hashes[2]), other);
  EXPECT_EQ(salt_of(hashes[3]), "");
  EXPECT_EQ(salt_of(dummy_hash()).size(), 16u);
}

}  // namespace
}  // namespace micropay
