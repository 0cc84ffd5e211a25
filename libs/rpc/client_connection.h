// A connection to one instance: unary calls out, answers back. Internal to libs/rpc.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "libs/rpc/http2.h"
#include "libs/rpc/wire.h"

namespace micropay::rpc {

struct Target;

// How an attempt ended.
struct Outcome {
  enum class Kind : uint8_t {
    kAnswered,  // the other side has spoken: `status` and `body`
    kNotSent,   // it certainly was not carried out
    kLost,      // nobody knows
    kDeadline,  // its time is over; nobody knows
  } kind = Kind::kAnswered;
  Loss loss;
};

// A call on its way, over all its attempts.
struct OutCall {
  Command command;
  std::string_view path;
  std::string frame;    // the request
  std::string context;  // metadata, encoded
  Time began = 0, deadline = 0;
  uint32_t attempts = 0;
  const contract::Service* service = nullptr;  // that is called
  bool maybe_done = false;                     // an earlier attempt may have been carried out
  std::vector<std::shared_ptr<Target>> tried;
  std::function<void(OutCall&, const Outcome&)> finished;  // in place of the answer: health checks

  // Of the present attempt.
  int32_t stream = -1;
  size_t index = 0;  // in the connection's list
  Body out;
  uint32_t http_status = 0;
  Status status;
  bool has_status = false;
  uint32_t answer_status = 0;
  bool replayed = false;
  Marks marks;
  bool away = false;  // other instances do better
  bool too_large = false;
  std::string in;
};
using OutCallPtr = std::unique_ptr<OutCall>;

class ClientConnection final : public Http2 {
 public:
  struct Events {
    std::function<void(OutCallPtr, const Outcome&)> finished;
    std::function<void(const Loss&)> lost;
    std::function<void()> opened;
  };
  ClientConnection(Loop& loop, std::shared_ptr<TlsKeys> keys, std::string service, size_t max_message_bytes,
                   Events events);

  // Takes calls also before it is open.
  void send(OutCallPtr call);
  bool usable() const { return !closed() && !retired_; }
  void retire();  // what runs goes on; then it ends
  bool retired() const { return retired_; }
  void on_tick(Time now);  // deadlines, pings
  void abandon();          // forgets everything, answers nobody
  uint64_t generation() const { return generation_; }

 private:
  void ready() override;
  void greeted() override;
  void header(int32_t id, void* stream, std::string_view name, std::string_view value) override;
  void data(int32_t id, void* stream, std::string_view bytes) override;
  void remote_end(int32_t, void*) override {}
  void stream_closed(int32_t id, void* stream, uint32_t http2_error) override;
  void told_to_go() override { retired_ = true; }
  void lost(const Loss& loss) override;

  void submit(OutCallPtr call);
  OutCallPtr take(OutCall& call);

  const std::string service_;
  const size_t max_message_bytes_;
  const uint64_t generation_;  // of the certificates
  Events events_;
  std::vector<OutCallPtr> running_;
  std::vector<OutCallPtr> waiting_;  // for the connection to open
  // Nothing is sent before the peer has said something: a connection that it never took, or refuses for our
  // certificate, loses no call.
  bool greeted_ = false;
  bool retired_ = false;
  Time pinged_at_ = 0;
};

}  // namespace micropay::rpc
