// The store on a server answers as all others do.
#include "libs/store/conformance_twin.h"

#include "libs/sqlserver/server_twin.h"

namespace micropay::test {
namespace {

template <SqlServer kServer>
StoreKind::Open server_place() {
  const auto server = test_server(kServer);
  if (!server) return {};
  auto database = std::make_shared<ScratchDatabase>(*server);
  return [database](Projector& projector) -> Result<std::unique_ptr<Store>> {
    return TRY(database->open(&projector, {.cache_rows = 16}));
  };
}

INSTANTIATE_TEST_SUITE_P(
    Servers, Conformance,
    testing::Values(StoreKind{"Postgres", false, server_place<SqlServer::kPostgres>},
                    StoreKind{"PostgresRestarted", true, server_place<SqlServer::kPostgres>},
                    StoreKind{"Mariadb", false, server_place<SqlServer::kMariadb>},
                    StoreKind{"MariadbRestarted", true, server_place<SqlServer::kMariadb>}),
    kind_name);

}  // namespace
}  // namespace micropay::test
