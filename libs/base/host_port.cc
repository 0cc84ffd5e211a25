#include "libs/base/host_port.h"

#include <charconv>

namespace micropay {

std::optional<HostPort> parse_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return {};
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  HostPort address;
  const char* end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, address.port);
  if (digits.empty() || digits.size() > 5 || read.ec != std::errc() || read.ptr != end) return {};
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  // Without brackets nobody can tell where an IPv6 address ends and its port begins.
  if (!bracketed && host.find(':') != host.npos) return {};
  if (host.find_first_of("[] /@\t") != host.npos) return {};
  address.host = host;
  return address;
}

}  // namespace micropay
