// The words that stolen passwords are made of, sorted; see password_rules.h.
#pragma once

#include <span>
#include <string_view>

namespace micropay {

std::span<const std::string_view> common_words();

}  // namespace micropay
