// Changes of the store's own tables, and of contract tables where adding a column is not enough, in order.
// One that was released is never edited.
#pragma once

#include <span>
#include <string_view>

namespace micropay {

struct Migration {
  int64_t number;
  std::string_view name;
  // The least number that a version has to know to work with a database after this one: a release must leave
  // the one before it working, so this is behind `number` unless there is no other way.
  int64_t needed;
  std::string_view postgres, mariadb;
};

std::span<const Migration> migrations();

}  // namespace micropay
