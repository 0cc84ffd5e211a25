// What the tests of tampering share: a data folder in which every table has rows and the log has several
// segments, made once and copied for each test; and its rows, read and written past the platform.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/data_folder.h"
#include "app/verify.h"
#include "libs/contract/columns.h"
#include "libs/store/list_query.h"
#include "libs/store/sqlite.h"
#include "libs/store/store.h"

namespace micropay::app {

// The columns of a row.
struct Stored {
  std::vector<OwnedValue> values;
};

// The tables of a folder through SQL.
class Tables {
 public:
  explicit Tables(const std::string& folder);
  ~Tables();  // all of it is in state.db then

  std::vector<Stored> rows(const contract::Table& table, size_t limit);  // in the order of their keys
  void erase(const contract::Table& table, const Stored& row);
  void insert(const contract::Table& table, const Stored& row);
  static const std::vector<contract::Column>& columns(const contract::Table& table);

 private:
  std::unique_ptr<SqlConnection> sql_;
};

class TamperTest : public testing::Test {
 protected:
  static void SetUpTestSuite();
  static void TearDownTestSuite() { delete scratch_; }
  static std::string original() { return scratch_->path() + "/original"; }

  void SetUp() override;
  void start_over();  // with a folder that nobody has touched

  // The same ticks in a log of small segments, each changed first; tables and projections follow from it.
  static void write_again(const std::string& from, const std::string& to,
                          const std::function<void(Tick&)>& change);

  VerifyReport verify(std::optional<AuditHead> head = {});
  static const Check& check(const VerifyReport& report, std::string_view name);
  // Null when the table equals the log.
  static const TableComparison* differs(const VerifyReport& report, const contract::Table& table);

  static inline ScratchFolder* scratch_ = nullptr;
  std::string folder_;
};

}  // namespace micropay::app
