#include "libs/runtime/work.h"

namespace micropay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Equality in the text forms of a filter; enough for rows that are not in the store yet.
bool equals(const Message& row, const FieldDescriptor& field, std::string_view value) {
  const auto& reflection = *row.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      return reflection.GetStringReference(row, &field, &scratch) == value;
    }
    case FieldDescriptor::CPPTYPE_ENUM: return contract::enum_text(*reflection.GetEnum(row, &field)) == value;
    case FieldDescriptor::CPPTYPE_BOOL: return (reflection.GetBool(row, &field) ? "true" : "false") == value;
    case FieldDescriptor::CPPTYPE_INT64: return std::to_string(reflection.GetInt64(row, &field)) == value;
    case FieldDescriptor::CPPTYPE_UINT64: return std::to_string(reflection.GetUInt64(row, &field)) == value;
    case FieldDescriptor::CPPTYPE_INT32: return std::to_string(reflection.GetInt32(row, &field)) == value;
    case FieldDescriptor::CPPTYPE_UINT32: return std::to_string(reflection.GetUInt32(row, &field)) == value;
    default: return false;
  }
}

bool matches(const Message& row, const std::vector<Filter>& filters) {
  for (const Filter& filter : filters) {
    const FieldDescriptor* field = row.GetDescriptor()->FindFieldByName(filter.field);
    CHECK(field != nullptr && "a handler lists by columns of its table");
    if (filter.op == Filter::Op::kEqual) {
      if (!equals(row, *field, filter.value)) return false;
    } else {
      CHECK(filter.op == Filter::Op::kIn && "a handler lists by equality");
      if (std::none_of(filter.any_of.begin(), filter.any_of.end(),
                       [&](const std::string& value) { return equals(row, *field, value); }))
        return false;
    }
  }
  return true;
}

MutableRow clone(const Message& row) {
  MutableRow copy(row.New());
  copy->CopyFrom(row);
  return copy;
}

}  // namespace

UnitOfWork::Entry& UnitOfWork::entry(const contract::Table& table, const std::string& key) {
  if (table.id >= tables_.size()) tables_.resize(table.id + 1);
  auto [at, added] = tables_[table.id].try_emplace(key);
  Entry& entry = at->second;
  if (added) {
    entry.table = &table;
    entry.key = key;
    entry.stored = key.empty() ? nullptr : reader_.get(table, key);
    entry.current = entry.stored;
  }
  return entry;
}

const Message* UnitOfWork::find(const contract::Table& table, const std::string& key) {
  return entry(table, key).current.get();
}

Row UnitOfWork::share(const contract::Table& table, const std::string& key) {
  return entry(table, key).current;
}

void UnitOfWork::own(Entry& entry, MutableRow row) {
  undo_.push_back({&entry, entry.current, entry.dirty});
  entry.owned = std::move(row);
  entry.current = entry.owned;
  entry.owner = input_;
  entry.dirty = true;
  if (!entry.ordered) order_.push_back(&entry), entry.ordered = true;
}

Message& UnitOfWork::edit(const contract::Table& table, const std::string& key) {
  Entry& found = entry(table, key);
  CHECK(found.current != nullptr && "edit needs a row that exists");
  if (found.owner != input_ || found.owned == nullptr) own(found, clone(*found.current));
  return *found.owned;
}

Message& UnitOfWork::insert(const contract::Table& table, const Message& row) {
  const std::string key = table.key_of(row);
  CHECK(!key.empty());
  Entry& found = entry(table, key);
  CHECK(found.current == nullptr && "insert needs a key that is free");
  own(found, clone(row));
  return *found.owned;
}

bool UnitOfWork::erase(const contract::Table& table, const std::string& key) {
  Entry& found = entry(table, key);
  if (found.current == nullptr) return false;
  own(found, nullptr);
  return true;
}

void UnitOfWork::undo() {
  for (auto at = undo_.rbegin(); at != undo_.rend(); ++at) {
    at->entry->current = std::move(at->current);
    at->entry->dirty = at->dirty;
    at->entry->owned = nullptr;
    at->entry->owner = 0;
  }
  undo_.clear();
}

Result<std::vector<Row>> UnitOfWork::list(const ListQuery& query, std::string* next_page_token) {
  const contract::Table& table = *query.table;
  Page page = TRY(reader_.list(query));
  *next_page_token = std::move(page.next_page_token);
  if (table.id >= tables_.size()) return std::move(page.rows);
  auto& changed = tables_[table.id];
  std::vector<Row> rows;
  for (Row& row : page.rows) {
    const auto at = changed.find(table.key_of(*row));
    if (at == changed.end() || !at->second.dirty) rows.push_back(std::move(row));
  }
  // Changed rows that match stand first; on the first page only, so that paging sees them once.
  if (!query.page_token.empty()) return rows;
  std::vector<Row> fresh;
  for (const Entry* entry : order_)
    if (entry->table == &table && entry->dirty && entry->current && matches(*entry->current, query.filters))
      fresh.push_back(entry->current);
  fresh.insert(fresh.end(), rows.begin(), rows.end());
  return fresh;
}

bool UnitOfWork::Entry::changed() const { return dirty && (stored != nullptr || current != nullptr); }

std::vector<RowChange> UnitOfWork::changes() const {
  std::vector<RowChange> changes;
  changes.reserve(order_.size());
  for (const Entry* entry : order_)
    if (entry->changed()) changes.push_back({entry->table, entry->key, entry->current});
  return changes;
}

bool UnitOfWork::unchanged() const {
  return std::none_of(order_.begin(), order_.end(), [](const Entry* entry) { return entry->changed(); });
}

void UnitOfWork::clear() {
  for (auto& table : tables_) table.clear();
  order_.clear();
  undo_.clear();
}

}  // namespace micropay
