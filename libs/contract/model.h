// The contracts as data: read once from the linked protobuf descriptors, checked, and then asked by everyone
// else — the router, validation, authorization, the store's schema, OpenAPI, the docs. Nothing of it is typed
// twice.
//
//   const contract::Model& model = contract::model();
//   const contract::Method* method = model.method_of<CreatePaymentRequest>();
//
// A contradiction in a contract (a route variable that is no field, two methods on one route, an owner that
// is no table, an event without key) ends the process at start with file and name: see Model::problems().
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "contracts/options.pb.h"
#include "libs/base/error.h"

namespace micropay::contract {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct Service;
struct ModelState;
class ColumnPlan;

struct Index {
  std::string name;                            // SQL name
  std::vector<const FieldDescriptor*> fields;  // without the primary key, which is always appended
  // Of the first field: rows with it need not stand in the index. Null: all do.
  const google::protobuf::EnumValueDescriptor* except = nullptr;
};

// A record type that is kept.
struct Table {
  uint32_t id = 0;       // dense, of this process only
  std::string sql_name;  // "payment_payment"
  const Service* service = nullptr;
  const Descriptor* descriptor = nullptr;
  enum class KeyForm : uint8_t { kUuid, kText, kSigned, kUnsigned };
  std::vector<const FieldDescriptor*> key;
  std::vector<KeyForm> key_forms;  // of the fields of `key`
  std::vector<Index> indexes;
  const FieldDescriptor* owner = nullptr;  // user id of the owner
  bool projection = false;
  bool scattered = false;                    // keys are digests; rows are read by key alone
  const FieldDescriptor* arrival = nullptr;  // of the key: its values rise as rows arrive
  // Whether the embedded store keeps the rows themselves by stretches of that order; else only indexes.
  bool stretched() const { return arrival != nullptr && key.front() != arrival; }
  const Message* prototype = nullptr;
  std::shared_ptr<const ColumnPlan> columns;  // see columns.h

  std::unique_ptr<Message> make() const;
  // The primary key of a row in an order-preserving, self-delimiting encoding: a UUID its 16 bytes, another
  // string its bytes and a zero, an integer 8 bytes big-endian with the sign flipped. A key of one UUID field
  // is just 16 bytes. Throws std::invalid_argument for a row without a usable key (a UUID field that is none,
  // text with a zero byte): the runtime answers for a handler that throws.
  std::string key_of(const Message& row) const;
  // The same from the text of the fields in order; none when a part is not of its field's form.
  std::optional<std::string> encode_key(std::span<const std::string_view> parts) const;
  std::optional<std::string> encode_key(std::initializer_list<std::string_view> parts) const {
    return encode_key(std::span(parts.begin(), parts.size()));
  }
  // Appends the same; false, with some of it appended, when a part is not of its field's form.
  bool append_key(std::string& out, std::span<const std::string_view> parts) const;
  void add_key_field(const FieldDescriptor* field);
  // Back to the text of the fields; none when the bytes are no key of this table.
  std::optional<std::vector<std::string>> decode_key(std::string_view key) const;
};

struct Event {
  std::string type;   // "payment.completed"
  std::string topic;  // "payment-events"
  const Service* service = nullptr;
  const Descriptor* descriptor = nullptr;
  const FieldDescriptor* key = nullptr;
  std::vector<const FieldDescriptor*> audience;  // user ids that may see it live
  std::string summary;
  const Message* prototype = nullptr;
  std::unique_ptr<Message> make() const;
};

struct OwnerCheck {
  const Table* table = nullptr;
  const FieldDescriptor* by = nullptr;  // null: the handler restricts the list itself
};

// Whom a role alone does not let in: the users of this record.
struct PartyCheck {
  const Table* table = nullptr;
  const FieldDescriptor* by = nullptr;        // of the request: the record's key
  std::vector<const FieldDescriptor*> users;  // of the record: user ids, one or several
};

struct Method {
  uint32_t id = 0;
  std::string name;       // "CreatePayment"
  std::string full_name;  // "micropay.PaymentService/CreatePayment"
  const Service* service = nullptr;
  const Descriptor* request = nullptr;
  const Descriptor* response = nullptr;
  MethodOptions options;  // as written
  std::string verb;       // "POST"; empty when it has no route
  std::string path;       // "/api/v1/payments/{id}"
  bool query = false;     // never changes state
  bool list = false;      // its answer has next_page_token
  uint32_t success = 200;
  OwnerCheck owner;
  std::vector<PartyCheck> parties;
  const Table* resource = nullptr;                // the table of its answer, when the answer is a record
  std::vector<const FieldDescriptor*> variables;  // the {variables} of its path, in order
  const Message* request_prototype = nullptr;
  const Message* response_prototype = nullptr;
  std::unique_ptr<Message> make_request() const;
  std::unique_ptr<Message> make_response() const;
};

struct Service {
  std::string name;  // "payment"
  uint32_t port = 0;
  std::string summary;
  std::string topic;  // "payment-events"
  std::vector<const Method*> methods;
  std::vector<const Table*> tables;
  std::vector<const Event*> events;
};

class Model {
 public:
  // Reads the files from the pool (the generated one, or a test's).
  Model(const google::protobuf::DescriptorPool& pool, google::protobuf::MessageFactory& factory,
        const std::vector<std::string_view>& files);
  ~Model();

  const std::vector<std::string>& problems() const;  // empty when the contracts are sound
  const std::vector<const Service*>& services() const;
  const std::vector<const Method*>& methods() const;
  const std::vector<const Table*>& tables() const;
  const std::vector<const Event*>& events() const;

  const Service* service(std::string_view name) const;
  const Table* table(const Descriptor* descriptor) const;  // null when it is none
  const Table* table(std::string_view sql_name) const;
  const Event* event(const Descriptor* descriptor) const;
  const Event* event(std::string_view type) const;
  const Method* method(const Descriptor* request) const;  // each request message belongs to one method
  const Method* method(std::string_view name) const;      // "CreatePayment"
  std::unique_ptr<Message> make(std::string_view message_name) const;  // any message by full or short name

  template <typename T>
  const Table* table_of() const {
    return table(T::descriptor());
  }
  template <typename T>
  const Event* event_of() const {
    return event(T::descriptor());
  }
  template <typename Request>
  const Method* method_of() const {
    return method(Request::descriptor());
  }

 private:
  std::unique_ptr<ModelState> state_;
};

// Of the contracts linked into this process; built at first use. Ends the process when they are unsound.
const Model& model();

// The path as clients write it: its variables by their JSON names, "/api/v1/accounts/{accountId}/top-ups".
std::string public_path(const Method& method);

// The JSON name of an enum value: "COMPLETED".
std::string_view enum_text(const google::protobuf::EnumValueDescriptor& value);
const FieldOptions& options_of(const FieldDescriptor& field);
bool is_money(const FieldDescriptor& field);     // of type micropay.Money
bool is_metadata(const FieldDescriptor& field);  // of type micropay.Metadata

}  // namespace micropay::contract
