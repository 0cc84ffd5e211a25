#include "fuzz/messages.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <simdjson.h>

namespace micropay::fuzz {

const std::vector<const contract::Message*>& messages() {
  static const auto& all = *new std::vector<const contract::Message*>([] {
    std::vector<const contract::Message*> found;
    for (const contract::Method* method : contract::model().methods()) {
      found.push_back(method->request_prototype);
      found.push_back(method->response_prototype);
    }
    for (const contract::Table* table : contract::model().tables()) found.push_back(table->prototype);
    for (const contract::Event* event : contract::model().events()) found.push_back(event->prototype);
    return found;
  }());
  return all;
}

std::string bytes_of(const contract::Message& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

bool is_json(std::string_view text) {
  simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).error() == simdjson::SUCCESS;
}

}  // namespace micropay::fuzz
