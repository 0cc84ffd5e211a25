// What the applier's thread spends on a payment: the ticks of a data folder's log are given to an applier of
// its own, in batches as a busy platform makes them, and its thread's CPU is read after each.
//
//   LD_PRELOAD=libtcmalloc_minimal.so.4 build/bench_applier FOLDER [payments a batch = 750]
#include <dirent.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <fstream>

#include "app/data_folder.h"
#include "app/instance.h"
#include "libs/base/check.h"
#include "libs/store/applier.h"
#include "libs/store/embedded.h"
#include "libs/store/log_record.h"
#include "libs/store/log_segment.h"

namespace micropay {
namespace {

constexpr size_t kRecentEvents = 16'384;  // as the store keeps
constexpr size_t kCacheRows = 200'000;
constexpr size_t kBatchBytes = 12 << 20;

std::vector<TickRecord> read_all(const std::string& folder) {
  std::vector<TickRecord> records;
  auto log = TickLog::open(make_log_folder(folder + "/log"), {.read_only = true});
  CHECK(log);
  CHECK((*log)->read(1, [&](const RecordHeader& header, std::string_view stored) {
    TickRecord record;
    CHECK(decode_record(header, stored, record));
    records.push_back(std::move(record));
    return true;
  }));
  return records;
}

size_t payments_in(const TickRecord& record) {
  return size_t(std::ranges::count_if(
      record.events, [](const Envelope& event) { return event.type() == "payment.completed"; }));
}

// The CPU clock of the thread of this name.
clockid_t clock_of(const std::string& name) {
  for (;;) {
    DIR* tasks = ::opendir("/proc/self/task");
    while (const dirent* task = ::readdir(tasks)) {
      std::ifstream comm(fmt::format("/proc/self/task/{}/comm", task->d_name));
      std::string found;
      if (!std::getline(comm, found) || found != name) continue;
      const int tid = std::atoi(task->d_name);
      ::closedir(tasks);
      return static_cast<clockid_t>((~static_cast<unsigned>(tid) << 3) | 6);
    }
    ::closedir(tasks);
  }
}

double us_of(clockid_t clock) {
  timespec time{};
  CHECK(clock_gettime(clock, &time) == 0);
  return double(time.tv_sec) * 1e6 + double(time.tv_nsec) / 1e3;
}

void measure(const std::string& folder, size_t batch_payments) {
  std::vector<TickRecord> records = read_all(folder);
  const auto scratch = app::ScratchFolder::make();
  CHECK(scratch);
  auto tables = SqlTables::open(scratch->path() + "/state.db", SqlConnection::Mode::kWrite);
  CHECK(tables && (*tables)->prepare_schema(contract::model()) && (*tables)->load_places(contract::model()));
  RowCache cache(kCacheRows, contract::model().tables().size());
  for (const contract::Table* table : contract::model().tables())
    if (!table->scattered && !table->stretched()) cache.set_newest(*table, {});
  const auto projector = app::all_projections();
  std::deque<std::shared_ptr<const EventRecord>> recent;
  std::vector<double> us;
  double total = 0;
  size_t payments = 0, timed = 0;
  {
    Applier applier({.interval = kHour}, std::move(*tables), cache, projector.get(), 0);
    applier.start();
    const clockid_t clock = clock_of("applier");
    double before = 0;
    for (size_t at = 0; at < records.size();) {
      size_t count = 0, bytes = 0;
      std::vector<PackedTickPtr> batch;
      for (; at < records.size() && count < batch_payments && bytes < kBatchBytes; ++at) {
        TickRecord& record = records[at];
        Tick tick;
        CHECK(to_tick(record, contract::model(), tick));
        count += payments_in(record);
        bytes += record.payload.size();
        recent.insert(recent.end(), tick.events.begin(), tick.events.end());
        while (recent.size() > kRecentEvents) recent.pop_front();
        batch.push_back(to_packed(record, contract::model()));
        batch.back()->events = std::move(tick.events);
        for (size_t i = 0; i < tick.changes.size(); ++i)
          cache.put(batch.back()->changes[i], tick.changes[i].row, batch.back()->payload, tick.number);
      }
      const double now = us_of(clock);
      if (timed > 0) us.push_back((now - before) / double(timed)), total += now - before;
      payments += timed;
      timed = count >= batch_payments ? count : 0;  // not the making of the wallets, nor what is left
      before = now;
      const uint64_t last = batch.back()->number;
      for (auto& tick : batch) applier.push(std::move(tick), 100);
      CHECK(applier.wait_for(last));
    }
  }
  std::ranges::sort(us);
  CHECK(us.size() > 4);
  fmt::print(
      "applier us a payment: median {:.1f}, lower quarter {:.1f}, least {:.1f}, mean {:.1f}; {} payments\n",
      us[us.size() / 2], us[us.size() / 4], us[0], total / double(payments), payments);
}

}  // namespace
}  // namespace micropay

int main(int count, char** arguments) {
  CHECK(count >= 2 && "FOLDER [payments a batch]");
  micropay::measure(arguments[1], count > 2 ? size_t(std::atoi(arguments[2])) : 750);
}
