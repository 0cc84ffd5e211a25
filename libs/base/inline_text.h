// Text that lies in its owner up to 55 bytes, as ids, actors and trace contexts do, and else on the heap. The
// ten events of a payment have six such texts each; allocating and freeing them cost more than writing them.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace micropay {

class InlineText {
 public:
  static constexpr size_t kNearBytes = 55;

  InlineText() = default;
  explicit InlineText(std::string_view text) { *this = text; }
  InlineText(const InlineText& other) { *this = other.view(); }
  InlineText(InlineText&&) noexcept = default;
  InlineText& operator=(const InlineText& other) { return *this = other.view(); }
  InlineText& operator=(InlineText&&) noexcept = default;

  // `text` may be a part of this one.
  InlineText& operator=(std::string_view text) {
    if (text.size() <= kNearBytes) {
      std::memmove(near_.data(), text.data(), text.size());
      near_bytes_ = static_cast<uint8_t>(text.size());
      far_.reset();
    } else {
      far_ = std::make_unique<std::string>(text);
      near_bytes_ = 0;
    }
    return *this;
  }

  std::string_view view() const {
    return far_ == nullptr ? std::string_view(near_.data(), near_bytes_) : std::string_view(*far_);
  }
  operator std::string_view() const { return view(); }

 private:
  std::array<char, kNearBytes> near_;
  uint8_t near_bytes_ = 0;
  std::unique_ptr<std::string> far_;  // null: near
};

}  // namespace micropay
