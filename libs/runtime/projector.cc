// Runs the projections of the services over ticks that are durable, for the store that asks.
#include <map>

#include "libs/base/check_scope.h"
#include "libs/base/log.h"
#include "libs/base/metrics.h"
#include "libs/runtime/engine.h"
#include "libs/runtime/work.h"

namespace micropay {
namespace {

// A projection may read and write its own projection tables; everything else is refused.
class ProjectionHost final : public ContextHost {
 public:
  explicit ProjectionHost(const RowReader& reader) : work(reader) {}
  UnitOfWork work;

  const google::protobuf::Message* find_row(const contract::Table& table, const std::string& key) override {
    CHECK(table.projection && "a projection sees projection tables only");
    return work.find(table, key);
  }
  Result<std::vector<Row>> list_rows(const ListQuery&, std::string*) override {
    return fail(Code::kUnimplemented, "no_lists_in_projections", "A projection reads by key.");
  }
  google::protobuf::Message& edit_row(const contract::Table& table, const std::string& key) override {
    return work.edit(table, key);
  }
  google::protobuf::Message* edit_present_row(const contract::Table& table, const std::string& key) override {
    CHECK(table.projection && "a projection sees projection tables only");
    return work.edit_present(table, key);
  }
  google::protobuf::Message& insert_row(const contract::Table& table, MutableRow row) override {
    CHECK(table.projection && "a projection sees projection tables only");
    return work.insert(table, std::move(row));
  }
  google::protobuf::Message& put_row(const contract::Table& table, MutableRow row) override {
    CHECK(table.projection && "a projection sees projection tables only");
    return work.put(table, std::move(row));
  }
  bool erase_row(const contract::Table& table, const std::string& key) override {
    return work.erase(table, key);
  }
  std::string new_id() override { refuse(); }
  std::string random_bytes(size_t) override { refuse(); }
  void emit(const contract::Event&, MutableRow) override { refuse(); }
  std::string request_effect(const google::protobuf::Message&, const EffectOptions&) override { refuse(); }
  void set_timer(std::string_view, Time, const google::protobuf::Message&) override { refuse(); }
  void cancel_timer(std::string_view, std::string_view) override { refuse(); }
  void keep_changes() override {}

 private:
  [[noreturn]] static void refuse() {
    check_failed("a projection is a function of the log: it emits nothing and makes no ids", __FILE__,
                 __LINE__);
  }
};

class ServicesProjector final : public Projector {
 public:
  explicit ServicesProjector(const std::vector<Service>& services) {
    for (const Service& service : services) {
      if (service.projections.empty()) continue;
      names_.push_back(service.name);
      versions_[service.name] = service.projection_version;
      for (const auto& handler : service.projections)
        (handler.event ? by_event_[handler.event] : every_)
            .push_back({service.name, service.contract, handler});
    }
  }

  std::vector<std::string> services() const override { return names_; }
  uint64_t version(std::string_view service) const override {
    const auto found = versions_.find(service);
    return found == versions_.end() ? 0 : found->second;
  }

  std::vector<RowChange> project(const std::vector<std::shared_ptr<const EventRecord>>& events,
                                 const RowReader& reader, std::string_view only_service) override {
    // At first as one input, so that a row that many events touch is copied once and not for each of them.
    // When one of them fails, all are done again, each as an input of its own that can be undone.
    for (const bool together : {true, false}) {
      ProjectionHost host(reader);
      if (project_in(host, events, only_service, together)) return host.work.changes();
    }
    return {};
  }

 private:
  // False: one failed, and they were done together.
  bool project_in(ProjectionHost& host, const std::vector<std::shared_ptr<const EventRecord>>& events,
                  std::string_view only_service, bool together) {
    host.work.begin_input();
    for (const auto& event : events) {
      if (const auto at = by_event_.find(event->type); at != by_event_.end())
        for (const Entry& entry : at->second)
          if (!run(entry, *event, host, only_service, together) && together) return false;
      for (const Entry& entry : every_)
        if (!run(entry, *event, host, only_service, together) && together) return false;
    }
    return true;
  }

  struct Entry {
    std::string service;
    const contract::Service* contract;
    Service::EventHandler handler;
  };

  // False when it failed.
  bool run(const Entry& entry, const EventRecord& event, ProjectionHost& host, std::string_view only_service,
           bool together) {
    if (!only_service.empty() && only_service != entry.service) return true;
    const Context::Input input{.service = entry.contract,
                               .principal = &system_principal(),
                               .now = event.envelope.time(),
                               .correlation_id = event.envelope.correlation_id(),
                               .envelope = &event.envelope};
    Context context(host, input);
    if (!together) host.work.begin_input();
    Result<void> result;
    try {
      const CheckScope scope;
      result = entry.handler.handle(context, event);
    } catch (const std::exception& error) {
      result = fail(Code::kInternal, "handler_threw", error.what());
    }
    if (result) {
      if (!together) host.work.accept();
      return true;
    }
    if (together) return false;
    host.work.undo();
    failures_.add();
    log_error("projection.failed", result.error().detail,
              {{"service", entry.service},
               {"event_type", event.envelope.type()},
               {"position", int64_t(event.envelope.position())}});
    return false;
  }

  std::vector<std::string> names_;
  std::map<std::string, uint64_t, std::less<>> versions_;
  std::map<const contract::Event*, std::vector<Entry>> by_event_;
  std::vector<Entry> every_;
  Counter& failures_ =
      counter("micropay_projection_failures_total", "Events that a projection could not take");
};

}  // namespace

std::unique_ptr<Projector> Engine::make_projector(const std::vector<Service>& services) {
  return std::make_unique<ServicesProjector>(services);
}

}  // namespace micropay
