// Money, time and ids: the values that everything else trusts.
#include <gtest/gtest.h>

#include "libs/base/ids.h"
#include "libs/base/money.h"
#include "libs/base/time.h"
#include "libs/base/words.h"

namespace micropay {
namespace {

TEST(Money, ParsesExactlyWhatTheCurrencyCarries) {
  struct Case {
    const char* text;
    int exponent;
    std::optional<int64_t> minor;
  };
  const Case cases[] = {
      {"12.34", 2, 1234},
      {"12.3", 2, 1230},
      {"12", 2, 1200},
      {"0.01", 2, 1},
      {"-0.01", 2, -1},
      {"500", 0, 500},
      {"1.234", 3, 1234},
      {"0", 2, 0},
      {"", 2, {}},
      {".5", 2, {}},
      {"5.", 2, {}},
      {"1.234", 2, {}},
      {"1.0", 0, {}},
      {"+1", 2, {}},
      {"1e3", 2, {}},
      {" 1", 2, {}},
      {"01", 2, {}},
      {"1,00", 2, {}},
      {"--1", 2, {}},
      {"1.2.3", 2, {}},
      {"92233720368547758.07", 2, INT64_MAX},
      {"92233720368547758.08", 2, {}},
      {"-92233720368547758.08", 2, INT64_MIN},
      {"-92233720368547758.09", 2, {}},
      {"NaN", 2, {}},
  };
  for (const Case& c : cases) EXPECT_EQ(parse_minor(c.text, c.exponent), c.minor) << c.text;
}

TEST(Money, FormatsBack) {
  EXPECT_EQ(format_minor(1234, "EUR"), "12.34");
  EXPECT_EQ(format_minor(-5, "EUR"), "-0.05");
  EXPECT_EQ(format_minor(0, "EUR"), "0.00");
  EXPECT_EQ(format_minor(500, "JPY"), "500");
  EXPECT_EQ(format_minor(1, "KWD"), "0.001");
  EXPECT_EQ(format_minor(INT64_MIN, "EUR"), "-92233720368547758.08");
}

TEST(Money, WhatDoesNotFitIsToldFromWhatIsNoAmount) {
  struct Case {
    const char* text;
    bool too_large;
  };
  const Case cases[] = {{"12345678901234567890123.45", true},   {"92233720368547758.08", true},
                        {"-12345678901234567890123", true},     {"92233720368547758.07", false},
                        {"12345678901234567890123.456", false}, {"12345678901234567890123x", false},
                        {"0012345678901234567890123", false},   {"1", false}};
  for (const Case& c : cases) {
    bool too_large = !c.too_large;
    parse_minor(c.text, 2, &too_large);
    EXPECT_EQ(too_large, c.too_large) << c.text;
  }
}

TEST(Money, CurrenciesOfToday) {
  for (const char* code : {"XCG", "ZWG", "SLE", "VED", "EUR"}) {
    EXPECT_TRUE(currency_exponent(code)) << code;
    EXPECT_EQ(withdrawn_currency(code), nullptr) << code;
  }
  for (const char* code : {"ANG", "BGN", "CUC", "HRK", "SLL", "ZWL"}) {
    EXPECT_TRUE(currency_exponent(code)) << code;  // what is stored stays readable
    ASSERT_NE(withdrawn_currency(code), nullptr) << code;
    EXPECT_EQ(withdrawn_currency(withdrawn_currency(code)->successor), nullptr) << code;
  }
  for (const char* code : {"XXX", "eur", "EU", "", "XAU", "CHE"})
    EXPECT_FALSE(currency_exponent(code)) << code;
}

TEST(Money, AboutTheSameInAnotherCurrency) {
  EXPECT_EQ(convert_minor(1'000'000, "EUR", "EUR"), 1'000'000);
  EXPECT_EQ(convert_minor(1'000'000, "EUR", "IDR"), 19'200'000'000);
  EXPECT_EQ(convert_minor(19'200'000'000, "IDR", "EUR"), 1'000'000);
  EXPECT_EQ(convert_minor(1'000'000, "EUR", "JPY"), 1'780'000);
  EXPECT_EQ(convert_minor(1, "IDR", "EUR"), 1);  // never nothing
  EXPECT_EQ(convert_minor(-1, "IDR", "EUR"), -1);
  EXPECT_EQ(convert_minor(0, "IDR", "EUR"), 0);
  EXPECT_EQ(convert_minor(INT64_MAX, "EUR", "IRR"), INT64_MAX);
  EXPECT_EQ(convert_minor(5, "EUR", "XXQ"), 5);
}

// A currency of ours without an order of magnitude would have no limit, or one of nothing.
TEST(Money, EveryCurrencyIsWorthSomething) {
  int known = 0;
  std::string code = "AAA";
  for (code[0] = 'A'; code[0] <= 'Z'; ++code[0])
    for (code[1] = 'A'; code[1] <= 'Z'; ++code[1])
      for (code[2] = 'A'; code[2] <= 'Z'; ++code[2]) {
        if (!currency_exponent(code)) continue;
        ++known;
        const int64_t minor = convert_minor(1'000'000, "EUR", code);
        EXPECT_GE(minor, 300'000) << code;  // 3,000 dinars of Kuwait
        EXPECT_LE(minor, kMaxMinor) << code;
        EXPECT_EQ(convert_minor(minor, code, "EUR"), 1'000'000) << code;
      }
  EXPECT_GT(known, 150);
}

TEST(Time, RoundTrips) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00Z");
  for (const char* text : {"2026-11-21T01:39:47.123456Z", "2024-02-29T23:59:59.5Z", "1969-12-31T23:59:59Z"})
    EXPECT_EQ(parse_time(format_time(*parse_time(text))), parse_time(text));
  EXPECT_EQ(parse_time("2026-11-21T02:39:47+01:00"), parse_time("2026-11-21T01:39:47Z"));
  for (const char* bad : {"", "2026", "2026-13-01", "2026-02-30", "2026-11-21T25:00:00Z",
                          "2026-11-21T01:39:47", "2026-11-21T01:39:47.Z", "2026-11-21T01:39:47+1:00",
                          "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:60Z", "9999-12-31T23:59:00-00:01"})
    EXPECT_FALSE(parse_time(bad)) << bad;
}

// Found by the fuzzer in a made-up record: the day of the lowest time overflowed, and years of more or fewer
// than four digits were written as others.
TEST(Time, BeyondWhatTextCanSayIsTheFirstOrLastInstant) {
  const Time first = *parse_time("0001-01-01T00:00:00Z"), last = *parse_time("9999-12-31T23:59:59.999999Z");
  for (const Time early : {INT64_MIN, first - 1, first}) EXPECT_EQ(format_time(early), format_time(first));
  for (const Time late : {INT64_MAX, last + 1, last}) EXPECT_EQ(format_time(late), format_time(last));
  EXPECT_EQ(parse_time(format_time(first)), first);
  EXPECT_EQ(parse_time(format_time(last)), last);
  EXPECT_EQ(start_of_month(INT64_MIN), first);
}

TEST(Time, Durations) {
  EXPECT_EQ(parse_duration("15m"), 15 * kMinute);
  EXPECT_EQ(format_duration(15 * kMinute), "15m");
  EXPECT_FALSE(parse_duration("15"));
  EXPECT_FALSE(parse_duration("-1s"));
}

TEST(Words, DistanceAndNearest) {
  struct Case {
    const char *a, *b;
    size_t distance;
  };
  for (const Case& c : {Case{"", "", 0},
                        {"", "abc", 3},
                        {"amount", "amont", 1},
                        {"Amount", "aMOUNT", 0},
                        {"kitten", "sitting", 3},
                        {"ab", "ba", 2}})
    EXPECT_EQ(edit_distance(c.a, c.b), c.distance) << c.a << " " << c.b;
  const std::vector<std::string> words{"serve", "server", "verify"};
  const auto nearest = [&](std::string_view word, size_t most) {
    const std::string* found =
        nearest_of(words, most, [&](const std::string& each) { return edit_distance(word, each); });
    return found == nullptr ? "" : *found;
  };
  EXPECT_EQ(nearest("servr", 2), "serve");  // the first of equals
  EXPECT_EQ(nearest("verfy", 2), "verify");
  EXPECT_EQ(nearest("xyz", 2), "");
}

TEST(Ids, AreOrderedEvenWhenTheClockJumpsBack) {
  IdGenerator ids(42);
  std::string last;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = ids.next(1'700'000'000 * kSecond - (i % 7) * kHour);
    EXPECT_TRUE(is_uuid(id));
    EXPECT_LT(last, id);
    last = id;
  }
}

TEST(Ids, AreReadDigitByDigit) {
  const std::string good = "0190c5b2-7e0c-7def-89ab-cdef01234567";
  const Uuid uuid = *parse_uuid(good);
  EXPECT_EQ(format_uuid(uuid), good);
  EXPECT_EQ(*parse_uuid("0190C5B2-7E0C-7DEF-89AB-CDEF01234567"), uuid);
  EXPECT_TRUE(is_uuid(good));
  EXPECT_FALSE(is_uuid("0190C5b2-7e0c-7def-89ab-cdef01234567")) << "a capital letter";
  for (size_t at = 0; at < good.size(); ++at)
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[at] = char(byte);
      const bool digit = good[at] != '-' && byte < 128 && std::isxdigit(byte) != 0;
      EXPECT_EQ(parse_uuid(text).has_value(), digit || text == good) << at << " " << byte;
      EXPECT_EQ(is_uuid(text), (digit && std::isupper(byte) == 0) || text == good) << at << " " << byte;
    }
  EXPECT_FALSE(parse_uuid(good + "0"));
  EXPECT_FALSE(parse_uuid(good.substr(1)));
  EXPECT_FALSE(parse_uuid(""));
}

// The process before made ids in the very instant that its log ends with.
TEST(Ids, GoOnBehindThoseOfAnEarlierProcess) {
  const Time end = 1'700'000'000 * kSecond;
  IdGenerator earlier(UINT64_MAX), later(0);
  std::string last;
  for (int i = 0; i < 100; ++i) last = earlier.next(end);
  later.begin_after(end);
  for (const Time now : {end - kHour, end, end + 100, end + kSecond}) {
    const std::string id = later.next(now);
    EXPECT_LT(last, id);
    last = id;
  }
}

TEST(Ids, KnowThoseMadeSinceAMark) {
  IdGenerator ids(42), others(43);
  const Time now = 1'700'000'000 * kSecond;
  const auto bytes = [](const std::string& id) {
    const Uuid uuid = *parse_uuid(id);
    return std::string(uuid.begin(), uuid.end());
  };
  const std::string before = bytes(ids.next(now));
  for (const Time later : {now, now + kSecond, now - kHour}) {  // the clock may stand or jump back
    const std::string last = bytes(ids.next(later));
    ids.mark();
    EXPECT_FALSE(ids.made_since_mark(last));
    EXPECT_FALSE(ids.made_since_mark(before));
    for (int i = 0; i < 100; ++i) {
      EXPECT_TRUE(ids.made_since_mark(bytes(ids.next(later))));
      EXPECT_FALSE(ids.made_since_mark(bytes(others.next(now + kHour))));
    }
  }
  EXPECT_FALSE(ids.made_since_mark(bytes(derived_uuid("text"))));
  EXPECT_FALSE(ids.made_since_mark(std::string(16, '\xff')));
}

}  // namespace
}  // namespace micropay
