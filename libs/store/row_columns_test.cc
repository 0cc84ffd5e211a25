// Columns read from a row's bytes are those that are made of its message, for every table of the contracts
// and every kind of field.
#include "libs/store/row_columns.h"

#include <google/protobuf/dynamic_message.h>
#include <gtest/gtest.h>

#include <random>

#include "contracts/common.pb.h"
#include "libs/base/ids.h"
#include "libs/store/list_query.h"
#include "libs/store/tick_packing.h"

namespace micropay {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// A message with about half of its fields set, each to something of its kind.
class RandomRows {
 public:
  void fill(Message& row, int depth = 0) {
    for (int i = 0; i < row.GetDescriptor()->field_count(); ++i) {
      const FieldDescriptor& field = *row.GetDescriptor()->field(i);
      const size_t items = field.is_repeated() && !field.is_map() ? random_() % 3 : random_() % 2;
      for (size_t item = 0; item < items; ++item) set(row, field, depth);
    }
  }

 private:
  int64_t integer() {
    static constexpr int64_t kEdges[] = {0, 1, -1, 127, 128, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    return random_() % 2 == 0 ? kEdges[random_() % std::size(kEdges)] : int64_t(random_());
  }
  std::string text(const FieldDescriptor& field) {
    if (contract::options_of(field).format() == UUID && !field.is_repeated())
      return random_() % 64 == 0 ? "nobody" : ids_.next(Time(random_() % 1'000'000) * kSecond);
    return std::string(random_() % 40, 'x') + (random_() % 2 == 0 ? "é" : "");
  }
  void set(Message& row, const FieldDescriptor& field, int depth) {
    const auto& reflection = *row.GetReflection();
    const auto put = [&](auto add, auto set, auto value) {
      if (field.is_repeated()) (reflection.*add)(&row, &field, value);
      else (reflection.*set)(&row, &field, value);
    };
    using R = google::protobuf::Reflection;
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32: return put(&R::AddInt32, &R::SetInt32, int32_t(integer()));
      case FieldDescriptor::CPPTYPE_INT64: return put(&R::AddInt64, &R::SetInt64, integer());
      case FieldDescriptor::CPPTYPE_UINT32: return put(&R::AddUInt32, &R::SetUInt32, uint32_t(integer()));
      case FieldDescriptor::CPPTYPE_UINT64: return put(&R::AddUInt64, &R::SetUInt64, uint64_t(integer()));
      case FieldDescriptor::CPPTYPE_BOOL: return put(&R::AddBool, &R::SetBool, random_() % 2 == 0);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return put(&R::AddDouble, &R::SetDouble, double(integer()) / 1000);
      case FieldDescriptor::CPPTYPE_FLOAT: return put(&R::AddFloat, &R::SetFloat, float(integer()) / 1000);
      case FieldDescriptor::CPPTYPE_ENUM:
        return put(&R::AddEnumValue, &R::SetEnumValue, int(random_() % 12) - 1);
      case FieldDescriptor::CPPTYPE_STRING: return put(&R::AddString, &R::SetString, text(field));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (depth < 4)
          fill(field.is_repeated() ? *reflection.AddMessage(&row, &field)
                                   : *reflection.MutableMessage(&row, &field),
               depth + 1);
    }
  }

  std::mt19937_64 random_{11};
  IdGenerator ids_{3};
};

std::string text_of(const contract::Value& value) {
  return fmt::format("{}:{}:{}", int(value.kind), value.integer, value.bytes);
}

void expect_same(const contract::Table& table, int rows) {
  RandomRows random;
  RowColumns columns(table);
  std::vector<contract::Value> expected, read;
  std::vector<std::string> scratch;
  for (int i = 0; i < rows; ++i) {
    const auto row = table.make();
    if (i > 0) random.fill(*row);
    const std::string bytes = row_bytes(*row);
    column_values(contract::column_plan(table), *row, expected, scratch);
    ASSERT_TRUE(columns.read(bytes, read)) << row->ShortDebugString();
    ASSERT_EQ(read.size(), expected.size());
    for (size_t column = 0; column < read.size(); ++column)
      ASSERT_EQ(text_of(read[column]), text_of(expected[column]))
          << table.sql_name << "." << contract::column_plan(table).columns()[column].name << " of "
          << row->ShortDebugString();
  }
}

TEST(RowColumns, AreThoseOfTheMessageForEveryTable) {
  for (const contract::Table* table : contract::model().tables()) expect_same(*table, 200);
}

// A contract of one table with a field of each type, plain, optional and repeated.
const contract::Model& every_kind() {
  using google::protobuf::FieldDescriptorProto;
  static google::protobuf::DescriptorPool pool(google::protobuf::DescriptorPool::generated_pool());
  google::protobuf::FileDescriptorProto file;
  file.set_name("test.proto");
  file.set_package("micropay");
  file.set_syntax("proto3");
  file.add_dependency("contracts/options.proto");
  file.add_dependency("contracts/common.proto");
  file.mutable_options()->MutableExtension(service)->set_name("test");
  auto& kind = *file.add_enum_type();
  kind.set_name("Kind");
  for (const int number : {0, 1, 900, -1}) {
    auto& value = *kind.add_value();
    value.set_name(fmt::format("KIND_{}", number < 0 ? 1'000 : number));
    value.set_number(number);
  }
  auto& row = *file.add_message_type();
  row.set_name("Row");
  auto& options = *row.mutable_options()->MutableExtension(table);
  options.set_name("row");
  options.add_key("id");
  const auto add = [&](const std::string& name, FieldDescriptorProto::Type type, auto label) {
    auto& field = *row.add_field();
    field.set_name(name);
    field.set_number(row.field_size());
    field.set_type(type);
    field.set_label(label);
    if (type == FieldDescriptorProto::TYPE_ENUM) field.set_type_name(".micropay.Kind");
    return &field;
  };
  constexpr auto kOne = FieldDescriptorProto::LABEL_OPTIONAL;
  const auto optional = [&](FieldDescriptorProto* field) {
    field->set_proto3_optional(true);
    field->set_oneof_index(row.oneof_decl_size());
    row.add_oneof_decl()->set_name("_" + field->name());
    return field;
  };
  const auto uuid = [](FieldDescriptorProto* field) {
    field->mutable_options()->MutableExtension(micropay::field)->set_format(UUID);
  };
  uuid(add("id", FieldDescriptorProto::TYPE_STRING, kOne));
  uuid(add("other_id", FieldDescriptorProto::TYPE_STRING, kOne));
  uuid(optional(add("maybe_id", FieldDescriptorProto::TYPE_STRING, kOne)));
  for (int type = 1; type <= FieldDescriptorProto::Type_MAX; ++type) {
    const auto of = FieldDescriptorProto::Type(type);
    if (of == FieldDescriptorProto::TYPE_GROUP || of == FieldDescriptorProto::TYPE_MESSAGE) continue;
    add(fmt::format("plain_{}", type), of, kOne);
    optional(add(fmt::format("optional_{}", type), of, kOne));
    add(fmt::format("list_{}", type), of, FieldDescriptorProto::LABEL_REPEATED);
  }
  for (const std::string name : {"Money", "Metadata"}) {
    add("one_" + name, FieldDescriptorProto::TYPE_MESSAGE, kOne)->set_type_name(".micropay." + name);
    add("list_" + name, FieldDescriptorProto::TYPE_MESSAGE, FieldDescriptorProto::LABEL_REPEATED)
        ->set_type_name(".micropay." + name);
  }
  EXPECT_NE(pool.BuildFile(file), nullptr);
  static google::protobuf::DynamicMessageFactory factory(&pool);
  static const contract::Model model(pool, factory, {"test.proto"});
  return model;
}

TEST(RowColumns, AreThoseOfTheMessageForEveryKindOfField) {
  expect_same(*every_kind().table(std::string_view("test_row")), 3'000);
}

TEST(RowColumns, RefuseWhatIsNoRow) {
  const contract::Table& table = *contract::model().table(std::string_view("payment_payment"));
  RowColumns columns(table);
  std::vector<contract::Value> values;
  const auto payment = table.make();
  RandomRows().fill(*payment);
  const std::string bytes = row_bytes(*payment);
  ASSERT_TRUE(columns.read(bytes, values));
  EXPECT_FALSE(columns.read(bytes + "\x0a", values)) << "cut off behind a tag";
  EXPECT_FALSE(columns.read("\x0a\x24short", values)) << "cut off in a text";
  EXPECT_FALSE(columns.read("\x08\x01", values)) << "an id that is a number";
  EXPECT_FALSE(columns.read("\x32\x02\x08\x01", values)) << "an amount whose currency is a number";
  EXPECT_FALSE(columns.read("\x0b", values)) << "a group";
  EXPECT_TRUE(columns.read(std::string_view("\xc0\x3e\x01", 3), values)) << "a field of a newer contract";
}

}  // namespace
}  // namespace micropay
