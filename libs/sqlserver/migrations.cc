// The migrations.
#include "libs/sqlserver/migrations.h"

#include <array>

namespace micropay {
namespace {

// log_head: the one row whose lock orders all ticks; `fence` counts how often who may write has changed. A
// tick is packed already, so the server need not try to compress it, and stays in its row up to a page.
constexpr std::string_view kLogOnPostgres = R"sql(
CREATE TABLE "log_head" ("id" bigint PRIMARY KEY, "tick" bigint NOT NULL, "next_position" bigint NOT NULL,
  "time" bigint NOT NULL, "fence" bigint NOT NULL) WITH (fillfactor=10);
INSERT INTO "log_head" VALUES (1, 0, 1, 0, 0);
CREATE TABLE "log" ("tick" bigint PRIMARY KEY, "first_position" bigint NOT NULL, "time" bigint NOT NULL,
  "instance" text COLLATE "C" NOT NULL, "epoch" bigint NOT NULL, "record" bytea NOT NULL)
  WITH (toast_tuple_target=8160);
ALTER TABLE "log" ALTER "record" SET STORAGE EXTERNAL;
CREATE INDEX "log_by_position" ON "log" ("first_position");
CREATE TABLE "instance" ("name" text COLLATE "C" PRIMARY KEY, "epoch" bigint NOT NULL,
  "lease_until" bigint NOT NULL, "place" text NOT NULL) WITH (fillfactor=50);
CREATE TABLE "projection" ("service" text COLLATE "C" PRIMARY KEY, "tick" bigint NOT NULL,
  "version" bigint NOT NULL, "owner" text COLLATE "C" NOT NULL, "lease_until" bigint NOT NULL)
  WITH (fillfactor=50);
)sql";

constexpr std::string_view kLogOnMariadb = R"sql(
CREATE TABLE `log_head` (`id` bigint PRIMARY KEY, `tick` bigint NOT NULL, `next_position` bigint NOT NULL,
  `time` bigint NOT NULL, `fence` bigint NOT NULL) ENGINE=InnoDB;
INSERT INTO `log_head` VALUES (1, 0, 1, 0, 0);
CREATE TABLE `log` (`tick` bigint PRIMARY KEY, `first_position` bigint NOT NULL, `time` bigint NOT NULL,
  `instance` varchar(100) NOT NULL, `epoch` bigint NOT NULL, `record` longblob NOT NULL,
  INDEX `log_by_position` (`first_position`)) ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE `instance` (`name` varchar(100) PRIMARY KEY, `epoch` bigint NOT NULL,
  `lease_until` bigint NOT NULL, `place` varchar(200) NOT NULL)
  ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE TABLE `projection` (`service` varchar(100) PRIMARY KEY, `tick` bigint NOT NULL,
  `version` bigint NOT NULL, `owner` varchar(100) NOT NULL, `lease_until` bigint NOT NULL)
  ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
)sql";

constexpr std::array kMigrations{
    Migration{.number = 1, .name = "log", .needed = 1, .postgres = kLogOnPostgres, .mariadb = kLogOnMariadb},
};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

}  // namespace micropay
