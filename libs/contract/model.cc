// The model's surface: lookups over what model_read.cc built, and the one model of the contracts in this
// process.
#include "libs/contract/model.h"

#include <cstdio>
#include <cstdlib>

#include "libs/contract/model_state.h"

namespace micropay::contract {

std::vector<std::string_view> contract_files();  // made by CMakeLists.txt

namespace {
template <typename Map, typename Key>
auto found(const Map& map, const Key& key) -> typename Map::mapped_type {
  const auto at = map.find(key);
  return at == map.end() ? nullptr : at->second;
}
std::unique_ptr<Message> fresh(const Message* prototype) {
  return std::unique_ptr<Message>(prototype->New());
}
}  // namespace

std::unique_ptr<Message> Table::make() const { return fresh(prototype); }
std::unique_ptr<Message> Event::make() const { return fresh(prototype); }
std::unique_ptr<Message> Method::make_request() const { return fresh(request_prototype); }
std::unique_ptr<Message> Method::make_response() const { return fresh(response_prototype); }

std::string public_path(const Method& method) {
  std::string path = method.path;
  for (const FieldDescriptor* variable : method.variables) {
    const std::string written = "{" + variable->name() + "}";
    path.replace(path.find(written), written.size(), "{" + variable->json_name() + "}");
  }
  return path;
}

Model::Model(const google::protobuf::DescriptorPool& pool, google::protobuf::MessageFactory& factory,
             const std::vector<std::string_view>& files)
    : state_(std::make_unique<ModelState>()) {
  state_->factory = &factory;
  read_contracts(*state_, pool, files);
  check_contracts(*state_);
}
Model::~Model() = default;

const std::vector<std::string>& Model::problems() const { return state_->problems; }
const std::vector<const Service*>& Model::services() const { return state_->service_list; }
const std::vector<const Method*>& Model::methods() const { return state_->method_list; }
const std::vector<const Table*>& Model::tables() const { return state_->table_list; }
const std::vector<const Event*>& Model::events() const { return state_->event_list; }

const Service* Model::service(std::string_view name) const { return found(state_->service_by_name, name); }
const Table* Model::table(const Descriptor* descriptor) const {
  return found(state_->table_by_descriptor, descriptor);
}
const Table* Model::table(std::string_view sql_name) const { return found(state_->table_by_name, sql_name); }
const Event* Model::event(const Descriptor* descriptor) const {
  return found(state_->event_by_descriptor, descriptor);
}
const Event* Model::event(std::string_view type) const { return found(state_->event_by_type, type); }
const Method* Model::method(const Descriptor* request) const {
  return found(state_->method_by_request, request);
}
const Method* Model::method(std::string_view name) const { return found(state_->method_by_name, name); }

std::unique_ptr<Message> Model::make(std::string_view message_name) const {
  const Descriptor* descriptor = found(state_->messages, std::string(message_name));
  return descriptor == nullptr ? nullptr : fresh(state_->factory->GetPrototype(descriptor));
}

const Model& model() {
  static const Model& model = []() -> const Model& {
    const Model* built = new Model(*google::protobuf::DescriptorPool::generated_pool(),
                                   *google::protobuf::MessageFactory::generated_factory(), contract_files());
    for (const std::string& problem : built->problems())
      std::fprintf(stderr, "contract: %s\n", problem.c_str());
    if (!built->problems().empty()) std::_Exit(70);
    return *built;
  }();
  return model;
}

}  // namespace micropay::contract
