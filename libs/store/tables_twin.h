// What tests of SqlTables share: tables of the contracts in a scratch folder, opened again at will.
#pragma once

#include <gtest/gtest.h>

#include "libs/store/sql_tables.h"
#include "libs/store/store_twin.h"

namespace micropay::test {

struct TablesTest : testing::Test {
  ScratchFolder folder;
  std::unique_ptr<SqlTables> tables = open();

  std::unique_ptr<SqlTables> open() {
    auto opened = SqlTables::open(folder.at("state.db"), SqlConnection::Mode::kWrite).value();
    EXPECT_TRUE(opened->prepare_schema(contract::model()));
    EXPECT_TRUE(opened->load_places(contract::model()));
    return opened;
  }
  void reopen() {
    tables.reset();
    tables = open();
  }
};

}  // namespace micropay::test
