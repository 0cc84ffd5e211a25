// Projections without SQLite.
#include "app/projection_pass.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "libs/base/check.h"
#include "libs/store/log_record.h"

namespace micropay::app {
namespace {

constexpr size_t kRecentRows = 500;  // most rows are done with the tick that made them
constexpr size_t kWriteBytes = 1 << 20;

struct Header {
  uint32_t key_bytes, row_bytes;
};

}  // namespace

ProjectionPass::ProjectionPass(std::unique_ptr<Projector> projector, const KeyedHash& hash,
                               std::vector<RowMap>& rows)
    : projector_(std::move(projector)), services_(projector_->services()), hash_(hash), rows_(rows) {
  scratch_ = ::open(std::filesystem::temp_directory_path().c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  CHECK(scratch_ >= 0 && "no scratch file: set TMPDIR to a folder with space");
}

ProjectionPass::~ProjectionPass() { ::close(scratch_); }

bool ProjectionPass::makes(const contract::Table& table) const {
  return table.projection && std::ranges::find(services_, table.service->name) != services_.end();
}

void ProjectionPass::take(const std::vector<std::shared_ptr<const EventRecord>>& events) {
  for (const RowChange& change : projector_->project(events, *this, {})) put(change);
}

void ProjectionPass::put(const RowChange& change) {
  RowMap::Entry& entry = rows_[change.table->id].at(hash_(change.key));
  const uint64_t place = entry.key ^ change.table->id;
  const auto [recent, added] = recent_.insert_or_assign(place, change.row);
  if (added) order_.push_back(place);
  if (order_.size() > kRecentRows) {
    recent_.erase(order_.front());
    order_.pop_front();
  }
  entry.row = 0;
  if (!change.row) return;
  const std::string bytes = row_bytes(*change.row);
  entry.row = hash_(bytes);
  entry.where = append(change.key, bytes);
}

uint64_t ProjectionPass::append(std::string_view key, std::string_view row) {
  const uint64_t where = written_ + unwritten_.size();
  const Header header{uint32_t(key.size()), uint32_t(row.size())};
  unwritten_.append(reinterpret_cast<const char*>(&header), sizeof header).append(key).append(row);
  if (unwritten_.size() >= kWriteBytes) {
    for (size_t done = 0; done < unwritten_.size();) {
      const ssize_t wrote = ::write(scratch_, unwritten_.data() + done, unwritten_.size() - done);
      CHECK(wrote > 0 && "the scratch file cannot be written: set TMPDIR to a folder with space");
      done += size_t(wrote);
    }
    written_ += unwritten_.size();
    unwritten_.clear();
  }
  return where;
}

void ProjectionPass::read_scratch(uint64_t offset, char* to, size_t bytes) const {
  if (offset >= written_) {
    std::memcpy(to, unwritten_.data() + (offset - written_), bytes);
    return;
  }
  CHECK(::pread(scratch_, to, bytes, off_t(offset)) == ssize_t(bytes));
}

std::pair<std::string, std::string> ProjectionPass::row_at(uint64_t where) const {
  Header header{};
  read_scratch(where, reinterpret_cast<char*>(&header), sizeof header);
  std::string key(header.key_bytes, '\0'), row(header.row_bytes, '\0');
  read_scratch(where + sizeof header, key.data(), key.size());
  read_scratch(where + sizeof header + key.size(), row.data(), row.size());
  return {std::move(key), std::move(row)};
}

Row ProjectionPass::get(const contract::Table& table, const std::string& key) const {
  CHECK(makes(table) && "a projection sees projection tables of its own service only");
  const uint64_t hashed = hash_(key);
  if (const auto recent = recent_.find(hashed ^ table.id); recent != recent_.end()) return recent->second;
  const RowMap::Entry* entry = rows_[table.id].find(hashed);
  if (entry == nullptr || entry->row == 0) return nullptr;
  std::shared_ptr<google::protobuf::Message> row = table.make();
  CHECK(row->ParseFromString(row_at(entry->where).second));  // own bytes
  return row;
}

Result<Page> ProjectionPass::list(const ListQuery&) const {
  return fail(Code::kUnimplemented, "no_lists_in_projections", "A projection reads by key.");
}

}  // namespace micropay::app
