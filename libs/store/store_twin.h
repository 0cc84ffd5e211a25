// What the store's tests share: a scratch folder, rows, ticks in order, and projections that count.
#pragma once

#include <string>
#include <vector>

#include "contracts/runtime.pb.h"
#include "libs/contract/model.h"
#include "libs/store/embedded.h"
#include "libs/store/packed_tick.h"

namespace micropay::test {

class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  const std::string& path() const { return path_; }
  std::string at(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

template <typename T>
const contract::Table& table() {
  return *contract::model().table_of<T>();
}

template <typename T>
RowChange put(T row) {
  auto shared = std::make_shared<const T>(std::move(row));
  return {.table = &table<T>(), .key = table<T>().key_of(*shared), .row = shared};
}

template <typename T>
RowChange erase(const T& row) {
  return {.table = &table<T>(), .key = table<T>().key_of(row), .row = {}};
}

std::string uuid(uint64_t number);  // ordered by number

struct LetterOptions {
  DeadLetter::Status status = DeadLetter::OPEN;
  std::string service = "payment";
  std::string detail = "";
  Time created_at = 0;
};
DeadLetter letter(uint64_t number, const LetterOptions& options = {});
std::string letter_key(uint64_t number);

// Numbers ticks and positions; `events` payment.initiated events go with each tick.
class TickMaker {
 public:
  explicit TickMaker(LogEnd end = {}) : end_(end) {}
  Tick next(std::vector<RowChange> changes, size_t events = 0);

 private:
  LogEnd end_;
};

PackedTickPtr packed(const Tick& tick);

// Counts events: "audit" by blocks of four positions (it reads what it wrote), "payment" one row for each.
class CountingProjector final : public Projector {
 public:
  explicit CountingProjector(std::vector<std::string> services = {"audit", "payment"})
      : services_(std::move(services)) {}
  std::vector<std::string> services() const override { return services_; }
  std::vector<RowChange> project(const std::vector<std::shared_ptr<const EventRecord>>& events,
                                 const RowReader& reader, std::string_view only_service) override;
  uint64_t version(std::string_view service) const override { return service == "audit" ? audit_version : 0; }
  size_t calls = 0, most_events = 0, seen = 0;
  uint64_t audit_version = 0;

 private:
  bool runs(std::string_view service, std::string_view only) const;
  std::vector<std::string> services_;
};

// Every row of every table, as text: equal stores have equal dumps.
std::string dump(const Store& store);

}  // namespace micropay::test
