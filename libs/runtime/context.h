// What a handler is given: its own tables, the time, ids, and ways to say what follows. Nothing else reaches a handler,
// so a test or the simulator owns its whole world.
//
//   Result<Payment> create_payment(Context& ctx, const CreatePaymentRequest& request) {
//     const Wallet& payer = TRY(ctx.table<Wallet>().get(request.payer_account_id()));
//     TRY(rules::check_new_payment(payer, request.amount(), ctx.now()));
//     Payment& payment = ctx.table<Payment>().insert(new_payment(ctx.new_id(), request, ctx.now()));
//     ctx.emit(initiated(payment));
//     return payment;
//   }
//
// An error returned by a handler undoes everything this input changed, emitted, asked for, and nothing else.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "contracts/options.pb.h"
#include "libs/base/check.h"
#include "libs/base/error.h"
#include "libs/base/time.h"
#include "libs/contract/model.h"
#include "libs/store/store.h"

namespace micropay {

// Who asks. The system itself (timers, events, the command line) has kind kSystem and may do everything.
struct Principal {
  enum class Kind : uint8_t { kAnonymous, kUser, kApiKey, kSystem } kind = Kind::kAnonymous;
  std::string user_id;
  std::string session_id;
  uint32_t role_bits = 0;                // contract::role_bit(ADMIN) | ...
  std::vector<std::string> scopes;
  std::string address;                   // of the client, for sign-in delays and audit

  bool has(Role role) const { return role_bits >> role & 1; }
  bool staff() const;                    // ADMIN, SUPPORT or AUDITOR
  std::string actor() const;             // user id, "system", "anonymous"
};
const Principal& system_principal();

// One row found by a typed table; refers to a version that lives until the end of the input.
template <typename T>
using Ref = std::reference_wrapper<const T>;

// Reading of one record type. `key` is the text of the key fields in order.
class TableReader {
 public:
  virtual ~TableReader() = default;
  virtual const google::protobuf::Message* find_row(const contract::Table& table, const std::string& key) = 0;
  virtual Result<std::vector<Row>> list_rows(ListQuery query, std::string* next_page_token) = 0;
};

class TableWriter : public TableReader {
 public:
  virtual google::protobuf::Message& edit_row(const contract::Table& table, const std::string& key) = 0;
  virtual google::protobuf::Message& insert_row(const contract::Table& table, const google::protobuf::Message& row) = 0;
  virtual bool erase_row(const contract::Table& table, const std::string& key) = 0;
};

namespace detail {
std::string encode_key(const contract::Table& table, std::initializer_list<std::string_view> parts);
std::unexpected<Error> not_found(const contract::Table& table, std::initializer_list<std::string_view> parts);
const contract::Table& table_or_die(const google::protobuf::Descriptor* descriptor);
}  // namespace detail

template <typename T>
struct List {
  std::vector<Row> rows;
  std::string next_page_token;
  const T& operator[](size_t i) const { return static_cast<const T&>(*rows[i]); }
  size_t size() const { return rows.size(); }
  bool empty() const { return rows.empty(); }
};

// ctx.table<Payment>() of a query: read only.
template <typename T>
class ReadTable {
 public:
  ReadTable(TableReader& rows, const contract::Table& table) : reader_(rows), info_(table) {}
  // Null when there is none. `key`: the text of each key field in order.
  template <typename... Key>
  const T* find(const Key&... key) const {
    return static_cast<const T*>(reader_.find_row(info_, detail::encode_key(info_, {std::string_view(key)...})));
  }
  // not_found when there is none.
  template <typename... Key>
  Result<Ref<T>> get(const Key&... key) const {
    if (const T* row = find(key...)) return std::cref(*row);
    return detail::not_found(info_, {std::string_view(key)...});
  }
  // A page of rows; ListQuery.table is filled in.
  Result<List<T>> list(ListQuery query) const {
    query.table = &info_;
    List<T> list;
    list.rows = TRY(reader_.list_rows(std::move(query), &list.next_page_token));
    return list;
  }

 protected:
  TableReader& reader_;
  const contract::Table& info_;
};

template <typename T>
class Table : public ReadTable<T> {
 public:
  Table(TableWriter& rows, const contract::Table& table) : ReadTable<T>(rows, table), writer_(rows) {}
  // The row to be changed in place; it must exist (find it first). What edit returned before stays valid and is the
  // same object for the whole input; a const Ref taken before the first edit keeps showing the old version.
  template <typename... Key>
  T& edit(const Key&... key) {
    return static_cast<T&>(writer_.edit_row(this->info_, detail::encode_key(this->info_, {std::string_view(key)...})));
  }
  // A new row; a CHECK fails when the key exists.
  T& insert(const T& row) { return static_cast<T&>(writer_.insert_row(this->info_, row)); }
  // The row, inserted as `initial` when it is not there.
  template <typename... Key>
  T& edit_or_insert(const T& initial, const Key&... key) {
    return this->find(key...) != nullptr ? edit(key...) : insert(initial);
  }
  template <typename... Key>
  bool erase(const Key&... key) {
    return writer_.erase_row(this->info_, detail::encode_key(this->info_, {std::string_view(key)...}));
  }

 private:
  TableWriter& writer_;
};

// Given to queries and preparations: a snapshot, no writing.
class QueryContext {
 public:
  QueryContext(TableReader& rows, const Principal& principal, Time now, const contract::Service& service)
      : reader_(rows), principal_(principal), now_(now), service_(service) {}
  Time now() const { return now_; }
  const Principal& principal() const { return principal_; }
  template <typename T>
  ReadTable<T> table() {
    return {reader_, own_table(T::descriptor())};
  }

 private:
  const contract::Table& own_table(const google::protobuf::Descriptor* descriptor) const;  // CHECKs ownership
  TableReader& reader_;
  const Principal& principal_;
  Time now_;
  const contract::Service& service_;
};

struct EffectOptions {
  std::string target;   // breaker and concurrency limit are per target; empty: the service's name
};

// What the runtime does for a context: one implementation in the engine, one for projections.
class ContextHost : public TableWriter {
 public:
  virtual std::string new_id() = 0;
  virtual std::string random_bytes(size_t count) = 0;
  virtual void emit(const contract::Event& type, const google::protobuf::Message& event) = 0;
  virtual std::string request_effect(const google::protobuf::Message& request, const EffectOptions& options) = 0;
  virtual void set_timer(std::string_view key, Time due, const google::protobuf::Message& timer) = 0;
  virtual void cancel_timer(std::string_view type, std::string_view key) = 0;
  virtual void keep_changes() = 0;
};

class Context {
 public:
  struct Input {
    const contract::Service* service = nullptr;
    const Principal* principal = nullptr;
    Time now = 0;
    std::string_view correlation_id;
    const Envelope* envelope = nullptr;                        // of the event that is handled, else null
    const google::protobuf::Message* prepared = nullptr;       // what the command's preparation answered
  };
  Context(ContextHost& host, const Input& input) : host_(host), input_(input) {}

  Time now() const { return input_.now; }
  std::string new_id() { return host_.new_id(); }                       // UUIDv7
  std::string random_bytes(size_t count) { return host_.random_bytes(count); }
  const Principal& principal() const { return *input_.principal; }
  std::string_view correlation_id() const { return input_.correlation_id; }
  const Envelope& envelope() const { CHECK(input_.envelope); return *input_.envelope; }

  template <typename T>
  Table<T> table() {
    return {host_, own_table(T::descriptor())};
  }
  template <typename E>
  void emit(const E& event) {
    static const contract::Event* type = contract::model().event_of<E>();
    host_.emit(*type, event);
  }
  // Asks for something outside to be done after this tick is durable; the outcome comes back as an input. Returns its id.
  template <typename R>
  std::string perform(const R& request, EffectOptions options = {}) {
    return host_.request_effect(request, options);
  }
  // One timer per message type and key; setting it again moves it.
  template <typename M>
  void set_timer(std::string_view key, Time due, const M& timer) {
    host_.set_timer(key, due, timer);
  }
  template <typename M>
  void cancel_timer(std::string_view key) {
    host_.cancel_timer(M::descriptor()->name(), key);
  }
  // What this input did so far stays although an error is returned: a failed sign-in is counted, and refused.
  void keep_changes() { host_.keep_changes(); }
  template <typename M>
  const M& prepared() const {
    CHECK(input_.prepared && input_.prepared->GetDescriptor() == M::descriptor());
    return static_cast<const M&>(*input_.prepared);
  }

 private:
  const contract::Table& own_table(const google::protobuf::Descriptor* descriptor) const;  // CHECKs ownership
  ContextHost& host_;
  const Input& input_;
};

}  // namespace micropay
