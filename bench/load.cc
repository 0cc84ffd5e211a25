// bench_load: sends HTTP requests to 127.0.0.1 from one thread and prints one JSON object of what came back.
//
//   bench_load --port 8080 --connections 64 --seconds 10 --pay WALLETS [--merchant ACCOUNT]    closed loop
//   bench_load --port 8080 --connections 1000 --seconds 10 --rate 4000 --pay WALLETS           open loop
//   bench_load --port 8080 --connections 64 --count 100000 --requests FILE --expect 200
//
// Closed: each connection sends when its last answer is there. Open: request i is due at start + i / rate and
// its latency counts from then, whether or not a connection was free (no coordinated omission). Every answer
// is verified: status, and what has to be in the body. Nothing is dropped: what is not answered by the end of
// the run plus --drain seconds is counted as lost. bench/load_requests.h says what is sent. wrk does none of
// it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <deque>
#include <map>
#include <memory>
#include <random>

#include "bench/histogram.h"
#include "bench/load_requests.h"

namespace micropay::bench {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;

int64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * kSecondNs + time.tv_nsec;
}

struct Options {
  std::map<std::string, std::string> given;

  Options(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) given[argv[i]] = argv[i + 1];
    if (argc % 2 == 0) stop("every option takes a value");
  }
  std::string text(const std::string& name) const { return given.contains(name) ? given.at(name) : ""; }
  double number(const std::string& name, double standard) const {
    return given.contains(name) ? std::stod(given.at(name)) : standard;
  }
};

struct Connection {
  int socket = -1;
  int64_t due = 0;     // of the request under way
  int64_t sent = 0;    // 0: none is under way
  std::string answer;  // the part of it that came
};

struct Answer {
  int status = 0;
  std::string_view body;
  size_t size = 0;  // 0: not complete
};

// An answer with Content-Length, as MicroPay's all are.
Answer parse(std::string_view bytes) {
  const size_t head = bytes.find("\r\n\r\n");
  if (head == bytes.npos || head < 12) return {};
  constexpr std::string_view kLength = "\r\nContent-Length: ";
  const size_t at = bytes.substr(0, head).find(kLength);
  size_t length = 0;
  if (at != bytes.npos)
    for (size_t i = at + kLength.size(); bytes[i] >= '0' && bytes[i] <= '9'; ++i)
      length = length * 10 + static_cast<size_t>(bytes[i] - '0');
  if (bytes.size() < head + 4 + length) return {};
  const int status = (bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + (bytes[11] - '0');
  return {status, bytes.substr(head + 4, length), head + 4 + length};
}

class Load {
 public:
  explicit Load(const Options& options)
      : port_(static_cast<uint16_t>(options.number("--port", 0))),
        rate_(options.number("--rate", 0)),
        seconds_(options.number("--seconds", 3600)),
        drain_ns_(static_cast<int64_t>(options.number("--drain", 30)) * kSecondNs),
        wanted_(static_cast<uint64_t>(options.number("--count", 1e15))),
        status_(static_cast<int>(options.number("--expect", options.text("--pay").empty() ? 200 : 201))),
        contains_(options.text("--pay").empty() ? "" : R"("status":"COMPLETED")") {
    const uint64_t seed = std::random_device()() * uint64_t{0x100000001} ^ static_cast<uint64_t>(now_ns());
    if (options.text("--pay").empty()) requests_ = std::make_unique<Listed>(options.text("--requests"), seed);
    else requests_ = std::make_unique<Payments>(options.text("--pay"), options.text("--merchant"), seed);
    if (rate_ > 0) wanted_ = std::min(wanted_, static_cast<uint64_t>(rate_ * seconds_));
    connections_.resize(static_cast<size_t>(options.number("--connections", 64)));
    epoll_ = epoll_create1(0);
    for (Connection& connection : connections_) open(connection);
  }

  void run() {
    start_ = now_ns();
    send_until_ = start_ + static_cast<int64_t>(seconds_ * static_cast<double>(kSecondNs));
    const int64_t give_up = send_until_ + drain_ns_;
    for (Connection& connection : connections_) free_.push_back(&connection);
    std::array<epoll_event, 256> events;
    while (true) {
      send_what_is_due();
      const int64_t now = now_ns();
      const bool done = issued_ >= wanted_ || (rate_ <= 0 && now >= send_until_);
      if ((done && under_way_ == 0) || now >= give_up) break;
      const int64_t wait = std::clamp(next_wake(now, done, give_up) - now, int64_t{0}, kSecondNs);
      const timespec timeout{.tv_sec = wait / kSecondNs, .tv_nsec = wait % kSecondNs};
      const int ready = epoll_pwait2(epoll_, events.data(), events.size(), &timeout, nullptr);
      for (int i = 0; i < ready; ++i) receive(*static_cast<Connection*>(events[size_t(i)].data.ptr));
    }
    lost_ = under_way_ + (rate_ > 0 ? wanted_ - issued_ : 0);
    took_ = static_cast<double>(last_answer_ - start_) / kSecondNs;
  }

  void print() const {
    const double rate = took_ > 0 ? static_cast<double>(latency_.count()) / took_ : 0;
    std::printf(R"({"answered":%llu,"seconds":%.3f,"rate":%.1f,"wrong":%llu,"lost":%llu,"broken":%llu,)"
                R"("p50":%.3f,"p90":%.3f,"p99":%.3f,"p999":%.3f,"max":%.3f,"lateP99":%.3f,"lateMax":%.3f,)"
                R"("firstWrong":"%s"})"
                "\n",
                number(latency_.count()), took_, rate, number(wrong_), number(lost_), number(broken_),
                ms(latency_.percentile(0.5)), ms(latency_.percentile(0.9)), ms(latency_.percentile(0.99)),
                ms(latency_.percentile(0.999)), ms(latency_.max()), ms(late_.percentile(0.99)),
                ms(late_.max()), first_wrong_.c_str());
  }

 private:
  static unsigned long long number(uint64_t value) { return value; }
  static double ms(uint64_t us) { return static_cast<double>(us) / 1000; }

  void open(Connection& connection) {
    connection.socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = htons(port_)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(connection.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      stop("nothing listens on 127.0.0.1:" + std::to_string(port_));
    const int on = 1;
    setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(connection.socket, F_SETFL, O_NONBLOCK);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
  }

  int64_t due_of(uint64_t request) const {
    return start_ + static_cast<int64_t>(static_cast<double>(request) * double(kSecondNs) / rate_);
  }

  int64_t next_wake(int64_t now, bool done, int64_t give_up) const {
    if (done) return give_up;
    if (rate_ <= 0) return send_until_;
    return free_.empty() ? give_up : std::max(now, due_of(issued_));
  }

  void send_what_is_due() {
    while (!free_.empty() && issued_ < wanted_) {
      const int64_t now = now_ns();
      const int64_t due = rate_ > 0 ? due_of(issued_) : now;
      if (due > now || (rate_ <= 0 && now >= send_until_)) return;
      Connection& connection = *free_.front();
      free_.pop_front();
      send_next(connection, due, now);
    }
  }

  // A request fits into an empty socket buffer; one that does not go out whole has lost its connection.
  void send_next(Connection& connection, int64_t due, int64_t now) {
    const std::string_view request = requests_->next();
    ++issued_, ++under_way_;
    connection.due = due, connection.sent = now;
    if (rate_ > 0) late_.add((now - due) / 1000);
    const ssize_t sent = send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(request.size())) lose(connection);
  }

  void receive(Connection& connection) {
    const ssize_t got = recv(connection.socket, buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) return lose(connection);
    std::string_view bytes(buffer_.data(), static_cast<size_t>(got));
    if (!connection.answer.empty()) bytes = connection.answer.append(bytes);
    const Answer answer = parse(bytes);
    if (answer.size == 0) {
      if (connection.answer.empty()) connection.answer = bytes;
      return;
    }
    verify(answer);
    finish(connection);
  }

  void verify(const Answer& answer) {
    if (answer.status == status_ && (contains_.empty() || answer.body.find(contains_) != answer.body.npos))
      return;
    if (wrong_++ > 0) return;
    first_wrong_ = std::to_string(answer.status) + " ";
    for (const char c : answer.body.substr(0, 300))
      first_wrong_ += c == '"' || c == '\\' || c < ' ' ? ' ' : c;
  }

  // Its latency counts, whatever the answer was.
  void finish(Connection& connection) {
    last_answer_ = now_ns();
    latency_.add((last_answer_ - connection.due) / 1000);
    connection.answer.clear();
    if (connection.sent != 0) --under_way_;
    connection.sent = 0;
    free_.push_back(&connection);
  }

  // The server closed: an error when a request was under way. Goes on with a new connection.
  void lose(Connection& connection) {
    close(connection.socket);
    connection.answer.clear();
    const bool asked = connection.sent != 0;
    open(connection);
    if (!asked) return;
    ++broken_;
    finish(connection);
  }

  uint16_t port_;
  double rate_, seconds_;
  int64_t drain_ns_;
  uint64_t wanted_;
  int status_;
  std::string contains_;
  std::unique_ptr<Requests> requests_;
  std::vector<Connection> connections_;
  std::deque<Connection*> free_;  // first in, first out: all of them are used
  int epoll_ = -1;
  int64_t start_ = 0, send_until_ = 0, last_answer_ = 0;
  uint64_t issued_ = 0, under_way_ = 0, wrong_ = 0, broken_ = 0, lost_ = 0;
  double took_ = 0;
  LatencyHistogram latency_, late_;
  std::string first_wrong_;
  std::array<char, 256 << 10> buffer_;
};

}  // namespace
}  // namespace micropay::bench

int main(int argc, char** argv) {
  // Clients are elsewhere in truth: as an ordinary thread this one would take the processor from whoever has
  // just answered it, at every answer.
  const sched_param none{};
  sched_setscheduler(0, SCHED_BATCH, &none);
  const auto load = std::make_unique<micropay::bench::Load>(micropay::bench::Options(argc, argv));
  load->run();
  load->print();
}
