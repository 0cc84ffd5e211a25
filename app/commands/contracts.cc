// What can be read of this binary without any data: schema, services, openapi, docs, completion, version.
#include <fstream>
#include <set>

#include "app/commands/commands.h"
#include "app/console.h"
#include "app/documents.h"
#include "app/instance.h"
#include "app/version.h"
#include "libs/contract/documents.h"
#include "libs/contract/json.h"
#include "libs/sqlserver/server_schema.h"

namespace micropay::app {
namespace {

int schema(const Arguments& arguments) {
  const std::string chosen = arguments.text("--dialect");
  const auto dialect = chosen == "postgres"  ? contract::Dialect::kPostgres
                       : chosen == "mariadb" ? contract::Dialect::kMariadb
                                             : contract::Dialect::kSqlite;
  const std::string wanted = arguments.text("--service");
  std::vector<std::string> names;
  bool printed = false;
  for (const contract::Service* service : contract::model().services()) {
    names.push_back(service->name);
    if (!wanted.empty() && service->name != wanted) continue;
    printed = true;
    if (service->tables.empty()) continue;
    fmt::print("-- {}: {}\n", service->name, service->summary);
    for (const contract::Table* table : service->tables)
      fmt::print("{}\n", contract::create_table_sql(*table, dialect));
  }
  // Every service's database has these, too.
  if (printed && dialect != contract::Dialect::kSqlite)
    fmt::print("-- the store\n{}", store_schema_sql(dialect));
  if (printed) return kOk;
  print_error("schema",
              {Code::kNotFound,
               "unknown_service",
               fmt::format("there is no service \"{}\"; the services are {}", wanted, fmt::join(names, ", ")),
               "",
               {}});
  return kUsage;
}

std::string listed(const std::vector<std::string>& words) {
  return words.empty() ? "-" : fmt::format("{}", fmt::join(words, " "));
}

std::string json_names(const std::set<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ',';
    contract::append_json_string(out, name);
  }
  return out + "]";
}

// The services whose events one hears, reacting, following or projecting.
std::set<std::string> heard_by(const Service& service) {
  std::set<std::string> sources;
  for (const auto* handlers : {&service.reactions, &service.followers, &service.projections})
    for (const auto& handler : *handlers)
      for (const contract::Event* event : contract::model().events())
        if ((handler.event == nullptr || handler.event == event) && event->service != service.contract)
          sources.insert(event->service->name);
  return sources;
}

int services_json() {
  std::string out = "[";
  for (const Service& service : services_at_rest()) {
    const contract::Service& contract = *service.contract;
    std::set<std::string> events, tables;
    for (const contract::Event* event : contract.events) events.insert(event->type);
    for (const contract::Table* table : contract.tables) tables.insert(table->sql_name);
    out += fmt::format(R"({}{{"service":"{}","port":{},"topic":"{}","hears":{},"events":{},"tables":{}}})",
                       out.size() > 1 ? ",\n " : "", service.name, contract.port, contract.topic,
                       json_names(heard_by(service)), json_names(events), json_names(tables));
  }
  fmt::print("{}]\n", out);
  return kOk;
}

int services(const Arguments&) {
  std::vector<std::vector<std::string>> rows{
      {"service", "port", "commands", "queries", "reacts", "events", "tables", "topic", "summary"}};
  for (const Service& service : services_at_rest()) {
    const contract::Service& contract = *service.contract;
    rows.push_back({service.name, contract.port == 0 ? "-" : fmt::format("{}", contract.port),
                    fmt::format("{}", service.commands.size()), fmt::format("{}", service.queries.size()),
                    fmt::format("{}", service.reactions.size() + service.followers.size()),
                    fmt::format("{}", contract.events.size()), fmt::format("{}", contract.tables.size()),
                    contract.events.empty() ? "-" : contract.topic, contract.summary});
  }
  fmt::print("{}", text_table(rows));
  return kOk;
}

int services_long(const Arguments& arguments) {
  if (arguments.has("--json")) return services_json();
  if (!arguments.has("--events")) return services(arguments);
  for (const contract::Service* service : contract::model().services()) {
    std::vector<std::string> events, tables;
    for (const contract::Event* event : service->events) events.push_back(event->type);
    for (const contract::Table* table : service->tables) tables.push_back(table->sql_name);
    fmt::print("{}\n  events  {}\n  tables  {}\n", service->name, listed(events), listed(tables));
  }
  return kOk;
}

int openapi(const Arguments&) {
  fmt::print("{}\n", contract::openapi(contract::model(), kVersion));
  return kOk;
}

int docs(const Arguments& arguments) {
  for (const Document& document : documents()) {
    const std::string path = arguments.text("--to") + "/" + document.name;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << document.text;
    if (!file.flush()) {
      print_error(
          "docs",
          {Code::kUnavailable, "", fmt::format("cannot write {}; does the folder exist?", path), "", {}});
      return kFailed;
    }
    fmt::print("{}\n", path);
  }
  return kOk;
}

int completion(const Arguments& arguments) {
  fmt::print("{}", completion_script(arguments.text("SHELL")));
  return kOk;
}

int version(const Arguments&) {
  fmt::print("micropay {}\n", kVersion);
  return kOk;
}

}  // namespace

const CommandInfo kSchemaCommand{
    .path = "schema",
    .summary = "Prints the database schema that follows from the contracts",
    .description =
        "CREATE TABLE and CREATE INDEX statements of every record, by service. Columns that a contract gains "
        "are added "
        "to a data folder at its next start.",
    .options = {{.name = "--dialect",
                 .value = "NAME",
                 .help = "SQL dialect",
                 .standard = "sqlite",
                 .choices = "sqlite postgres mariadb"},
                {.name = "--service", .value = "NAME", .help = "Of this service only"}},
    .examples =
        "micropay schema --service payment\nmicropay schema --dialect postgres\nmicropay schema --dialect "
        "mariadb",
    .exit_codes = "0 printed, 2 wrong arguments",
    .run = schema};

const CommandInfo kServicesCommand{
    .path = "services",
    .summary = "Lists the services of this binary",
    .description =
        "A line a service: its port in a cluster, how many commands and queries it serves, events of others "
        "that it "
        "reacts to, events that it emits, tables that it owns, its topic. With --events their names, with "
        "--json "
        "everything, also whose events each hears: for scripts that start or watch each service.",
    .options = {{.name = "--events", .help = "Names of the events and tables of each"},
                {.name = "--json", .help = "As JSON"}},
    .examples = "micropay services\nmicropay services --events\nmicropay services --json | jq '.[].port'",
    .exit_codes = "0",
    .run = services_long};

const CommandInfo kOpenapiCommand{
    .path = "openapi",
    .summary = "Prints the OpenAPI 3.1 document",
    .description = "The document that a running platform serves at /openapi.json, for generators and checks.",
    .options = {},
    .examples = "micropay openapi | jq '.paths | keys'",
    .exit_codes = "0",
    .run = openapi};

const CommandInfo kDocsCommand{
    .path = "docs",
    .summary = "Writes the documents that follow from the contracts",
    .description =
        "Routes (api.md), events (events.md), settings (settings.md) and commands (cli.md). A test compares "
        "them.",
    .options = {{.name = "--to", .value = "DIR", .help = "Where", .standard = "docs"}},
    .examples = "micropay docs --to docs",
    .exit_codes = "0 written, 1 a file cannot be written",
    .run = docs};

const CommandInfo kCompletionCommand{
    .path = "completion",
    .summary = "Prints a completion script for a shell",
    .description = "Put the line of the example into your shell's start file.",
    .options = {{.name = "SHELL", .help = "Which shell", .choices = "bash zsh fish", .required = true}},
    .examples = "source <(micropay completion bash)\nmicropay completion fish | source",
    .exit_codes = "0 printed, 2 another shell",
    .run = completion};

const CommandInfo kVersionCommand{
    .path = "version",
    .summary = "Prints the version",
    .description = "The version of this binary; the OpenAPI document has the same.",
    .options = {},
    .examples = "micropay version",
    .exit_codes = "0",
    .run = version};

}  // namespace micropay::app
