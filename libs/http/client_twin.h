// A blocking TCP client for tests: sends exactly the bytes it is told, reads answers with a deadline.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

namespace micropay {

struct TestAnswer {
  int status = 0;
  std::string head;  // status line and headers
  std::string body;
  // Value of a header by its exact name, empty when there is none.
  std::string header(const std::string& name) const {
    size_t at = head.find("\r\n" + name + ": ");
    if (at == head.npos) return {};
    at += name.size() + 4;
    return head.substr(at, head.find("\r\n", at) - at);
  }
};

class TestClient {
 public:
  explicit TestClient(const std::string& address) {  // "127.0.0.1:port"
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    peer.sin_port = htons(static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1)));
    if (connect(fd_, reinterpret_cast<sockaddr*>(&peer), sizeof peer) != 0) std::abort();
  }
  TestClient(const TestClient&) = delete;
  ~TestClient() { ::close(fd_); }

  TestClient& send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) break;  // the server has closed: what it said before is still to be read
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return *this;
  }

  // The next answer; status 0 when the connection ended or nothing came in time.
  TestAnswer read(bool head_only = false) {
    TestAnswer answer;
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
      if (!fill()) return answer;
    }
    answer.head = buffer_.substr(0, end + 2);
    buffer_.erase(0, end + 4);
    answer.status = std::atoi(answer.head.c_str() + 9);
    size_t length = head_only ? 0 : std::strtoul(answer.header("Content-Length").c_str(), nullptr, 10);
    while (buffer_.size() < length) {
      if (!fill()) break;
    }
    answer.body = buffer_.substr(0, length);
    buffer_.erase(0, length);
    return answer;
  }
  // Exactly so many bytes, fewer when the connection ends.
  std::string read_bytes(size_t count) {
    while (buffer_.size() < count && fill()) {
    }
    std::string bytes = buffer_.substr(0, count);
    buffer_.erase(0, bytes.size());
    return bytes;
  }
  // Whether the server closes without saying anything more.
  bool ended() {
    while (buffer_.empty() && fill()) {
    }
    return buffer_.empty() && ended_;
  }
  void shutdown_send() { ::shutdown(fd_, SHUT_WR); }

 private:
  bool fill() {
    pollfd waiting{fd_, POLLIN, 0};
    if (ended_ || poll(&waiting, 1, 10'000) <= 0) return false;
    char bytes[16384];
    ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
    ended_ = count <= 0;
    if (count > 0) buffer_.append(bytes, static_cast<size_t>(count));
    return count > 0;
  }

  int fd_ = -1;
  std::string buffer_;
  bool ended_ = false;
};

}  // namespace micropay
