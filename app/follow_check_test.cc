// What a follower's places in the log prove, and that each way to miss an event shows.
#include "app/follow_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "contracts/payment.pb.h"
#include "libs/contract/model.h"
#include "libs/runtime/handlers.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

std::vector<Service> services() {
  Service service{"notification"};
  service.follow([](Context&, const PaymentCompleted&) -> Result<void> { return {}; });
  std::vector<Service> list;
  list.push_back(std::move(service));
  return list;
}

// A log as it is written, record after record.
class FollowCheckTest : public testing::Test {
 protected:
  void events(std::initializer_list<const char*> types) {
    TickRecord record = next();
    for (const char* type : types) {
      Envelope& event = record.events.emplace_back();
      event.set_type(type);
      event.set_position(position_++);
    }
    check.take(record);
  }
  struct Place {
    uint64_t began, position, followed;
    uint64_t follows = follows_digest(services()[0]);
  };
  void place(const Place& place) {
    ConsumerRecord row;
    row.set_service("notification");
    row.set_began(place.began);
    row.set_position(place.position);
    row.set_followed(place.followed);
    row.set_follows(place.follows);
    const std::string bytes = row.SerializeAsString();
    TickRecord record = next();
    record.changes.push_back(
        {.table = &name_of("runtime_consumer"), .key = {}, .row = bytes, .erased = false});
    check.take(record);
  }
  TickRecord next() {
    TickRecord record;
    record.tick = ++tick_;
    record.first_position = position_;
    return record;
  }

  FollowCheck check{services()};
  uint64_t tick_ = 0, position_ = 1;
};

TEST_F(FollowCheckTest, WhatWasFollowedIsCounted) {
  place({.began = 1, .position = 1, .followed = 0});
  events({"payment.initiated", "payment.completed"});
  place({.began = 1, .position = 3, .followed = 1});
  events({"payment.completed", "payment.completed"});
  place({.began = 1, .position = 4, .followed = 2});
  EXPECT_EQ(check.problem(), "");
  EXPECT_EQ(check.followed(), 2u);
  EXPECT_EQ(check.waiting(), 1u);
}

TEST_F(FollowCheckTest, AnEventThatWasPassedOverShows) {
  place({.began = 1, .position = 1, .followed = 0});
  events({"payment.completed", "payment.completed"});
  place({.began = 1, .position = 3, .followed = 1});
  EXPECT_THAT(check.problem(), HasSubstr("followed 1 events of the 2"));
}

// A process that ended before it had followed anything, and wrote down only then where it begins.
TEST_F(FollowCheckTest, APlaceThatComesWithTheFirstEventShows) {
  events({"payment.completed"});  // missed
  events({"payment.completed"});
  place({.began = 2, .position = 3, .followed = 1});
  EXPECT_THAT(check.problem(), HasSubstr("may have been missed"));
}

TEST_F(FollowCheckTest, APlaceBehindTheEndShows) {
  events({"payment.completed"});
  place({.began = 1, .position = 1, .followed = 0});
  EXPECT_THAT(check.problem(), HasSubstr("may have been missed"));
}

TEST_F(FollowCheckTest, AFollowerThatIsNewBeginsAtTheEnd) {
  events({"payment.completed"});
  place({.began = 2, .position = 2, .followed = 0});
  events({"payment.completed"});
  place({.began = 2, .position = 3, .followed = 1});
  EXPECT_EQ(check.problem(), "");
  EXPECT_EQ(check.followed(), 1u);
}

// Records of a version that did not count, then the first start of one that does; and another set of types.
TEST_F(FollowCheckTest, OtherVersionsCountForThemselves) {
  events({"payment.completed"});
  place({.began = 0, .position = 2, .followed = 0, .follows = 0});
  events({"payment.completed", "payment.completed"});
  place({.began = 2, .position = 2, .followed = 0});  // two are waiting
  place({.began = 2, .position = 4, .followed = 2});
  place({.began = 4, .position = 4, .followed = 0, .follows = 7});
  events({"payment.completed"});
  place({.began = 4, .position = 5, .followed = 0, .follows = 7});
  place({.began = 5, .position = 5, .followed = 0});
  events({"payment.completed"});
  place({.began = 5, .position = 6, .followed = 1});
  EXPECT_EQ(check.problem(), "");
  EXPECT_EQ(check.followed(), 3u);
}

}  // namespace
}  // namespace micropay::app
