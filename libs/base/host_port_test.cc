// Addresses as people write them, and what is none.
#include "libs/base/host_port.h"

#include <gtest/gtest.h>

namespace micropay {
namespace {

std::string read(std::string_view text) {
  const auto address = parse_host_port(text);
  return address ? address->host + "|" + address->port_text() : "none";
}

TEST(HostPort, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(read("127.0.0.1:8080"), "127.0.0.1|8080");
  EXPECT_EQ(read("localhost:0"), "localhost|0");
  EXPECT_EQ(read("[::1]:65535"), "::1|65535");
  EXPECT_EQ(read("[fe80::1%eth0]:80"), "fe80::1%eth0|80");
  EXPECT_EQ(read(":9080"), "|9080");
}

// 99999 was listened on as 34463: its lower sixteen bits.
TEST(HostPort, HasAPortThatThereIs) {
  for (const char* bad : {"",
                          "8080",
                          "localhost",
                          "localhost:",
                          "127.0.0.1:65536",
                          "127.0.0.1:99999",
                          "127.0.0.1:4294975376",
                          "127.0.0.1:-1",
                          "127.0.0.1:+80",
                          "127.0.0.1:80x",
                          "127.0.0.1: 80",
                          "127.0.0.1:0x50",
                          "127.0.0.1:000080",
                          "::1:8080",
                          "[::1]",
                          "[::1:80",
                          "a:b:80",
                          "[]:80",
                          "http://localhost:80",
                          "me@host:80",
                          "a b:80"})
    EXPECT_EQ(read(bad), "none") << bad;
}

}  // namespace
}  // namespace micropay
