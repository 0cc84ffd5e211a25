#include "libs/sqlserver/server_twin.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>

#include "libs/base/check.h"

namespace micropay::test {

std::optional<SqlAddress> test_server(SqlServer server) {
  const std::string name =
      server == SqlServer::kPostgres ? "MICROPAY_TEST_POSTGRES" : "MICROPAY_TEST_MARIADB";
  const char* url = std::getenv(name.c_str());
  if (url == nullptr) return {};
  const char* password = std::getenv((name + "_PASSWORD").c_str());
  auto address = parse_sql_address(url, password == nullptr ? "" : password);
  CHECK(address.has_value());
  return *address;
}

namespace {

std::unique_ptr<SqlSession> open_or_die(const SqlAddress& address) {
  auto session = SqlSession::open(address, {.application = "test"});
  if (!session) fmt::print(stderr, "{}\n", session.error().detail);
  CHECK(session.has_value());
  return std::move(*session);
}

}  // namespace

ScratchDatabase::ScratchDatabase(const SqlAddress& server) : server_(server), address_(server) {
  static std::atomic<int> count{0};
  address_.database = fmt::format("test_{}_{}", ::getpid(), ++count);
  CHECK(open_or_die(server_)->execute("CREATE DATABASE " + address_.database));
}

ScratchDatabase::~ScratchDatabase() {
  const char* force = server_.server == SqlServer::kPostgres ? " WITH (FORCE)" : "";
  (void)open_or_die(server_)->execute("DROP DATABASE " + address_.database + force);
}

Result<std::unique_ptr<ServerStore>> ScratchDatabase::open(Projector* projector,
                                                           ServerStoreOptions options) const {
  options.address = address_;
  if (options.services.empty()) options.services = {"payment", "audit", "balance"};
  return ServerStore::open(std::move(options), contract::model(), projector);
}

std::unique_ptr<SqlSession> ScratchDatabase::session() const { return open_or_die(address_); }

int64_t ScratchDatabase::number(const std::string& sql) const {
  auto session = this->session();
  session->add(sql);
  const auto answers = session->run();
  CHECK(answers.has_value() && (*answers)[0]->rows() == 1);
  return (*answers)[0]->integer(0, 0);
}

}  // namespace micropay::test
