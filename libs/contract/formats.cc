// Hand-written because they run on every request and the grammars are small.
#include "libs/contract/formats.h"

#include <algorithm>

#include "libs/base/time.h"
#include "libs/base/unicode.h"

namespace micropay::contract {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_letter(c) || is_digit(c); }

// Calls `accept` with each part; false when one is refused.
template <typename Accept>
bool every_part(std::string_view text, char separator, Accept accept) {
  for (size_t at = 0;;) {
    const size_t end = std::min(text.find(separator, at), text.size());
    if (!accept(text.substr(at, end - at))) return false;
    if (end == text.size()) return true;
    at = end + 1;
  }
}

bool is_atom(std::string_view atom) {
  constexpr std::string_view kSpecials = "!#$%&'*+/=?^_`{|}~-";
  return !atom.empty() && std::all_of(atom.begin(), atom.end(), [&](char c) {
    return is_alphanumeric(c) || kSpecials.find(c) != kSpecials.npos;
  });
}

bool is_host_label(std::string_view label) {
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) { return is_alphanumeric(c) || c == '-'; });
}

}  // namespace

bool is_email(std::string_view text) {
  const size_t at = text.rfind('@');
  if (at == text.npos || at == 0 || at > 64 || text.size() > 254) return false;
  const std::string_view domain = text.substr(at + 1);
  return domain.find('.') != domain.npos && every_part(text.substr(0, at), '.', is_atom) &&
         every_part(domain, '.', is_host_label);
}

std::optional<std::string> email_form(std::string_view text) {
  constexpr size_t kMostBytes = 1024;
  const size_t at = text.rfind('@');
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  const auto is_foreign = [](char c) { return uint8_t(c) >= 0x80; };
  if (at == text.npos || text.size() > kMostBytes) return {};
  const std::string_view domain = text.substr(at + 1);
  const bool foreign = std::ranges::any_of(domain, is_foreign);
  if (!foreign && std::ranges::none_of(text, is_upper)) return {};
  std::string form(text);
  if (foreign) {
    const auto ascii = idna_to_ascii(domain);
    if (!ascii) return {};
    form.replace(at + 1, form.npos, *ascii);
  }
  for (char& c : form)
    if (is_upper(c)) c = char(c + 32);
  return form;
}

bool is_date(std::string_view text) { return text.size() == 10 && parse_time(text).has_value(); }

bool is_url(std::string_view text) {
  const size_t scheme = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  if (scheme == 0) return false;
  std::string_view host = text.substr(scheme);
  host = host.substr(0, host.find_first_of("/?#"));
  host.remove_prefix(host.rfind('@') + 1);  // npos + 1 is 0
  if (host.empty() || host.front() == ':') return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '<' && c != '>'; });
}

bool is_language(std::string_view text) {
  bool first = true;
  return every_part(text, '-', [&](std::string_view part) {
    const size_t least = first ? 2 : 1;
    const bool fits = part.size() >= least && part.size() <= 8 &&
                      std::all_of(part.begin(), part.end(), first ? is_letter : is_alphanumeric);
    first = false;
    return fits;
  });
}

}  // namespace micropay::contract
