// Inside of Model: what is read from the descriptors and how it is found again. Only the sources of this
// folder that build or check the model include it.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "libs/contract/model.h"

namespace micropay::contract {

struct ModelState {
  google::protobuf::MessageFactory* factory = nullptr;
  // Deques, because everything points at everything.
  std::deque<Service> services;
  std::deque<Table> tables;
  std::deque<Event> events;
  std::deque<Method> methods;
  std::vector<const Service*> service_list;
  std::vector<const Table*> table_list;
  std::vector<const Event*> event_list;
  std::vector<const Method*> method_list;
  std::unordered_map<std::string_view, const Service*> service_by_name;
  std::unordered_map<std::string_view, const Table*> table_by_name;
  std::unordered_map<std::string_view, const Event*> event_by_type;
  std::unordered_map<std::string_view, const Method*> method_by_name;
  std::unordered_map<const Descriptor*, const Table*> table_by_descriptor;
  std::unordered_map<const Descriptor*, const Event*> event_by_descriptor;
  std::unordered_map<const Descriptor*, const Method*> method_by_request;
  std::unordered_map<std::string, const Descriptor*> messages;  // by full name, and by short name
  std::vector<std::string> problems;

  // "contracts/payment.proto: Payment.amount: <text>"
  void problem(const google::protobuf::FileDescriptor& file, std::string_view name, std::string_view text);
};

// Fills the state from the files of the pool (model_read.cc).
void read_contracts(ModelState& state, const google::protobuf::DescriptorPool& pool,
                    const std::vector<std::string_view>& files);
// Finds what contradicts itself (model_check.cc).
void check_contracts(ModelState& state);
// What is wrong with a method's options beside its route and access (option_check.cc).
std::vector<std::string> option_problems(const Method& method, const ModelState& state);

// The options of the contract language, whether the descriptor's pool knows them or carries them as unknown
// fields.
bool has_service_options(const google::protobuf::FileDescriptor& file);
const ServiceOptions& service_options(const google::protobuf::FileDescriptor& file);
const MethodOptions& method_options(const google::protobuf::MethodDescriptor& method);
bool has_table_options(const Descriptor& message);
const TableOptions& table_options(const Descriptor& message);
bool has_event_options(const Descriptor& message);
const EventOptions& event_options(const Descriptor& message);

// Names of the {variables} of a path, in order.
std::vector<std::string> path_variables(std::string_view path);

}  // namespace micropay::contract
