// Backups: a data folder made from another one while that is in use. First the tables, then the log, which
// has everything the tables have and more; opening the copy applies the rest.
#include <filesystem>

#include "libs/store/embedded_impl.h"

namespace micropay {
namespace {

constexpr size_t kPiece = 1 << 20;

Result<void> copy_log_file(LogFolder& from, LogFolder& to, const TickLog::Extent& extent,
                           const std::function<void(uint64_t)>& copied) {
  auto source = TRY(from.open(extent.name, LogFolder::Mode::kRead));
  auto target = TRY(to.open(extent.name, LogFolder::Mode::kCreate));
  BlockBuffer buffer;
  buffer.grow(kPiece);
  for (uint64_t at = 0; at < extent.bytes;) {
    size_t size = TRY(source->read_at(at, buffer.data(), std::min<uint64_t>(kPiece, extent.bytes - at)));
    if (size == 0) break;
    size_t padded = align_block(size);
    std::fill(buffer.data() + size, buffer.data() + padded, '\0');
    TRY(target->write_at(at, {buffer.data(), padded}));
    at += size;
    copied(size);
  }
  return target->sync();
}

}  // namespace

Result<void> EmbeddedStoreImpl::backup(const std::string& folder,
                                       const std::function<void(double done)>& progress) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_empty(folder, error))
    return fail(Code::kFailedPrecondition, "target_not_empty",
                fmt::format("{} is not empty; a backup needs a folder of its own", folder));
  fs::create_directories(folder + "/log", error);
  if (error) return storage_error("cannot make", folder, error.value());
  fs::permissions(folder, fs::perms::owner_all, error);

  double table_bytes = static_cast<double>(stats().table_bytes);
  double total = table_bytes + static_cast<double>(log_->bytes()) + 1, done = 0;
  auto advance = [&](double bytes) {
    done += bytes;
    if (progress) progress(std::min(done / total, 1.0));
  };
  auto copied = [&]() -> Result<void> {
    {
      auto source = TRY(readers_.take());
      auto target = TRY(SqlConnection::open(folder + "/state.db", SqlConnection::Mode::kWrite));
      TRY(source->connection().copy_to(*target));
      target->checkpoint(true);
    }
    advance(table_bytes);
    auto target = make_log_folder(folder + "/log");
    for (const TickLog::Extent& extent : log_->extents())
      TRY(copy_log_file(*log_folder_, *target, extent,
                        [&](uint64_t bytes) { advance(static_cast<double>(bytes)); }));
    TRY(target->sync());
    return make_log_folder(folder)->sync();
  }();
  if (!copied) {  // half a backup must not be taken for one
    for (const char* part : {"/log", "/state.db", "/state.db-wal", "/state.db-shm"})
      fs::remove_all(folder + part, error);
    return copied;
  }
  if (progress) progress(1);
  return {};
}

}  // namespace micropay
