// The server over TLS, with certificates that the openssl command makes.
#include "libs/http/tls.h"

#include <gtest/gtest.h>
#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "libs/http/client_twin.h"
#include "libs/http/server.h"

namespace micropay {
namespace {

namespace fs = std::filesystem;

// A blocking client; `certificate` is its own, for servers that want one.
class TlsClient {
 public:
  TlsClient(const std::string& address, const std::string& authority, const std::string& certificate = {})
      : context_(SSL_CTX_new(TLS_client_method())) {
    std::signal(SIGPIPE, SIG_IGN);
    SSL_CTX_load_verify_locations(context_, authority.c_str(), nullptr);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
    if (!certificate.empty()) {
      SSL_CTX_use_certificate_chain_file(context_, (certificate + ".crt").c_str());
      SSL_CTX_use_PrivateKey_file(context_, (certificate + ".key").c_str(), SSL_FILETYPE_PEM);
    }
    bio_ = BIO_new_ssl_connect(context_);
    BIO_set_conn_hostname(bio_, address.c_str());
    connected_ = BIO_do_connect(bio_) == 1 && BIO_do_handshake(bio_) == 1;
  }
  ~TlsClient() {
    BIO_free_all(bio_);
    SSL_CTX_free(context_);
  }
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  bool connected() const { return connected_; }
  // The body of the answer; empty when the connection ended.
  std::string ask(const std::string& path, const std::string& body = {}) {
    std::string request =
        fmt::format("POST {} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{}", path, body.size(), body);
    for (size_t written = 0; written < request.size();) {
      const int count = BIO_write(bio_, request.data() + written, int(request.size() - written));
      if (count <= 0) return {};
      written += size_t(count);
    }
    std::string answer;
    size_t end = 0;
    while ((end = answer.find("\r\n\r\n")) == answer.npos)
      if (!fill(answer)) return {};
    const size_t length = std::strtoul(answer.c_str() + answer.find("Content-Length: ") + 16, nullptr, 10);
    while (answer.size() < end + 4 + length)
      if (!fill(answer)) return {};
    return answer.substr(end + 4);
  }

 private:
  bool fill(std::string& to) {
    char bytes[4096];
    const int count = BIO_read(bio_, bytes, sizeof bytes);
    if (count > 0) to.append(bytes, size_t(count));
    return count > 0;
  }

  SSL_CTX* context_;
  BIO* bio_ = nullptr;
  bool connected_ = false;
};

class TlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tls-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    certificate("one"), certificate("two");
  }
  void TearDown() override {
    server_.reset();
    fs::remove_all(folder_);
  }
  void certificate(const std::string& name) const {
    const std::string command = fmt::format(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN={0} "
        "-keyout {1}.key -out {1}.crt >/dev/null 2>&1",
        name, path(name));
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::string path(const std::string& name) const { return folder_ / name; }
  HttpTlsFiles files(const std::string& name) const { return {path(name) + ".crt", path(name) + ".key"}; }
  void serve(const HttpTlsFiles& files) {
    auto opened = HttpTls::open(files);
    ASSERT_TRUE(opened) << opened.error().detail;
    tls_ = *opened;
    server_ =
        std::make_unique<HttpServer>(HttpOptions{.max_body_bytes = 8 << 20, .tls = tls_},
                                     [](HttpRequest&& request, const Responder& responder) {
                                       responder.send({.body = request.body + std::string(request.path)});
                                     });
    ASSERT_TRUE(server_->start());
  }

  fs::path folder_;
  std::shared_ptr<HttpTls> tls_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(TlsTest, AnswersSmallAndLarge) {
  serve(files("one"));
  TlsClient client(server_->address(), path("one") + ".crt");
  ASSERT_TRUE(client.connected());
  EXPECT_EQ(client.ask("/a"), "/a");
  const std::string large(5 << 20, 'x');
  EXPECT_EQ(client.ask("/b", large), large + "/b");
  EXPECT_EQ(client.ask("/c"), "/c");
}

TEST_F(TlsTest, WhoSpeaksPlainlyIsNotAnswered) {
  serve(files("one"));
  TestClient client(server_->address());
  client.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.read().status, 0);
}

TEST_F(TlsTest, AnotherAuthorityIsNotTrusted) {
  serve(files("one"));
  EXPECT_FALSE(TlsClient(server_->address(), path("two") + ".crt").connected());
}

TEST_F(TlsTest, ClientsShowTheirs) {
  HttpTlsFiles both = files("one");
  both.authority = path("two") + ".crt";
  serve(both);
  EXPECT_EQ(TlsClient(server_->address(), path("one") + ".crt").ask("/a"), "");
  EXPECT_EQ(TlsClient(server_->address(), path("one") + ".crt", path("two")).ask("/a"), "/a");
}

TEST_F(TlsTest, NewFilesAreTaken) {
  fs::copy(path("one") + ".crt", path("now") + ".crt");
  fs::copy(path("one") + ".key", path("now") + ".key");
  serve(files("now"));
  TlsClient before(server_->address(), path("one") + ".crt");
  std::ofstream(path("now") + ".crt") << "half of it";
  tls_->reload_when_changed();
  EXPECT_TRUE(TlsClient(server_->address(), path("one") + ".crt").connected());
  fs::copy(path("two") + ".crt", path("now") + ".crt", fs::copy_options::overwrite_existing);
  fs::copy(path("two") + ".key", path("now") + ".key", fs::copy_options::overwrite_existing);
  tls_->reload_when_changed();
  EXPECT_TRUE(TlsClient(server_->address(), path("two") + ".crt").connected());
  EXPECT_EQ(before.ask("/a"), "/a");
}

TEST_F(TlsTest, FilesThatAreNone) {
  EXPECT_EQ(HttpTls::open({"/nonexistent", "/nonexistent"}).error().reason, "certificate_unreadable");
  HttpTlsFiles crossed = files("one");
  crossed.key = path("two") + ".key";
  const auto opened = HttpTls::open(crossed);
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().reason, "");
}

}  // namespace
}  // namespace micropay
