// The command line without any data: what it refuses and how, help that teaches, completion that completes.
#include "app/cli.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "app/command.h"
#include "app/console.h"
#include "app/data_folder.h"
#include "app/documents.h"
#include "app/event_text.h"
#include "contracts/account.pb.h"

namespace micropay::app {
namespace {

using testing::HasSubstr;

struct Ran {
  int code;
  std::string out, err;
};

Ran run(std::vector<const char*> words) {
  words.insert(words.begin(), "micropay");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int code = run_cli(int(words.size()), words.data());
  std::fflush(stdout);
  return {code, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

TEST(Cli, RefusesWithTheNearestWordAndExitCodeTwo) {
  struct Case {
    std::vector<const char*> words;
    const char* says;
  };
  const Case cases[] = {
      {{"servee"}, "did you mean \"serve\"?"},
      {{"nonsense"}, "the commands are"},
      {{"events"}, "a command is missing: show, tail"},
      {{"events", "tial"}, "did you mean \"tail\"?"},
      {{"verify", "--dat", "x"}, "did you mean --data?"},
      {{"verify", "--zzzzzzzz"}, "the options are"},
      {{"verify", "stray"}, "too many arguments"},
      {{"backup", "--data", "x"}, "--to DIR is required"},
      {{"schema", "--dialect", "oracle"}, "expected sqlite, postgres"},
      {{"completion", "csh"}, "expected bash, zsh, fish"},
      {{"verify", "--data", "/no/such/folder"}, "the folder /no/such/folder does not exist"},
      {{"events", "tail", "--from", "soon"}, "--from expects a position"},
      {{"events", "show", "soon"}, "neither a position nor an event id"},
      {{"restore", "--from", "/no/such/folder", "--data", "/no/other"}, "does not exist"},
      {{"user", "create-admin", "--email", "a@b.example"}, "--password-stdin"},
      {{"serve", "--set", "novalue"}, "expected key=value"},
      {{"serve", "--config", "/no/such/file.yaml"}, "cannot read the configuration file"},
  };
  for (const Case& each : cases) {
    const Ran ran = run(each.words);
    EXPECT_EQ(ran.code, kUsage) << each.says;
    EXPECT_THAT(ran.err, HasSubstr(each.says));
    EXPECT_EQ(ran.out, "") << each.says;
  }
}

TEST(Cli, HelpTeaches) {
  EXPECT_EQ(run({}).out, run({"--help"}).out);
  const std::string overview = run({"--help"}).out;
  for (const CommandInfo* command : commands()) {
    EXPECT_THAT(overview, HasSubstr(std::string(command->path)));
    std::vector<std::string> words;
    for (std::string_view rest = command->path; !rest.empty();) {
      const size_t space = std::min(rest.find(' '), rest.size());
      words.emplace_back(rest.substr(0, space));
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
    std::vector<const char*> argv;
    argv.reserve(words.size() + 1);
    for (const std::string& word : words) argv.push_back(word.c_str());
    argv.push_back("--help");
    const Ran ran = run(argv);
    EXPECT_EQ(ran.code, kOk);
    for (const char* part : {"Usage: micropay", "Example:", "Exit codes: 0"})
      EXPECT_THAT(ran.out, HasSubstr(part));
    EXPECT_THAT(std::string(command->examples), HasSubstr(fmt::format("micropay {}", command->path)));
    for (const Option& option : command->options) EXPECT_FALSE(option.help.empty()) << option.name;
  }
}

TEST(Cli, HelpOfAGroupShowsItsCommands) {
  const Ran ran = run({"events", "--help"});
  EXPECT_EQ(ran.code, kOk);
  EXPECT_THAT(ran.out, HasSubstr("micropay events tail"));
  EXPECT_THAT(ran.out, HasSubstr("micropay events show"));
}

TEST(Cli, PrintsWhatNeedsNoData) {
  EXPECT_THAT(run({"version"}).out, HasSubstr("micropay 0."));
  EXPECT_THAT(run({"schema", "--service", "payment"}).out,
              HasSubstr("CREATE TABLE IF NOT EXISTS \"payment_payment\""));
  EXPECT_THAT(run({"schema", "--service", "payment"}).out, testing::Not(HasSubstr("user_user")));
  EXPECT_EQ(run({"schema", "--service", "paymint"}).code, kUsage);
  EXPECT_THAT(run({"services"}).out, HasSubstr("payment-events"));
  EXPECT_THAT(run({"openapi"}).out, HasSubstr("\"openapi\":\"3.1"));
}

// Sources the script in a real bash and asks it for completions.
std::string completed(const std::string& line) {
  const std::string path = testing::TempDir() + "micropay_completion.bash";
  std::ofstream(path) << completion_script("bash");
  const std::string command = fmt::format(
      "bash -c 'source {}; COMP_WORDS=({}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _micropay; echo "
      "\"${{COMPREPLY[*]}}\"' 2>&1",
      path, line);
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string out(4096, 0);
  out.resize(fread(out.data(), 1, out.size(), pipe.get()));
  return out;
}

TEST(Completion, OfBashCompletes) {
  EXPECT_THAT(completed("micropay ver"), HasSubstr("verify version"));
  EXPECT_EQ(completed("micropay events \"\""), "tail show\n");
  EXPECT_EQ(completed("micropay events tail --fo"), "--follow\n");
  EXPECT_EQ(completed("micropay schema --dialect p"), "postgres\n");
  EXPECT_EQ(completed("micropay completion z"), "zsh\n");
}

TEST(Completion, OfFishAndZshNamesEveryCommand) {
  for (const char* shell : {"fish", "zsh"})
    for (const char* word : {"serve", "rotate", "follow", "postgres"})
      EXPECT_THAT(completion_script(shell), HasSubstr(word)) << shell;
}

TEST(Documents, AreWhatDocsHolds) {
  const std::filesystem::path docs = std::filesystem::path(__FILE__).parent_path().parent_path() / "docs";
  for (const Document& document : documents()) {
    std::ifstream file(docs / document.name, std::ios::binary);
    const std::string kept{std::istreambuf_iterator<char>(file), {}};
    EXPECT_TRUE(kept == document.text) << document.name << " is out of date: build/micropay docs --to docs";
  }
}

// A name with escape sequences steered the terminal of whoever watched the events; those of earlier releases
// are stored.
TEST(Console, NothingSteersTheTerminal) {
  AccountCreated created;
  created.set_account_id("a\x1b[2J");
  created.set_name("\u202eevil\x1b]0;x\x07 \u00e9\n\u009b31m");
  Envelope envelope;
  envelope.set_type("account.created");
  envelope.set_key("k\x1b[31m");
  envelope.set_data(created.SerializeAsString());
  for (const std::string& text : {event_line(envelope, false), event_json(envelope), event_page(envelope)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\x07'), std::string::npos) << text;
    EXPECT_EQ(text.find("\u202e"), std::string::npos) << text;
    EXPECT_EQ(text.find("\u009b"), std::string::npos) << text;
    EXPECT_NE(text.find("\\u202eevil\\u001b]0;x\\u0007 \u00e9\\n\\u009b31m"), std::string::npos) << text;
  }
  EXPECT_EQ(text_table({{"a\x1b[2J", "b"}}), "a\\u{1b}[2J  b\n");
}

TEST(Console, FormatsForPeople) {
  EXPECT_EQ(text_table({{"a", "bc"}, {"def", "g"}}), "a    bc\ndef  g\n");
  EXPECT_EQ(text_table({{"é", "x"}, {"ab", "y"}}), "é   x\nab  y\n");  // columns, not bytes
  EXPECT_EQ(grouped(7), "7");
  EXPECT_EQ(grouped(1'234), "1,234");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
  EXPECT_EQ(bytes_text(1'500'000), "1.5 MB");
  EXPECT_EQ(nearest("paymnet", {"user", "payment"}), "payment");
  EXPECT_EQ(nearest("zzz", {"user", "payment"}), "");
  EXPECT_EQ(
      pretty_json(R"({"a":[1,{"b":"x,{\"y"}],"c":{},"d":[]})"),
      "{\n  \"a\": [\n    1,\n    {\n      \"b\": \"x,{\\\"y\"\n    }\n  ],\n  \"c\": {},\n  \"d\": []\n}\n");
}

}  // namespace
}  // namespace micropay::app
