// One caller's connection: its streams, each from headers over messages to the dispatch, and the answer back.
// Internal to libs/rpc.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <unordered_map>

#include "libs/rpc/builtin.h"
#include "libs/rpc/call_metrics.h"
#include "libs/rpc/dispatch.h"
#include "libs/rpc/http2.h"
#include "libs/rpc/wire.h"

namespace micropay::rpc {

// What all connections of a server share.
struct ServerCore {
  Dispatch& dispatch;
  const Clock& clock;
  std::map<std::string, Builtin, std::less<>> builtin;
  size_t max_message_bytes;
  size_t max_calls;
  uint32_t max_streams;
  std::shared_ptr<TlsKeys> keys;
  std::function<bool()> away;
  CallMetrics metrics{"server"};
  std::atomic<size_t> calls{0};
  std::atomic<size_t> connections{0};
};

class ServerConnection final : public Http2 {
 public:
  ServerConnection(LoopThread& loop, std::shared_ptr<ServerCore> core);
  ~ServerConnection() override;

  void on_tick(Time now);  // deadlines, watches
  void drain();            // no new calls
  size_t calls() const { return streams_.size(); }

 private:
  struct Stream;
  bool away(const Stream& stream) const;
  void begin(int32_t id) override;
  void header(int32_t id, void* stream, std::string_view name, std::string_view value) override;
  void data(int32_t id, void* stream, std::string_view bytes) override;
  void headers_end(int32_t id, void* stream) override;
  void remote_end(int32_t id, void* stream) override;
  void stream_closed(int32_t id, void* stream, uint32_t http2_error) override;
  void lost(const Loss& loss) override;

  void call(Stream& stream);
  Result<void> read_call(Stream& stream, Inbound& inbound) const;
  void answer(int32_t id, Answer answer);
  void take_messages(Stream& stream);
  void send_message(Stream& stream, std::string_view message);
  void finish(Stream& stream, const Error* error, const Answer* answer = nullptr);
  void succeed(Stream& stream, const Answer& answer);
  void refuse(Stream& stream, const Error& error, const Answer* answer = nullptr);

  std::shared_ptr<ServerCore> core_;
  std::shared_ptr<Mailbox> mailbox_;  // of the loop
  Time began_;
  bool draining_ = false;
  std::unordered_map<int32_t, std::unique_ptr<Stream>> streams_;
};

}  // namespace micropay::rpc
