// What a client of the live stream missed: read from the log on the worker pool, while live events are held
// back, and sent before them. Bounded: who missed more is told from where to read on.
#include "libs/contract/json.h"
#include "services/gateway/event_json.h"
#include "services/gateway/live.h"
#include "services/gateway/live_session.h"

namespace micropay::gateway {
namespace {

constexpr size_t kMaxSent = 1'000;
constexpr size_t kMaxScanned = 50'000;
constexpr size_t kReadAtOnce = 1'000;

bool concerns(const EventRecord& event, const LiveSession& filter) {
  if (!filter.wants(event.envelope.type())) return false;
  bool audience = filter.wide;
  for_each_audience(event, [&](const std::string& user) { audience |= user == filter.principal.user_id; });
  return audience;
}

}  // namespace

struct LiveStreams::Replay {
  std::vector<EventText> texts;
  uint64_t next = 1;      // position that was not looked at
  bool complete = false;  // the log ends there
};

LiveStreams::Replay LiveStreams::read_missed(uint64_t from, const LiveSession& filter) const {
  Replay replay{.next = from};
  for (size_t scanned = 0; scanned < kMaxScanned && replay.texts.size() < kMaxSent;) {
    auto events = parts_.events.read_events(replay.next, kReadAtOnce);
    if (!events || events->empty()) {
      replay.complete = events.has_value();
      break;
    }
    for (const auto& event : *events) {
      if (replay.texts.size() == kMaxSent) break;
      replay.next = event->envelope.position() + 1;
      ++scanned;
      if (!concerns(*event, filter)) continue;
      std::string text = R"({"type":"event","event":)";
      append_event_json(text, *event);
      replay.texts.push_back(std::make_shared<const std::string>(text + "}"));
    }
  }
  return replay;
}

void LiveStreams::start_replay(const LiveSessionPtr& session) {
  auto filter = std::make_shared<LiveSession>();
  filter->principal = session->principal;
  filter->patterns = session->patterns;
  filter->wide = session->wide;
  session->replaying = true;
  std::weak_ptr<LiveSession> weak = session;
  size_t loop = session->socket->loop();
  bool queued = parts_.pool.submit([this, weak, filter, loop, from = session->replay_from] {
    auto replay = std::make_shared<Replay>(read_missed(from, *filter));
    parts_.post(loop, [this, weak, replay] {
      auto found = weak.lock();
      if (found && found->socket) finish_replay(*found, std::move(*replay));
    });
  });
  if (queued) return;
  session->replaying = false;
  session->send_error("overloaded", "What was missed cannot be read now.");
}

void LiveStreams::finish_replay(LiveSession& session, Replay&& replay) {
  for (const EventText& text : replay.texts) session.socket->send(text);
  if (!replay.complete) {
    session.send(fmt::format(
        R"({{"type":"error","code":"replay_incomplete","detail":"Read on from here.","position":{}}})",
        replay.next - 1));
  }
  session.replaying = false;
  for (auto& [position, text] : session.held) {
    if (position >= replay.next) session.socket->send(std::move(text));
  }
  session.held.clear();
}

}  // namespace micropay::gateway
