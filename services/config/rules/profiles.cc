#include "services/config/rules/profiles.h"

#include <algorithm>
#include <optional>

namespace micropay::config {
namespace {

constexpr size_t kMaxDepth = 16;

// any := both ('|' both)*; both := one ('&' one)*; one := '!' one | '(' any ')' | name
class Expression {
 public:
  Expression(std::string_view text, const std::vector<std::string>& profiles)
      : text_(text), profiles_(profiles) {}

  bool holds() {
    const bool value = any();
    skip_blanks();
    return value && !broken_ && text_.empty();
  }

 private:
  bool any() {
    bool value = both();
    while (take('|')) value = both() || value;
    return value;
  }
  bool both() {
    bool value = one();
    while (take('&')) value = one() && value;
    return value;
  }
  bool one() {
    if (++depth_ > kMaxDepth) return broken();
    const bool value = take('!') ? !one() : take('(') ? inner() : name();
    --depth_;
    return value;
  }
  bool inner() {
    const bool value = any();
    return take(')') ? value : broken();
  }
  bool name() {
    skip_blanks();
    const size_t end = std::min(text_.find_first_of("!&|() "), text_.size());
    if (end == 0) return broken();
    const std::string_view name = text_.substr(0, end);
    text_.remove_prefix(end);
    return std::ranges::count(profiles_, name) > 0;
  }
  bool take(char c) {
    skip_blanks();
    if (broken_ || !text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool broken() {
    broken_ = true;
    return false;
  }
  void skip_blanks() {
    while (text_.starts_with(' ')) text_.remove_prefix(1);
  }

  std::string_view text_;
  const std::vector<std::string>& profiles_;
  size_t depth_ = 0;
  bool broken_ = false;
};

}  // namespace

bool matches(std::string_view expression, const std::vector<std::string>& profiles) {
  while (true) {
    const size_t comma = std::min(expression.find(','), expression.size());
    if (Expression(expression.substr(0, comma), profiles).holds()) return true;
    if (comma == expression.size()) return false;
    expression.remove_prefix(comma + 1);
  }
}

}  // namespace micropay::config
