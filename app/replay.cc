// Rebuilding and comparing tables. A row is compared by its key and its deterministic protobuf encoding.
#include "app/replay.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "libs/contract/json.h"
#include "libs/store/checksum.h"
#include "libs/store/log_file.h"

namespace micropay::app {
namespace {

// Maps are written in key order, so equal rows have equal bytes.
std::string row_bytes(const google::protobuf::Message& row) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  row.SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

std::string key_text(const contract::Table& table, const google::protobuf::Message& row) {
  std::string text;
  for (const auto* field : table.key) text += (text.empty() ? "" : ", ") + contract::field_text(row, *field);
  return text;
}

// Eight bytes a row, so that tables of many millions fit.
struct Fingerprints {
  std::vector<uint64_t> rows;
  std::string at;  // key of the row that was asked for
};

Result<Fingerprints> fingerprints(const Store& store, const contract::Table& table, size_t ask = SIZE_MAX) {
  Fingerprints found;
  TRY(store.scan(table, [&](const Row& row) {
    if (found.rows.size() == ask) found.at = key_text(table, *row);
    found.rows.push_back(xxh64(row_bytes(*row)));
    return true;
  }));
  return found;
}

Result<TableComparison> compare(const Store& data, const Store& rebuilt, const contract::Table& table) {
  const Fingerprints kept = TRY(fingerprints(data, table));
  const Fingerprints made = TRY(fingerprints(rebuilt, table));
  TableComparison result{&table, kept.rows.size(), made.rows.size(), {}};
  if (kept.rows == made.rows) return result;
  const size_t at = size_t(std::ranges::mismatch(kept.rows, made.rows).in1 - kept.rows.begin());
  const Fingerprints kept_at = TRY(fingerprints(data, table, at));
  const Fingerprints made_at = TRY(fingerprints(rebuilt, table, at));
  result.difference =
      fmt::format("{}: {} rows, {} from the log; the first difference is at key {}", table.sql_name,
                  result.rows, result.rebuilt_rows, kept_at.at.empty() ? made_at.at : kept_at.at);
  if (!kept_at.at.empty() && !made_at.at.empty() && kept_at.at != made_at.at)
    result.difference += fmt::format(" (from the log: {})", made_at.at);
  if (table.projection)
    result.difference += "; if another version of this program made them: micropay replay --rebuild";
  return result;
}

}  // namespace

Result<std::unique_ptr<EmbeddedStore>> rebuild_tables(const std::string& data, Projector& projector,
                                                      std::function<void(const std::string& line)> progress) {
  EmbeddedOptions options;
  options.folder = data + "/log";  // there are no tables in it, so all are made
  options.read_only = true;
  options.log_files = make_log_folder(data + "/log");
  options.progress = std::move(progress);
  auto store = TRY(EmbeddedStore::open(std::move(options), contract::model(), &projector));
  TRY(store->catch_up());
  return store;
}

Result<std::vector<TableComparison>> compare_tables(const Store& data, const Store& rebuilt,
                                                    const contract::Model& model,
                                                    const std::function<void(const TableComparison&)>& each) {
  std::vector<TableComparison> results;
  for (const contract::Table* table : model.tables()) {
    results.push_back(TRY(compare(data, rebuilt, *table)));
    if (each) each(results.back());
  }
  return results;
}

}  // namespace micropay::app
