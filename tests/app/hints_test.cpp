// SPDX-License-Identifier: MIT
// Every command that a message, a page or an example names exists, with the options it is shown
// with; so does every file of the repository.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>

#include "app/command_line.h"
#include "tests/build_paths.h"

namespace tessera::app {
namespace {

namespace fs = std::filesystem;

/// A piece of text that a user may read, with its place.
struct Text {
  std::string where, text;
  bool code = false;  ///< all of it is typed: a code block, a span of one
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
      texts.push_back({where, line.substr(0, line.find("  #")), true});
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
