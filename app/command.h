// A command of the command line as data. From it come the parser, the help texts, shell completion and
// docs/cli.md.
//
//   const CommandInfo kVersionCommand = {.path = "version", .summary = "Prints the version", .run =
//   run_version};
//
// A command prints its result on stdout; errors, progress and hints go to stderr. run() gives the exit code.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace micropay::app {

// Exit codes that every command shares.
constexpr int kOk = 0;
constexpr int kFailed = 1;  // it was tried and did not work, or a check does not hold
constexpr int kUsage = 2;   // it could not be tried: wrong arguments, or the data folder cannot be opened

struct Option {
  std::string_view name;        // "--data"; without dashes it is an argument: "SHELL"
  std::string_view value = "";  // "DIR"; empty: a flag
  std::string_view help = "";
  std::string_view standard = "";  // when it is not given
  std::string_view choices = "";   // "bash zsh fish"; empty: anything
  bool required = false;
  bool repeatable = false;

  bool argument() const { return !name.starts_with("--"); }
};

// What was given on the command line, by option name.
class Arguments {
 public:
  bool has(std::string_view name) const { return values_.contains(name); }
  // The value, the option's default, or "".
  std::string text(std::string_view name) const {
    const auto found = values_.find(name);
    if (found != values_.end() && !found->second.empty()) return found->second.back();
    const auto standard = standards_.find(name);
    return standard == standards_.end() ? std::string() : standard->second;
  }
  std::vector<std::string> all(std::string_view name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? std::vector<std::string>() : found->second;
  }
  void give(std::string_view name, std::vector<std::string> values) {
    values_[std::string(name)] = std::move(values);
  }
  void standard(std::string_view name, std::string_view value) { standards_[std::string(name)] = value; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> standards_;
};

struct CommandInfo {
  std::string_view path;         // "events tail"
  std::string_view summary;      // one line of the list
  std::string_view description;  // what it does, when to use it
  std::vector<Option> options;
  std::string_view examples;    // lines that work when pasted
  std::string_view exit_codes;  // "0 all hold, 1 one does not, 2 cannot be opened"
  int (*run)(const Arguments&);
};

// All of them, in the order in which help lists them.
const std::vector<const CommandInfo*>& commands();

// `micropay verify --help`, and the overview when `command` is null.
std::string help_text(const CommandInfo* command);
std::string completion_script(std::string_view shell);
std::string commands_document();  // docs/cli.md

}  // namespace micropay::app
