// The clients of libs/remote against the real config and discovery services.
#include "app/edge_services.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "libs/base/metrics.h"
#include "libs/http/server.h"
#include "libs/remote/discovery_client.h"
#include "libs/remote/remote_settings.h"

namespace micropay::app {
namespace {

namespace fs = std::filesystem;

bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 1'500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string free_address() {
  HttpServer probe({}, [](HttpRequest&&, const Responder&) {});
  EXPECT_TRUE(probe.start());
  return probe.address();
}

class RemoteSettingsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "edge-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    fs::create_directories(folder_ / "settings");
    write("shop: {live: 2, fixed: 2, local: 2}\n");
  }
  void TearDown() override { fs::remove_all(folder_); }
  void write(const std::string& content) { std::ofstream(folder_ / "settings/payment.yml") << content; }
  void start_server() {
    server_ = std::make_unique<config::ConfigServer>(config::ConfigSettings{.listen = address_,
                                                                            .ops_listen = "127.0.0.1:0",
                                                                            .directory = folder_ / "settings",
                                                                            .password = "geheim"},
                                                     config::ConfigServer::Parts{system_clock()});
    ASSERT_TRUE(server_->start());
  }
  // As a process does it: the values that it begins with are in live_ and fixed_.
  Result<void> start_client(const std::string& password = "geheim") {
    settings_ = Settings();
    settings_.give("config_client.uris", "http://127.0.0.1:1,http://" + address_, "--x");
    settings_.give("config_client.password", password, "--x");
    settings_.give("config_client.cache", (folder_ / "kept/cache.json").string(), "--x");
    settings_.give("config_client.patience", "1s", "--x");
    settings_.give("config_client.interval", "1h", "--x");
    settings_.give("shop.local", "9", "--x");
    remote_ = TRY(RemoteSettings::load(settings_, "payment"));
    live_ = settings_.integer("shop.live", 1, 0, 100, "");
    fixed_ = settings_.integer("shop.fixed", 1, 0, 100, "");
    local_ = settings_.integer("shop.local", 1, 0, 100, "");
    settings_.live("shop.live", [this](const std::string& value) { return live_ = std::stoll(value), true; });
    TRY(settings_.finish());
    remote_->start();
    return {};
  }

  fs::path folder_;
  std::string address_ = free_address();
  std::unique_ptr<config::ConfigServer> server_;
  Settings settings_;
  std::unique_ptr<RemoteSettings> remote_;
  std::atomic<int64_t> live_ = 0, fixed_ = 0, local_ = 0;
};

TEST_F(RemoteSettingsTest, AtStartAndLive) {
  start_server();
  const auto started = start_client();
  ASSERT_TRUE(started) << started.error().detail;
  EXPECT_EQ(live_, 2);
  EXPECT_EQ(fixed_, 2);
  EXPECT_EQ(local_, 9);  // what is given here is stronger
  write("shop: {live: 33, fixed: 33, local: 33}\n");
  remote_->look_now();
  EXPECT_TRUE(soon([this] { return live_ == 33; }));
  EXPECT_TRUE(soon([] { return gauge("micropay_settings_restart_needed", "").value() == 1; }));
  EXPECT_EQ(fixed_, 2);
  EXPECT_EQ(local_, 9);
  remote_->stop();
}

TEST_F(RemoteSettingsTest, TheLastKnownWhenTheServerIsAway) {
  start_server();
  ASSERT_TRUE(start_client());
  remote_.reset();
  struct stat info{};
  ASSERT_EQ(stat((folder_ / "kept/cache.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  server_.reset();
  ASSERT_TRUE(start_client());
  EXPECT_EQ(live_, 2);
  EXPECT_EQ(gauge("micropay_config_client_stale", "").value(), 1);
  start_server();
  write("shop: {live: 44}\n");
  remote_->look_now();
  EXPECT_TRUE(soon([this] { return live_ == 44; }));
  EXPECT_EQ(gauge("micropay_config_client_stale", "").value(), 0);
  remote_->stop();
}

TEST_F(RemoteSettingsTest, NeitherServerNorCopyIsNoStart) {
  EXPECT_FALSE(start_client());
  start_server();
  EXPECT_EQ(start_client("falsch").error().reason, "config_refused");
  ASSERT_TRUE(start_client());
}

class DiscoveryClientTest : public testing::Test {
 protected:
  std::unique_ptr<discovery::DiscoveryServer> serve(const std::string& own, const std::string& other) {
    auto server = std::make_unique<discovery::DiscoveryServer>(
        discovery::DiscoverySettings{.listen = own,
                                     .ops_listen = "127.0.0.1:0",
                                     .peers = {"http://" + other + "/eureka"},
                                     .eviction_interval = 200 * kMillisecond},
        discovery::DiscoveryServer::Parts{system_clock()});
    EXPECT_TRUE(server->start());
    return server;
  }
  std::unique_ptr<DiscoveryClient> client(uint16_t port) {
    DiscoveryClientSettings settings{
        .uris = {"http://" + address1_ + "/eureka", "http://" + address2_ + "/eureka"}};
    settings.heartbeat = settings.refresh = 100 * kMillisecond;
    settings.lease = kSecond;
    auto made = std::make_unique<DiscoveryClient>(
        settings, std::vector<OwnInstance>{{.service = "payment", .port = port, .ops_port = 9}});
    made->start();
    return made;
  }
  static size_t up(const DiscoveryClient& client) {
    size_t count = 0;
    for (const auto& [service, instances] : client.instances())
      for (const ServiceInstance& one : instances) count += one.up;
    return count;
  }

  std::string address1_ = free_address(), address2_ = free_address();
  std::unique_ptr<discovery::DiscoveryServer> server1_ = serve(address1_, address2_);
  std::unique_ptr<discovery::DiscoveryServer> server2_ = serve(address2_, address1_);
};

TEST_F(DiscoveryClientTest, KnowEachOther) {
  auto first = client(1001), second = client(1002);
  EXPECT_TRUE(soon([&] { return up(*first) == 2 && up(*second) == 2; }));
  ServiceInstances seen;
  std::mutex mutex;
  second->watch([&](const ServiceInstances& all) {
    std::scoped_lock lock(mutex);
    seen = all;
  });
  {
    std::scoped_lock lock(mutex);
    ASSERT_EQ(seen["payment"].size(), 2u);
    EXPECT_EQ(seen["payment"][0].address(), "127.0.0.1:1001");
    EXPECT_EQ(seen["payment"][0].metadata["management.port"], "9");
  }
  first->set_up(false);
  EXPECT_TRUE(soon([&] { return up(*second) == 1; }));
  first->stop();
  EXPECT_TRUE(soon([&] {
    std::scoped_lock lock(mutex);
    return seen["payment"].size() == 1;
  }));
  second->watch({});
}

TEST_F(DiscoveryClientTest, GoOnWhenServersDie) {
  auto first = client(1001), second = client(1002);
  EXPECT_TRUE(soon([&] { return up(*first) == 2 && up(*second) == 2; }));
  server1_.reset();
  auto third = client(1003);
  EXPECT_TRUE(soon([&] { return up(*first) == 3; }));
  server2_.reset();
  EXPECT_TRUE(soon([] { return gauge("micropay_discovery_client_stale", "").value() == 1; }));
  EXPECT_EQ(up(*first), 3u);  // the last known
  server1_ = serve(address1_, address2_);
  EXPECT_TRUE(soon([&] { return first->registered() && second->registered() && third->registered(); }));
  EXPECT_TRUE(soon([] { return gauge("micropay_discovery_client_stale", "").value() == 0; }));
  EXPECT_TRUE(soon([&] { return up(*first) == 3; }));
}

TEST_F(DiscoveryClientTest, WhoDiesIsForgotten) {
  auto first = client(1001);
  {
    DiscoveryClientSettings settings{.uris = {"http://" + address1_ + "/eureka"}};
    settings.heartbeat = kHour;  // as good as dead once registered
    settings.lease = kSecond;
    DiscoveryClient dead(settings, {{.service = "payment", .port = 1002}});
    dead.start();
    EXPECT_TRUE(soon([&] { return up(*first) == 2; }));
    EXPECT_TRUE(soon([&] { return up(*first) == 1; }));
  }
}

}  // namespace
}  // namespace micropay::app
