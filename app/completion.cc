// Shell completion, made from the table of commands: words of the next command, its options, choices of an
// option, and file names otherwise.
#include "app/command.h"

namespace micropay::app {
namespace {

// "events" -> {"tail", "show"}; "" -> the first words.
std::map<std::string, std::vector<std::string>> command_words() {
  std::map<std::string, std::vector<std::string>> words;
  for (const CommandInfo* command : commands()) {
    std::string parent;
    for (std::string_view rest = command->path; !rest.empty();) {
      const size_t space = std::min(rest.find(' '), rest.size());
      auto& children = words[parent];
      const std::string word(rest.substr(0, space));
      if (std::ranges::count(children, word) == 0) children.push_back(word);
      parent += parent.empty() ? word : " " + word;
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
  }
  return words;
}

std::string option_list(const CommandInfo& command) {
  std::string list = "--help";
  for (const Option& option : command.options)
    if (!option.argument()) list += fmt::format(" {}", option.name);
  return list;
}

std::string argument_choices(const CommandInfo& command) {
  std::string list;
  for (const Option& option : command.options)
    if (option.argument() && !option.choices.empty()) list += fmt::format(" {}", option.choices);
  return list;
}

std::string bash() {
  std::string out =
      "# bash completion of micropay: source <(micropay completion bash)\n"
      "_micropay() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' i words=''\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    [[ ${COMP_WORDS[i]} == -* ]] && break\n"
      "    path=\"${path:+$path }${COMP_WORDS[i]}\"\n"
      "  done\n"
      "  case \"$path $before\" in\n";
  for (const CommandInfo* command : commands()) {
    for (const Option& option : command->options) {
      if (option.argument()) continue;
      const std::string pattern = fmt::format("\"{} {}\"", command->path, option.name);
      if (!option.choices.empty())
        out += fmt::format("    {}) COMPREPLY=($(compgen -W '{}' -- \"$word\")); return ;;\n", pattern,
                           option.choices);
      else if (!option.value.empty())
        out += fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$word\")); return ;;\n", pattern);
    }
  }
  out += "  esac\n  case \"$path\" in\n";
  for (const auto& [path, words] : command_words())
    out += fmt::format("    \"{}\") words='{}' ;;\n", path, fmt::join(words, " "));
  for (const CommandInfo* command : commands())
    out += fmt::format("    \"{}\") words='{}{}' ;;\n", command->path, option_list(*command),
                       argument_choices(*command));
  out +=
      "  esac\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
      "}\n"
      "complete -o filenames -F _micropay micropay\n";
  return out;
}

// zsh runs bash completions by itself.
std::string zsh() {
  return "#compdef micropay\n# zsh completion of micropay: source <(micropay completion zsh)\n"
         "autoload -U +X compinit && compinit -C\nautoload -U +X bashcompinit && bashcompinit\n" +
         bash();
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("\\'") : std::string(1, c);
  return out + "'";
}

std::string fish() {
  std::string out = "# fish completion of micropay: micropay completion fish | source\n";
  for (const CommandInfo* command : commands()) {
    std::string seen, next(command->path);
    const size_t space = command->path.find(' ');
    if (space != std::string_view::npos) {
      const std::string first(command->path.substr(0, space));
      next = command->path.substr(space + 1);
      seen = fmt::format("__fish_seen_subcommand_from {}", first);
      out += fmt::format("complete -c micropay -f -n __fish_use_subcommand -a {}\n", first);
      out +=
          fmt::format("complete -c micropay -f -n '{}; and not __fish_seen_subcommand_from {}' -a {} -d {}\n",
                      seen, next, next, quoted(command->summary));
      seen += fmt::format("; and __fish_seen_subcommand_from {}", next);
    } else {
      out += fmt::format("complete -c micropay -f -n __fish_use_subcommand -a {} -d {}\n", next,
                         quoted(command->summary));
      seen = fmt::format("__fish_seen_subcommand_from {}", next);
    }
    for (const Option& option : command->options) {
      const std::string form = option.argument() ? "-f"
                                                 : fmt::format("-l {}{}", option.name.substr(2),
                                                               option.value.empty() ? "" : " -r");
      if (option.argument() && option.choices.empty()) continue;
      out += fmt::format("complete -c micropay -n '{}' {}{} -d {}\n", seen, form,
                         option.choices.empty() ? "" : fmt::format(" -a {}", quoted(option.choices)),
                         quoted(option.help));
    }
  }
  return out;
}

}  // namespace

std::string completion_script(std::string_view shell) {
  if (shell == "fish") return fish();
  return shell == "zsh" ? zsh() : bash();
}

}  // namespace micropay::app
