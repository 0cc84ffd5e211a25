// Scanning and comparing. Rows of the log are compared as the bytes that were logged; a row that differs
// there is compared again as this program would store it, because an older log may order maps or write ids
// otherwise.
#include "app/table_pass.h"

#include <pthread.h>

#include <algorithm>
#include <deque>
#include <map>
#include <thread>
#include <unordered_map>

#include "libs/store/list_query.h"

namespace micropay::app {
namespace {

using contract::Table;
using contract::Value;

constexpr size_t kNamed = 5;  // differences that are named, of each table
constexpr auto kTellEvery = std::chrono::milliseconds(100);

struct Suspect {
  uint64_t key = 0;  // hash
  uint64_t row = 0;  // hash as it is kept; 0: missing, or not a row's columns
  uint64_t where = 0;
  RowDifference::Kind kind = RowDifference::Kind::kChanged;
  std::string key_bytes;           // of the first ones, unless missing
  std::vector<OwnedValue> values;  // of the first ones, unless missing
  std::string expected;            // the record as it should be, when that was looked up
  RowDifference found;
  bool equal = false;  // by a second look
};

class Comparison {
 public:
  Comparison(const Evidence& evidence, LogPass& log, const Table& table)
      : evidence_(evidence), log_(log), table_(table), codec_(table) {
    result_.table = &table;
  }

  void scan(const TablePassOptions& options, std::atomic<uint64_t>& done) {
    RowMap& expected = log_.rows(table_);
    const auto read = evidence_.scan_values(table_, [&](const std::vector<Value>& values) {
      ++result_.rows;
      if ((result_.rows & 1023) == 0) done += 1024;
      codec_.key(values, key_);
      const uint64_t key = log_.hash()(key_);
      expected.prefetch(key);
      const bool whole = codec_.encode(values, bytes_);
      const uint64_t row = whole ? log_.hash()(bytes_) : 0;
      RowMap::Entry* entry = expected.find(key);
      if (entry != nullptr && entry->row != 0) entry->seen = 1;
      if (entry == nullptr || entry->row == 0)
        suspect(
            values,
            {.key = key, .row = row, .where = entry ? entry->where : 0, .kind = RowDifference::Kind::kExtra});
      else if (entry->row != row) suspect(values, {.key = key, .row = row, .where = entry->where});
      if (whole && options.visit) options.visit(table_, bytes_);
      return true;
    });
    if (!read) result_.problem = fmt::format("{}: {}", table_.sql_name, read.error().detail);
    expected.each([&](const RowMap::Entry& entry) {
      if (entry.row == 0) return;
      ++result_.rows_in_log;
      if (!entry.seen && read)
        suspects_.push_back({.key = entry.key, .where = entry.where, .kind = RowDifference::Kind::kMissing});
    });
  }

  // Looks at suspects once more, and names the first that remain.
  TableComparison finish() {
    if (!suspects_.empty()) table_.projection ? look_up_projected() : look_up_in_log();
    std::erase_if(suspects_, &Suspect::equal);
    result_.differences = suspects_.size();
    for (size_t i = 0; i < suspects_.size() && i < kNamed; ++i)
      result_.first.push_back(describe(suspects_[i]));
    return std::move(result_);
  }

 private:
  void suspect(const std::vector<Value>& values, Suspect suspect) {
    if (suspects_.size() < kNamed * 4) {
      suspect.key_bytes = key_;
      for (const Value& value : values) suspect.values.push_back(OwnedValue::of(value));
    }
    suspects_.push_back(std::move(suspect));
  }

  void look_up_projected() {
    for (size_t i = 0; i < suspects_.size() && i < kNamed * 4; ++i) {
      Suspect& suspect = suspects_[i];
      if (suspect.kind == RowDifference::Kind::kExtra) continue;
      if (auto row = log_.projected(table_, suspect.where))
        std::tie(suspect.key_bytes, suspect.expected) = std::move(*row);
      else if (suspect.key_bytes.empty()) suspect.key_bytes = block_key(suspect.where);
    }
  }

  // A missing block of the trail is known by its number.
  std::string block_key(uint64_t number) const {
    return table_.encode_key({std::to_string(number)}).value_or(std::string());
  }

  // Reads the ticks again that wrote the suspects.
  void look_up_in_log() {
    std::unordered_map<uint64_t, Suspect*> by_key;
    uint64_t first = UINT64_MAX;
    std::unordered_map<uint64_t, uint64_t> ticks;
    for (Suspect& suspect : suspects_) {
      by_key[suspect.key] = &suspect;
      if (suspect.where == 0) continue;
      first = std::min(first, suspect.where);
      ++ticks[suspect.where];
    }
    if (ticks.empty()) return;
    TickRecord record;
    (void)evidence_.read_log(
        first, [&](const RecordHeader& header, std::string_view stored, const TickLog::Place& place) {
          const auto wanted = ticks.find(header.tick);
          if (wanted == ticks.end() || !decode_record(header, stored, record)) return true;
          for (const TickRecord::Change& change : record.changes) {
            if (*change.table != table_.sql_name) continue;
            const auto suspect = by_key.find(log_.hash()(change.key));
            if (suspect == by_key.end() || suspect->second->where != header.tick) continue;
            compare_again(*suspect->second, change, header, place);
          }
          ticks.erase(wanted);
          return !ticks.empty();
        });
  }

  void compare_again(Suspect& suspect, const TickRecord::Change& change, const RecordHeader& header,
                     const TickLog::Place& place) {
    suspect.found.tick = header.tick;
    suspect.found.segment = place.segment;
    suspect.found.byte = place.byte;
    suspect.found.first_event = header.first_position;
    if (suspect.key_bytes.empty()) suspect.key_bytes = change.key;
    if (change.erased) return;
    std::unique_ptr<google::protobuf::Message> row = table_.make();
    if (!row->ParseFromArray(change.row.data(), int(change.row.size()))) return;
    column_values(contract::column_plan(table_), *row, values_, scratch_);
    std::deque<std::string> kept;
    for (Value& value : values_)
      if (value.kind == Value::Kind::kText) value.bytes = evidence_.as_kept(value.bytes, kept.emplace_back());
    if (suspect.kind == RowDifference::Kind::kChanged && codec_.encode(values_, bytes_) &&
        log_.hash()(bytes_) == suspect.row)
      suspect.equal = true;
    if (!suspect.values.empty()) suspect.expected = change.row;
  }

  RowDifference describe(Suspect& suspect) {
    RowDifference found = std::move(suspect.found);
    found.kind = suspect.kind;
    if (const auto parts = table_.decode_key(suspect.key_bytes))
      for (const std::string& part : *parts) found.key += (found.key.empty() ? "" : ", ") + part;
    if (suspect.kind != RowDifference::Kind::kChanged || suspect.values.empty()) return found;
    std::unique_ptr<google::protobuf::Message> row = table_.make();
    std::vector<Value> kept;
    kept.reserve(suspect.values.size());
    for (const OwnedValue& value : suspect.values) kept.push_back(value.view());
    const auto& columns = contract::column_plan(table_).columns();
    if (suspect.expected.empty() || !row->ParseFromString(suspect.expected)) {
      if (const contract::Column* column = codec_.refused(kept)) found.fields = column->name;
      return found;
    }
    column_values(contract::column_plan(table_), *row, values_, scratch_);
    for (size_t i = 0; i < columns.size(); ++i)
      if (kept[i].kind != values_[i].kind || kept[i].integer != values_[i].integer ||
          kept[i].bytes != values_[i].bytes)
        found.fields += (found.fields.empty() ? "" : ", ") + columns[i].name;
    return found;
  }

  const Evidence& evidence_;
  LogPass& log_;
  const Table& table_;
  const StoredRow codec_;
  TableComparison result_;
  std::vector<Suspect> suspects_;
  std::string key_, bytes_;
  std::vector<Value> values_;
  std::vector<std::string> scratch_;
};

}  // namespace

std::vector<TableComparison> compare_tables(const Evidence& evidence, LogPass& log,
                                            const TablePassOptions& options) {
  std::vector<std::unique_ptr<Comparison>> comparisons;
  std::vector<std::pair<uint64_t, Comparison*>> largest;
  comparisons.reserve(evidence.tables().size());
  largest.reserve(evidence.tables().size());
  for (const Table* table : evidence.tables()) {
    comparisons.push_back(std::make_unique<Comparison>(evidence, log, *table));
    largest.emplace_back(log.rows(*table).bytes() * (table->projection ? 8 : 1), comparisons.back().get());
  }
  std::ranges::sort(largest, std::greater(), &std::pair<uint64_t, Comparison*>::first);
  std::atomic<size_t> next = 0, working = options.threads;
  std::atomic<uint64_t> done = 0;
  std::vector<std::jthread> threads;
  threads.reserve(options.threads);
  for (size_t i = 0; i < options.threads; ++i)
    threads.emplace_back([&] {
      pthread_setname_np(pthread_self(), "scan");
      for (size_t at; (at = next++) < largest.size();) largest[at].second->scan(options, done);
      --working;
    });
  while (working > 0) {
    std::this_thread::sleep_for(kTellEvery);
    if (options.tell) options.tell(done);
  }
  threads.clear();
  std::vector<TableComparison> results;
  results.reserve(comparisons.size());
  for (const auto& comparison : comparisons) results.push_back(comparison->finish());
  return results;
}

std::string TableComparison::text() const {
  if (equal()) return {};
  if (!problem.empty()) return problem;
  std::string out =
      fmt::format("{}{}: {} of {} rows differ from the log", service.empty() ? "" : service + "'s database, ",
                  table->sql_name, differences, std::max(rows, rows_in_log));
  if (first.empty()) return out;
  const RowDifference& at = first.front();
  static constexpr const char* kKinds[] = {"is another", "is missing", "is not in the log"};
  out += fmt::format("; first, the row with key {} {}", at.key, kKinds[size_t(at.kind)]);
  if (!at.fields.empty()) out += fmt::format(" in {}", at.fields);
  if (at.tick == 0) return out;
  const std::string place = at.segment.empty() ? "" : fmt::format(" log/{}, byte {},", at.segment, at.byte);
  return out + fmt::format(" (written by tick {},{} event {} and on)", at.tick, place, at.first_event);
}

}  // namespace micropay::app
