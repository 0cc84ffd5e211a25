// The config service over HTTP, on a directory and on a repository.
#include "services/config/config_server.h"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <sys/stat.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "libs/http/basic_access.h"
#include "libs/http/client_twin.h"
#include "services/config/cipher.h"

namespace micropay::config {
namespace {

namespace fs = std::filesystem;

constexpr const char* kKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

class Folder {
 public:
  Folder() {
    std::string pattern = testing::TempDir() + "config-XXXXXX";
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { fs::remove_all(path_); }
  void write(const std::string& name, const std::string& content) const {
    fs::create_directories(fs::path(path_ / name).parent_path());
    std::ofstream(path_ / name) << content;
  }
  std::string operator/(const std::string& name) const { return path_ / name; }
  std::string path() const { return path_; }
  void git(const std::string& arguments) const {
    const std::string command =
        "git -C " + path_.string() + " -c user.name=t -c user.email=t@localhost " + arguments;
    ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
  }

 private:
  fs::path path_;
};

class ConfigServerTest : public testing::Test {
 protected:
  void start(ConfigSettings settings) {
    settings.listen = settings.ops_listen = "127.0.0.1:0";
    settings.operator_password = "operate";
    server_ = std::make_unique<ConfigServer>(
        settings, ConfigServer::Parts{system_clock(), [this](const Changed& changed) {
                                        std::scoped_lock lock(mutex_);
                                        changes_.push_back(changed);
                                        wake_.notify_all();
                                      }});
    const auto started = server_->start();
    ASSERT_TRUE(started) << started.error().detail;
  }
  TestAnswer ask(const std::string& method, const std::string& path, const std::string& headers = {},
                 const std::string& body = {}) {
    return TestClient(server_->address())
        .send(fmt::format("{} {} HTTP/1.1\r\nHost: x\r\n{}Content-Length: {}\r\n\r\n{}", method, path,
                          headers, body.size(), body))
        .read();
  }
  std::string get(const std::string& path, const std::string& headers = {}) {
    const TestAnswer answer = ask("GET", path, headers);
    return answer.status == 200 ? answer.body : std::to_string(answer.status);
  }
  // A value of the strongest source that has it, as JSON.
  std::string value(const std::string& path, const std::string& key, const std::string& headers = {}) {
    simdjson::dom::parser parser;
    simdjson::dom::element root;
    if (parser.parse(get(path, headers)).get(root) != simdjson::SUCCESS) return "no JSON";
    for (simdjson::dom::element source : root["propertySources"].get_array()) {
      simdjson::dom::element found;
      if (source["source"][key].get(found) == simdjson::SUCCESS) return simdjson::minify(found);
    }
    return "none";
  }
  static std::string as(const std::string& user, const std::string& password) {
    return "Authorization: " + basic_header({user, password}) + "\r\n";
  }
  const Changed* next_change(int timeout_ms = 10'000) {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return !changes_.empty(); });
    return changes_.empty() ? nullptr : &changes_.front();
  }

  Folder folder_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Changed> changes_;
  std::unique_ptr<ConfigServer> server_;
};

TEST_F(ConfigServerTest, ServesADirectoryInEveryForm) {
  folder_.write("application.yml", "a: shared\nb: ${a}!\n");
  folder_.write("payment-eu.yml", "a: 7\nl: [x, z]\n");
  folder_.write("nginx.conf", "server ${a};");
  folder_.write(".hidden.yml", "a: 1");
  start({.directory = folder_.path()});
  EXPECT_EQ(value("/payment/eu", "a"), "7");
  EXPECT_EQ(value("/payment/us", "a"), "\"shared\"");
  EXPECT_EQ(value("/payment/us", "b"), "\"${a}!\"");
  EXPECT_EQ(get("/payment-eu.json"), R"({"a":7,"l":["x","z"],"b":"7!"})");
  EXPECT_EQ(get("/payment-eu.yml"), "a: 7\nl:\n  - x\n  - z\nb: \"7!\"\n");
  EXPECT_EQ(get("/any/payment-eu.properties"), "a: 7\nl[0]: x\nl[1]: z\nb: 7!\n");
  EXPECT_EQ(get("/payment-eu.properties?resolvePlaceholders=false"), "a: 7\nl[0]: x\nl[1]: z\nb: ${a}!\n");
  EXPECT_EQ(get("/payment/eu/any/nginx.conf"), "server 7;");
  EXPECT_EQ(get("/payment/eu/nginx.conf?useDefaultLabel"), "server 7;");
  EXPECT_EQ(get("/payment/eu/any/nginx.conf?resolvePlaceholders=false"), "server ${a};");
  EXPECT_EQ(get("/payment/eu/any/.hidden.yml"), "404");
  EXPECT_EQ(get("/payment/eu/any/..%2f..%2fetc%2fpasswd"), "400");
  EXPECT_EQ(get("/payment"), "404");
  EXPECT_EQ(ask("DELETE", "/payment/eu").status, 405);
  EXPECT_EQ(get("/actuator/health"), R"({"status":"UP"})");
}

TEST_F(ConfigServerTest, LinksThatLeadOutAreNotFollowed) {
  Folder outside;
  outside.write("secret.yml", "a: 1");
  folder_.write("real.yml", "a: 2");
  fs::create_symlink(outside / "secret.yml", folder_ / "payment.yml");
  fs::create_symlink(folder_ / "real.yml", folder_ / "balance.yml");
  start({.directory = folder_.path()});
  EXPECT_EQ(value("/payment/eu", "a"), "none");
  EXPECT_EQ(value("/balance/eu", "a"), "2");
}

TEST_F(ConfigServerTest, ABrokenFileIsAnErrorOnlyForWhoNeedsIt) {
  folder_.write("payment.yml", "a: [");
  folder_.write("balance.yml", "a: 1");
  start({.directory = folder_.path()});
  EXPECT_EQ(get("/payment/eu"), "500");
  EXPECT_EQ(value("/balance/eu", "a"), "1");
  folder_.write("payment.yml", "a: 2");
  EXPECT_EQ(value("/payment/eu", "a"), "2");
}

TEST_F(ConfigServerTest, CipherValues) {
  const Cipher cipher = *Cipher::from_text(kKey), other = *Cipher::from_text(std::string(64, 'a'));
  folder_.write("keys", std::string("# ours\n") + kKey + "\n");
  folder_.write("c/payment.yml", fmt::format("good: '{{cipher}}{}'\nbad: '{{cipher}}{}'\n",
                                             *cipher.encrypt("pass word"), *other.encrypt("x")));
  start({.directory = folder_ / "c", .key_file = folder_ / "keys"});
  EXPECT_EQ(value("/payment/eu", "good"), "\"pass word\"");
  EXPECT_EQ(value("/payment/eu", "bad"), "none");
  EXPECT_EQ(value("/payment/eu", "invalid.bad"), "\"<n/a>\"");
  EXPECT_EQ(get("/encrypt/status"), R"({"status":"OK"})");
  EXPECT_EQ(ask("POST", "/encrypt", {}, "x").status, 401);
  EXPECT_EQ(ask("POST", "/decrypt", as("operator", "wrong"), "x").status, 401);
  const TestAnswer sealed = ask("POST", "/encrypt", as("operator", "operate"), "new\n");
  ASSERT_EQ(sealed.status, 200);
  EXPECT_EQ(*cipher.decrypt(sealed.body), "new");
  EXPECT_EQ(ask("POST", "/decrypt", as("operator", "operate"), sealed.body).body, "new");
  EXPECT_EQ(ask("POST", "/decrypt", as("operator", "operate"), *other.encrypt("x")).status, 400);
}

TEST_F(ConfigServerTest, WithoutAKeyNothingIsEncrypted) {
  folder_.write("payment.yml", "a: '{cipher}x'");
  start({.directory = folder_.path()});
  EXPECT_EQ(value("/payment/eu", "invalid.a"), "\"<n/a>\"");
  EXPECT_EQ(get("/encrypt/status"), "404");
  EXPECT_EQ(ask("POST", "/encrypt", as("operator", "operate"), "x").status, 404);
}

TEST_F(ConfigServerTest, ClientsNeedTheirPassword) {
  folder_.write("payment.yml", "a: 1");
  start({.directory = folder_.path(), .password = "geheim"});
  EXPECT_EQ(get("/payment/eu"), "401");
  EXPECT_EQ(get("/payment/eu", as("config", "falsch")), "401");
  EXPECT_EQ(value("/payment/eu", "a", as("config", "geheim")), "1");
  EXPECT_EQ(value("/payment/eu", "a", as("operator", "operate")), "1");
  EXPECT_EQ(ask("POST", "/encrypt", as("config", "geheim"), "x").status, 401);
  EXPECT_EQ(get("/actuator/health"), R"({"status":"UP"})");
}

TEST_F(ConfigServerTest, ChangesAreAnnounced) {
  folder_.write("payment.yml", "a: 1");
  start({.directory = folder_.path(), .watch_interval = 20 * kMillisecond});
  EXPECT_EQ(value("/payment/eu", "a"), "1");
  // What was there before the watcher's first look is no change: so there is another until one is told.
  const Changed* changed = nullptr;
  for (int i = 10; i < 100 && changed == nullptr; ++i) {
    folder_.write("payment-eu.yml", fmt::format("a: {}", i));
    EXPECT_EQ(ask("POST", "/actuator/busrefresh", as("operator", "operate")).status, 204);
    changed = next_change(i < 99 ? 200 : 5'000);
  }
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(changed->changes, (std::vector<Change>{{"payment", "eu"}, {"payment-eu", "*"}}));
  EXPECT_EQ(changed->version.size(), 16u);
}

TEST_F(ConfigServerTest, ServesARepositorysLabels) {
  folder_.git("init -q -b main");
  folder_.write("payment.yml", "a: 1\n");
  folder_.write("bin/data", std::string("\0\1\2", 3));
  folder_.git("add -A");
  folder_.git("commit -q -m one");
  folder_.git("tag v1");
  folder_.git("branch feature/x");
  folder_.write("payment.yml", "a: 2\n");
  folder_.git("commit -q -am two");
  start({.git = folder_.path(), .watch_interval = kHour});
  EXPECT_EQ(value("/payment/eu", "a"), "2");
  EXPECT_EQ(value("/payment/eu/v1", "a"), "1");
  EXPECT_EQ(value("/payment/eu/feature(_)x", "a"), "1");
  EXPECT_EQ(get("/v1/payment-eu.yml"), "a: 1\n");
  EXPECT_EQ(get("/payment/eu/main/bin/data"), std::string("\0\1\2", 3));
  EXPECT_EQ(get("/payment/eu/none"), "404");
  EXPECT_EQ(get("/payment/eu/--help"), "400");
  folder_.write("payment.yml", "a: 3\n");
  EXPECT_EQ(value("/payment/eu", "a"), "2");  // what is not committed is not served
  folder_.git("commit -q -am three");
  EXPECT_EQ(value("/payment/eu", "a"), "3");
}

TEST_F(ConfigServerTest, FollowsARemoteRepository) {
  Folder work;
  folder_.git("init -q -b main");
  folder_.write("payment.yml", "a: 1\n");
  folder_.git("add -A");
  folder_.git("commit -q -m one");
  start({.git = "file://" + folder_.path(), .work = work.path(), .watch_interval = 20 * kMillisecond});
  EXPECT_EQ(value("/payment/eu", "a"), "1");
  const Changed* changed = nullptr;
  for (int i = 2; i < 50 && changed == nullptr; ++i) {
    folder_.write("payment.yml", fmt::format("a: {}\n", i));
    folder_.git("commit -q -am more");
    changed = next_change(i < 49 ? 300 : 5'000);
  }
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(changed->changes, (std::vector<Change>{{"payment", "*"}}));
  EXPECT_EQ(changed->label, "main");
  EXPECT_NE(value("/payment/eu", "a"), "1");
}

TEST_F(ConfigServerTest, AFolderThatIsNoRepositoryIsUnavailable) {
  start({.git = folder_.path(), .watch_interval = kHour});
  EXPECT_EQ(get("/payment/eu"), "503");
  EXPECT_EQ(get("/actuator/health"), "503");
}

TEST(ConfigSettingsTest, ArePlausible) {
  EXPECT_FALSE(ConfigSettings{}.check());
  EXPECT_FALSE((ConfigSettings{.directory = "a", .git = "b"}).check());
  EXPECT_FALSE((ConfigSettings{.listen = "0.0.0.0:8888", .directory = "a"}).check());
  EXPECT_TRUE((ConfigSettings{.listen = "0.0.0.0:8888", .directory = "a", .password = "x"}).check());
}

TEST(CipherTest, Keys) {
  EXPECT_EQ(Cipher::from_file("/nonexistent").error().reason, "key_unreadable");
  for (const char* bad :
       {"", "\n#x\n", "00", "zz02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f00"})
    EXPECT_EQ(Cipher::from_text(bad).error().reason, "key_malformed") << bad;
  const Cipher old = *Cipher::from_text(kKey);
  const Cipher both = *Cipher::from_text(fmt::format("{}\n{}", std::string(64, 'b'), kKey));
  const std::string sealed = *old.encrypt("");
  EXPECT_EQ(*both.decrypt(sealed), "");
  EXPECT_EQ(old.decrypt(*both.encrypt("x")).error().reason, "cipher_invalid");
  EXPECT_NE(*old.encrypt("x"), *old.encrypt("x"));
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(old.decrypt(changed)) << i;
  }
}

}  // namespace
}  // namespace micropay::config
