// What the config service reads: paths, files of settings as YAML and as properties, profile expressions,
// placeholders. First line: a path; the rest: a file. What was read as properties is written as text that
// reads the same, and every merged form is made.
#include "fuzz/target.h"
#include "libs/base/check.h"
#include "libs/http/message.h"
#include "libs/remote/config_client.h"
#include "services/config/rules/document.h"
#include "services/config/rules/placeholders.h"
#include "services/config/rules/profiles.h"
#include "services/config/rules/properties_file.h"
#include "services/config/rules/render.h"
#include "services/config/rules/target.h"

namespace micropay::fuzz {
namespace {

void look_at(const std::vector<Property>& properties) {
  const config::Placeholders placeholders(properties);
  for (const Property& property : properties) (void)placeholders.resolve(property.value.text);
  (void)config::nested_json(properties);
  (void)config::nested_yaml(properties);
  const config::Environment environment{
      .request = {.profiles = {"x"}}, .version = {}, .sources = {{"f", properties}}};
  CHECK(read_environment(config::environment_json(environment, "x")));
  const auto again = config::read_properties("again.properties", config::write_properties(properties));
  CHECK(again && (properties.empty() || again->at(0).properties.size() <= properties.size()));
}

void run(std::string_view bytes) {
  const std::string_view line = take_line(bytes);
  if (line.starts_with('/')) {
    const auto target = config::read_target(line, line.size() % 2 == 0);
    if (target) CHECK(target->request.label.empty() || config::is_label(target->request.label));
  }
  (void)config::matches(line, {"a", "b"});
  for (const char* path : {"a.yml", "a.properties"}) {
    const auto documents = config::read_documents(path, bytes);
    if (!documents) continue;
    for (const config::Document& document : *documents) look_at(document.properties);
  }
  (void)read_environment(bytes);
}

const Register kRegistered("config_files", run);

}  // namespace
}  // namespace micropay::fuzz
