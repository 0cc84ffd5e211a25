// Who gets in by HTTP Basic, and who has tried too often.
#include "libs/http/basic_access.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

class BasicAccessTest : public testing::Test {
 protected:
  // The status of the answer; 200 when there is none.
  uint32_t ask(const std::string& header, const std::string& address = "10.0.0.1") {
    HttpRequest request;
    if (!header.empty()) request.headers.push_back({"authorization", header});
    request.remote_address = address;
    const auto refused = access_.refuse(request);
    return refused ? refused->status : 200;
  }
  static std::string as(const std::string& user, const std::string& password) {
    return basic_header({user, password});
  }

  ManualClock clock_;
  BasicAccess access_{{{"ada", "pass:word"}, {"bob", "\xc3\xa4"}, {"eve", ""}}, clock_};
};

TEST_F(BasicAccessTest, OnlyTheRightOnes) {
  EXPECT_EQ(as("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");  // RFC 7617
  EXPECT_EQ(ask(as("ada", "pass:word")), 200u);
  EXPECT_EQ(ask("bASIC " + as("bob", "\xc3\xa4").substr(6)), 200u);
  for (const std::string& bad :
       {std::string(), as("ada", "pass:wor"), as("ada", ""), as("bob", "pass:word"), as("eve", ""),
        std::string("Basic"), std::string("Basic ?"), std::string("Basic YWRh"),
        std::string("Bearer YWRhOnBhc3M6d29yZA=="), "Basic " + std::string(3'000, 'Q')})
    EXPECT_EQ(ask(bad), 401u) << bad;
}

TEST_F(BasicAccessTest, TooManyWrongOnes) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ask(as("ada", "x")), 401u);
  EXPECT_EQ(ask(as("ada", "x")), 429u);
  EXPECT_EQ(ask(as("ada", "pass:word")), 429u);
  EXPECT_EQ(ask(as("ada", "pass:word"), "10.0.0.2"), 200u);
  clock_.advance(kMinute);
  EXPECT_EQ(ask(as("ada", "pass:word")), 200u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(ask(as("ada", "x"), "127.0.0.1"), 401u);
  EXPECT_EQ(ask(as("ada", "pass:word"), "127.0.0.1"), 200u);
}

TEST_F(BasicAccessTest, WithoutPasswordsItIsOpen) {
  EXPECT_FALSE(access_.open());
  EXPECT_TRUE(BasicAccess({{"ada", ""}}, clock_).open());
}

}  // namespace
}  // namespace micropay
