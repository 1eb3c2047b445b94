// SPDX-License-Identifier: MIT
// The command line as a whole: every command explains itself, README lists them all, and a wrong
// word is an error. What a command does is tested beside what it calls.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

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
  for (const char* arguments : {"", "no-such-command", "runs --no-such-option"}) {
    const Outcome outcome = run(arguments);
    EXPECT_GT(outcome.status, 0) << arguments << "\n" << outcome.output;
    EXPECT_LT(outcome.status, 128) << arguments << " ended by a signal\n" << outcome.output;
    EXPECT_FALSE(outcome.output.empty()) << arguments;
  }
}

}  // namespace
}  // namespace tessera
