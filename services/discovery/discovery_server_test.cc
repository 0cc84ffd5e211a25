// The discovery service over HTTP: one server, and two that tell each other.
#include "services/discovery/discovery_server.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <thread>

#include "libs/http/basic_access.h"
#include "libs/http/client_twin.h"
#include "libs/http/server.h"

namespace micropay::discovery {
namespace {

std::string instance_json(const std::string& app, const std::string& id, int lease_s = 90,
                          int64_t dirty_ms = 1) {
  return fmt::format(
      R"({{"instance":{{"instanceId":"{}","hostName":"h","app":"{}","ipAddr":"10.0.0.1","vipAddress":"{},x",)"
      R"("status":"UP","port":{{"$":1,"@enabled":"true"}},"dataCenterInfo":{{"name":"MyOwn"}},)"
      R"("leaseInfo":{{"renewalIntervalInSecs":30,"durationInSecs":{}}},"lastDirtyTimestamp":"{}"}}}})",
      id, app, app, lease_s, dirty_ms);
}

// An address that is free a moment ago: for servers that must know each other's before they start.
std::string free_address() {
  HttpServer probe({}, [](HttpRequest&&, const Responder&) {});
  EXPECT_TRUE(probe.start());
  return probe.address();
}

bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 1'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// One that the test moves while the server's threads read it.
class SharedClock final : public Clock {
 public:
  Time now() const override { return now_; }
  Time monotonic() const override { return now_; }
  void advance(Duration duration) { now_ += duration; }

 private:
  std::atomic<Time> now_{1'700'000'000 * kSecond};
};

struct Served {
  explicit Served(DiscoverySettings settings) : address(settings.listen) {
    settings.ops_listen = "127.0.0.1:0";
    server = std::make_unique<DiscoveryServer>(settings, DiscoveryServer::Parts{clock});
    const auto started = server->start();
    EXPECT_TRUE(started) << started.error().detail;
    address = server->address();
  }
  TestAnswer ask(const std::string& method, const std::string& path, const std::string& body = {},
                 const std::string& headers = "Accept: application/json\r\n") const {
    return TestClient(address)
        .send(fmt::format("{} /eureka/{} HTTP/1.1\r\nHost: x\r\nContent-Type: "
                          "application/json\r\n{}Content-Length: {}\r\n\r\n{}",
                          method, path, headers, body.size(), body))
        .read();
  }
  int add(const std::string& app, const std::string& id, int lease_s = 90, int64_t dirty_ms = 1) const {
    return ask("POST", "apps/" + app, instance_json(app, id, lease_s, dirty_ms)).status;
  }
  bool has(const std::string& path, const std::string& text) const {
    return ask("GET", path).body.contains(text);
  }

  SharedClock clock;
  std::string address;
  std::unique_ptr<DiscoveryServer> server;
};

TEST(DiscoveryServerTest, TheLifeOfAnInstance) {
  Served served({.listen = "127.0.0.1:0"});
  EXPECT_EQ(served.ask("GET", "apps").body,
            R"({"applications":{"versions__delta":"1","apps__hashcode":"","application":[]}})");
  EXPECT_EQ(served.add("pay", "i1"), 204);
  EXPECT_TRUE(served.has("apps", R"("apps__hashcode":"UP_1_")"));
  EXPECT_TRUE(served.has("apps/PAY", R"({"application":{"name":"PAY","instance":[{"instanceId":"i1")"));
  EXPECT_TRUE(served.has("v2/apps/pay/i1", R"({"instance":{"instanceId":"i1")"));
  EXPECT_TRUE(served.has("instances/i1", R"({"instance":{"instanceId":"i1")"));
  EXPECT_TRUE(served.has("vips/pay", "\"i1\""));
  EXPECT_EQ(served.ask("GET", "vips/none").status, 404);
  EXPECT_EQ(served.ask("GET", "svips/pay").status, 404);
  EXPECT_TRUE(served.has("apps/delta", R"("actionType":"ADDED")"));
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1?status=UP&lastDirtyTimestamp=1").status, 200);
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1?status=UP&lastDirtyTimestamp=2").status,
            404);  // it shall register anew
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i2").status, 404);
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1/status?value=OUT_OF_SERVICE").status, 200);
  EXPECT_TRUE(served.has("apps/PAY/i1", R"("status":"OUT_OF_SERVICE","overriddenStatus":"OUT_OF_SERVICE")"));
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1/status?value=SIDEWAYS").status, 400);
  EXPECT_EQ(served.ask("DELETE", "apps/PAY/i1/status?value=UP").status, 200);
  EXPECT_TRUE(served.has("apps/PAY/i1", R"("status":"UP","overriddenStatus":"UNKNOWN")"));
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1/metadata?zone=eu%20x").status, 200);
  EXPECT_TRUE(served.has("apps/PAY/i1", R"("metadata":{"zone":"eu x"})"));
  EXPECT_EQ(served.ask("DELETE", "apps/PAY/i1").status, 200);
  EXPECT_EQ(served.ask("DELETE", "apps/PAY/i1").status, 404);
  EXPECT_TRUE(served.has("apps/delta", R"("actionType":"DELETED")"));
}

TEST(DiscoveryServerTest, XmlForWhoDoesNotAskForJson) {
  Served served({.listen = "127.0.0.1:0"});
  const std::string xml =
      "<instance><instanceId>i1</instanceId><hostName>h</hostName><app>pay</app><ipAddr>1</ipAddr>"
      "<dataCenterInfo><name>MyOwn</name></dataCenterInfo><status>UP</status></instance>";
  const TestAnswer added =
      TestClient(served.address)
          .send(fmt::format("POST /eureka/apps/pay HTTP/1.1\r\nHost: x\r\nContent-Type: application/xml\r\n"
                            "Content-Length: {}\r\n\r\n{}",
                            xml.size(), xml))
          .read();
  EXPECT_EQ(added.status, 204);
  const TestAnswer all = served.ask("GET", "apps", {}, "Accept: */*\r\n");
  EXPECT_EQ(all.header("Content-Type"), "application/xml");
  EXPECT_TRUE(all.body.contains(
      "<applications><versions__delta>1</versions__delta><apps__hashcode>UP_1_</apps__hashcode>"
      "<application><name>PAY</name><instance><instanceId>i1</instanceId>"))
      << all.body;
}

TEST(DiscoveryServerTest, BadRequests) {
  Served served({.listen = "127.0.0.1:0"});
  EXPECT_EQ(served.ask("POST", "apps/other", instance_json("pay", "i1")).status, 400);
  EXPECT_EQ(served.ask("POST", "apps/pay", "{").status, 400);
  EXPECT_EQ(served.ask("POST", "apps/pay", "{}").status, 400);
  EXPECT_EQ(served.ask("DELETE", "apps/pay").status, 405);
  EXPECT_EQ(served.ask("POST", "apps").status, 404);
  EXPECT_EQ(served.ask("GET", "").status, 404);
  EXPECT_EQ(served.ask("GET", "apps/%zz").status, 400);
  EXPECT_EQ(served.ask("GET", "apps//x").status, 404);
  EXPECT_EQ(served.ask("POST", "peerreplication/batch/", "[]").status, 400);
}

TEST(DiscoveryServerTest, CredentialsWhenAPasswordIsSet) {
  Served served({.listen = "127.0.0.1:0", .password = "geheim"});
  EXPECT_EQ(served.ask("GET", "apps").status, 401);
  const std::string ours = "Authorization: " + basic_header({"discovery", "geheim"}) + "\r\n";
  EXPECT_EQ(served.ask("GET", "apps", {}, ours).status, 200);
  EXPECT_FALSE((DiscoverySettings{.listen = "0.0.0.0:8761"}).check());
}

TEST(DiscoveryServerTest, WhoIsNotRenewedGoes) {
  Served served({.listen = "127.0.0.1:0", .eviction_interval = 10 * kMillisecond});
  EXPECT_EQ(served.add("pay", "i1", 10), 204);
  EXPECT_EQ(served.add("pay", "i2", 100), 204);
  served.clock.advance(11 * kSecond);
  EXPECT_TRUE(soon([&] {
    served.clock.advance(kMillisecond);
    return served.has("apps", R"("apps__hashcode":"UP_1_")");
  }));
  EXPECT_EQ(served.ask("PUT", "apps/PAY/i1").status, 404);
}

class TwoServers : public testing::Test {
 protected:
  DiscoverySettings settings(const std::string& own, const std::string& other) {
    return {.listen = own, .peers = {"http://" + other + "/eureka"}, .password = "geheim"};
  }
  bool both_have(const std::string& path, const std::string& text) {
    return soon([&] { return has(*first_, path, text) && has(*second_, path, text); });
  }
  bool has(const Served& served, const std::string& path, const std::string& text) {
    return served.ask("GET", path, {}, headers_).body.contains(text);
  }
  int change(const Served& served, const std::string& method, const std::string& path,
             const std::string& body = {}) {
    return served.ask(method, path, body, headers_).status;
  }

  std::string headers_ =
      "Accept: application/json\r\nAuthorization: " + basic_header({"discovery", "geheim"}) + "\r\n";
  std::string address1_ = free_address(), address2_ = free_address();
  std::unique_ptr<Served> first_ = std::make_unique<Served>(settings(address1_, address2_));
  std::unique_ptr<Served> second_ = std::make_unique<Served>(settings(address2_, address1_));
};

TEST_F(TwoServers, KnowTheSame) {
  EXPECT_EQ(change(*first_, "POST", "apps/pay", instance_json("pay", "i1")), 204);
  EXPECT_EQ(change(*second_, "POST", "apps/pay", instance_json("pay", "i2")), 204);
  EXPECT_TRUE(both_have("apps", R"("apps__hashcode":"UP_2_")"));
  EXPECT_EQ(change(*second_, "PUT", "apps/PAY/i1/status?value=OUT_OF_SERVICE"), 200);
  EXPECT_TRUE(both_have("apps/PAY/i1", R"("status":"OUT_OF_SERVICE")"));
  EXPECT_EQ(change(*first_, "DELETE", "apps/PAY/i1/status?value=UP"), 200);
  EXPECT_TRUE(both_have("apps/PAY/i1", R"("status":"UP")"));
  EXPECT_EQ(change(*first_, "PUT", "apps/PAY/i2/metadata?a=b"), 200);
  EXPECT_TRUE(both_have("apps/PAY/i2", R"("metadata":{"a":"b"})"));
  EXPECT_EQ(change(*first_, "DELETE", "apps/PAY/i1"), 200);
  EXPECT_TRUE(both_have("apps", R"("apps__hashcode":"UP_1_")"));
}

TEST_F(TwoServers, OneThatComesBackAsksTheOther) {
  EXPECT_EQ(change(*first_, "POST", "apps/pay", instance_json("pay", "i1")), 204);
  EXPECT_EQ(change(*first_, "PUT", "apps/PAY/i1/status?value=OUT_OF_SERVICE"), 200);
  EXPECT_TRUE(both_have("apps/PAY/i1", "OUT_OF_SERVICE"));
  second_.reset();
  EXPECT_EQ(change(*first_, "POST", "apps/pay", instance_json("pay", "i2")), 204);
  second_ = std::make_unique<Served>(settings(address2_, address1_));
  EXPECT_TRUE(has(*second_, "apps/PAY/i1",
                  R"("overriddenStatus":"OUT_OF_SERVICE")"));  // at once: it asked before it served
  EXPECT_TRUE(both_have("apps/PAY/i2", "\"i2\""));
}

TEST_F(TwoServers, AForgottenInstanceComesBackWithItsRenewal) {
  EXPECT_EQ(change(*first_, "POST", "apps/pay", instance_json("pay", "i1")), 204);
  EXPECT_TRUE(both_have("apps", "UP_1_"));
  // As if the second had evicted it: cancelled there, without telling.
  EXPECT_EQ(second_->ask("DELETE", "apps/PAY/i1", {}, headers_ + "x-netflix-discovery-replication: true\r\n")
                .status,
            200);
  EXPECT_FALSE(has(*second_, "apps", "UP_1_"));
  EXPECT_EQ(change(*first_, "PUT", "apps/PAY/i1"), 200);
  EXPECT_TRUE(both_have("apps", "UP_1_"));
}

TEST(DiscoveryServerTest, TheSnapshotIsReadAfterARestart) {
  const std::string file = testing::TempDir() + fmt::format("registry-{}.json", getpid());
  {
    Served served({.listen = "127.0.0.1:0", .snapshot = file});
    EXPECT_EQ(served.add("pay", "i1"), 204);
    EXPECT_TRUE(
        soon([&] { return std::filesystem::exists(file) && std::filesystem::file_size(file) > 500; }));
  }
  Served again({.listen = "127.0.0.1:0", .snapshot = file});
  EXPECT_TRUE(again.has("apps/PAY/i1", "\"i1\""));
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace micropay::discovery
