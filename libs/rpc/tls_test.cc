// Mutual TLS over real sockets: who is let in, who is not, and that both ends say why.
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "libs/base/metrics.h"
#include "libs/rpc/call_metrics.h"
#include "libs/rpc/dispatch.h"
#include "libs/rpc/rpc_twin.h"

namespace micropay::rpc {
namespace {

uint64_t losses(const std::string& side, const std::string& reason) {
  return counter("micropay_rpc_connections_lost_total", "Connections between processes that failed, and why",
                 {{"side", side}, {"reason", reason}})
      .value();
}

ServerOptions tls_server(std::shared_ptr<TlsKeys> keys) { return {.keys = std::move(keys)}; }
ClientOptions tls_client(std::shared_ptr<TlsKeys> keys) {
  return {.keys = std::move(keys), .timeout = 5 * kSecond};
}

struct TlsTest : testing::Test {
  // A call that must not get through, and what each end counts.
  void expect_refused(const std::shared_ptr<TlsKeys>& server_keys,
                      const std::shared_ptr<TlsKeys>& client_keys, const std::string& side,
                      const std::string& reason) {
    const uint64_t client_before = losses("client", reason), server_before = losses("server", reason);
    TestServer server(tls_server(server_keys));
    TestClient client({server.address()}, tls_client(client_keys));
    const Answer answer = client.call(new_account("a"), anna());
    ASSERT_FALSE(answer.result.has_value());
    EXPECT_EQ(answer.result.error().reason, "upstream_unavailable");
    EXPECT_EQ(server.conduct->creations, 0);
    if (side != "server") {
      EXPECT_TRUE(comes_true([&] { return losses("client", reason) > client_before; }));
    }
    if (side != "client") {
      EXPECT_TRUE(comes_true([&] { return losses("server", reason) > server_before; }));
    }
  }
  CertificateFolder ours, theirs;
};

TEST_F(TlsTest, BothEndsShowTheirCertificates) {
  TestServer server(tls_server(ours.keys("account")));
  TestClient gateway({server.address()}, tls_client(ours.keys("gateway")));
  EXPECT_TRUE(gateway.call(new_account("a"), anna()).result.has_value());
  EXPECT_EQ(server.conduct->seen.user_id, anna().user_id);
}

TEST_F(TlsTest, AnotherAuthorityIsRefusedByEither) {
  theirs.make("account");
  expect_refused(*TlsKeys::open(theirs.files("account")), ours.keys("gateway"), "both", "unknown_authority");
  // The caller trusts ours, but its own certificate is of another authority.
  TlsFiles mixed = theirs.files("account");
  ours.make("account");
  mixed.authority = ours.files("account").authority;
  expect_refused(ours.keys("account"), *TlsKeys::open(mixed), "both", "unknown_authority");
}

TEST_F(TlsTest, AnotherServiceIsNotTaken) {
  expect_refused(ours.keys("payment"), ours.keys("gateway"), "client", "wrong_identity");
}

TEST_F(TlsTest, AnExpiredCertificateIsRefusedByEither) {
  const Time now = system_clock().now();
  ours.make("account", now, 3 * kSecond);
  ours.make("gateway", now, 3 * kSecond);
  const auto account = *TlsKeys::open(ours.files("account"));
  const auto gateway = *TlsKeys::open(ours.files("gateway"));
  ASSERT_TRUE(comes_true([&] { return system_clock().now() > account->expires_at() + kSecond; }));
  EXPECT_EQ(TlsKeys::open(ours.files("account")).error().reason, "certificate_expired");
  expect_refused(account, ours.keys("gateway"), "both", "expired");
  expect_refused(ours.keys("account"), gateway, "both", "expired");
}

TEST_F(TlsTest, WhoDoesNotSpeakTlsIsRefused) {
  const uint64_t before = losses("server", "not_tls");
  TestServer server(tls_server(ours.keys("account")));
  TestClient client({server.address()});
  EXPECT_FALSE(client.call(new_account("a"), anna()).result.has_value());
  EXPECT_TRUE(comes_true([&] { return losses("server", "not_tls") > before; }));
  EXPECT_EQ(server.conduct->creations, 0);
}

TEST_F(TlsTest, RenewedCertificatesAreTakenWithoutARestart) {
  const auto server_keys = ours.keys("account"), client_keys = ours.keys("gateway");
  TestServer server(tls_server(server_keys));
  TestClient client({server.address()}, tls_client(client_keys));
  EXPECT_TRUE(client.call(new_account("a"), anna()).result.has_value());
  const uint64_t generation = client_keys->generation();
  ours.make("account", system_clock().now(), 2 * kDay);
  ours.make("gateway", system_clock().now(), 2 * kDay);
  EXPECT_TRUE(comes_true([&] { return client_keys->generation() > generation; }));
  EXPECT_TRUE(comes_true([&] { return server_keys->expires_at() > system_clock().now() + kDay + kHour; }));
  EXPECT_TRUE(client.call(new_account("b"), anna()).result.has_value());
  // What cannot be used leaves the old one in force.
  std::filesystem::resize_file(ours.files("gateway").certificate, 10);
  const uint64_t renewed = client_keys->generation();
  client_keys->reload_when_changed();
  EXPECT_EQ(client_keys->generation(), renewed);
  EXPECT_TRUE(client.call(new_account("c"), anna()).result.has_value());
}

TEST_F(TlsTest, FilesAreChecked) {
  EXPECT_EQ(TlsKeys::open({"/none.crt", "/none.key", "/none.crt"}).error().reason, "certificate_unreadable");
  ours.make("account"), ours.make("gateway");
  TlsFiles mixed = ours.files("account");
  mixed.key = ours.files("gateway").key;
  EXPECT_FALSE(TlsKeys::open(mixed).has_value());
  struct stat status{};
  ASSERT_EQ(stat(ours.files("account").key.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_EQ(make_certificates({.folder = ours.path(), .names = {"a b"}, .now = 1}).error().reason,
            "invalid_name");
  EXPECT_EQ((*TlsKeys::open(ours.files("account")))->own_names(), std::vector<std::string>{"account"});
  EXPECT_EQ(ours.keys("account+payment")->own_names(), (std::vector<std::string>{"account", "payment"}));
}

struct AdmitCase {
  const char* method;
  std::vector<std::string> callers;
  Principal principal;
  bool allowed;
};

TEST(Admit, TheCallersCertificateSaysWhatItMayCall) {
  contract::Method internal = *contract::model().method("CreateAdmin");
  internal.options.add_callers("payment");
  const Principal user = anna(), anonymous;
  for (const auto& one : std::vector<AdmitCase>{{"CreateAccount", {"gateway"}, user, true},
                                                {"CreateAccount", {"gateway"}, anonymous, true},
                                                {"CreateAccount", {"gateway"}, system_principal(), false},
                                                {"CreateAccount", {"payment"}, user, false},
                                                {"CreateAccount", {"operator"}, system_principal(), false},
                                                {"CreateAccount", {}, user, false},
                                                {"internal", {"payment"}, anonymous, true},
                                                {"internal", {"operator"}, anonymous, true},
                                                {"internal", {"balance", "payment"}, user, true},
                                                {"internal", {"balance"}, system_principal(), false},
                                                {"internal", {"gateway"}, user, false},
                                                {"internal", {"gateway"}, system_principal(), false},
                                                {"internal", {}, system_principal(), false}}) {
    const bool routed = std::string_view(one.method) != "internal";
    Principal principal = one.principal;
    const auto admitted =
        admit(routed ? *contract::model().method(one.method) : internal, one.callers, principal);
    EXPECT_EQ(admitted.has_value(), one.allowed) << one.method << testing::PrintToString(one.callers);
    if (!admitted) EXPECT_EQ(admitted.error().reason, "caller_not_allowed");
    else EXPECT_EQ(principal.kind, routed ? one.principal.kind : Principal::Kind::kSystem);
  }
}

}  // namespace
}  // namespace micropay::rpc
