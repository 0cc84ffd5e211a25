// The table of commands, and the texts made from it: help, completion, docs/cli.md.
#include "app/command.h"

#include "app/commands/commands.h"

namespace micropay::app {

const std::vector<const CommandInfo*>& commands() {
  static const std::vector<const CommandInfo*> kCommands{
      &kServeCommand,       &kTopCommand,       &kVerifyCommand, &kReplayCommand,     &kBackupCommand,
      &kRestoreCommand,     &kSimulateCommand,  &kSchemaCommand, &kEventsTailCommand, &kEventsShowCommand,
      &kTopicsAlignCommand, &kUserAdminCommand, &kOutboxCommand, &kKeysRotateCommand, &kCertsCommand,
      &kServicesCommand,    &kOpenapiCommand,   &kDocsCommand,   &kCompletionCommand, &kVersionCommand};
  return kCommands;
}

namespace {

std::string option_words(const Option& option) {
  std::string words(option.name);
  if (!option.value.empty()) words += fmt::format(" {}", option.value);
  return words;
}

std::string usage_line(const CommandInfo& command) {
  std::string line = fmt::format("micropay {}", command.path);
  for (const Option& option : command.options) {
    const std::string words = option_words(option);
    line += option.required ? " " + words : " [" + words + "]";
    if (option.repeatable) line += "...";
  }
  return line;
}

std::string option_help(const Option& option) {
  std::string help(option.help);
  if (!option.choices.empty()) help += fmt::format(" ({})", option.choices);
  if (!option.standard.empty()) help += fmt::format(" [{}]", option.standard);
  if (option.repeatable) help += "; may be repeated";
  return help;
}

// Breaks text at blanks so that no line passes `width`; a blank line stays one.
std::string wrapped(std::string_view text, size_t width, std::string_view indent) {
  std::string out;
  size_t column = 0;
  while (!text.empty()) {
    if (text[0] == '\n') {
      out += column == 0 ? "\n" : "\n\n";
      column = 0;
      text.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(text.find_first_of(" \n"), text.size());
    if (column > 0 && column + 1 + end > width) out += "\n", column = 0;
    out += column == 0 ? std::string(indent) : " ";
    out += text.substr(0, end);
    column += column == 0 ? indent.size() + end : 1 + end;
    text.remove_prefix(end);
    if (!text.empty() && text[0] == ' ') text.remove_prefix(1);
  }
  return out + "\n";
}

std::string indented(std::string_view lines, std::string_view indent) {
  std::string out;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    out += fmt::format("{}{}\n", indent, lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return out;
}

std::string overview() {
  std::string out = "MicroPay: a payments platform in one process and one data folder.\n\nCommands:\n";
  for (const CommandInfo* command : commands())
    out += fmt::format("  {:<20}{}\n", command->path, command->summary);
  out +=
      "\n`micropay COMMAND --help` explains one, with an example. Settings come from, weakest first: a YAML "
      "file\n"
      "(--config), the environment (MICROPAY_FRAUD_MODE=shadow), flags and --set (--set fraud.mode=shadow);\n"
      "`micropay serve --print-config` lists all of them.\n";
  return out;
}

}  // namespace

std::string help_text(const CommandInfo* command) {
  if (command == nullptr) return overview();
  std::string out = fmt::format("{}.\n\nUsage: {}\n\n", command->summary, usage_line(*command));
  out += wrapped(command->description, 100, "");
  if (!command->options.empty()) out += "\nOptions:\n";
  for (const Option& option : command->options) {
    const std::string help = wrapped(option_help(option), 100, std::string(28, ' '));
    out += fmt::format("  {:<26}{}", option_words(option),
                       option_words(option).size() < 26 ? help.substr(28) : "\n" + help);
  }
  out += fmt::format("\nExample:\n{}", indented(command->examples, "  "));
  out += fmt::format("\nExit codes: {}.\n", command->exit_codes);
  return out;
}

std::string commands_document() {
  std::string out =
      "# Command line\n\nMade by `micropay docs` from the table of commands; a test compares.\n"
      "`micropay COMMAND --help` says the same. Completion for your shell: `micropay completion bash`.\n";
  for (const CommandInfo* command : commands()) {
    out += fmt::format("\n## micropay {}\n\n{}.\n\n```\n{}\n```\n\n{}", command->path, command->summary,
                       usage_line(*command), wrapped(command->description, 100, ""));
    if (!command->options.empty()) out += "\n| option | meaning |\n|---|---|\n";
    for (const Option& option : command->options)
      out += fmt::format("| `{}` | {} |\n", option_words(option), option_help(option));
    out += fmt::format("\n```\n{}```\n\nExit codes: {}.\n", indented(command->examples, ""),
                       command->exit_codes);
  }
  return out;
}

}  // namespace micropay::app
