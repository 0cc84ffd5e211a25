// Tables, errors and progress on a terminal.
#include "app/console.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "libs/base/unicode.h"
#include "libs/base/words.h"

namespace micropay::app {
namespace {

constexpr Duration kQuiet = 2 * kSecond;  // work that is done by then shows no progress
constexpr Duration kRewrite = 200 * kMillisecond;
constexpr Duration kLine = 1900 * kMillisecond;

// Terminal columns of UTF-8 text, near enough: code points.
size_t width(std::string_view text) {
  return size_t(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

void tell(std::string_view text) { (void)std::fwrite(text.data(), 1, text.size(), stderr); }

void print_error(std::string_view command, const Error& error, std::string_view hint) {
  const std::string text = error.detail.empty() ? error.reason : error.detail;
  const std::string reason =
      error.detail.empty() || error.reason.empty() ? "" : fmt::format(" ({})", error.reason);
  tell(printable_lines(fmt::format("micropay{}{}: {}{}", command.empty() ? "" : " ", command, text, reason)) +
       "\n");
  if (!hint.empty()) tell(fmt::format("  {}\n", hint));
}

std::string text_table(const std::vector<std::vector<std::string>>& cells) {
  std::vector<std::vector<std::string>> rows = cells;
  for (auto& row : rows)
    for (std::string& cell : row) cell = printable(cell);
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width(row[i]) + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string grouped(uint64_t number) {
  const std::string digits = fmt::format("{}", number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  if (bytes < 1'000'000) return fmt::format("{:.1f} kB", double(bytes) / 1e3);
  if (bytes < 1'000'000'000) return fmt::format("{:.1f} MB", double(bytes) / 1e6);
  return fmt::format("{:.1f} GB", double(bytes) / 1e9);
}

std::string seconds_text(Duration taken) { return fmt::format("{:.2f} s", double(taken) / kSecond); }

std::string nearest(std::string_view word, const std::vector<std::string>& words) {
  const std::string* found =
      nearest_of(words, std::max<size_t>(2, word.size() / 2), [&](const std::string& candidate) {
        return candidate.starts_with(word) && word.size() > 1 ? 1 : edit_distance(word, candidate);
      });
  return found == nullptr ? "" : *found;
}

Progress::Progress(std::string what, Lines lines)
    : what_(std::move(what)), started_(system_clock().monotonic()), terminal_(isatty(STDERR_FILENO) == 1) {
  latest_ = what_;
  if (lines == Lines::kOften && !terminal_) teller_ = std::thread([this] { say_lines(); });
}

// Also while a server lets it wait.
void Progress::say_lines() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, std::chrono::microseconds(kLine), [this] { return ended_; }))
    tell(fmt::format("{} ({} s)\n", latest_, (system_clock().monotonic() - started_) / kSecond));
}

Progress::~Progress() {
  if (teller_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    teller_.join();
  }
  if (dirty_) tell("\r\033[K");
}

bool Progress::due() {
  if (!terminal_) return false;
  const Time now = system_clock().monotonic();
  if (now - started_ < kQuiet || now - shown_ < kRewrite) return false;
  shown_ = now;
  return true;
}

void Progress::show(const std::string& text) {
  tell(fmt::format("\r\033[K{}", text));
  std::fflush(stderr);
  dirty_ = true;
}

void Progress::count(uint64_t done, std::string_view unit) {
  if (due()) show(fmt::format("{}: {} {}", what_, grouped(done), unit));
}

void Progress::part(double done) {
  if (due()) show(fmt::format("{}: {:.0f} %", what_, done * 100));
}

void Progress::step(const std::string& text) {
  if (teller_.joinable()) {
    const std::lock_guard lock(mutex_);
    latest_ = text;
  }
  if (due()) show(text);
}

void Progress::line(const std::string& text) {
  if (dirty_) tell("\r\033[K");
  dirty_ = false;
  tell(text + "\n");
}

}  // namespace micropay::app
