// bench_stream: listens on many WebSockets of /ws from one thread and measures how old the events are when
// they arrive.
//
//   bench_stream --port 8080 --tokens FILE --offset-us 120     FILE: a token a line, a socket each
//
// Prints "ready" when every socket is; then counts. A line "N" on stdin is the number of payment.completed
// that all sockets together have to get: with the last of them (or 30 s after the line) it prints one JSON
// object and ends. An event's age is this machine's clock less --offset-us, which is how far that is ahead of
// the platform's (micropay_clock_offset_seconds), less the event's CloudEvents `time`: that is taken when the
// handler runs, before the commit, so the age holds the rest of the tick, its fsync, and the way to this
// program.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <ctime>
#include <map>
#include <memory>

#include "bench/histogram.h"
#include "bench/load_requests.h"

namespace micropay::bench {
namespace {

constexpr int64_t kReadySeconds = 120;
constexpr int64_t kIdleSeconds = 600;  // for the line on stdin
constexpr int64_t kLastSeconds = 30;
constexpr std::string_view kCounted = R"("type":"payment.completed")";

int64_t clock_us(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return int64_t{time.tv_sec} * 1'000'000 + time.tv_nsec / 1000;
}

int64_t number_at(std::string_view text, size_t at, size_t digits) {
  int64_t value = 0;
  for (size_t i = at; i < at + digits; ++i) value = value * 10 + (text[i] - '0');
  return value;
}

// "2026-11-21T08:12:13.456789Z" in µs since 1970; the fraction may have any number of digits.
int64_t parse_time(std::string_view text) {
  if (text.size() < 20) return 0;
  std::tm parts{};
  parts.tm_year = static_cast<int>(number_at(text, 0, 4)) - 1900;
  parts.tm_mon = static_cast<int>(number_at(text, 5, 2)) - 1;
  parts.tm_mday = static_cast<int>(number_at(text, 8, 2));
  int64_t us = timegm(&parts);
  us += number_at(text, 11, 2) * 3600 + number_at(text, 14, 2) * 60 + number_at(text, 17, 2);
  us *= 1'000'000;
  int64_t unit = 100'000;
  for (size_t i = 20; i < text.size() && text[i] >= '0' && text[i] <= '9' && unit > 0; ++i, unit /= 10)
    us += (text[i] - '0') * unit;
  return us;
}

struct Listener {
  int socket = -1;
  bool upgraded = false;
  std::string rest;  // of a frame that has not come whole
};

struct Frame {
  int opcode = 0;
  std::string_view payload;
  size_t size = 0;  // 0: not whole
};

Frame parse_frame(std::string_view bytes) {
  const auto byte = [&](size_t at) { return static_cast<size_t>(static_cast<unsigned char>(bytes[at])); };
  if (bytes.size() < 2) return {};
  size_t length = byte(1) & 127, head = 2;
  if (length >= 126) {
    head = length == 126 ? 4 : 10;
    if (bytes.size() < head) return {};
    length = 0;
    for (size_t i = 2; i < head; ++i) length = length << 8 | byte(i);
  }
  if (bytes.size() < head + length) return {};
  return {static_cast<int>(byte(0) & 15), bytes.substr(head, length), head + length};
}

class Stream {
 public:
  Stream(uint16_t port, const std::string& tokens, int64_t offset_us) : offset_us_(offset_us) {
    epoll_ = epoll_create1(0);
    std::ifstream lines(tokens);
    for (std::string token; lines >> token;) {
      listeners_.push_back(std::make_unique<Listener>());
      open(*listeners_.back(), port, token);
    }
    if (listeners_.empty()) stop(tokens + " has no tokens");
    watch(STDIN_FILENO, nullptr);
  }

  void run() {
    int64_t deadline = clock_us(CLOCK_MONOTONIC) + kReadySeconds * 1'000'000;
    bool told = false;
    std::array<epoll_event, 256> events;
    while (wanted_ == 0 || completed_ < wanted_) {
      if (!told && ready_ == listeners_.size()) {
        std::puts("ready");
        std::fflush(stdout);
        told = true;
        deadline = clock_us(CLOCK_MONOTONIC) + kIdleSeconds * 1'000'000;
      }
      const int64_t left_ms = (deadline - clock_us(CLOCK_MONOTONIC)) / 1000;
      if (left_ms <= 0) break;
      const int count = epoll_wait(epoll_, events.data(), events.size(), static_cast<int>(left_ms));
      for (int i = 0; i < count; ++i) {
        auto* listener = static_cast<Listener*>(events[static_cast<size_t>(i)].data.ptr);
        if (listener != nullptr) receive(*listener);
        else if (!take_line()) return;
        else deadline = clock_us(CLOCK_MONOTONIC) + kLastSeconds * 1'000'000;
      }
    }
  }

  void print() const {
    const auto ms = [](uint64_t us) { return static_cast<double>(us) / 1000; };
    std::printf(R"({"sockets":%zu,"ready":%zu,"events":%llu,"completed":%llu,"lost":%llu,"early":%llu,)"
                R"("p50":%.3f,"p99":%.3f,"p999":%.3f,"max":%.3f})"
                "\n",
                listeners_.size(), ready_, static_cast<unsigned long long>(age_.count()),
                static_cast<unsigned long long>(completed_), static_cast<unsigned long long>(closed_),
                static_cast<unsigned long long>(early_), ms(age_.percentile(0.5)), ms(age_.percentile(0.99)),
                ms(age_.percentile(0.999)), ms(age_.max()));
  }

 private:
  void watch(int handle, Listener* listener) {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = listener}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, handle, &event);
  }

  void open(Listener& listener, uint16_t port, const std::string& token) {
    listener.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(listener.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      stop("connection " + std::to_string(listeners_.size()) + " is refused: " + std::strerror(errno));
    const std::string handshake =
        request_text("GET", "/ws", token,
                     "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
                     "-");
    if (send(listener.socket, handshake.data(), handshake.size(), MSG_NOSIGNAL) < 0) stop("cannot send");
    fcntl(listener.socket, F_SETFL, O_NONBLOCK);
    watch(listener.socket, &listener);
  }

  // False at the end of stdin: nobody waits for the figures.
  bool take_line() {
    std::array<char, 64> line{};
    if (read(STDIN_FILENO, line.data(), line.size() - 1) <= 0) return false;
    wanted_ = std::strtoull(line.data(), nullptr, 10);
    return wanted_ > 0;
  }

  void receive(Listener& listener) {
    const ssize_t got = recv(listener.socket, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
      ++closed_;
      close(listener.socket);
      return;
    }
    const int64_t now = clock_us(CLOCK_REALTIME) - offset_us_;
    std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
    if (!listener.rest.empty()) bytes = listener.rest.append(bytes);
    if (!listener.upgraded) {
      const size_t head = bytes.find("\r\n\r\n");
      if (head == bytes.npos) return keep(listener, bytes);
      if (!bytes.starts_with("HTTP/1.1 101")) stop("no upgrade: " + std::string(bytes.substr(0, head)));
      listener.upgraded = true;
      bytes.remove_prefix(head + 4);
    }
    for (Frame frame = parse_frame(bytes); frame.size > 0; frame = parse_frame(bytes)) {
      if (frame.opcode == 1) take(frame.payload, now);
      if (frame.opcode == 9) pong(listener, frame.payload);
      bytes.remove_prefix(frame.size);
    }
    keep(listener, bytes);
  }

  void keep(Listener& listener, std::string_view bytes) {
    std::string rest(bytes);  // it may lie in listener.rest
    listener.rest = std::move(rest);
  }

  void take(std::string_view message, int64_t now) {
    if (message.starts_with(R"({"type":"ready")")) ++ready_;
    if (!message.starts_with(R"({"type":"event")")) return;
    constexpr std::string_view kTime = R"("time":")";
    const size_t at = message.find(kTime);
    if (at == message.npos) return;
    const int64_t age = now - parse_time(message.substr(at + kTime.size(), 40));
    if (age < 0) ++early_;
    age_.add(age);
    if (message.find(kCounted) != message.npos) ++completed_;
  }

  // The masking key may be zero: it protects proxies, not us.
  void pong(Listener& listener, std::string_view payload) {
    std::string frame = {static_cast<char>(0x8A), static_cast<char>(0x80 | payload.size()), 0, 0, 0, 0};
    frame += payload;
    if (send(listener.socket, frame.data(), frame.size(), MSG_NOSIGNAL) < 0) ++closed_;
  }

  int64_t offset_us_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Listener>> listeners_;
  size_t ready_ = 0;
  uint64_t completed_ = 0, wanted_ = 0, closed_ = 0, early_ = 0;
  LatencyHistogram age_;
  std::array<char, 256 << 10> buffer_;
};

}  // namespace
}  // namespace micropay::bench

int main(int argc, char** argv) {
  std::map<std::string, std::string> given;
  for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
  if (!given.contains("--port") || !given.contains("--tokens"))
    micropay::bench::stop("usage: bench_stream --port PORT --tokens FILE [--offset-us N]");
  const auto stream = std::make_unique<micropay::bench::Stream>(
      static_cast<uint16_t>(std::stoi(given["--port"])), given["--tokens"],
      given.contains("--offset-us") ? std::stoll(given["--offset-us"]) : 0);
  stream->run();
  stream->print();
}
