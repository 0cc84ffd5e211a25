// Preparing of segments.
#include "libs/store/segment_preparer.h"

#include <pthread.h>
#include <cstring>

#include "libs/base/check.h"

namespace micropay {
namespace {
constexpr size_t kPiece = 256 << 10;  // small, so that a commit's write never waits long behind one
constexpr uint64_t kSmallestSegment = 1 << 20;
}  // namespace

Result<void> fill_with_zeros(LogFile& file, uint64_t from, uint64_t to, const std::function<bool()>& pause) {
  BlockBuffer zeros;
  zeros.grow(kPiece);
  std::memset(zeros.data(), 0, kPiece);
  for (uint64_t at = from; at < to; at += kPiece) {
    TRY(file.write_at(at, {zeros.data(), std::min<uint64_t>(kPiece, to - at)}));
    if (pause && !pause()) return fail(Code::kAborted, "stopping");
  }
  return file.sync();
}

SegmentPreparer::SegmentPreparer(LogFolder& folder, bool in_background)
    : folder_(folder), in_background_(in_background) {
  if (in_background)
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), "log-preparer");
      run();
    });
}

SegmentPreparer::~SegmentPreparer() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (ready_ && *ready_) {
    std::string name = (*ready_)->name;
    ready_.reset();
    (void)folder_.remove(name);  // harmless when it stays: an empty segment behind the last one
  }
}

void SegmentPreparer::prepare(std::string name, uint64_t bytes, std::unique_ptr<LogFile> finished,
                              uint64_t finished_bytes) {
  std::unique_lock lock(mutex_);
  CHECK(!job_ && !ready_);
  last_name_ = name;
  last_bytes_ = bytes;
  job_ = Job{std::move(name), bytes, std::move(finished), finished_bytes};
  if (in_background_) return changed_.notify_all();
  Job job = std::move(*job_);
  job_.reset();
  lock.unlock();
  carry_out(job);
}

Result<PreparedSegment> SegmentPreparer::take() {
  std::unique_lock lock(mutex_);
  if (ready_ && !*ready_) {  // failed before: there may be space by now
    ready_.reset();
    lock.unlock();
    prepare(last_name_, last_bytes_, nullptr, 0);
    lock.lock();
  }
  changed_.wait(lock, [this] { return ready_.has_value(); });
  if (!*ready_) return std::unexpected(ready_->error());
  PreparedSegment segment = std::move(**ready_);
  ready_.reset();
  return segment;
}

void SegmentPreparer::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || job_; });
    if (stopping_) return;
    Job job = std::move(*job_);
    job_.reset();
    lock.unlock();
    carry_out(job);
    lock.lock();
  }
}

void SegmentPreparer::carry_out(Job& job) {
  // A segment that stays longer than its records ends with zeros, which readers take for its end just as
  // well.
  if (job.finished) (void)job.finished->resize(job.finished_bytes);
  job.finished.reset();
  Result<PreparedSegment> made = make(job.name, job.bytes);
  while (!made && made.error().reason == "storage_full" && job.bytes > kSmallestSegment) {
    job.bytes = std::max(job.bytes / 8, kSmallestSegment);
    made = make(job.name, job.bytes);
  }
  std::lock_guard lock(mutex_);
  ready_ = std::move(made);
  changed_.notify_all();
}

Result<PreparedSegment> SegmentPreparer::make(const std::string& name, uint64_t bytes) {
  auto file = TRY(folder_.open(name, LogFolder::Mode::kCreate));
  auto pause = [this] {
    std::unique_lock lock(mutex_);
    return !in_background_ ||
           !changed_.wait_for(lock, std::chrono::milliseconds(1), [this] { return stopping_; });
  };
  auto prepared = [&]() -> Result<void> {
    TRY(file->reserve(bytes));
    TRY(fill_with_zeros(*file, 0, bytes, pause));
    return folder_.sync();
  }();
  if (!prepared) {
    file.reset();
    (void)folder_.remove(name);
    return std::unexpected(prepared.error());
  }
  return PreparedSegment{name, std::move(file), bytes};
}

}  // namespace micropay
