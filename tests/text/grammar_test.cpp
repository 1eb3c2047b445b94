// SPDX-License-Identifier: MIT
#include "core/text/grammar.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "core/base/error.h"

namespace tessera::text {
namespace {

std::string write(const std::string& rules, std::uint64_t number = 0) {
  return Grammar(rules, "test").document(1, number);
}

/// What the grammar can say in `count` documents.
std::set<std::string> writings(const std::string& rules, std::uint64_t count = 200) {
  std::set<std::string> all;
  for (std::uint64_t i = 0; i < count; ++i) all.insert(write(rules, i));
  return all;
}

std::string error_of(const std::string& rules) {
  try {
    write(rules);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

using Texts = std::set<std::string>;

TEST(Grammar, ChoosesAmongAlternatives) {
  EXPECT_EQ(writings("document: one | two {b}\nb: x\n  | y"), (Texts{"one", "two x", "two y"}));
}

TEST(Grammar, WritesMarksAndBlanks) {
  EXPECT_EQ(writings("document: x {e} y {e}.\\n {e} z\ne: |"), Texts{"x y.\nz"});
  EXPECT_EQ(write("document: a\\n\\s\\sb"), "a\n  b");
  EXPECT_EQ(write(R"(document: \{\}\|\\)"), "{}|\\");
}

TEST(Grammar, RemembersVariablesForOneDocument) {
  EXPECT_EQ(writings("document: {A=x}{$A} and {$A}\nx: p | q"), (Texts{"p and p", "q and q"}));
  EXPECT_EQ(write("document: {$A}.{A=x}\nx: p"), ".");
}

TEST(Grammar, Calculates) {
  EXPECT_EQ(write("document: {A=#7}{B=#5}{#A+B} {#A-B*3} {#A*10/B} {#A%B} {#B-A}"), "12 6 14 2 -2");
  for (const std::string& text : writings("document: {A=#2..4}{#A*A}"))
    EXPECT_TRUE(text == "4" || text == "9" || text == "16") << text;
  EXPECT_EQ(writings("document: {#1..3}").size(), 3u);
}

TEST(Grammar, FormsWords) {
  EXPECT_EQ(
      write("document: {^a} {^b} {^c} {^d} {^e}\na: word\nb: élan\nc: ёлка\nd: άνθρωπος\ne: 中"),
      "Word Élan Ёлка Άνθρωπος 中");
  EXPECT_EQ(write("document: {a x} {a y} {a z}\nx: owl\ny: bear\nz: umbrella"),
            "an owl a bear an umbrella");
}

TEST(Grammar, RepeatsWithoutSayingTheSameTwice) {
  for (const std::string& text :
       writings("document: {2-3*x}\nx: a | b | c | d | e | f | g | h", 50)) {
    EXPECT_TRUE(text.size() == 3 || text.size() == 5) << text;
    EXPECT_NE(text[0], text[2]) << text;
  }
}

TEST(Grammar, SkewedRulesPreferWhatStandsFirst) {
  int first = 0, last = 0;
  const Grammar grammar("document~: a | b | c | d", "test");
  for (std::uint64_t i = 0; i < 400; ++i) {
    first += grammar.document(1, i) == "a";
    last += grammar.document(1, i) == "d";
  }
  EXPECT_GT(first, 3 * last);
  EXPECT_GT(last, 0);
}

TEST(Grammar, NamesTheLineOfAFault) {
  EXPECT_NE(error_of("document: a\n\nb: {c}").find("[test, line 3] there is no rule 'c'"),
            std::string::npos);
  EXPECT_NE(error_of("document: {a").find("line 1] a brace is not closed"), std::string::npos);
  EXPECT_NE(error_of("document: a}").find("was not opened"), std::string::npos);
  EXPECT_NE(error_of("document: a\ndocument: b").find("line 2] the rule 'document' is there twice"),
            std::string::npos);
  EXPECT_NE(error_of("a: b").find("there is no rule 'document'"), std::string::npos);
  EXPECT_NE(error_of("document: {#9..2}").find("bad range"), std::string::npos);
  EXPECT_NE(error_of("document: {x*a}\na: b").find("'x' is no whole number"), std::string::npos);
  EXPECT_NE(error_of("document: \\q").find("unknown mark"), std::string::npos);
  EXPECT_NE(error_of("document: {document}").find("without an end"), std::string::npos);
  EXPECT_NE(error_of("document: {#1/A}").find("divides by zero"), std::string::npos);
  EXPECT_NE(error_of("  a").find("none was begun"), std::string::npos);
  EXPECT_NE(error_of("just words").find("there is no ':'"), std::string::npos);
}

}  // namespace
}  // namespace tessera::text
