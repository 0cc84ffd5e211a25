// What servers tell each other, written and read.
#include "services/discovery/rules/replica.h"

#include <gtest/gtest.h>

namespace micropay::discovery {
namespace {

constexpr const char* kJson =
    R"({"instance":{"instanceId":"h:pay:1","hostName":"h","app":"pay","ipAddr":"10.0.0.1",)"
    R"("vipAddress":"pay",)"
    R"("status":"UP","overriddenStatus":"UNKNOWN","port":{"$":8083,"@enabled":"true"},)"
    R"("securePort":{"$":443,"@enabled":"false"},"dataCenterInfo":{"@class":"c","name":"MyOwn"},)"
    R"("leaseInfo":{"renewalIntervalInSecs":5,"durationInSecs":15},"metadata":{"a_b":"1","zone":"eu"},)"
    R"("lastDirtyTimestamp":"1700000000123"}})";

TEST(Replicas, AreReadAsTheyWereWritten) {
  const auto instance =
      std::make_shared<const Instance>(*instance_from(*read_json(kJson)->child("instance")));
  const std::string batch = write_replicas(
      {{.kind = Replica::Kind::kRegister, .app = "PAY", .id = "h:pay:1", .dirty_ms = 5, .instance = instance},
       {.kind = Replica::Kind::kStatusUpdate, .app = "PAY", .id = "h:pay:1", .status = Status::kOutOfService},
       {.kind = Replica::Kind::kCancel, .app = "PAY", .id = "h:pay:1"}});
  const auto again = read_replicas(batch);
  ASSERT_TRUE(again);
  EXPECT_EQ(write_replicas(*again), batch);
  EXPECT_TRUE(read_replicas(R"({"replicationList":[]})")->empty());
  for (const char* bad : {"[]", R"({"replicationList":[{"appName":"A","id":"i","action":"Explode"}]})",
                          R"({"replicationList":[{"appName":"A","id":"i","action":"Register"}]})",
                          R"({"replicationList":[{"appName":"","id":"i","action":"Cancel"}]})"})
    EXPECT_FALSE(read_replicas(bad)) << bad;
  const auto answers =
      read_replica_answers(write_replica_answers({{.status = 409, .newer = instance}, {.status = 200}}));
  ASSERT_EQ(answers->size(), 2u);
  EXPECT_EQ(answers->at(0).newer->id, "h:pay:1");
  EXPECT_EQ(answers->at(1).status, 200u);
}

}  // namespace
}  // namespace micropay::discovery
