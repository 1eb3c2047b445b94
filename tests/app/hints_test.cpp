// SPDX-License-Identifier: MIT
// Every command that a message, a page or an example names exists, with the options it is shown
// with; so does every file of the repository.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <regex>
#include <sstream>
#include <utility>

#include "app/command_line.h"
#include "tests/build_paths.h"

namespace tessera::app {
namespace {

namespace fs = std::filesystem;

/// A piece of text that a user may read, with its place.
struct Text {
  std::string where, text;
  bool code = false;   ///< all of it is typed: a line of a code block, or a span of code
  bool block = false;  ///< a line of a code block, which readers copy as it stands
};

std::string content(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// The string literals of C++ text, neighbours joined. Comments and characters are passed over.
class Literals {
 public:
  explicit Literals(const std::string& text) : text_(text) {}

  std::vector<std::string> all() {
    while (at_ < text_.size()) {
      if (text_.compare(at_, 2, "//") == 0) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (text_.compare(at_, 2, "/*") == 0) {
        at_ = std::min(text_.find("*/", at_), text_.size());
      } else if (text_.compare(at_, 3, "R\"(") == 0) {
        raw();
      } else if (text_[at_] == '"') {
        quoted();
      } else if (text_[at_] == '\'' && at_ > 0 && !std::isalnum(text_[at_ - 1])) {
        at_ += text_.compare(at_, 2, "'\\") == 0 ? 4 : 3;
        joins_ = false;
      } else {
        joins_ = joins_ && std::isspace(static_cast<unsigned char>(text_[at_]));
        ++at_;
      }
    }
    return std::move(found_);
  }

 private:
  void add(std::string literal) {
    if (joins_) {
      found_.back() += literal;
    } else {
      found_.push_back(std::move(literal));
    }
    joins_ = true;
  }
  void raw() {
    const std::size_t end = std::min(text_.find(")\"", at_), text_.size());
    add(text_.substr(at_ + 3, end - at_ - 3));
    at_ = end + 2;
  }
  void quoted() {
    std::string literal;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] != '\\') {
        literal += text_[at_];
      } else if (++at_ < text_.size()) {
        literal += text_[at_] == 'n' ? '\n' : text_[at_];
      }
    }
    add(std::move(literal));
    ++at_;
  }

  const std::string& text_;
  std::size_t at_ = 0;
  bool joins_ = false;
  std::vector<std::string> found_;
};

std::vector<Text> texts_of_sources() {
  std::vector<Text> texts;
  for (const char* folder : {"app", "core", "distributed", "kernels", "ui"}) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(TESSERA_SOURCE_DIR) / folder)) {
      const std::string extension = entry.path().extension().string();
      if (extension != ".cpp" && extension != ".h" && extension != ".cu") continue;
      const std::string text = content(entry.path());
      for (std::string& one : Literals(text).all()) {
        texts.push_back({entry.path().string(), std::move(one), false});
      }
    }
  }
  return texts;
}

/// Code blocks line by line, and code spans.
std::vector<Text> texts_of_page(const fs::path& file) {
  std::vector<Text> texts;
  std::istringstream lines(content(file));
  static const std::regex span("`([^`]+)`");
  bool block = false;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    const std::string where = fmt::format("{}:{}", file.string(), ++number);
    if (line.find("```") != std::string::npos) {
      block = !block;
    } else if (block) {
      texts.push_back({where, line.substr(0, line.find("  #")), true, true});
    } else {
      for (std::sregex_iterator it(line.begin(), line.end(), span), end; it != end; ++it) {
        texts.push_back({where, (*it)[1], true});
      }
    }
  }
  return texts;
}

std::vector<Text> texts_of_pages() {
  std::vector<Text> texts;
  std::vector<fs::path> files;
  const auto add = [&](const fs::directory_entry& entry) {
    if (entry.path().extension() == ".md") files.push_back(entry.path());
  };
  const fs::path root(TESSERA_SOURCE_DIR);
  for (const auto& entry : fs::directory_iterator(root)) add(entry);
  for (const auto& entry : fs::recursive_directory_iterator(root / "docs")) add(entry);
  for (const fs::path& file : files) {
    for (Text& text : texts_of_page(file)) texts.push_back(std::move(text));
  }
  return texts;
}

/// Commands as they stand in a text: what follows "tessera", up to the end of the line, of the code
/// span, or of the sentence.
std::vector<std::string> commands_in(const Text& text) {
  static const std::regex mention(R"((^|[`\n(]|  |: )(?:build/app/)?tessera ([a-z][^`\n|;&<>]*))");
  static const std::regex typed(R"((^|[\s|;&(/])tessera ([a-z][^`\n|;&<>]*))");
  const std::regex& pattern = text.code ? typed : mention;
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.text.begin(), text.text.end(), pattern), end; it != end; ++it) {
    found.push_back((*it)[2]);
  }
  return found;
}

/// Why a command cannot be followed; empty: it can.
std::string problem(const CLI::App& app, const std::string& command) {
  static const std::regex name("[a-z][a-z-]*");
  const CLI::App* current = &app;
  std::istringstream words(command);
  for (std::string word; words >> word;) {
    while (!word.empty() && std::string_view(".,:)'\"").find(word.back()) != std::string::npos) {
      word.pop_back();
    }
    if (word.starts_with("--") && word.size() > 2) {
      const std::string option = word.substr(0, word.find_first_of("=%{["));
      if (!current->get_option_no_throw(option)) {
        return fmt::format("`{}` has no option {}", full_name(*current), option);
      }
    } else if (!listed_commands(*current).empty()) {
      const CLI::App* next = find_command(*current, {word});
      if (next == current && std::regex_match(word, name)) {
        return fmt::format("`{}` has no command {}", full_name(*current), word);
      }
      if (next == current) return "";  // a placeholder such as COMMAND
      current = next;
    }
  }
  return "";
}

/// The words of a command as a shell cuts them; quotes only, as pages need no more.
std::vector<std::string> shell_words(const std::string& command) {
  std::vector<std::string> words;
  bool open = false;
  char quote = 0;
  for (const char c : command) {
    if (quote ? c == quote : c == '"' || c == '\'') {
      quote = quote ? 0 : c;
      if (quote && !open) words.emplace_back();
      open = true;
    } else if (!quote && std::isspace(static_cast<unsigned char>(c))) {
      open = false;
    } else {
      if (!std::exchange(open, true)) words.emplace_back();
      words.back() += c;
    }
  }
  return words;
}

/// The program's parser, which stops when all is read and checked, before a command does anything.
/// The callbacks stay where they are: they own what the options are written into.
std::unique_ptr<CLI::App> idle_command_line() {
  auto app = command_line();
  app->parse_complete_callback([] { throw CLI::Success(); });
  return app;
}

/// What the parser says of a command of a page; empty: it takes it. A span in the middle of a
/// sentence may leave out what the sentence is not about.
std::string complaint(const std::string& command, bool whole) {
  const auto app = idle_command_line();
  std::vector<std::string> words = shell_words(command);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app->parse(words);
  } catch (const CLI::Success&) {  // all is read, or --help
  } catch (const CLI::RequiredError& error) {
    if (whole) return error.what();
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

TEST(Hints, ThePatternsFindWhatTheyAreFor) {
  using Found = std::vector<std::string>;
  EXPECT_EQ(commands_in({"", "use `tessera spec show X` now", false}), Found{"spec show X"});
  EXPECT_EQ(commands_in({"", "talk to it:  tessera chat %s\n", false}), Found{"chat %s"});
  EXPECT_EQ(commands_in({"", "a tessera process ended", false}), Found{});
  EXPECT_EQ(commands_in({"", "build/app/tessera plan x | head", true}), Found{"plan x "});
  const std::string source =
      "f(\"a `tessera \" // not \"this\"\n  \"x`\", '\"', R\"(`tessera y`)\");";
  EXPECT_EQ(Literals(source).all(), (Found{"a `tessera x`", "`tessera y`"}));
}

TEST(Hints, WrongOnesAreNoticed) {
  const auto app = command_line();
  EXPECT_EQ(problem(*app, "spec show demo --set a=b"), "");
  EXPECT_EQ(problem(*app, "tokenizer train"), "`tessera` has no command tokenizer");
  EXPECT_EQ(problem(*app, "spec shew"), "`tessera spec` has no command shew");
  EXPECT_EQ(problem(*app, "chat RUN --tempo=3"), "`tessera chat` has no option --tempo");
}

TEST(FieldHints, EveryCommandThatIsNamedExists) {
  const auto app = command_line();
  std::vector<Text> texts = texts_of_sources();
  for (Text& text : texts_of_pages()) texts.push_back(std::move(text));
  std::size_t looked_at = 0;
  for (const Text& text : texts) {
    for (const std::string& command : commands_in(text)) {
      ++looked_at;
      EXPECT_EQ(problem(*app, command), "") << text.where << ": tessera " << command;
    }
  }
  EXPECT_GT(looked_at, 60u);
}

TEST(Hints, WordsAreThoseOfAShell) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(shell_words("chat RUN --prompt \"a b\"  --set 'c[0].d=\"e\"' \"\""),
            (Words{"chat", "RUN", "--prompt", "a b", "--set", "c[0].d=\"e\"", ""}));
}

TEST(Hints, WhatDoesNotParseIsNoticed) {
  EXPECT_EQ(complaint("chat RUN --temperature 0", true), "");
  EXPECT_EQ(complaint("--help", true), "");
  EXPECT_NE(complaint("chat RUN --temperature warm", false), "");
  EXPECT_NE(complaint("stop one two", false), "");
  EXPECT_NE(complaint("stop", true), "");
  EXPECT_EQ(complaint("stop", false), "");
  EXPECT_NE(complaint("control dance RUN", false), "");
}

/// What a reader copies from a page is taken by the program as it stands.
TEST(FieldHints, EveryCommandOfThePagesParses) {
  std::size_t blocks = 0;
  for (const Text& text : texts_of_pages()) {
    for (const std::string& command : commands_in(text)) {
      blocks += text.block ? 1 : 0;
      EXPECT_EQ(complaint(command, text.block), "") << text.where << ": tessera " << command;
    }
  }
  EXPECT_GT(blocks, 15u);
}

TEST(FieldHints, EveryFileThatIsNamedExists) {
  static const std::regex file(R"((?:^|[\s`(])((?:docs|packaging)/[a-z0-9_./-]*[a-z0-9]))");
  std::vector<Text> texts = texts_of_sources();
  for (Text& text : texts_of_pages()) texts.push_back(std::move(text));
  std::size_t looked_at = 0;
  for (const Text& text : texts) {
    for (std::sregex_iterator it(text.text.begin(), text.text.end(), file), end; it != end; ++it) {
      ++looked_at;
      EXPECT_TRUE(fs::exists(fs::path(TESSERA_SOURCE_DIR) / (*it)[1].str()))
          << text.where << ": " << (*it)[1];
    }
  }
  EXPECT_GT(looked_at, 5u);
}

/// Messages that the page on faults quotes: code in the first column of its tables, "..." where a
/// message names something.
std::vector<Text> quoted_messages() {
  static const std::regex span("`([^`]+)`");
  const fs::path page = fs::path(TESSERA_SOURCE_DIR) / "docs/guide/when-something-fails.md";
  std::vector<Text> quoted;
  std::istringstream lines(content(page));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("| ")) continue;
    const std::string cell = line.substr(0, line.find(" | ", 2));
    std::smatch found;
    if (std::regex_search(cell, found, span)) quoted.push_back({line, found[1]});
  }
  return quoted;
}

/// Whether a program text says `message`: its pieces between "..." one after another, with a
/// placeholder or nothing between them.
bool says(const std::string& text, const std::string& message) {
  std::string pattern;
  // Most texts are told apart by the longest word alone, which is quicker than a pattern.
  std::istringstream words(message);
  std::string longest;
  for (std::string word; words >> word;) {
    if (word.find("...") == std::string::npos && word.size() > longest.size()) longest = word;
  }
  if (text.find(longest) == std::string::npos) return false;
  for (std::size_t at = 0; at < message.size();) {
    if (message.compare(at, 3, "...") == 0) {
      pattern += R"((\{[^}]*\}|%[0-9]|\$[a-z]+|[^"]{0,40}))";
      at += 3;
    } else {
      if (!std::isalnum(static_cast<unsigned char>(message[at])) && message[at] != ' ') {
        pattern += '\\';
      }
      pattern += message[at++];
    }
  }
  return std::regex_search(text, std::regex(pattern));
}

TEST(FieldHints, EveryMessageThatTheGuideQuotesIsOneOfOurs) {
  std::vector<Text> texts = texts_of_sources();
  texts.push_back({"lib.sh", content(fs::path(TESSERA_SOURCE_DIR) / "packaging/lib.sh")});
  const std::vector<Text> messages = quoted_messages();
  EXPECT_GT(messages.size(), 12u);
  for (const Text& quoted : messages) {
    if (quoted.text == "Killed") continue;  // said by the shell
    EXPECT_TRUE(std::any_of(texts.begin(), texts.end(), [&](const Text& text) {
      return says(text.text, quoted.text);
    })) << quoted.where;
  }
}

TEST(Hints, AMessageIsFoundByItsPieces) {
  EXPECT_TRUE(says("is a link to {}, which is not there", "is a link to ..., which is not there"));
  EXPECT_TRUE(says("apt-get could not install: $missing", "apt-get could not install: ..."));
  EXPECT_FALSE(says("is a link to {}", "is a link to ..., which is not there"));
  EXPECT_FALSE(says("the disk is full", "the disk has ... free"));
}

/// Calls visit with every command that does something itself.
void for_each_leaf(const CLI::App& app, const std::function<void(const CLI::App&)>& visit) {
  const std::vector<const CLI::App*> below = listed_commands(app);
  if (below.empty()) return visit(app);
  for (const CLI::App* one : below) for_each_leaf(*one, visit);
}

TEST(FieldHints, EveryCommandHasAnExampleThatIsOne) {
  const auto app = command_line();
  for_each_leaf(*app, [&](const CLI::App& command) {
    const std::string footer = command.get_footer();
    const std::vector<std::string> examples = commands_in({"", footer, false});
    ASSERT_FALSE(examples.empty()) << full_name(command) << ": give it an example (add_examples)";
    for (const std::string& example : examples) {
      EXPECT_TRUE(("tessera " + example).starts_with(full_name(command))) << example;
      EXPECT_EQ(problem(*app, example), "") << full_name(command);
    }
  });
}

TEST(FieldHints, EveryOptionIsDescribed) {
  const auto app = command_line();
  for_each_leaf(*app, [&](const CLI::App& command) {
    for (const CLI::Option* option : command.get_options()) {
      EXPECT_FALSE(option->get_description().empty())
          << full_name(command) << " " << option->get_name();
    }
  });
}

}  // namespace
}  // namespace tessera::app
