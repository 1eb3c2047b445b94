// SPDX-License-Identifier: MIT
#include "core/tokenizer/split_pattern.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace tessera {
namespace {

using Parts = std::vector<std::string>;

/// All matches, one behind another.
Parts matches(const std::string& pattern, const std::string& text) {
  const SplitPattern compiled(pattern, "test");
  Parts parts;
  SplitPattern::Match match;
  for (std::size_t at = 0; at <= text.size() && compiled.find(text, at, match);) {
    parts.push_back(text.substr(match.begin, match.end - match.begin));
    at = match.end > match.begin ? match.end : match.end + 1;
  }
  return parts;
}

std::string refusal(const std::string& pattern) {
  try {
    SplitPattern(pattern, "tokenizer.json");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(SplitPattern, RepeatsAreGreedyLazyOrKeepWhatTheyHave) {
  EXPECT_EQ(matches("a+", "baaab"), (Parts{"aaa"}));
  EXPECT_EQ(matches("a{2}", "aaaaa"), (Parts{"aa", "aa"}));
  EXPECT_EQ(matches("a{1,3}", "aaaaa"), (Parts{"aaa", "aa"}));
  EXPECT_EQ(matches("a{2,}", "aaaaab"), (Parts{"aaaaa"}));
  EXPECT_EQ(matches("xa{,2}", "xaaa"), (Parts{"xaa"}));
  EXPECT_EQ(matches("a+?b?", "aab"), (Parts{"a", "ab"}));
  EXPECT_EQ(matches("<.+?>", "<a><b>"), (Parts{"<a>", "<b>"}));
  EXPECT_EQ(matches("<.+>", "<a><b>"), (Parts{"<a><b>"}));
  EXPECT_EQ(matches("a+ab", "aaab"), (Parts{"aaab"}));
  EXPECT_EQ(matches("a++ab", "aaab"), Parts{});
  EXPECT_EQ(matches("(?>a|ab)c", "abc"), Parts{});
  EXPECT_EQ(matches("(?:a|ab)c", "abc"), (Parts{"abc"}));
  EXPECT_EQ(matches("(?:ab){1,2}?c", "ababc"), (Parts{"ababc"}));
  EXPECT_EQ(matches("(ab)*+b?", "ababb"), (Parts{"ababb", ""}));
  EXPECT_EQ(matches("a{x", "a{x"), (Parts{"a{x"}));  // no count: characters
}

TEST(SplitPattern, TheFirstBranchThatLeadsToAMatchIsTaken) {
  EXPECT_EQ(matches("a|ab", "ab"), (Parts{"a"}));
  EXPECT_EQ(matches("(?:a|ab)$", "ab"), (Parts{"ab"}));
  EXPECT_EQ(matches("x|(?i)b|c", "xBC"), (Parts{"x", "B", "C"}));
  EXPECT_EQ(matches("\\s+(?!\\S)|\\s+", "a   b "), (Parts{"  ", " ", " "}));
  EXPECT_EQ(matches("a(?=b)", "aab"), (Parts{"a"}));
}

TEST(SplitPattern, ClassesAreThoseOfUnicode) {
  EXPECT_EQ(matches("\\p{L}+", "abcäß1日本"), (Parts{"abcäß", "日本"}));
  EXPECT_EQ(matches("\\p{N}{1,3}", "12345 ٣٤½"), (Parts{"123", "45", "٣٤½"}));
  EXPECT_EQ(matches("\\p{^L}", "a1"), (Parts{"1"}));
  EXPECT_EQ(matches("\\P{L}", "a1"), (Parts{"1"}));
  EXPECT_EQ(matches("[^\\s\\p{L}\\p{N}]+", "a +-= 1"), (Parts{"+-="}));
  EXPECT_EQ(matches("[\\p{L}&&[^\\p{Han}]]+", "ab漢c"), (Parts{"ab", "c"}));
  EXPECT_EQ(matches("[a-c&&b-d]+", "abcd"), (Parts{"bc"}));
  EXPECT_EQ(matches("[a[0-9]-]+", "a1-b"), (Parts{"a1-"}));
  EXPECT_EQ(matches("[^a-c]", "abcd"), (Parts{"d"}));
  EXPECT_EQ(matches("\\s", "a\u00A0\u3000\u180E\u200B"), (Parts{"\u00A0", "\u3000"}));
  EXPECT_EQ(matches("\\d+\\D", "12a"), (Parts{"12a"}));
  EXPECT_EQ(matches("\\w+", "a_1é-b"), (Parts{"a_1é", "b"}));
  EXPECT_EQ(matches("\\x41\\u0042\\x{43}\\n", "ABC\n"), (Parts{"ABC\n"}));
  EXPECT_EQ(matches("[\\-\\]\\\\]+", "a-]\\b"), (Parts{"-]\\"}));
}

TEST(SplitPattern, CaseIsIgnoredWhereThePatternSaysSo) {
  EXPECT_EQ(matches("(?i:'s|'ll)", "'S 'lL 's"), (Parts{"'S", "'lL", "'s"}));
  EXPECT_EQ(matches("(?i:[sk])", "s\u017FK\u212A"), (Parts{"s", "\u017F", "K", "\u212A"}));
  EXPECT_EQ(matches("(?i:a)b", "AB Ab"), (Parts{"Ab"}));
}

TEST(SplitPattern, AnchorsSeeTheTextAlone) {
  EXPECT_EQ(matches("^a", "a\na"), (Parts{"a", "a"}));
  EXPECT_EQ(matches("\\Aa", "a\na"), (Parts{"a"}));
  EXPECT_EQ(matches("a$", "a\nba"), (Parts{"a", "a"}));
  EXPECT_EQ(matches("a\\z", "a\nba"), (Parts{"a"}));
}

TEST(SplitPattern, WhatIsNotReadIsNamedWithItsPlace) {
  EXPECT_NE(refusal("ab\\b").find("character 3, the escape \\b"), std::string::npos);
  EXPECT_NE(refusal("é(?<=a)").find("character 2, a group that begins with \"(?<\""),
            std::string::npos);
  EXPECT_NE(refusal("\\p{Greek}").find("the property Greek"), std::string::npos);
  for (const char* pattern : {"(",      ")",       "[",           "[]",          "a**",
                              "*",      "(?:a?)*", "(a)\\1",      "[[:alpha:]]", "[b-a]",
                              "a{3,2}", "a{2000}", "(?i:é)",      "(?i:ss)",     "(?i:\\p{Lu})",
                              "\\p",    "\\p{",    "\\x{110000}", "\\x{D800}",   "\\u12",
                              "\\",     "(?#a)",   "(?=a)*",      "a{2}+",       "[a-\\d]",
                              "\xFF"}) {
    EXPECT_NE(refusal(pattern).find("tokenizer.json"), std::string::npos) << pattern;
  }
  std::string nested;
  for (int i = 0; i < 5000; ++i) nested += "(";
  EXPECT_NE(refusal(nested).find("groups within"), std::string::npos);
  EXPECT_NE(refusal("((((((a|b){30}){30}){30}){30}){30})").find("grows too large"),
            std::string::npos);
}

TEST(SplitPattern, APatternThatWouldTakeForeverEndsInAnError) {
  const SplitPattern pattern("(?:a+)+b", "tokenizer.json");
  SplitPattern::Match match;
  EXPECT_THROW(pattern.find(std::string(60, 'a'), 0, match), Error);
  // What backs off through a long text once is no such pattern.
  const std::string spaces(1 << 20, ' ');
  ASSERT_TRUE(SplitPattern("\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "test").find(spaces + "x", 0, match));
  EXPECT_EQ(match.end, spaces.size() - 1);
}

}  // namespace
}  // namespace tessera
