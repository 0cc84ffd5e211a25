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

// As for what happens now: one lock for both doors.
bool concerns(const EventRecord& event, const LiveSession& filter, const contract::EventAccess& access) {
  if (event.type == nullptr || !filter.wants(event.envelope.type())) return false;
  const contract::EventReaders& readers = access.of(*event.type);
  bool heard = filter.wide && filter.may_hear(readers, false);
  for_each_audience(event, [&](const std::string& user) {
    heard |= user == filter.principal.user_id && filter.may_hear(readers, true);
  });
  return heard;
}

}  // namespace

struct LiveStreams::Replay {
  uint64_t next = 1;  // position that was not looked at
  std::vector<EventText> texts;
  size_t scanned = 0;
  bool complete = false;  // the log ends there
};

// A piece of it; true: that was all.
bool LiveStreams::read_missed(Replay& replay, const LiveSession& filter) const {
  auto events = parts_.events.read_events(replay.next, kReadAtOnce);
  if (!events || events->empty()) {
    replay.complete = events.has_value();
    return true;
  }
  for (const auto& event : *events) {
    if (replay.texts.size() == kMaxSent) return true;
    replay.next = event->envelope.position() + 1;
    ++replay.scanned;
    if (!concerns(*event, filter, parts_.access)) continue;
    std::string text = R"({"type":"event","event":)";
    append_event_json(text, *event);
    replay.texts.push_back(std::make_shared<const std::string>(text + "}"));
  }
  return replay.scanned >= kMaxScanned || replay.texts.size() == kMaxSent;
}

// Anew, also while one is being read for a scope that is no longer the session's.
void LiveStreams::start_replay(const LiveSessionPtr& session) {
  auto filter = std::make_shared<LiveSession>();
  filter->principal = session->principal;
  filter->patterns = session->patterns;
  filter->wide = session->wide;
  session->replaying = true;
  session->held.clear();
  auto replay = std::make_shared<Replay>(Replay{.next = session->replay_from});
  const auto piece = [this, weak = std::weak_ptr(session), filter, replay, loop = session->socket->loop(),
                      number = ++session->replays] {
    if (weak.expired()) return true;
    if (!read_missed(*replay, *filter)) return false;
    parts_.post(loop, [this, weak, replay, number] {
      const LiveSessionPtr found = weak.lock();
      if (found && found->socket && found->replays == number) finish_replay(*found, std::move(*replay));
    });
    return true;
  };
  if (replays_.add(session->principal.user_id, piece)) return;
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
