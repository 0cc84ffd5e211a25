// The store of tests and simulations: everything in memory, projections run inside commit(). It answers as
// the embedded store does, lists and tokens included (conformance_test.cc holds both to it).
#include <map>
#include <shared_mutex>

#include "libs/base/check.h"
#include "libs/store/list_query.h"

namespace micropay {
namespace {

using contract::Value;

class MemoryStore final : public Store {
 public:
  MemoryStore(const contract::Model& model, Projector* projector) : projector_(projector) {
    tables_.resize(model.tables().size());
  }

  Result<void> commit(Tick& tick) override {
    std::unique_lock lock(mutex_);
    CHECK(tick.number == end_.tick + 1 && tick.first_position == end_.next_position);
    for (RowChange& change : tick.changes) apply(std::move(change));
    for (auto& event : tick.events) events_.push_back(event);
    end_ = {
        .tick = tick.number, .next_position = tick.first_position + tick.events.size(), .time = tick.time};
    if (projector_ == nullptr || tick.events.empty()) return {};
    for (RowChange& change : projector_->project(tick.events, ProjectedRows(*this), {}))
      apply(std::move(change));
    return {};
  }

  LogEnd end() const override {
    std::shared_lock lock(mutex_);
    return end_;
  }

  Row get(const contract::Table& table, const std::string& key) const override {
    std::shared_lock lock(mutex_);
    return find(table, key);
  }

  Result<Page> list(const ListQuery& query) const override {
    std::shared_lock lock(mutex_);
    return list_locked(query);
  }

  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    std::shared_lock lock(mutex_);
    size_t from = std::min<size_t>(position == 0 ? 0 : position - 1, events_.size());
    size_t to = from + std::min(limit, events_.size() - from);
    return std::vector(events_.begin() + static_cast<ptrdiff_t>(from),
                       events_.begin() + static_cast<ptrdiff_t>(to));
  }

  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    std::vector<Row> rows;
    {
      std::shared_lock lock(mutex_);
      for (const auto& [key, row] : tables_[table.id]) rows.push_back(row);
    }
    for (const Row& row : rows)
      if (!each(row)) break;
    return {};
  }

  Result<void> catch_up() const override { return {}; }

 private:
  // What a projector may see, while commit() holds the lock.
  class ProjectedRows final : public RowReader {
   public:
    explicit ProjectedRows(const MemoryStore& store) : store_(store) {}
    Row get(const contract::Table& table, const std::string& key) const override {
      CHECK(table.projection);
      return store_.find(table, key);
    }
    Result<Page> list(const ListQuery& query) const override {
      CHECK(query.table->projection);
      return store_.list_locked(query);
    }

   private:
    const MemoryStore& store_;
  };

  struct Found {
    OwnedValue order;
    const std::string* key;
    Row row;
  };

  void apply(RowChange&& change) {
    auto& rows = tables_[change.table->id];
    if (change.row) rows.insert_or_assign(std::move(change.key), std::move(change.row));
    else rows.erase(change.key);
  }

  Row find(const contract::Table& table, const std::string& key) const {
    const auto& rows = tables_[table.id];
    auto at = rows.find(key);
    return at == rows.end() ? nullptr : at->second;
  }

  Result<Page> list_locked(const ListQuery& query) const {
    ListPlan plan = TRY(plan_list(query));
    // The keys' bytes order as their columns do.
    auto before = [&plan](const OwnedValue& a, std::string_view a_key, const OwnedValue& b,
                          std::string_view b_key) {
      int order = plan.by_key ? 0 : compare_values(a.view(), b.view());
      if (order == 0) order = a_key.compare(b_key);
      return plan.descending ? order > 0 : order < 0;
    };
    std::vector<Found> found;
    std::vector<Value> values;
    std::vector<std::string> scratch;
    for (const auto& [key, row] : tables_[query.table->id]) {
      column_values(*plan.columns, *row, values, scratch);
      if (!matches(plan, values)) continue;
      OwnedValue order = OwnedValue::of(values[plan.order_column]);
      if (plan.after && !before(plan.after->order, plan.after->key, order, key)) continue;
      found.push_back({std::move(order), &key, row});
    }
    std::ranges::sort(
        found, [&](const Found& a, const Found& b) { return before(a.order, *a.key, b.order, *b.key); });
    Page page;
    size_t to = std::min<size_t>(found.size(), size_t(plan.offset) + plan.page_size);
    for (size_t i = plan.offset; i < to; ++i) page.rows.push_back(found[i].row);
    if (to < found.size() && to > plan.offset)
      page.next_page_token = page_token(plan, found[to - 1].order.view(), *found[to - 1].key);
    return page;
  }

  Projector* const projector_;
  mutable std::shared_mutex mutex_;
  std::vector<std::map<std::string, Row>> tables_;  // by Table::id
  std::vector<std::shared_ptr<const EventRecord>> events_;
  LogEnd end_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(const contract::Model& model, Projector* projector) {
  return std::make_unique<MemoryStore>(model, projector);
}

}  // namespace micropay
