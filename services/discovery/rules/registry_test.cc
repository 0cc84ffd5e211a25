// Leases, overrides, deltas and self-preservation on a clock of the test.
#include "services/discovery/rules/registry.h"

#include <gtest/gtest.h>

namespace micropay::discovery {
namespace {

constexpr Time kStart = 1'700'000'000 * kSecond;

Instance instance(std::string app, std::string id, int64_t renewal_s = 30, int64_t duration_s = 90) {
  Instance one{.id = std::move(id), .app = std::move(app), .host = "h", .ip = "10.0.0.1"};
  one.lease = {.renewal_s = renewal_s, .duration_s = duration_s};
  return one;
}

class RegistryTest : public testing::Test {
 protected:
  void add(Instance one, bool replicated = false) {
    ASSERT_TRUE(registry_.add(std::move(one), now_, replicated));
  }
  void add_many(int count) {
    for (int i = 0; i < count; ++i) add(instance("A", fmt::format("i{}", i)));
  }
  // As the instances 0 to `living` do it: half a minute apart.
  void renew(int living, int rounds) {
    for (int round = 0; round < rounds; ++round) {
      now_ += 30 * kSecond;
      for (int i = 0; i < living; ++i) registry_.renew("A", fmt::format("i{}", i), now_);
      registry_.evict(now_);
    }
  }
  std::string delta() {
    std::string out;
    for (const InstancePtr& one : registry_.changes(now_))
      out += fmt::format("{}:{}:{} ", one->id, "AMD"[size_t(one->action)], status_text(one->status));
    return out;
  }
  Status status(std::string_view id) { return registry_.find("A", id)->status; }

  Time now_ = kStart;
  Registry registry_{{}};
};

TEST_F(RegistryTest, ALeaseEndsWithoutRenewal) {
  add(instance("A", "x", 5, 10));
  now_ += 10 * kSecond;
  EXPECT_TRUE(registry_.evict(now_).empty());
  EXPECT_TRUE(registry_.renew("A", "x", now_));
  now_ += 10 * kSecond;
  EXPECT_TRUE(registry_.evict(now_).empty());
  now_ += 1;
  EXPECT_EQ(registry_.evict(now_).size(), 1u);
  EXPECT_EQ(registry_.size(), 0u);
  EXPECT_FALSE(registry_.renew("A", "x", now_));
  EXPECT_EQ(registry_.expected_renewals(), 0);
}

TEST_F(RegistryTest, CountsByStatus) {
  EXPECT_EQ(registry_.hash_code(), "");
  add(instance("A", "1")), add(instance("B", "2"));
  Instance down = instance("A", "3");
  down.status = Status::kDown;
  add(down);
  EXPECT_EQ(registry_.hash_code(), "DOWN_1_UP_2_");
  EXPECT_TRUE(registry_.cancel("A", "3", now_));
  EXPECT_FALSE(registry_.cancel("A", "3", now_));
  EXPECT_EQ(registry_.hash_code(), "UP_2_");
}

TEST_F(RegistryTest, DeltaTellsTheLastOfEach) {
  add(instance("A", "1")), add(instance("A", "2")), add(instance("A", "3"));
  registry_.override_status("A", "2", Status::kOutOfService, now_);
  registry_.cancel("A", "3", now_);
  EXPECT_EQ(delta(), "1:A:UP 2:M:OUT_OF_SERVICE 3:D:UP ");
  const uint64_t version = registry_.version();
  registry_.renew("A", "1", now_);
  EXPECT_EQ(registry_.version(), version);  // a renewal is no news
  now_ += 3 * kMinute + 1;
  EXPECT_EQ(delta(), "");
}

TEST_F(RegistryTest, AnOverrideOutlivesRegistrations) {
  add(instance("A", "x"));
  EXPECT_TRUE(registry_.override_status("A", "x", Status::kOutOfService, now_));
  add(instance("A", "x"));
  EXPECT_EQ(status("x"), Status::kOutOfService);
  Instance down = instance("A", "x");
  down.status = Status::kDown;
  add(down);
  EXPECT_EQ(status("x"), Status::kDown);  // that it is down, the instance knows best
  add(instance("A", "x"));
  EXPECT_EQ(status("x"), Status::kOutOfService);
  EXPECT_TRUE(registry_.clear_override("A", "x", Status::kUnknown, now_));
  EXPECT_EQ(status("x"), Status::kUnknown);
  EXPECT_FALSE(registry_.renew("A", "x", now_));  // it shall register and say its own
  add(instance("A", "x"));
  EXPECT_EQ(status("x"), Status::kUp);
  EXPECT_FALSE(registry_.override_status("A", "none", Status::kUp, now_));
}

TEST_F(RegistryTest, AReplicasOverrideCounts) {
  Instance one = instance("A", "x");
  one.overridden = Status::kOutOfService;
  add(one, true);
  EXPECT_EQ(status("x"), Status::kOutOfService);
}

TEST_F(RegistryTest, FewInstancesJustEnd) {
  add_many(2);
  renew(1, 5);
  EXPECT_EQ(registry_.size(), 1u);
}

TEST_F(RegistryTest, OneOfManyIsEvicted) {
  add_many(20);
  renew(20, 4);
  EXPECT_EQ(registry_.renewals(now_), 40);
  renew(18, 6);
  EXPECT_EQ(registry_.size(), 18u);
  EXPECT_FALSE(registry_.preserving(now_));
}

TEST_F(RegistryTest, WhenManyAreSilentNobodyIsEvicted) {
  add_many(20);
  renew(20, 4);
  renew(10, 20);
  EXPECT_TRUE(registry_.preserving(now_));
  EXPECT_EQ(registry_.size(), 20u);
  renew(20, 3);
  EXPECT_FALSE(registry_.preserving(now_));
  EXPECT_EQ(registry_.size(), 20u);
}

TEST_F(RegistryTest, AfterAnHourTheSilentGoAllTheSame) {
  add_many(20);
  renew(20, 4);
  renew(10, 140);
  EXPECT_EQ(registry_.size(), 10u);
}

TEST_F(RegistryTest, NotMoreThanAPartAtOnce) {
  add_many(40);
  renew(40, 4);
  now_ += 91 * kSecond;
  Registry careless({.self_preservation = false});
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(careless.add(instance("A", fmt::format("i{}", i)), now_, false));
  EXPECT_EQ(careless.evict(now_ + 91 * kSecond).size(), 40u);
  for (int i = 0; i < 35; ++i) registry_.renew("A", fmt::format("i{}", i), now_);
  for (int i = 0; i < 35; ++i) registry_.renew("A", fmt::format("i{}", i), now_);
  EXPECT_EQ(registry_.evict(now_).size(), 5u);
}

TEST_F(RegistryTest, Bounds) {
  Registry small({.max_instances = 2});
  ASSERT_TRUE(small.add(instance("A", "1"), now_, false));
  ASSERT_TRUE(small.add(instance("A", "2"), now_, false));
  EXPECT_EQ(small.add(instance("A", "3"), now_, false).error().reason, "too_many_instances");
  EXPECT_TRUE(small.add(instance("A", "2"), now_, false));
  std::vector<std::pair<std::string, std::string>> entries;
  for (size_t i = 0; i < kMaxMetadata; ++i) entries.emplace_back(fmt::format("k{}", i), "v");
  EXPECT_TRUE(small.set_metadata("A", "1", entries, now_));
  EXPECT_EQ(small.set_metadata("A", "1", {{"more", ""}}, now_).error().reason, "invalid_instance");
  EXPECT_EQ(small.set_metadata("A", "1", {{"k0", std::string(kMaxText + 1, 'x')}}, now_).error().reason,
            "invalid_instance");
  EXPECT_EQ(small.set_metadata("A", "9", {}, now_).error().reason, "instance_not_found");
}

TEST(RenewalsTest, SlideOverAMinute) {
  Renewals renewals;
  for (int i = 0; i < 120; ++i) renewals.add(kStart + i * kSecond);
  EXPECT_EQ(renewals.last_minute(kStart + 119 * kSecond), 60);
  EXPECT_EQ(renewals.last_minute(kStart + 149 * kSecond), 30);
  EXPECT_EQ(renewals.last_minute(kStart + 100'000 * kSecond), 0);
  renewals.add(kStart);  // a clock that went back
  EXPECT_EQ(renewals.last_minute(kStart + 100'000 * kSecond), 1);
}

}  // namespace
}  // namespace micropay::discovery
