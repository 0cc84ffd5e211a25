// The control socket: a thread that accepts, a short-lived thread a connection, blocking reads with a time
// limit.
#include "app/control.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "libs/base/log.h"
#include "libs/contract/json.h"

namespace micropay::app {
namespace {

constexpr uint32_t kMaxFrame = 1 << 20;
constexpr int kReadTimeoutS = 5;  // for a request to arrive
constexpr int kMaxConnections = 16;

// The path by way of the open folder: a socket's own may have 107 bytes only.
struct SocketPath {
  int folder;
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};

  explicit SocketPath(const std::string& data)
      : folder(open(data.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/control.sock", folder);
  }
  ~SocketPath() {
    if (folder >= 0) close(folder);
  }
  SocketPath(const SocketPath&) = delete;
  SocketPath& operator=(const SocketPath&) = delete;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

bool send_all(int socket, const char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t sent = send(socket, data, bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data += sent, bytes -= size_t(sent);
  }
  return true;
}

bool receive_all(int socket, char* data, size_t bytes) {
  while (bytes > 0) {
    const ssize_t got = recv(socket, data, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    data += got, bytes -= size_t(got);
  }
  return true;
}

bool send_frame(int socket, const google::protobuf::Message& message) {
  const std::string json = contract::to_json(message, {.hide_internal = false});
  const uint32_t length = htonl(uint32_t(json.size()));
  return send_all(socket, reinterpret_cast<const char*>(&length), sizeof(length)) &&
         send_all(socket, json.data(), json.size());
}

bool receive_frame(int socket, google::protobuf::Message& message) {
  uint32_t length;
  if (!receive_all(socket, reinterpret_cast<char*>(&length), sizeof(length))) return false;
  length = ntohl(length);
  if (length > kMaxFrame) return false;
  std::string json(length, 0);
  return receive_all(socket, json.data(), json.size()) && contract::parse_json(json, message).has_value();
}

Error socket_error(std::string_view what, const std::string& data) {
  return {Code::kUnavailable,
          "control_unavailable",
          fmt::format("cannot {} the control socket in {}: {}", what, data, std::strerror(errno)),
          {},
          {}};
}

}  // namespace

struct ControlServer::Impl {
  std::string data;
  ControlHandler handler;
  int listener = -1, wake = -1;
  std::thread acceptor;
  std::mutex mutex;
  std::condition_variable changed;
  int running = 0;

  void serve(int socket) {
    const timeval limit{.tv_sec = kReadTimeoutS, .tv_usec = 0};
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    ControlRequest request;
    if (receive_frame(socket, request)) {
      handler(request, [socket](const ControlReply& reply) { send_frame(socket, reply); });
    } else {
      send_frame(
          socket,
          failed_reply({Code::kInvalidArgument, "malformed_request", "this is no control request", {}, {}}));
    }
    close(socket);
    std::scoped_lock lock(mutex);
    --running;
    changed.notify_all();
  }

  void accept_connections() {
    while (true) {
      pollfd ready[] = {{listener, POLLIN, 0}, {wake, POLLIN, 0}};
      if (poll(ready, 2, -1) < 0 && errno != EINTR) return;
      if (ready[1].revents != 0) return;
      if (ready[0].revents == 0) continue;
      const int socket = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      std::scoped_lock lock(mutex);
      if (running >= kMaxConnections) {
        close(socket);
        continue;
      }
      ++running;
      std::thread([this, socket] { serve(socket); }).detach();
    }
  }

  void stop() {
    if (acceptor.joinable()) {
      const uint64_t one = 1;
      if (write(wake, &one, sizeof(one)) < 0) log_warn("control.stop", std::strerror(errno));
      acceptor.join();
      unlink((data + "/control.sock").c_str());
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return running == 0; });
    for (const int open : {listener, wake})
      if (open >= 0) close(open);
  }
};

ControlServer::ControlServer(std::string data, ControlHandler handler) : impl_(std::make_unique<Impl>()) {
  impl_->data = std::move(data);
  impl_->handler = std::move(handler);
}

ControlServer::~ControlServer() { impl_->stop(); }

// The folder's lock is ours, so a socket that is there is left over from a process that was killed.
Result<void> ControlServer::start() {
  const SocketPath path(impl_->data);
  unlink((impl_->data + "/control.sock").c_str());
  impl_->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  impl_->wake = eventfd(0, EFD_CLOEXEC);
  if (impl_->listener < 0 || impl_->wake < 0) return std::unexpected(socket_error("make", impl_->data));
  fchmod(impl_->listener, 0600);  // before bind: the file is made with it
  if (bind(impl_->listener, path.get(), sizeof(path.address)) < 0 || listen(impl_->listener, 16) < 0)
    return std::unexpected(socket_error("open", impl_->data));
  chmod(path.address.sun_path, 0600);
  impl_->acceptor = std::thread([this] { impl_->accept_connections(); });
  return {};
}

std::optional<ControlClient> ControlClient::connect(const std::string& data) {
  const SocketPath path(data);
  if (path.folder < 0) return {};
  ControlClient client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.socket_ < 0 || ::connect(client.socket_, path.get(), sizeof(path.address)) < 0) return {};
  return client;
}

ControlClient::~ControlClient() {
  if (socket_ >= 0) close(socket_);
}

Result<ControlReply> ControlClient::ask(const ControlRequest& request, const Reply& progress) {
  const auto lost = [] {
    return fail(Code::kUnavailable, "control_lost", "the platform closed the connection; see its log");
  };
  if (!send_frame(socket_, request)) return lost();
  while (true) {
    ControlReply reply;
    if (!receive_frame(socket_, reply)) return lost();
    if (reply.failed())
      return std::unexpected(Error{Code(reply.code()), reply.reason(), reply.detail(), reply.field(), {}});
    if (reply.done()) return reply;
    if (progress) progress(reply);
  }
}

ControlReply failed_reply(const Error& error) {
  ControlReply reply;
  reply.set_done(true);
  reply.set_failed(true);
  reply.set_code(int32_t(error.code));
  reply.set_reason(error.reason);
  reply.set_detail(error.detail);
  reply.set_field(error.field);
  return reply;
}

}  // namespace micropay::app
