// The store of tests and the simulator: everything in memory, commits visible at once.
#include <map>
#include <mutex>

#include "libs/contract/columns.h"
#include "libs/store/store.h"

namespace micropay {
namespace {

using contract::Value;

int compare(const Value& a, const Value& b) {
  if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
  if (a.kind == Value::Kind::kInteger) return a.integer < b.integer ? -1 : a.integer > b.integer;
  return a.bytes.compare(b.bytes);
}

class MemoryStore final : public Store {
 public:
  MemoryStore(const contract::Model& model, Projector* projector) : projector_(projector) {
    for (const contract::Table* table : model.tables())
      if (table->id >= tables_.size()) tables_.resize(table->id + 1);
  }

  Result<void> commit(Tick tick) override {
    const std::lock_guard lock(mutex_);
    end_.tick = tick.number;
    end_.next_position += tick.events.size();
    apply(tick.changes);
    for (const auto& event : tick.events) events_.push_back(event);
    if (projector_ != nullptr) apply(projector_->project(tick.events, *this, {}));
    return {};
  }
  LogEnd end() const override {
    const std::lock_guard lock(mutex_);
    return end_;
  }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position, size_t limit) const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<const EventRecord>> events;
    for (size_t i = position == 0 ? 0 : position - 1; i < events_.size() && events.size() < limit; ++i)
      events.push_back(events_[i]);
    return events;
  }
  Row get(const contract::Table& table, const std::string& key) const override {
    const std::lock_guard lock(mutex_);
    const auto at = tables_[table.id].find(key);
    return at == tables_[table.id].end() ? nullptr : at->second;
  }
  void scan(const contract::Table& table, const std::function<bool(const Row&)>& each) const override {
    std::vector<Row> rows;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [key, row] : tables_[table.id]) rows.push_back(row);
    }
    for (const Row& row : rows)
      if (!each(row)) return;
  }
  void catch_up() const override {}
  Result<Page> list(const ListQuery& query) const override;

 private:
  void apply(const std::vector<RowChange>& changes) {
    for (const RowChange& change : changes) {
      if (change.row) tables_[change.table->id][change.key] = change.row;
      else tables_[change.table->id].erase(change.key);
    }
  }

  Projector* projector_;
  mutable std::recursive_mutex mutex_;
  LogEnd end_;
  std::vector<std::map<std::string, Row>> tables_;
  std::vector<std::shared_ptr<const EventRecord>> events_;
};

Result<Page> MemoryStore::list(const ListQuery& query) const {
  const contract::ColumnPlan& plan = contract::column_plan(*query.table);
  const auto index_of = [&](std::string_view name) -> int {
    for (size_t i = 0; i < plan.columns().size(); ++i)
      if (plan.columns()[i].name == name || plan.columns()[i].field->json_name() == name) return int(i);
    return -1;
  };
  std::vector<Row> rows;
  scan(*query.table, [&](const Row& row) { return rows.push_back(row), true; });
  std::vector<Value> values;
  std::vector<std::string> scratch;
  for (const Filter& filter : query.filters) {
    const int at = index_of(filter.field);
    if (at < 0) return fail(Code::kInvalidArgument, "invalid_filter", "There is no field " + filter.field, filter.field);
    std::vector<std::string> kept(filter.any_of.size() + 1);
    std::vector<Value> wanted;
    std::vector<std::string> texts = filter.op == Filter::Op::kIn ? filter.any_of : std::vector<std::string>{filter.value};
    for (size_t i = 0; i < texts.size(); ++i)
      wanted.push_back(TRY(plan.parse(plan.columns()[size_t(at)], texts[i], kept[i])));
    std::erase_if(rows, [&](const Row& row) {
      plan.write(*row, values, scratch);
      const auto fits = [&](const Value& value) {
        const int order = compare(values[size_t(at)], value);
        return filter.op == Filter::Op::kGreaterEqual ? order >= 0 : filter.op == Filter::Op::kLess ? order < 0 : order == 0;
      };
      return std::none_of(wanted.begin(), wanted.end(), fits);
    });
  }
  bool descending = contract::options_of(*query.table->key[0]).format() == UUID;
  if (!query.order_by.empty()) {
    const std::string_view order = query.order_by;
    const size_t blank = order.find(' ');
    const int at = index_of(order.substr(0, blank));
    if (at < 0) return fail(Code::kInvalidArgument, "invalid_order", "There is no such field to order by", "orderBy");
    descending = blank != std::string_view::npos && order.substr(blank + 1) == "desc";
    std::stable_sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) {
      std::vector<Value> left, right;
      std::vector<std::string> left_scratch, right_scratch;
      plan.write(*a, left, left_scratch), plan.write(*b, right, right_scratch);
      return compare(left[size_t(at)], right[size_t(at)]) < 0;
    });
  }
  if (descending) std::reverse(rows.begin(), rows.end());
  size_t offset = 0;
  if (query.page_token.starts_with("offset:")) offset = std::stoul(query.page_token.substr(7));
  const size_t size = query.page_size == 0 ? 50 : std::min<size_t>(query.page_size, 500);
  Page page;
  for (size_t i = offset; i < rows.size() && page.rows.size() < size; ++i) page.rows.push_back(rows[i]);
  if (offset + size < rows.size()) page.next_page_token = fmt::format("offset:{}", offset + size);
  return page;
}

}  // namespace

std::unique_ptr<Store> make_memory_store(const contract::Model& model, Projector* projector) {
  return std::make_unique<MemoryStore>(model, projector);
}

}  // namespace micropay
