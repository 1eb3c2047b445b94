// SPDX-License-Identifier: MIT
#include "core/grammar/gbnf.h"

#include "tests/grammar/grammar_testing.h"

namespace tessera::test {
namespace {

Grammar gbnf(const std::string& text) {
  GrammarBuilder builder;
  const std::int32_t root = add_gbnf(builder, text);
  return std::move(builder).build(root);
}

TEST(Gbnf, TakesAndRefuses) {
  struct Case {
    const char* grammar;
    std::vector<const char*> taken, refused;
  };
  const Case cases[] = {
      {"root ::= \"yes\" | \"no\"", {"yes", "no"}, {"", "ye", "yesno"}},
      {"root ::= [a-c]+ \"-\"? [^0-9x]", {"aé", "abc-.", "c😀"}, {"a1", "d-", "abx"}},
      {"root ::= word (\", \" word)*\nword ::= [a-z]{2,3} # two or three\n",
       {"ab", "ab, abc"},
       {"a", "ab,", "ab, a"}},
      {"root ::= \"a\"{3} | \"b\"{2,} | \"c\"{0,2}",
       {"aaa", "bb", "bbbbb", "", "cc"},
       {"aa", "b", "ccc"}},
      {"root ::= (\"a\" | \"b\"\n  | \"c\")\n  | [\\]\\-\\^\\\\]",
       {"c", "]", "-", "^", "\\"},
       {"d"}},
      {"root ::= \"\\x41\\u00e9\\n\\\"\\\\\" .", {"Aé\n\"\\x", "Aé\n\"\\😀"}, {"Aé\n\"\\", "A"}},
      {"# first\n\nroot   ::= expr\nexpr ::= term (\"+\" term)*\nterm ::= [0-9]+ | \"(\" expr "
       "\")\"\n",
       {"1+(2+3)+45", "((7))"},
       {"1+", "(1", "1)"}},
      {"root ::= (\"a\"? \"b\"?)*", {"", "abba"}, {"c"}},
      {"root ::= s\ns ::= \"a\" s \"b\" | \"\"", {"", "aabb"}, {"aab", "abb"}},
      {"root ::= \"a\"{0,0} \"b\"", {"b"}, {"ab"}}};
  for (const Case& one : cases) {
    const Grammar grammar = gbnf(one.grammar);
    for (const char* text : one.taken)
      EXPECT_TRUE(takes(grammar, text)) << one.grammar << "\n" << text;
    for (const char* text : one.refused)
      EXPECT_FALSE(takes(grammar, text)) << one.grammar << "\n" << text;
  }
}

TEST(Gbnf, WhatCannotBeReadIsRefusedWithItsLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "root"},
      {"answer ::= \"a\"", "root"},
      {"root ::= \"a\"\nroot ::= \"b\"", "line 2"},
      {"root ::= other", "`other`"},
      {"root ::= \"a", "line 1"},
      {"root ::= [a", "]"},
      {"root ::= (\"a\"", ")"},
      {"root ::= \"a\")", "line 1"},
      {"root = \"a\"", "::="},
      {"root ::= \"a\"{2,1}", "2 repetitions"},
      {"root ::= \"a\"{x}", "number"},
      {"root ::= \"a\"{999999999999}", "repetitions"},
      {"root ::= [z-a]", "range"},
      {"root ::= \"\\q\"", "escape"},
      {"root ::= \"\\ud800\"", "character"},
      {"root ::= <think>", "line 1"},
      {"root ::= root \"a\" | \"b\"", "begins with itself"},
      {"root ::= \"a\" root", "in full"},
      {"root ::= ((\"a\"{1000}){1000}){1000}", "states"},
      {"root ::= [^\\U00000000-\\U0010ffff]", "in full"},
      {"root ::= \"\xff\"", "UTF-8"}};
  for (const auto& [grammar, word] : cases) {
    try {
      gbnf(grammar);
      ADD_FAILURE() << grammar;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos)
          << grammar << ": " << error.what();
      EXPECT_FALSE(error.hint().empty()) << grammar;
    }
  }
  EXPECT_THROW(gbnf("root ::= " + std::string(5000, '(')), Error);
}

TEST(Gbnf, AnswersOfChanceFollow) {
  std::mt19937_64 random(3);
  const Grammar grammar = gbnf("root ::= item (\", \" item)*\nitem ::= [a-z]+ \"=\" [0-9]{1,3}");
  const auto constraint = constraint_over(grammar);
  for (int i = 0; i < 50; ++i) {
    const std::string text = random_answer(constraint, random, i);
    EXPECT_TRUE(takes(grammar, text)) << text;
  }
}

}  // namespace
}  // namespace tessera::test
