// "host:port" as people write it: "127.0.0.1:8080", "localhost:0", "[::1]:8080", ":8080" (any host). An IPv6
// address stands in brackets, and a port is a number up to 65535: "127.0.0.1:99999" is no address, though a
// resolver would take its lower bits for a port.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace micropay {

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
  std::string port_text() const { return std::to_string(port); }
};

std::optional<HostPort> parse_host_port(std::string_view text);

}  // namespace micropay
