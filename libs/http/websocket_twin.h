// WebSocket frames as bytes, for tests that play the client (RFC 6455 5.2).
#pragma once

#include "libs/http/client_twin.h"

namespace micropay {

constexpr uint8_t kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10;

inline std::string masked_frame(uint8_t opcode, std::string_view payload, bool last = true) {
  std::string frame;
  frame += static_cast<char>((last ? 0x80 : 0) | opcode);
  if (payload.size() < 126) {
    frame += static_cast<char>(0x80 | payload.size());
  } else {
    bool small = payload.size() < 65'536;
    frame += static_cast<char>(0x80 | (small ? 126 : 127));
    for (int shift = small ? 8 : 56; shift >= 0; shift -= 8)
      frame += static_cast<char>(payload.size() >> shift);
  }
  constexpr char kMask[] = {1, 2, 3, 4};
  frame.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return frame;
}

struct Frame {
  uint8_t opcode = 0;
  std::string payload;
  int close_code() const { return payload.size() < 2 ? 0 : uint8_t(payload[0]) << 8 | uint8_t(payload[1]); }
};

inline Frame read_frame(TestClient& client) {
  std::string head = client.read_bytes(2);
  if (head.size() < 2) return {};
  size_t length = uint8_t(head[1]);
  if (length >= 126) {
    size_t bytes = length == 126 ? 2 : 8;
    length = 0;
    for (char c : client.read_bytes(bytes)) length = length << 8 | uint8_t(c);
  }
  return {uint8_t(head[0] & 0x0f), client.read_bytes(length)};
}

inline std::string websocket_handshake(std::string_view target, std::string_view headers = "") {
  return fmt::format(
      "GET {} HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{}\r\n",
      target, headers);
}

}  // namespace micropay
