// SPDX-License-Identifier: MIT
// The command line as a whole: every command explains itself, README lists them all, and a wrong
// word is an error. What a command does is tested beside what it calls.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "tests/build_paths.h"

namespace tessera {
namespace {

struct Outcome {
  int status = -1;
  std::string output;  // standard output and standard error
};

Outcome run(const std::string& arguments) {
  const std::string command = fmt::format("'{}' {} 2>&1 </dev/null", TESSERA_PROGRAM, arguments);
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return {};
  Outcome outcome;
  std::array<char, 4096> buffer;
  while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    outcome.output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

// The names below "Subcommands:" in the help.
std::set<std::string> commands() {
  std::istringstream lines(run("--help").output);
  static const std::regex row("  ([a-z][a-z0-9-]*)( .*|)");
  std::set<std::string> names;
  std::smatch match;
  bool inside = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Example")) inside = false;
    if (inside && std::regex_match(line, match, row)) names.insert(match[1]);
    inside |= line.starts_with("Subcommands:");
  }
  return names;
}

// The first word of each code span in README's table of commands.
std::set<std::string> commands_of_readme() {
  std::ifstream file(TESSERA_SOURCE_DIR "/README.md");
  static const std::regex span("`(?:tessera )?([a-z]+)[^`]*`");
  std::set<std::string> names;
  bool inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("## ")) inside = line == "## Commands";
    if (!inside || !line.starts_with("| `")) continue;
    const std::string cell = line.substr(0, line.find('|', 1));
    for (std::sregex_iterator it(cell.begin(), cell.end(), span), end; it != end; ++it) {
      names.insert((*it)[1]);
    }
  }
  return names;
}

TEST(CommandLine, explains_every_command) {
  const std::set<std::string> names = commands();
  ASSERT_GE(names.size(), 10u) << run("--help").output;
  for (const std::string& name : names) {
    const Outcome outcome = run(name + " --help");
    EXPECT_EQ(outcome.status, 0) << name << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find("Usage:"), std::string::npos) << name << "\n" << outcome.output;
  }
}

TEST(CommandLine, is_listed_in_readme) {
  EXPECT_EQ(commands_of_readme(), commands());
}

TEST(CommandLine, tells_its_version) {
  const Outcome outcome = run("--version");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_NE(outcome.output.find(TESSERA_VERSION), std::string::npos) << outcome.output;
}

TEST(CommandLine, refuses_what_it_does_not_know) {
  const std::vector<std::pair<std::string, std::string>> lines{
      {"", "name a command"},
      {"no-such-command", "`tessera` has no command no-such-command"},
      {"chatt demo", "did you mean chat?"},
      {"spec shwo demo", "`tessera spec` has no command shwo; did you mean show?"},
      {"spec", "name a command"},
      {"runs --no-such-option", "`tessera runs` has no option --no-such-option"},
      {"chat x --temprature 1", "did you mean --temperature?"},
      {"train --set a=b", "spec is required"},
  };
  for (const auto& [arguments, what] : lines) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, 2) << arguments << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(what), std::string::npos) << arguments << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find("--help` explains"), std::string::npos) << outcome.output;
  }
}

TEST(FieldCommandLine, wrong_values_are_named_with_what_is_allowed) {
  const std::vector<std::pair<std::string, std::string>> lines{
      {"--max-tokens -5",
       "--max-tokens: \"-5\" is not a whole number, 1 or more, or -1 (no limit)"},
      {"--max-tokens 0", "--max-tokens: \"0\" is not a whole number, 1 or more"},
      {"--max-tokens ten", "--max-tokens: \"ten\" is not a whole number"},
      {"--max-tokens 99999999999999999999", "is not a whole number"},
      {"--seed -1", "--seed: \"-1\" is not a whole number, 0 or more"},
      {"--seed 1.5", "--seed: \"1.5\" is not a whole number, 0 or more"},
      {"--temperature -0.1", "--temperature: \"-0.1\" is not a number from 0, up to 100"},
      {"--temperature nan", "--temperature: \"nan\" is not a number from 0, up to 100"},
      {"--top-p 0", "--top-p: \"0\" is not a number above 0, up to 1"},
      {"--top-k -1", "--top-k: \"-1\" is not a whole number, 0 or more"},
      {"--min-p 2", "--min-p: \"2\" is not a number from 0, up to 1"},
      {"--repetition-penalty 0", "is not a number from 0.01, up to 100"},
      {"--context 0", "--context: \"0\" is not a whole number, 1 or more"},
      {"--stop ''", "--stop: \"\" is not a text of one character or more"},
      {"--device tpu", "--device"},
      {"--precision fp9", "--precision"},
  };
  for (const auto& [option, what] : lines) {
    const Outcome outcome = run("generate model --prompt the " + option);
    EXPECT_EQ(outcome.status, 2) << option << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find(what), std::string::npos) << option << "\n" << outcome.output;
  }
}

TEST(CommandLine, export_and_import_take_gguf_files) {
  std::string folder = (std::filesystem::temp_directory_path() / "tessera-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string model = TESSERA_SOURCE_DIR "/tests/golden/models/v3", file = folder + "/m.gguf";
  const Outcome out = run(fmt::format("export {} --gguf {} --type q8_0", model, file));
  EXPECT_EQ(out.status, 0) << out.output;
  EXPECT_NE(out.output.find("wrote " + file), std::string::npos) << out.output;
  const Outcome in = run(fmt::format("import {} {}/model --dtype f32", file, folder));
  EXPECT_EQ(in.status, 0) << in.output;
  EXPECT_TRUE(std::filesystem::exists(folder + "/model/config.json"));
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"export " + model, "nothing is named to write to"},
      {"export " + model + " a --gguf b", "a new folder and --gguf are both named"},
      {"export " + model + " --gguf " + file, "is there already"},
      {"generate " + file + " --prompt a", "tessera import FILE NEW_FOLDER makes a folder of it"},
      {"export " + model + " --gguf b --type q2_k", "--type"},
      {"export " + model + " --gguf b --dtype f32", "--gguf"},
      {"export " + model + " a --type f16", "--type"}};
  for (const auto& [line, what] : wrong) {
    const Outcome outcome = run(line);
    EXPECT_NE(outcome.status, 0) << line;
    EXPECT_NE(outcome.output.find(what), std::string::npos) << line << "\n" << outcome.output;
  }
  std::filesystem::remove_all(folder);
}

TEST(FieldCommandLine, numbers_of_every_command_are_whole_and_finite) {
  for (const char* line :
       {"watch x --from -1", "plan demo --price nan", "plan demo --price 1x",
        "bench train --steps 99999999999999999999", "import a b --shard-mb -3"}) {
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.status, 2) << line << "\n" << outcome.output;
    EXPECT_NE(outcome.output.find("is not a"), std::string::npos) << line << "\n" << outcome.output;
  }
}

TEST(FieldCommandLine, paths_that_are_no_model_say_so) {
  const std::vector<std::pair<std::string, std::string>> models{
      {"/no/such/folder", "there is no such folder"},
      {TESSERA_SOURCE_DIR "/README.md", "is a file, expected the folder of a model"},
      {TESSERA_SOURCE_DIR "/docs", "is no model: the folder has no config.json"},
      {"no-such-run-at-all", "there is no run \"no-such-run-at-all\""},
  };
  for (const auto& [model, what] : models) {
    for (const char* command : {"generate", "chat"}) {
      const Outcome outcome = run(fmt::format("{} {} --prompt a", command, model));
      EXPECT_EQ(outcome.status, 1) << model << "\n" << outcome.output;
      EXPECT_NE(outcome.output.find(what), std::string::npos) << model << "\n" << outcome.output;
    }
  }
}

TEST(CommandLine, the_reference_of_specs_is_the_page_in_docs) {
  std::ifstream file(TESSERA_SOURCE_DIR "/docs/spec.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(run("spec reference").output, page)
      << "write it anew: tessera spec reference > docs/spec.md";
}

/// What man(1) would show of a page, or its complaints.
std::string page_of(const std::string& name) {
  char folder[] = "/tmp/tessera-man-XXXXXX";
  if (!::mkdtemp(folder)) return "";
  const Outcome outcome = run(fmt::format("man '{}'", folder));
  EXPECT_EQ(outcome.status, 0) << outcome.output;
  std::ifstream file(fmt::format("{}/{}", folder, name));
  std::string page{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove_all(folder);
  return page;
}

TEST(CommandLine, the_manual_says_what_the_help_says) {
  const std::string root = page_of("tessera.1");
  for (const std::string& name : commands()) {
    EXPECT_NE(root.find("tessera\\-" + name), std::string::npos) << name;
  }
  const std::string page = page_of("tessera-chat.1");
  static const std::regex option("  (?:-[a-z],)?--([a-z-]+)");
  const std::string help = run("chat --help").output;
  for (std::sregex_iterator it(help.begin(), help.end(), option), end; it != end; ++it) {
    const std::string name = std::regex_replace((*it)[1].str(), std::regex("-"), "\\-");
    EXPECT_NE(page.find("\\-\\-" + name), std::string::npos) << name;
  }
  EXPECT_NE(page_of("tessera-spec.1").find(".SS tessera spec show"), std::string::npos);
}

}  // namespace
}  // namespace tessera
