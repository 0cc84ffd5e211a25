#include "libs/runtime/work.h"

#include <absl/container/flat_hash_set.h>

#include "libs/base/quick_hash.h"

namespace micropay {
namespace {

constexpr size_t kKeptEntries = 10'000;

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
  copy->MergeFrom(row);  // into nothing: CopyFrom of Debian's libprotobuf looks through the message first
  return copy;
}

}  // namespace

struct UnitOfWork::Index {
  using Place = std::pair<uint32_t, std::string_view>;
  static Place place(const Place& place) { return place; }
  static Place place(const Entry* entry) { return {entry->table->id, entry->key}; }
  struct Hash {
    using is_transparent = void;
    size_t operator()(const auto& of) const {
      const auto [table, key] = place(of);
      return quick_hash(key) + table * 0x9E3779B97F4A7C15ull;
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const auto& a, const auto& b) const { return place(a) == place(b); }
  };
  absl::flat_hash_set<Entry*, Hash, Equal> entries;
};

UnitOfWork::UnitOfWork(const RowReader& reader, const IdGenerator* ids)
    : reader_(reader), ids_(ids), index_(std::make_unique<Index>()) {}
UnitOfWork::~UnitOfWork() = default;

UnitOfWork::Entry* UnitOfWork::known(const contract::Table& table, std::string_view key) const {
  const auto at = index_->entries.find(Index::Place(table.id, key));
  return at == index_->entries.end() ? nullptr : *at;
}

// A key that ends with an id of this very tick.
bool UnitOfWork::is_fresh(const contract::Table& table, std::string_view key) const {
  constexpr size_t kBytes = std::tuple_size_v<Uuid>;
  return ids_ != nullptr && table.key_forms.back() == contract::Table::KeyForm::kUuid &&
         key.size() >= kBytes && ids_->made_since_mark(key.substr(key.size() - kBytes));
}

Row UnitOfWork::stored(const contract::Table& table, const std::string& key) const {
  return key.empty() || is_fresh(table, key) ? nullptr : reader_.get(table, key);
}

UnitOfWork::Entry& UnitOfWork::entry(const contract::Table& table, const std::string& key) {
  Entry* found = known(table, key);
  if (found != nullptr && !(found->unread && !found->dirty)) return *found;
  Row row = stored(table, key);  // may throw: nothing is noted then
  if (found == nullptr) found = &add(table, key);
  found->stored = found->current = std::move(row);
  found->unread = false;
  return *found;
}

UnitOfWork::Entry& UnitOfWork::add(const contract::Table& table, const std::string& key) {
  if (used_ == pool_.size()) pool_.push_back(std::make_unique<Entry>());
  Entry& entry = *pool_[used_++];
  entry.table = &table;
  entry.key = key;
  index_->entries.insert(&entry);
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
  Message* found = edit_present(table, key);
  CHECK(found != nullptr && "edit needs a row that exists");
  return *found;
}

Message* UnitOfWork::edit_present(const contract::Table& table, const std::string& key) {
  Entry& found = entry(table, key);
  if (found.current == nullptr) return nullptr;
  if (found.owner != input_ || found.owned == nullptr) own(found, clone(*found.current));
  return found.owned.get();
}

Message& UnitOfWork::insert(const contract::Table& table, MutableRow row) {
  const std::string key = table.key_of(*row);
  CHECK(!key.empty());
  Entry& found = entry(table, key);
  CHECK(found.current == nullptr && "insert needs a key that is free");
  own(found, std::move(row));
  return *found.owned;
}

Message& UnitOfWork::replace(const contract::Table& table, MutableRow row) {
  Entry& found = entry(table, table.key_of(*row));
  own(found, std::move(row));
  return *found.owned;
}

Message& UnitOfWork::put(const contract::Table& table, MutableRow row) {
  const std::string key = table.key_of(*row);
  Entry* found = known(table, key);
  if (found == nullptr) found = &add(table, key), found->unread = true;
  own(*found, std::move(row));
  return *found->owned;
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
  std::vector<Row> rows;
  for (Row& row : page.rows) {
    const Entry* changed = known(table, table.key_of(*row));
    if (changed == nullptr || !changed->dirty) rows.push_back(std::move(row));
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

bool UnitOfWork::Entry::changed() const {
  return dirty && (stored != nullptr || current != nullptr || unread);
}

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
  index_->entries.clear();  // which gives its memory back
  index_->entries.reserve(std::min(used_, kKeptEntries));
  order_.clear();
  undo_.clear();
  for (size_t i = 0; i < used_; ++i) {
    Entry& entry = *pool_[i];
    entry.stored = entry.current = nullptr;
    entry.owned = nullptr;
    entry.owner = 0;
    entry.dirty = entry.ordered = entry.unread = false;
  }
  used_ = 0;
  if (pool_.size() > kKeptEntries) pool_.resize(kKeptEntries);
}

}  // namespace micropay
