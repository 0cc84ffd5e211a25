// Reads the contracts' descriptors into the model. What is missing or contradicts itself becomes a problem
// here when it cannot be represented at all; model_check.cc finds the rest.
#include "libs/contract/columns.h"
#include "libs/contract/model_state.h"

namespace micropay::contract {
namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;

constexpr std::pair<std::string_view, uint32_t> kEdgePorts[] = {
    {"gateway", 8080}, {"discovery", 8761}, {"config", 8888}};

class Reader {
 public:
  explicit Reader(ModelState& state) : state_(state) {}

  void file(const FileDescriptor& file) {
    Service* service = service_of(file);
    for (int i = 0; i < file.message_type_count(); ++i) message(*file.message_type(i), service);
    if (service == nullptr && file.service_count() > 0)
      state_.problem(file, file.service(0)->name(), "a file with methods needs option (service)");
  }

  // After all messages are known.
  void methods_of(const FileDescriptor& file) {
    Service* service = service_of(file);
    if (service == nullptr) return;
    for (int i = 0; i < file.service_count(); ++i)
      for (int m = 0; m < file.service(i)->method_count(); ++m) method(*file.service(i)->method(m), *service);
  }

 private:
  Service* service_of(const FileDescriptor& file) {
    if (!has_service_options(file)) return nullptr;
    const ServiceOptions& options = service_options(file);
    for (Service& service : state_.services) {
      if (service.name != options.name()) continue;
      if (options.port() != 0 && options.port() != service.port)
        state_.problem(file, service.name, fmt::format("has port {} in another file", service.port));
      return &service;
    }
    if (options.name().empty()) state_.problem(file, "service", "has no name");
    check_port(file, options);
    Service& service = state_.services.emplace_back();
    service.name = options.name();
    service.port = options.port();
    service.summary = options.summary();
    service.topic = service.name + "-events";
    state_.service_list.push_back(&service);
    state_.service_by_name.emplace(service.name, &service);
    return &service;
  }

  // As a process of a cluster each listens on its own, beside the servers of the edge.
  void check_port(const FileDescriptor& file, const ServiceOptions& options) {
    if (options.port() == 0) return;
    if (options.port() < 1024 || options.port() > 65535)
      state_.problem(file, options.name(), fmt::format("port {} is none for a service", options.port()));
    for (const auto& [name, port] : kEdgePorts)
      if (options.port() == port && options.name() != name)
        state_.problem(file, options.name(), fmt::format("port {} is that of the {}", port, name));
    for (const Service& other : state_.services)
      if (other.port == options.port())
        state_.problem(file, options.name(),
                       fmt::format("port {} is that of {}, too", other.port, other.name));
  }

  void message(const Descriptor& descriptor, Service* service) {
    if (descriptor.options().map_entry()) return;
    state_.messages.emplace(descriptor.full_name(), &descriptor);
    state_.messages.emplace(descriptor.name(), &descriptor);
    const bool is_table = has_table_options(descriptor), is_event = has_event_options(descriptor);
    if ((is_table || is_event) && service == nullptr)
      state_.problem(*descriptor.file(), descriptor.name(),
                     "a table or event needs option (service) in its file");
    else if (is_table) table(descriptor, *service);
    else if (is_event) event(descriptor, *service);
    if (is_table && is_event)
      state_.problem(*descriptor.file(), descriptor.name(), "is both a table and an event");
    for (int i = 0; i < descriptor.nested_type_count(); ++i) message(*descriptor.nested_type(i), service);
  }

  const FieldDescriptor* field(const Descriptor& descriptor, const std::string& name, std::string_view role) {
    const FieldDescriptor* found = descriptor.FindFieldByName(name);
    if (found == nullptr)
      state_.problem(*descriptor.file(), descriptor.name(),
                     fmt::format("{} \"{}\" is no field of it", role, name));
    return found;
  }

  const google::protobuf::EnumValueDescriptor* exception(const Descriptor& descriptor, const Index& index,
                                                         const std::string& name) {
    const google::protobuf::EnumDescriptor* values =
        index.fields.empty() ? nullptr : index.fields[0]->enum_type();
    const auto* found = values == nullptr ? nullptr : values->FindValueByName(name);
    if (found == nullptr)
      state_.problem(*descriptor.file(), descriptor.name(),
                     fmt::format("except \"{}\" is no value of the index's first field", name));
    return found;
  }

  void table(const Descriptor& descriptor, Service& service) {
    const TableOptions& options = table_options(descriptor);
    Table& table = state_.tables.emplace_back();
    table.id = uint32_t(state_.tables.size() - 1);
    table.sql_name = service.name + "_" + options.name();
    table.service = &service;
    table.descriptor = &descriptor;
    table.projection = options.projection();
    table.scattered = options.scattered();
    table.prototype = state_.factory->GetPrototype(&descriptor);
    for (const std::string& name : options.key())
      if (const FieldDescriptor* key = field(descriptor, name, "key")) table.add_key_field(key);
    if (!options.owner().empty()) table.owner = field(descriptor, options.owner(), "owner");
    if (!options.arrival().empty()) table.arrival = field(descriptor, options.arrival(), "arrival");
    for (const auto& declared : options.index()) {
      Index index{.name = table.sql_name + "_by", .fields = {}};
      for (const std::string& name : declared.fields()) {
        index.name += "_" + name;
        if (const FieldDescriptor* indexed = field(descriptor, name, "index field"))
          index.fields.push_back(indexed);
      }
      if (!declared.except().empty()) index.except = exception(descriptor, index, declared.except());
      table.indexes.push_back(std::move(index));
    }
    table.columns = std::make_shared<const ColumnPlan>(table);
    service.tables.push_back(&table);
    state_.table_list.push_back(&table);
    state_.table_by_descriptor.emplace(&descriptor, &table);
    if (options.name().empty())
      state_.problem(*descriptor.file(), descriptor.name(), "the table has no name");
    else if (!state_.table_by_name.emplace(table.sql_name, &table).second)
      state_.problem(*descriptor.file(), descriptor.name(), "two tables are named " + table.sql_name);
  }

  void event(const Descriptor& descriptor, Service& service) {
    const EventOptions& options = event_options(descriptor);
    Event& event = state_.events.emplace_back();
    event.type = options.type();
    event.topic = service.topic;
    event.service = &service;
    event.descriptor = &descriptor;
    event.summary = options.summary();
    event.prototype = state_.factory->GetPrototype(&descriptor);
    if (options.key().empty()) state_.problem(*descriptor.file(), descriptor.name(), "the event has no key");
    else event.key = field(descriptor, options.key(), "event key");
    for (int i = 0; i < descriptor.field_count(); ++i)
      if (options_of(*descriptor.field(i)).audience()) event.audience.push_back(descriptor.field(i));
    service.events.push_back(&event);
    state_.event_list.push_back(&event);
    state_.event_by_descriptor.emplace(&descriptor, &event);
    if (event.type.empty()) state_.problem(*descriptor.file(), descriptor.name(), "the event has no type");
    else if (!state_.event_by_type.emplace(event.type, &event).second)
      state_.problem(*descriptor.file(), descriptor.name(), "two events are of type " + event.type);
  }

  static void set_route(Method& method) {
    const MethodOptions& options = method.options;
    switch (options.route_case()) {
      case MethodOptions::kGet: method.verb = "GET", method.path = options.get(); break;
      case MethodOptions::kPost: method.verb = "POST", method.path = options.post(); break;
      case MethodOptions::kPut: method.verb = "PUT", method.path = options.put(); break;
      case MethodOptions::kPatch: method.verb = "PATCH", method.path = options.patch(); break;
      case MethodOptions::kDelete: method.verb = "DELETE", method.path = options.delete_(); break;
      case MethodOptions::ROUTE_NOT_SET: break;
    }
  }

  void method(const MethodDescriptor& descriptor, Service& service) {
    Method& method = state_.methods.emplace_back();
    method.id = uint32_t(state_.methods.size() - 1);
    method.name = descriptor.name();
    method.full_name = descriptor.service()->full_name() + "/" + descriptor.name();
    method.service = &service;
    method.request = descriptor.input_type();
    method.response = descriptor.output_type();
    method.request_prototype = state_.factory->GetPrototype(method.request);
    method.response_prototype = state_.factory->GetPrototype(method.response);
    method.options = method_options(descriptor);
    set_route(method);
    method.query = method.verb == "GET" || method.options.query();
    method.list = method.response->FindFieldByName("next_page_token") != nullptr;
    if (method.options.success() != 0) method.success = method.options.success();
    for (const std::string& name : path_variables(method.path))
      if (const FieldDescriptor* variable = field(*method.request, name, "path variable"))
        method.variables.push_back(variable);
    const auto resource = state_.table_by_descriptor.find(method.response);
    if (resource != state_.table_by_descriptor.end()) method.resource = resource->second;
    set_owner(descriptor, method);
    for (const Party& party : method.options.access().not_party()) add_party(descriptor, method, party);
    service.methods.push_back(&method);
    state_.method_list.push_back(&method);
    if (!state_.method_by_name.emplace(method.name, &method).second)
      state_.problem(*descriptor.file(), method.name, "two methods have this name");
    if (!state_.method_by_request.emplace(method.request, &method).second)
      state_.problem(*descriptor.file(), method.name,
                     method.request->name() + " is another method's request, too");
  }

  const Table* record(const MethodDescriptor& descriptor, const std::string& name, std::string_view role) {
    const auto message = state_.messages.find(name);
    const auto table = message == state_.messages.end() ? state_.table_by_descriptor.end()
                                                        : state_.table_by_descriptor.find(message->second);
    if (table != state_.table_by_descriptor.end()) return table->second;
    state_.problem(*descriptor.file(), descriptor.name(), fmt::format("{} \"{}\" is no table", role, name));
    return nullptr;
  }

  void set_owner(const MethodDescriptor& descriptor, Method& method) {
    if (!method.options.access().has_owner()) return;
    const Owner& owner = method.options.access().owner();
    method.owner.table = record(descriptor, owner.record(), "owner record");
    if (!owner.by().empty()) method.owner.by = field(*method.request, owner.by(), "owner field");
  }

  void add_party(const MethodDescriptor& descriptor, Method& method, const Party& party) {
    PartyCheck check{.table = record(descriptor, party.record(), "not_party record"),
                     .by = field(*method.request, party.by(), "not_party field")};
    if (check.table == nullptr || check.by == nullptr) return;
    for (const std::string& user : party.users())
      if (const FieldDescriptor* found = field(*check.table->descriptor, user, "user"))
        check.users.push_back(found);
    method.parties.push_back(std::move(check));
  }

  ModelState& state_;
};

}  // namespace

void ModelState::problem(const FileDescriptor& file, std::string_view name, std::string_view text) {
  problems.push_back(fmt::format("{}: {}: {}", file.name(), name, text));
}

std::vector<std::string> path_variables(std::string_view path) {
  std::vector<std::string> names;
  for (size_t open = path.find('{'); open != path.npos; open = path.find('{', open + 1)) {
    const size_t close = path.find('}', open);
    if (close == path.npos) break;
    names.emplace_back(path.substr(open + 1, close - open - 1));
  }
  return names;
}

void read_contracts(ModelState& state, const google::protobuf::DescriptorPool& pool,
                    const std::vector<std::string_view>& files) {
  Reader reader(state);
  std::vector<const FileDescriptor*> found;
  for (const std::string_view name : files) {
    const FileDescriptor* file = pool.FindFileByName(std::string(name));
    if (file == nullptr) state.problems.push_back(fmt::format("{}: is not in the pool", name));
    else found.push_back(file);
  }
  for (const FileDescriptor* file : found) reader.file(*file);
  for (const FileDescriptor* file : found) reader.methods_of(*file);
}

}  // namespace micropay::contract
