// Answers of servers, taken apart; the clients themselves meet real servers in app/edge_services_test.cc.
#include <gtest/gtest.h>

#include "libs/http/server.h"
#include "libs/remote/addresses.h"
#include "libs/remote/config_client.h"
#include "libs/remote/dns_directory.h"
#include "libs/remote/http_client.h"
#include "libs/remote/registry_copy.h"

namespace micropay {
namespace {

std::string text(const Settings::Values& values) {
  std::string out;
  for (const auto& [key, value] : values) out += key + "=" + value + " ";
  return out;
}

TEST(ReadEnvironment, MergesAndFlattens) {
  const auto read = read_environment(
      R"({"name":"p","version":"v7","propertySources":[)"
      R"({"name":"1","source":{"a":1,"b":true,"l[0]":"x","l[1]":"y",)"
      R"("s":{"value":"t","origin":"f:1"},"o[0].p":"q"}},)"
      R"({"name":"2","source":{"a":2,"c":null,"l[0]":"z","l[1]":"z","l[2]":"z","d":1.5}}]})");
  ASSERT_TRUE(read);
  EXPECT_EQ(text(read->values), "a=1 b=true s=t o[0].p=q c= d=1.5 l=x,y ");
  EXPECT_EQ(read->version, "v7");
  EXPECT_FALSE(read->last_known);
}

TEST(ReadEnvironment, RefusesWhatIsNone) {
  for (const char* bad : {"", "[]", "{}", "{\"propertySources\":{}}", "{\"propertySources\":[1]}",
                          "{\"propertySources\":[{\"source\":[]}]}", "<html>"})
    EXPECT_EQ(read_environment(bad).error().reason, "malformed_settings") << bad;
  EXPECT_TRUE(read_environment("{\"propertySources\":[],\"version\":null}")->version.empty());
}

TEST(Addresses, AreSplit) {
  EXPECT_EQ(split_addresses(" http://a:1/, ,http://b/eureka// "),
            (std::vector<std::string>{"http://a:1", "http://b/eureka"}));
  EXPECT_TRUE(split_addresses("").empty());
}

std::string one(const std::string& app, const std::string& id, const std::string& status = "UP",
                const std::string& action = "ADDED") {
  return fmt::format(
      R"({{"instanceId":"{}","app":"{}","hostName":"h","ipAddr":"10.0.0.1","status":"{}",)"
      R"("port":{{"$":7,"@enabled":"true"}},"dataCenterInfo":{{"name":"MyOwn"}},"actionType":"{}"}})",
      id, app, status, action);
}

std::string registry(const std::string& hash, const std::vector<std::string>& instances) {
  return fmt::format(
      R"({{"applications":{{"apps__hashcode":"{}","application":[{{"name":"x","instance":[{}]}}]}}}})", hash,
      fmt::join(instances, ","));
}

TEST(RegistryCopyTest, WholeThenByDeltas) {
  RegistryCopy copy;
  ASSERT_TRUE(copy.take_all(registry("UP_2_", {one("PAY", "1"), one("PAY", "2")}), 0, kMinute));
  EXPECT_EQ(copy.hash_code(), "UP_2_");
  const auto instances = copy.instances();
  ASSERT_EQ(instances.at("pay").size(), 2u);
  EXPECT_EQ(instances.at("pay")[0].address(), "10.0.0.1:7");
  EXPECT_TRUE(*copy.take_delta(registry(
      "OUT_OF_SERVICE_1_UP_1_",
      {one("PAY", "1", "OUT_OF_SERVICE", "MODIFIED"), one("PAY", "2", "UP", "DELETED"), one("BAL", "3")})));
  EXPECT_FALSE(copy.instances().at("pay")[0].up);
  EXPECT_EQ(copy.size(), 2u);
  EXPECT_FALSE(*copy.take_delta(registry("UP_9_", {})));  // it has missed something
  EXPECT_FALSE(copy.take_delta("{}"));
  EXPECT_FALSE(copy.take_all("no", 0, kMinute));
  EXPECT_EQ(copy.size(), 2u);
}

TEST(RegistryCopyTest, ASuddenlySmallRegistryIsNotBelievedAtOnce) {
  RegistryCopy copy;
  ASSERT_TRUE(copy.take_all(registry("", {one("A", "1"), one("A", "2"), one("A", "3")}), 0, kMinute));
  ASSERT_TRUE(copy.take_all(registry("", {one("A", "1")}), kSecond, kMinute));
  EXPECT_EQ(copy.size(), 3u);
  EXPECT_TRUE(copy.withheld());
  ASSERT_TRUE(copy.take_all(registry("", {one("A", "1"), one("A", "2")}), 2 * kSecond, kMinute));
  EXPECT_EQ(copy.size(), 2u);
  ASSERT_TRUE(copy.take_all(registry("", {}), 3 * kSecond, kMinute));
  ASSERT_TRUE(copy.take_all(registry("", {}), 64 * kSecond, kMinute));
  EXPECT_EQ(copy.size(), 0u);
  EXPECT_FALSE(copy.withheld());
}

TEST(Dns, AddressesAreInstances) {
  Settings settings;
  settings.give("discovery_client.dns", "pay=localhost:7, bad, x=y, gone=no-such-name.invalid:1", "--x");
  const DnsSettings read = DnsSettings::read(settings);
  EXPECT_EQ(read.problems.size(), 2u);
  DnsDirectory directory(read);
  directory.start();
  ServiceInstances seen;
  directory.watch([&](const ServiceInstances& all) { seen = all; });
  ASSERT_TRUE(seen.contains("pay"));
  EXPECT_TRUE(seen["pay"][0].address() == "127.0.0.1:7" || seen["pay"][0].address() == "[::1]:7");
  EXPECT_FALSE(seen.contains("gone"));
}

TEST(HttpClientTest, AnswersAndFailures) {
  HttpServer server({.listen = "127.0.0.1:0"}, [](HttpRequest&& request, const Responder& responder) {
    if (request.path == "/large") return responder.send({.body = std::string(2'000, 'x')});
    if (request.path == "/silent") return;
    responder.send(
        {.status = 418,
         .body = fmt::format("{} {} {}", request.method, request.header("authorization"), request.body)});
  });
  ASSERT_TRUE(server.start());
  const std::string base = "http://" + server.address();
  HttpClient client({.user = "u", .password = "p", .timeout = 300 * kMillisecond, .max_body_bytes = 1'000});
  const auto answer = client.send({.method = "PUT", .url = base + "/x", .body = "text"});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 418u);
  EXPECT_EQ(answer->body, "PUT Basic dTpw text");
  EXPECT_EQ(client.send({.method = "POST", .url = base})->body, "POST Basic dTpw ");
  EXPECT_EQ(client.send({.method = "DELETE", .url = base})->body, "DELETE Basic dTpw ");
  EXPECT_EQ(client.send({.url = base + "/large"}).error().reason, "remote_too_large");
  EXPECT_EQ(client.send({.url = base + "/silent"}).error().reason, "remote_timeout");
  EXPECT_EQ(client.send({.url = "http://127.0.0.1:1/"}).error().reason, "remote_unavailable");
  EXPECT_EQ(client.send({.url = "file:///etc/passwd"}).error().reason, "remote_unavailable");
  client.cancel();
  EXPECT_EQ(client.send({.url = base + "/silent"}).error().reason, "remote_cancelled");
}

}  // namespace
}  // namespace micropay
