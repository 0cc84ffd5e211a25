// The table of services against the contracts, and how --services is read.
#include "app/modules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "app/data_folder.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

std::vector<std::string> names_of(const std::vector<Service>& services) {
  std::vector<std::string> names;
  names.reserve(services.size());
  for (const Service& service : services) names.push_back(service.name);
  return names;
}

// A contract with methods whose service is missing in kModules would answer 501 to everything.
TEST(Modules, EveryContractHasItsService) {
  Settings settings;
  const auto services = make_services({settings, ""}, {});
  ASSERT_TRUE(services);
  const std::vector<std::string> names = names_of(*services);
  for (const contract::Service* contract : contract::model().services()) {
    if (contract->name == "runtime") continue;  // the engine's own
    if (contract->methods.empty()) continue;    // config: a server of its own, which only emits
    EXPECT_THAT(names, testing::Contains(contract->name));
  }
  for (const Service& service : *services) {
    std::vector<const contract::Method*> served;
    served.reserve(service.commands.size() + service.queries.size());
    for (const auto& command : service.commands) served.push_back(command.method);
    for (const auto& query : service.queries) served.push_back(query.method);
    for (const contract::Method* method : service.contract->methods)
      EXPECT_THAT(served, testing::Contains(method)) << method->full_name << " has no handler";
  }
}

TEST(Modules, PicksTheNamedInTheOrderOfTheTable) {
  Settings settings;
  const auto services = make_services({settings, ""}, {"payment", "user"});
  ASSERT_TRUE(services);
  EXPECT_EQ(names_of(*services), (std::vector<std::string>{"user", "payment"}));
}

TEST(Modules, AnUnknownNameIsRefusedWithTheNearest) {
  Settings settings;
  const auto services = make_services({settings, ""}, {"payment", "balnce"});
  ASSERT_FALSE(services);
  EXPECT_EQ(services.error().reason, "unknown_service");
  EXPECT_THAT(services.error().detail, HasSubstr("did you mean \"balance\"?"));
  EXPECT_THAT(services.error().detail, HasSubstr("user, account, payment"));
}

TEST(Modules, NamesAreSplitAtCommas) {
  EXPECT_EQ(split_names({"payment, user", "audit", ""}),
            (std::vector<std::string>{"payment", "user", "audit"}));
  EXPECT_TRUE(split_names({}).empty());
}

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(DataFolder, CopiesWhatBelongsToItAndNothingOfAProcess) {
  const ScratchFolder scratch = ScratchFolder::make().value();
  const std::string from = scratch.path() + "/from", to = scratch.path() + "/to";
  std::filesystem::create_directories(from + "/log");
  for (const char* name : {"/log/00000001.log", "/state.db", "/keys.json", "/LOCK", "/state.db-shm"})
    std::ofstream(from + name) << name;
  EXPECT_TRUE(require_data_folder(from));
  EXPECT_FALSE(require_data_folder(to));
  EXPECT_TRUE(empty_folder(to));
  ASSERT_TRUE(copy_data_folder(from, to));
  for (const char* name : {"/log/00000001.log", "/state.db", "/keys.json"})
    EXPECT_EQ(content(to + name), name);
  for (const char* name : {"/LOCK", "/state.db-shm"})
    EXPECT_FALSE(std::filesystem::exists(to + name)) << name;
  EXPECT_FALSE(empty_folder(to));
}

}  // namespace
}  // namespace micropay::app
