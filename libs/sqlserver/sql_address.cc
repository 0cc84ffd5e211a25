// Addresses of database servers.
#include "libs/sqlserver/sql_address.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace micropay {
namespace {

constexpr uint16_t kPostgresPort = 5432, kMariadbPort = 3306;
constexpr std::array<std::string_view, 5> kTlsWords{"disable", "prefer", "require", "verify-ca",
                                                    "verify-full"};

std::unexpected<Error> invalid(std::string detail) {
  return fail(Code::kInvalidArgument, "invalid_address", std::move(detail));
}

// What stands before the mark, which goes, too; everything when there is none.
std::string_view cut(std::string_view& text, char mark) {
  const size_t at = text.find(mark);
  const std::string_view head = text.substr(0, at);
  text.remove_prefix(at == text.npos ? text.size() : at + 1);
  return head;
}

Result<std::string> decoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    uint8_t byte = 0;
    const char* from = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(from, from + 2, byte, 16).ptr != from + 2 || byte == 0)
      return invalid("a % of a database address is followed by two hexadecimal digits");
    plain += static_cast<char>(byte);
    i += 2;
  }
  return plain;
}

Result<void> read_host(std::string_view text, SqlAddress& address) {
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    address.host = cut(text, ']');
    if (text.starts_with(':')) text.remove_prefix(1);
  } else {
    address.host = cut(text, ':');
  }
  if (address.host.empty()) return invalid("a database address names a host");
  if (text.empty()) return {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), address.port);
  if (error != std::errc() || end != text.data() + text.size() || address.port == 0)
    return invalid("the port of a database address is a number from 1 to 65535");
  return {};
}

Result<void> read_option(std::string_view option, SqlAddress& address) {
  const std::string_view name = cut(option, '=');
  if (name == "sslmode") {
    if (std::ranges::find(kTlsWords, option) == kTlsWords.end())
      return invalid(fmt::format("sslmode is one of {}", fmt::join(kTlsWords, ", ")));
    address.tls = option;
    return {};
  }
  if (name == "sslrootcert") {
    address.tls_root = TRY(decoded(option));
    return {};
  }
  return invalid(fmt::format("a database address has no option \"{}\"; it knows sslmode, sslrootcert", name));
}

}  // namespace

Result<SqlAddress> parse_sql_address(std::string_view url, std::string password) {
  SqlAddress address;
  address.password = std::move(password);
  const size_t scheme_end = url.find("://");
  const std::string_view scheme = url.substr(0, scheme_end == url.npos ? 0 : scheme_end);
  if (scheme == "postgres" || scheme == "postgresql") {
    address.port = kPostgresPort;
  } else if (scheme == "mysql" || scheme == "mariadb") {
    address.server = SqlServer::kMariadb;
    address.port = kMariadbPort;
  } else {
    return invalid("a database address begins with postgres:// or mysql://");
  }
  std::string_view rest = url.substr(scheme_end + 3);
  std::string_view place = cut(rest, '?');
  std::string_view host = cut(place, '/');
  if (const size_t at = host.rfind('@'); at != host.npos) {
    if (host.substr(0, at).find(':') != host.npos)
      return invalid("no password in a database address: give it by a file or the environment");
    address.user = TRY(decoded(host.substr(0, at)));
    host.remove_prefix(at + 1);
  }
  TRY(read_host(host, address));
  address.database = TRY(decoded(place));
  if (address.user.empty() || address.database.empty())
    return invalid("a database address names a user and a database: postgres://user@host:5432/database");
  while (!rest.empty()) TRY(read_option(cut(rest, '&'), address));
  return address;
}

std::string sql_address_text(const SqlAddress& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return fmt::format("{}://{}@{}{}{}:{}/{}", address.server == SqlServer::kPostgres ? "postgres" : "mysql",
                     address.user, v6 ? "[" : "", address.host, v6 ? "]" : "", address.port,
                     address.database);
}

}  // namespace micropay
