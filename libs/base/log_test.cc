// Logs: their two forms, that input cannot forge a line, and that a stuck reader costs records but never
// blocks.
#include "libs/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <mutex>
#include <thread>

#include "libs/base/metrics.h"
#include "libs/base/settings.h"

namespace micropay {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

// Logs into a string while it lives.
class Captured {
 public:
  explicit Captured(LogOptions options = {}) {
    options.write = [this](std::string_view lines) {
      const std::lock_guard lock(mutex_);
      text_ += lines;
    };
    start_log(std::move(options));
  }
  ~Captured() { start_log({}); }
  std::string text() {
    flush_log();
    const std::lock_guard lock(mutex_);
    return text_;
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

TEST(Log, WritesElasticCommonSchema) {
  Captured log;
  log_info(
      "payment.completed", "Payment completed",
      {{"payment_id", "p1"}, {"amount_minor", 1234}, {"user.id", "u1"}, {"replayed", false}, {"share", 0.5}});
  EXPECT_THAT(
      log.text(),
      MatchesRegex(R"re(\{"@timestamp":"[0-9T:.-]+Z","log.level":"info","message":"Payment completed",)re"
                   R"re("ecs.version":"8.11.0","service.name":"micropay",)re"
                   R"re("event.action":"payment.completed","user.id":"u1",)re"
                   R"re("labels":\{"payment_id":"p1","amount_minor":1234,"replayed":false,"share":0.5\}\})re"
                   "\n"));
}

TEST(Log, AScopeAddsItsIdsAndEnds) {
  Captured log;
  {
    const LogScope outer({.trace_id = "t1", .correlation_id = "c1"});
    const LogScope inner({.service = "payment", .trace_id = "t2", .correlation_id = "c2"});
    log_info("a", "");
  }
  log_info("b", "");
  const std::string text = log.text();
  const std::string first = text.substr(0, text.find('\n')), second = text.substr(text.find('\n'));
  EXPECT_THAT(first, AllOf(HasSubstr(R"("service.name":"payment")"), HasSubstr(R"("trace.id":"t2")"),
                           HasSubstr(R"("correlation_id":"c2")")));
  EXPECT_THAT(second, AllOf(HasSubstr(R"("service.name":"micropay")"), Not(HasSubstr("trace.id")),
                            Not(HasSubstr("correlation_id"))));
}

TEST(Log, InputCannotForgeALine) {
  for (const LogFormat format : {LogFormat::kJson, LogFormat::kText}) {
    Captured log({.format = format});
    log_info("a", "x\ny\"z\\",
             {{"name", "\033[31mred\x7f"}, {"bad", "\xff\xc3 \xed\xa0\x80 \xf0\x9f\x92\xb6"}});
    const std::string text = log.text();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
    EXPECT_THAT(text, AllOf(HasSubstr(R"(x\ny\"z\\)"), HasSubstr(R"(\u001b[31mred\u007f)")));
    EXPECT_THAT(text, HasSubstr("\\ufffd\\ufffd \\ufffd\\ufffd\\ufffd \xf0\x9f\x92\xb6"));
  }
}

TEST(Log, TextIsForReading) {
  Captured log({.format = LogFormat::kText});
  log_warn("payment.failed", "No money", {{"payment_id", "p1"}, {"reason", "two words"}, {"minor", -5}});
  EXPECT_THAT(log.text(), MatchesRegex("[0-9:.]+ WARN  payment.failed  No money  payment_id=p1 "
                                       "reason=\"two words\" minor=-5\n"));
}

TEST(Log, BelowItsLevelNothingIsWritten) {
  Captured log({.level = LogLevel::kWarn});
  log_info("quiet", "");
  log_warn("heard", "");
  EXPECT_THAT(log.text(), AllOf(HasSubstr("heard"), Not(HasSubstr("quiet"))));
  EXPECT_FALSE(log_enabled(LogLevel::kInfo));
}

TEST(Log, AStuckReaderCostsRecordsButNeverBlocks) {
  Counter& dropped = counter("micropay_log_dropped_total", "");
  const uint64_t before = dropped.value();
  std::promise<void> entered, release;
  std::once_flag once;
  std::string text;
  start_log({.queue_bytes = 1000, .write = [&](std::string_view lines) {
               std::call_once(once, [&] {
                 entered.set_value();
                 release.get_future().wait();
               });
               text += lines;
             }});
  log_error("first", "");
  entered.get_future().wait();
  for (int i = 0; i < 100; ++i) log_info("more", "");
  EXPECT_GT(dropped.value(), before + 80);
  EXPECT_LT(dropped.value(), before + 100);
  release.set_value();
  start_log({});
  EXPECT_THAT(text, AllOf(HasSubstr("first"), HasSubstr("log.dropped")));
}

TEST(Log, RecordsOfManyThreadsAllArriveWhole) {
  Captured log;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([] {
      for (int n = 0; n < 1000; ++n) log_info("a", "", {{"n", n}});
    });
  for (std::thread& thread : threads) thread.join();
  const std::string text = log.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4000);
}

TEST(LogDeathTest, AtExitTheQueueIsWritten) {
  EXPECT_EXIT((start_log({.format = LogFormat::kJson}), log_info("last.words", ""), std::exit(0)),
              testing::ExitedWithCode(0), "last.words");
}

TEST(Log, ReadsItsSettings) {
  Settings settings;
  settings.give("log.format", "json", "--set");
  settings.give("log.level", "error", "--set");
  const LogOptions options = log_options(settings);
  EXPECT_TRUE(settings.finish());
  EXPECT_EQ(options.format, LogFormat::kJson);
  EXPECT_EQ(options.level, LogLevel::kError);
}

}  // namespace
}  // namespace micropay
