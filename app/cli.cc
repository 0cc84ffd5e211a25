// Builds the parser from the table of commands. The only file that knows CLI11, which is slow to compile.
#include "app/cli.h"

#include <CLI/CLI.hpp>
#include <deque>
#include <exception>

#include "app/commands/commands.h"
#include "app/console.h"
#include "libs/base/log.h"

namespace micropay::app {
namespace {

// What CLI11 writes into while it parses; one per option of every command.
struct Bound {
  const CommandInfo* command;
  const Option* option;
  std::vector<std::string> values;
  bool flag = false;
};

struct Parser {
  CLI::App root{"MicroPay", "micropay"};
  std::map<std::string, CLI::App*, std::less<>> nodes;  // "events", "events tail"
  std::deque<Bound> bound;                              // stable addresses
  std::map<const CLI::App*, const CommandInfo*> command_of;
};

void add_option(Parser& parser, CLI::App& app, const CommandInfo& command, const Option& option) {
  Bound& bound = parser.bound.emplace_back(Bound{&command, &option, {}, false});
  const std::string name(option.name);
  if (option.value.empty() && !option.argument()) {
    app.add_flag(name, bound.flag);
    return;
  }
  CLI::Option* added = app.add_option(name, bound.values);
  added->expected(1, option.repeatable ? -1 : 1)->allow_extra_args(option.argument() && option.repeatable);
  if (!option.repeatable) added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  if (option.required) added->required();
  if (!option.choices.empty()) {
    std::vector<std::string> choices;
    for (std::string_view rest = option.choices; !rest.empty();) {
      const size_t space = std::min(rest.find(' '), rest.size());
      choices.emplace_back(rest.substr(0, space));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    added->check(CLI::Validator(
        [choices, name](std::string& value) {
          if (std::ranges::count(choices, value) != 0) return std::string();
          return fmt::format("\"{}\" is not allowed; expected {}", value, fmt::join(choices, ", "));
        },
        "", ""));
  }
}

CLI::App& node_of(Parser& parser, std::string_view path) {
  const auto found = parser.nodes.find(path);
  if (found != parser.nodes.end()) return *found->second;
  const size_t space = path.rfind(' ');
  CLI::App& parent = space == path.npos ? parser.root : node_of(parser, path.substr(0, space));
  CLI::App* made = parent.add_subcommand(std::string(path.substr(space == path.npos ? 0 : space + 1)));
  made->set_help_flag();
  parser.nodes.emplace(path, made);
  return *made;
}

void build(Parser& parser) {
  parser.root.set_help_flag();
  for (const CommandInfo* command : commands()) {
    CLI::App& app = node_of(parser, command->path);
    parser.command_of[&app] = command;
    for (const Option& option : command->options) add_option(parser, app, *command, option);
  }
}

// The deepest command that the words before the first option name: "events tail".
std::string path_of(const Parser& parser, const std::vector<std::string>& words) {
  std::string path;
  for (const std::string& word : words) {
    const std::string longer = path.empty() ? word : path + " " + word;
    if (!parser.nodes.contains(longer)) break;
    path = longer;
  }
  return path;
}

std::vector<std::string> children_of(const Parser& parser, const std::string& path) {
  std::vector<std::string> children;
  for (const auto& [name, app] : parser.nodes) {
    const size_t space = name.rfind(' ');
    const std::string parent = space == name.npos ? "" : name.substr(0, space);
    if (parent == path) children.push_back(space == name.npos ? name : name.substr(space + 1));
  }
  return children;
}

int usage_error(const std::string& path, const std::string& text) {
  print_error(path, {Code::kInvalidArgument, "", text, "", {}},
              fmt::format("See: micropay {}{}--help", path, path.empty() ? "" : " "));
  return kUsage;
}

// "micropay events tial": a word where a command is expected.
int no_command(const Parser& parser, const std::string& path, const std::vector<std::string>& words) {
  const std::vector<std::string> children = children_of(parser, path);
  const size_t depth = path.empty() ? 0 : size_t(std::ranges::count(path, ' ')) + 1;
  if (words.size() <= depth || words[depth].starts_with("-"))
    return usage_error(path, fmt::format("a command is missing: {}", fmt::join(children, ", ")));
  const std::string meant = nearest(words[depth], children);
  return usage_error(
      path, fmt::format("there is no command \"{}\"{}", words[depth],
                        meant.empty() ? "; the commands are " + fmt::format("{}", fmt::join(children, ", "))
                                      : fmt::format(", did you mean \"{}\"?", meant)));
}

// What CLI11 left over: an option that is unknown, or an argument too many.
std::string leftover(const CommandInfo& command, const std::vector<std::string>& words) {
  std::vector<std::string> names{"--help"};
  for (const Option& option : command.options)
    if (!option.argument()) names.emplace_back(option.name);
  for (const std::string& word : words) {
    if (!word.starts_with("-")) continue;
    const std::string name = word.substr(0, word.find('='));
    if (std::ranges::count(names, name) != 0) continue;
    const std::string meant = nearest(name, names);
    return fmt::format("there is no option {}{}", name,
                       meant.empty() ? fmt::format("; the options are {}", fmt::join(names, ", "))
                                     : fmt::format(", did you mean {}?", meant));
  }
  return "too many arguments";
}

std::string explain(const CLI::ParseError& error, const CommandInfo& command,
                    const std::vector<std::string>& words) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) return leftover(command, words);
  std::string text = error.what();
  for (const Option& option : command.options) {
    if (!option.required || !text.starts_with(option.name)) continue;
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr)
      return fmt::format("{} {} is required: {}", option.name, option.value, option.help);
  }
  return text;
}

int run(const Parser& parser, const CommandInfo& command) {
  Arguments arguments;
  for (const Bound& bound : parser.bound) {
    if (bound.command != &command) continue;
    if (!bound.option->standard.empty()) arguments.standard(bound.option->name, bound.option->standard);
    if (bound.flag || !bound.values.empty()) arguments.give(bound.option->name, bound.values);
  }
  if (&command != &kServeCommand) start_log({.level = LogLevel::kWarn});  // what a command does is its output
  try {
    return command.run(arguments);
  } catch (const std::exception& error) {  // of a third-party library: ours are Results
    print_error(command.path, {Code::kInternal, "internal_error", error.what(), "", {}});
    return kFailed;
  }
}

}  // namespace

int run_cli(int argc, const char* const* argv) {
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  Parser parser;
  build(parser);
  const std::string path = path_of(parser, words);
  const CLI::App* app = path.empty() ? &parser.root : parser.nodes.find(path)->second;
  const CommandInfo* command = parser.command_of.contains(app) ? parser.command_of.at(app) : nullptr;

  const bool help = std::ranges::count(words, "--help") + std::ranges::count(words, "-h") > 0;
  if (words.empty() || (help && (command != nullptr || path.empty()))) {
    fmt::print("{}", help_text(command));
    return kOk;
  }
  if (path.empty() && words[0] == "--version")
    return run(parser, *parser.command_of.at(parser.nodes.at("version")));
  if (help) {  // of a group: "events --help"
    for (const auto& [name, child] : parser.nodes)
      if (name.starts_with(path + " ")) fmt::print("{}\n", help_text(parser.command_of.at(child)));
    return kOk;
  }
  if (command == nullptr) return no_command(parser, path, words);
  try {
    parser.root.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    return usage_error(path, explain(error, *command, words));
  }
  return run(parser, *command);
}

}  // namespace micropay::app
