#include "app/simulator/reckoning.h"

#include "app/invariants.h"
#include "contracts/account.pb.h"
#include "contracts/payment.pb.h"
#include "contracts/runtime.pb.h"
#include "contracts/transaction.pb.h"

namespace micropay::app {
namespace {

class AllTables final : public Store {
 public:
  explicit AllTables(const Sites& sites) : sites_(sites) {}
  Result<void> commit(Tick&) override { return fail(Code::kFailedPrecondition, "read_only", ""); }
  LogEnd end() const override { return of("audit").end(); }
  Row get(const contract::Table& table, const std::string& key) const override {
    if (table.service->name != "runtime") return of(table.service->name).get(table, key);
    for (const auto& site : sites_)
      if (Row row = site->state().get(table, key)) return row;
    return nullptr;
  }
  Result<Page> list(const ListQuery& query) const override {
    return of(query.table->service->name).list(query);
  }
  Result<std::vector<std::shared_ptr<const EventRecord>>> read_events(uint64_t position,
                                                                      size_t limit) const override {
    return of("audit").read_events(position, limit);
  }
  Result<void> scan(const contract::Table& table,
                    const std::function<bool(const Row&)>& each) const override {
    if (table.service->name != "runtime") return of(table.service->name).scan(table, each);
    for (const auto& site : sites_) TRY(site->state().scan(table, each));
    return {};
  }
  Result<void> catch_up() const override { return {}; }

 private:
  const Store& of(std::string_view service) const {
    for (const auto& site : sites_)
      if (site->runs(service)) return site->state();
    return sites_[0]->state();
  }
  const Sites& sites_;
};

template <typename T, typename F>
std::string first_of(const Store& tables, F is_bad, std::string_view what) {
  std::string found;
  const auto read = tables.scan(*contract::model().table_of<T>(), [&](const Row& row) {
    const T& record = static_cast<const T&>(*row);
    if (is_bad(record))
      found = fmt::format("{} {}: {}", T::descriptor()->name(), what, record.ShortDebugString());
    return found.empty();
  });
  return read ? found : read.error().detail;
}

std::string check_rest(const Store& tables) {
  const auto always = [](const auto&) { return true; };
  const std::string found[] = {
      first_of<DeliveryRecord>(tables, always, "still waits"),
      first_of<EffectRecord>(tables, always, "still waits"),
      first_of<Payment>(
          tables, [](const Payment& row) { return row.status() <= Payment::PROCESSING; }, "is not final"),
      first_of<Refund>(
          tables,
          [](const Refund& row) {
            return row.status() == Refund::PENDING || row.status() == Refund::PROCESSING;
          },
          "is not final"),
      first_of<TopUp>(
          tables, [](const TopUp& row) { return row.status() <= TopUp::CAPTURED; }, "is not final"),
      first_of<Payment>(
          tables,
          [](const Payment& row) { return !row.reversal_id().empty() && row.status() != Payment::REVERSED; },
          "is being taken back"),
      first_of<Refund>(
          tables,
          [](const Refund& row) { return !row.reversal_id().empty() && row.status() != Refund::REVERSED; },
          "is being taken back"),
      first_of<TopUp>(
          tables,
          [](const TopUp& row) { return !row.reversal_id().empty() && row.status() != TopUp::REVERSED; },
          "is being taken back"),
      first_of<Transaction>(
          tables, [](const Transaction& row) { return row.status() == Transaction::CREATED; },
          "is not final"),
      first_of<Transfer>(
          tables, [](const Transfer& row) { return row.status() == Transfer::REQUESTED; }, "is not decided"),
      first_of<IdempotencyRecord>(
          tables,
          [](const IdempotencyRecord& row) {
            return row.state() == IdempotencyRecord::PENDING && row.resource_key().empty();
          },
          "names nothing")};
  for (const std::string& problem : found)
    if (!problem.empty()) return problem;
  return {};
}

std::string check_heard(const Sites& sites, const Watch& watch) {
  for (const auto& site : sites)
    for (const auto& [event, count] : watch.emitted())
      if (site->hears(*event) && watch.heard(*site, event) != count)
        return fmt::format("{} heard {} of {} {}", site->name(), watch.heard(*site, event), count,
                           event->type);
  return {};
}

// Invariant 5: the log alone gives every table byte for byte.
std::string check_replay(const Site& site) {
  std::vector<Tick> ticks;
  if (site.database) {
    ticks = site.database->ticks();
  } else {
    auto read = site.disk->read_all();
    if (!read) return read.error().detail;
    ticks = std::move(*read);
  }
  const auto projector = Engine::make_projector(site.services());
  const auto again = make_memory_store(contract::model(), projector.get());
  for (Tick& tick : ticks)
    if (const auto done = again->commit(std::move(tick)); !done) return done.error().detail;
  for (const contract::Table* table : contract::model().tables()) {
    std::vector<std::string> rows, made;
    const auto into = [](std::vector<std::string>& list) {
      return [&list](const Row& row) {
        list.push_back(row->SerializeAsString());
        return true;
      };
    };
    if (!site.state().scan(*table, into(rows)) || !again->scan(*table, into(made))) return "cannot scan";
    if (rows != made)
      return fmt::format("{}: replaying the log gives {} rows, the table has {}, or they differ",
                         table->sql_name, made.size(), rows.size());
  }
  return {};
}

// An answered success survives everything.
std::string check_answers(const Store& tables, const std::deque<Request>& requests) {
  for (const Request& request : requests) {
    if (request.resource_id.empty() || request.method->resource == nullptr) continue;
    const auto key = request.method->resource->encode_key({request.resource_id});
    if (key && tables.get(*request.method->resource, *key) == nullptr)
      return fmt::format("request {} was answered with {} {}, which is not there", request.number,
                         request.method->resource->descriptor->name(), request.resource_id);
    if (request.message->GetDescriptor() != CreatePaymentRequest::descriptor() ||
        request.response == nullptr ||
        static_cast<const Payment&>(*request.response).status() != Payment::COMPLETED)
      continue;
    const Row row = tables.get(*request.method->resource, *key);
    const auto status = static_cast<const Payment&>(*row).status();
    if (status != Payment::COMPLETED && status != Payment::PARTIALLY_REFUNDED &&
        status != Payment::REFUNDED && status != Payment::REVERSED)
      return fmt::format("payment {} was answered as completed and is {}", request.resource_id,
                         Payment::Status_Name(status));
  }
  return {};
}

}  // namespace

std::unique_ptr<Store> all_tables(const Sites& sites) { return std::make_unique<AllTables>(sites); }

std::string reckon(const Sites& sites, const Clients& clients, const Watch& watch) {
  const auto tables = all_tables(sites);
  if (std::string problem = check_rest(*tables); !problem.empty()) return problem;
  if (std::string problem = check_heard(sites, watch); !problem.empty()) return problem;
  for (const auto& site : sites)
    if (std::string problem = site->handled.missing(); !problem.empty()) return site->name() + ": " + problem;
  for (const InvariantResult& result : check_invariants(*tables, contract::model()))
    if (!result.ok) return fmt::format("{}: {}", result.name, result.problem);
  if (std::string problem = check_answers(*tables, clients.requests()); !problem.empty()) return problem;
  if (std::string problem = check_money(*tables, clients.requests()); !problem.empty()) return problem;
  for (const auto& site : sites)
    if (std::string problem = check_replay(*site); !problem.empty()) return site->name() + ": " + problem;
  return {};
}

}  // namespace micropay::app
