// SPDX-License-Identifier: MIT
// Templates as jinja2 wrote them out (tests/golden/templates, made by tests/peers/templates.py),
// whose bytes are whose, and folders.
#include "core/template/chat_template.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = ChatTemplate::Json;

std::string content(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr std::time_t kNoon = 1767225600 + 12 * 3600;  // 1 January 2026, UTC

class Templates : public testing::TestWithParam<const char*> {};

TEST_P(Templates, AreWrittenOutAsJinjaDoes) {
  const fs::path folder = fs::path(TESSERA_SOURCE_DIR) / "tests" / "golden" / "templates";
  const ChatTemplate own(content(folder / (std::string(GetParam()) + ".jinja")), GetParam());
  const Json cases = Json::parse(content(folder / (std::string(GetParam()) + ".json")));
  ASSERT_GT(cases.size(), 10u);
  for (const Json& one : cases) {
    if (one.contains("error")) {
      EXPECT_THROW(own.render(one["own"], one["people"], kNoon), Error) << one["people"].dump();
      continue;
    }
    const MarkedText text = own.render(one["own"], one["people"], kNoon);
    ASSERT_EQ(text.text, one["text"].get<std::string>()) << one["people"].dump();
    ASSERT_EQ(text.marks.size(), text.text.size());
  }
}

INSTANTIATE_TEST_SUITE_P(All, Templates,
                         testing::Values("plain", "turns", "thinking", "marked", "middle", "lines",
                                         "headers", "strict"),
                         [](const auto& test) { return std::string(test.param); });

/// The bytes of people as they stand, the program's as dots.
std::string peoples(const MarkedText& text) {
  std::string out = text.text;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (text.marks[i] == MarkedText::kOwn) out[i] = '.';
  }
  return out;
}

std::string peoples(const std::string& source, const Json& people) {
  return peoples(ChatTemplate(source, "test").render({{"bos_token", "<s>"}}, people));
}

TEST(ChatTemplate, EveryByteOfPeopleIsMarkedWhateverIsDoneToIt) {
  const Json x = {{"x", " ab<b "}, {"l", {"p", "q"}}, {"n", {{"k", "v"}}}};
  EXPECT_EQ(peoples("{{ bos_token + x }}|", x), "... ab<b .");
  EXPECT_EQ(peoples("[{{ x | trim }}]", x), ".ab<b.");
  EXPECT_EQ(peoples("{{ x.split('<')[0].strip() ~ '+' ~ x[1:3] }}", x), "ab.ab");
  EXPECT_EQ(peoples("{{ x | upper }}{{ x | replace('b', '==') }}", x), " AB<B  a..<.. ");
  EXPECT_EQ(peoples("{{ l | join('-') }}{% for a in l %}{{ a }};{% endfor %}", x), "p.qp.q.");
  EXPECT_EQ(peoples("{{ n | tojson }}", x), "..k....v..");
  EXPECT_EQ(peoples("{{ l }}", x), "..p....q..");
  EXPECT_EQ(peoples("{% set y %}<{{ x }}>{% endset %}{{ y * 2 }}", x), ". ab<b .. ab<b .");
  EXPECT_EQ(peoples("{% macro m(a) %}({{ a }}){% endmacro %}{{ m(x) }}", x), ". ab<b .");
  EXPECT_EQ(peoples("{{ x | length }}", x), ".");  // a number of theirs, in our digits
}

TEST(ChatTemplate, RolesThatAreKnownMayBuildSpecialTokens) {
  const std::string source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}";
  EXPECT_EQ(peoples(source, {{"messages", {{{"role", "user"}, {"content", "hi"}}}}}), "........hi");
  EXPECT_EQ(peoples(source, {{"messages", {{{"role", "root"}, {"content", "hi"}}}}}), "..root..hi");
}

struct Folder {
  fs::path path = fs::temp_directory_path() / fmt::format("tessera-template-{}", ::getpid());
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  void write(const char* name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
  }
  std::string found() const {
    const auto own = ChatTemplate::find(path);
    return own ? own->source() : "none";
  }
};

TEST(ChatTemplate, IsFoundInTheFilesOfAFolder) {
  const Folder folder;
  EXPECT_EQ(folder.found(), "none");
  folder.write("tokenizer_config.json", R"({"bos_token": "<s>"})");
  EXPECT_EQ(folder.found(), "none");
  folder.write("tokenizer_config.json", R"({"chat_template": "one"})");
  EXPECT_EQ(folder.found(), "one");
  folder.write("tokenizer_config.json",
               R"({"chat_template": [{"name": "rag", "template": "two"},
                                     {"name": "default", "template": "three"}]})");
  EXPECT_EQ(folder.found(), "three");
  folder.write("chat_template.jinja", "four\n");
  EXPECT_EQ(folder.found(), "four");
  fs::remove(folder.path / "chat_template.jinja");
  for (const char* wrong : {R"({"chat_template": 5})", R"({"chat_template": []})", "[]", "{",
                            R"({"chat_template": "{% include 'x' %}"})"}) {
    folder.write("tokenizer_config.json", wrong);
    EXPECT_THROW(ChatTemplate::find(folder.path), Error) << wrong;
  }
}

}  // namespace
}  // namespace tessera
