// Parses contracts with protoc's own parser; see the header.
#include "libs/contract/contract_twin.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "libs/base/check.h"

namespace micropay::contract {
namespace {

class PrintErrors final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, int, const std::string& message) override {
    std::cerr << "line " << line + 1 << ": " << message << "\n";
  }
};

class Loader {
 public:
  explicit Loader(const std::map<std::string, std::string>& texts) : texts_(texts) {}

  google::protobuf::DescriptorPool& pool() { return pool_; }

  void load(const std::string& name) {
    if (pool_.FindFileByName(name) != nullptr) return;
    google::protobuf::FileDescriptorProto file;
    if (name.starts_with("google/protobuf/")) {
      google::protobuf::DescriptorPool::generated_pool()->FindFileByName(name)->CopyTo(&file);
    } else {
      const auto given = texts_.find(name);
      const std::string text = given == texts_.end() ? contract_text(name) : given->second;
      google::protobuf::io::ArrayInputStream input(text.data(), int(text.size()));
      PrintErrors errors;
      google::protobuf::io::Tokenizer tokenizer(&input, &errors);
      google::protobuf::compiler::Parser parser;
      parser.RecordErrorsTo(&errors);
      CHECK(parser.Parse(&tokenizer, &file));
      file.set_name(name);
      for (const std::string& import : file.dependency()) load(import);
    }
    CHECK(pool_.BuildFile(file) != nullptr);
  }

 private:
  const std::map<std::string, std::string>& texts_;
  google::protobuf::DescriptorPool& pool_ = *new google::protobuf::DescriptorPool;
};

}  // namespace

std::string contract_text(const std::string& name) {
  const auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path();
  std::ifstream file(root / name);
  CHECK(file.good());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

const Model& scratch_model(const std::map<std::string, std::string>& texts) {
  Loader loader(texts);
  std::vector<std::string_view> names;
  for (const auto& [name, text] : texts) {
    loader.load(name);
    names.push_back(name);
  }
  static auto& kept = *new std::vector<std::pair<Model*, google::protobuf::DynamicMessageFactory*>>;
  auto* factory = new google::protobuf::DynamicMessageFactory(&loader.pool());
  kept.emplace_back(new Model(loader.pool(), *factory, names), factory);
  return *kept.back().first;
}

const Model& scratch_model(const std::string& body) {
  return scratch_model({{"contracts/test.proto",
                         "syntax = \"proto3\";\npackage micropay;\n"
                         "import \"contracts/options.proto\";\n"
                         "import \"contracts/common.proto\";\n"
                         "option (service) = {name: \"test\", summary: \"A test.\"};\n" +
                             body}});
}

}  // namespace micropay::contract
