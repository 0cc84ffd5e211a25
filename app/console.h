// Text for people: aligned tables, one-line errors that say what to do next, progress of long work.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "libs/base/error.h"
#include "libs/base/time.h"

namespace micropay::app {

// To stderr. What cannot be written, because its file is on a full disk, is lost; fmt::print would throw.
void tell(std::string_view text);

// "micropay verify: the folder data does not exist (no_data)" on stderr, and a second line with the hint, if
// any.
void print_error(std::string_view command, const Error& error, std::string_view hint = {});

// Rows of cells, the first one the heading; columns are as wide as their widest cell. What is not printable
// in a cell is an escape.
std::string text_table(const std::vector<std::vector<std::string>>& cells);

std::string grouped(uint64_t number);      // "1,234,567"
std::string bytes_text(uint64_t bytes);    // "12.3 MB"
std::string seconds_text(Duration taken);  // "0.42 s"

// The word of `words` that `word` most likely was meant to be; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& words);

// A line on stderr that is rewritten while work goes on: nothing in the first two seconds, nothing when
// stderr is no terminal; but for work that may take minutes, lines: one every two seconds, whatever it does.
class Progress {
 public:
  enum class Lines : uint8_t { kNever, kOften };
  explicit Progress(std::string what, Lines lines = Lines::kNever);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void count(uint64_t done, std::string_view unit);  // "Reading the log: 1,234,000 events"
  void part(double done);                            // "Copying: 42 %"
  void step(const std::string& text);                // "Bringing the tables up to date: tick 3 of 9"
  void line(const std::string& text);                // always, and on a line of its own

 private:
  bool due();
  void show(const std::string& text);
  void say_lines();

  std::string what_;
  Time started_;
  Time shown_ = 0;
  bool terminal_;
  bool dirty_ = false;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::string latest_;  // guarded by mutex_
  bool ended_ = false;  // guarded by mutex_
  std::thread teller_;  // where lines are wanted and there is no terminal
};

}  // namespace micropay::app
