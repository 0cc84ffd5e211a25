// Every part of a log record in every segment, segments cut short or gone: found, and the segment named.
#include <gmock/gmock.h>

#include <fstream>

#include "app/tamper_twin.h"
#include "libs/store/log_record.h"

namespace micropay::app {
namespace {

namespace fs = std::filesystem;

struct Record {
  uint64_t offset = 0;
  RecordHeader header;
};

std::vector<Record> records_of(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  std::vector<Record> found;
  for (Record record; record.offset + kHeaderBytes <= bytes.size();
       record.offset += record.header.record_bytes()) {
    if (read_header(bytes.data() + record.offset, record.header) != HeaderState::kValid) break;
    found.push_back(record);
  }
  return found;
}

void flip(const std::string& path, uint64_t at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(std::streamoff(at));
  const char byte = char(file.get());
  file.seekp(std::streamoff(at));
  file.put(char(byte ^ 1));
}

std::vector<std::string> segments(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder + "/log"))
    if (!records_of(entry.path()).empty()) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

TEST_F(TamperTest, EveryPartOfARecordInEverySegmentIsFoundAndItsSegmentNamed) {
  const auto names = segments(folder_);
  ASSERT_GE(names.size(), 3u);
  for (const std::string& name : names) {
    const std::string file = folder_ + "/log/" + name;
    const auto records = records_of(file);
    for (const size_t which : {size_t(0), records.size() / 2, records.size() - 1}) {
      const Record& record = records[which];
      const uint64_t payload = record.offset + kHeaderBytes, padding = payload + record.header.stored_bytes,
                     end = record.offset + record.header.record_bytes();
      std::vector<uint64_t> places;
      for (const uint64_t field : {0, 4, 6, 8, 12, 16, 24, 32, 40, 44, 48, 56})
        places.push_back(record.offset + field);
      for (const uint64_t place : {payload, (payload + padding) / 2, padding - 1}) places.push_back(place);
      if (padding < end) places.push_back(padding), places.push_back(end - 1);
      for (const uint64_t at : places) {
        flip(file, at);
        const VerifyReport report = verify();
        flip(file, at);
        const Check& log = check(report, "log is whole");
        EXPECT_FALSE(log.ok) << name << " byte " << at << " of record at " << record.offset;
        EXPECT_THAT(log.problem, testing::HasSubstr("log/" + name)) << at - record.offset;
      }
    }
  }
  EXPECT_TRUE(check(verify(), "log is whole").ok);
}

TEST_F(TamperTest, SegmentsCutShortOrGoneAreFound) {
  for (const std::string& name : segments(folder_)) {
    const std::string file = folder_ + "/log/" + name, kept = scratch_->path() + "/kept";
    fs::copy_file(file, kept, fs::copy_options::overwrite_existing);
    const Record last = records_of(file).back();
    for (const uint64_t left : {last.offset, last.offset + 100, uint64_t(0)}) {
      fs::resize_file(file, left);
      EXPECT_FALSE(check(verify(), "log is whole").ok) << name << " " << left;
    }
    fs::remove(file);
    EXPECT_FALSE(check(verify(), "log is whole").ok) << name;
    fs::copy_file(kept, file, fs::copy_options::overwrite_existing);
  }
  EXPECT_TRUE(check(verify(), "log is whole").ok);
}

}  // namespace
}  // namespace micropay::app
