// SPDX-License-Identifier: MIT
#include "core/grammar/constraint.h"

#include "core/tokenizer/utf8.h"
#include "tests/grammar/grammar_testing.h"

namespace tessera::test {
namespace {

TEST(Constraint, ObjectsAreJson) {
  const Grammar grammar = object_grammar();
  for (const char* text :
       {"{}", "{ }", "{\n}", R"({"a":1})", R"({"a": [1, 2.5, -0.5e-3, true, false, null]})",
        R"({"a": {"b": []}, "c": "\"\\\/\b\f\n\r\t\u00e9\uD83D\uDE00 é 😀"})",
        "{\n    \"a\": 1,\n    \"b\": {\n        \"c\": []\n    }\n}"}) {
    EXPECT_TRUE(takes(grammar, text)) << text;
    EXPECT_TRUE(Json::accept(text)) << text;
  }
  for (const char* text : {"",
                           "{",
                           "[]",
                           "1",
                           "{}}",
                           "{a: 1}",
                           "{'a': 1}",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":nul})",
                           R"({"a":"b})",
                           R"({"a":"\x"})",
                           R"({"a":"\u12g4"})",
                           R"({"a":"\ud800"})",
                           R"({"a":"\udc00"})",
                           "{\"a\":\"\n\"}",
                           "{\"a\":\"\xff\"}",
                           "{\"a\":\"\xc0\x80\"}",
                           "{\"a\":\"\xed\xa0\x80\"}",
                           "{\"a\":\"\xf4\x90\x80\x80\"}",
                           R"({"a":[1 2]})",
                           R"({"a":[1,]})"}) {
    EXPECT_FALSE(takes(grammar, text)) << text;
  }
}

/// The set of tokens is that of tokens after which something may follow, tried one by one.
void expect_exact_masks(const Grammar& grammar, const std::string& text) {
  const auto constraint = constraint_over(grammar);
  const Tokenizer& tokenizer = *grammar_vocabulary();
  ConstraintCursor cursor(constraint, {tokenizer.specials().eos});
  StackMachine machine(grammar);
  std::int32_t set = machine.start();
  for (const std::int32_t id : tokenizer.encode(text)) {
    const TokenMask& mask = cursor.allowed();
    for (std::int32_t other = 0; other < tokenizer.vocab_size(); ++other) {
      std::int32_t after = set;
      for (const char byte : tokenizer.bytes_of(other)) after = machine.step(after, byte);
      const bool follows = other == tokenizer.specials().eos
                               ? machine.ended(set)
                               : !tokenizer.bytes_of(other).empty() && !machine.is_dead(after);
      EXPECT_EQ(mask.has(other), follows) << tokenizer.display(other) << " before " << id;
    }
    cursor.advance(id);
    for (const char byte : tokenizer.bytes_of(id)) set = machine.step(set, byte);
  }
  EXPECT_TRUE(cursor.may_end());
}

TEST(Constraint, MasksAreThoseOfTokensTriedOneByOne) {
  expect_exact_masks(object_grammar(),
                     "{\"name\": \"fox 7\", \"list\": [1, 2.5, -3], \"of\": {\"a\": [[], [true, "
                     "null]], \"é\": \"ü — 😀 \\u00e9\"}}");
  expect_exact_masks(schema_grammar(Json::parse(R"({"type": "object", "properties": {
      "name": {"type": "string", "maxLength": 9}, "list": {"type": "array", "maxItems": 3,
      "items": {"type": "number", "minimum": -3}}}, "additionalProperties": true})")),
                     "{\"name\": \"fox — é\", \"list\": [1, 2.5, -3], \"more\": {}}");
}

TEST(Constraint, WrongTokensAreRefused) {
  const Tokenizer& tokenizer = *grammar_vocabulary();
  ConstraintCursor cursor(constraint_over(object_grammar()), {});
  EXPECT_THROW(cursor.advance(tokenizer.encode("x").front()), Error);
  ConstraintCursor other(constraint_over(object_grammar()), {});
  EXPECT_THROW(other.advance(tokenizer.specials().bos), Error);
}

TEST(Constraint, NothingMayFollowAWholeObject) {
  ConstraintCursor cursor(constraint_over(object_grammar()), {});
  for (const std::int32_t id : grammar_vocabulary()->encode("{\"a\": {}}")) {
    EXPECT_FALSE(cursor.must_end());
    cursor.advance(id);
  }
  EXPECT_TRUE(cursor.must_end());
  EXPECT_TRUE(cursor.may_end());
}

TEST(Constraint, AnUnshownSpaceIsNoPartOfTheText) {
  GrammarBuilder builder;
  const std::int32_t rule = builder.rule("answer");
  builder.empty(builder.text(builder.begin_of(rule), "fox"), builder.end_of(rule));
  const auto constraint = constraint_over(std::move(builder).build(rule));
  const std::int32_t space = grammar_vocabulary()->encode("x ").back();
  ASSERT_EQ(grammar_vocabulary()->bytes_of(space), " ");
  ConstraintCursor shown(constraint, {});
  EXPECT_FALSE(shown.allowed().has(space));
  ConstraintCursor dropped(constraint, {}, true);
  EXPECT_TRUE(dropped.allowed().has(space));
  dropped.advance(space);
  EXPECT_FALSE(dropped.allowed().has(space));
}

TEST(Constraint, LongAnswersDoNotGrow) {
  const Grammar grammar = object_grammar();
  StackMachine machine(grammar);
  std::int32_t set = machine.start();
  std::string text = "{\"a\": ";
  for (int i = 0; i < 300; ++i) text += "[";
  for (const char byte : text) set = machine.step(set, byte);
  const std::size_t before = machine.size();
  EXPECT_GT(before, 300u);
  set = machine.keep_only(set);
  for (int i = 0; i < 300; ++i) set = machine.step(set, ']');
  EXPECT_FALSE(machine.ended(set));
  set = machine.step(set, '}');
  EXPECT_TRUE(machine.ended(set));
  // A list of any length stays on one stack.
  std::int32_t list = machine.start();
  for (const char byte : std::string("{\"a\": [1")) list = machine.step(list, byte);
  for (const char byte : std::string(", 1, 1")) list = machine.step(list, byte);
  const std::size_t known = machine.size();
  for (int i = 0; i < 1000; ++i) {
    for (const char byte : std::string(", 1")) list = machine.step(list, byte);
  }
  EXPECT_EQ(machine.size(), known);
}

TEST(Grammar, WhatReadsItselfFirstOrNeverEndsIsRefused) {
  GrammarBuilder left;
  const std::int32_t a = left.rule("a");
  left.empty(left.text(left.call(left.begin_of(a), a), "x"), left.end_of(a));
  left.empty(left.begin_of(a), left.end_of(a));
  EXPECT_THROW(std::move(left).build(a), Error);
  GrammarBuilder endless;
  const std::int32_t b = endless.rule("b");
  endless.call(endless.text(endless.begin_of(b), "x"), b, endless.end_of(b));
  EXPECT_THROW(std::move(endless).build(b), Error);
}

TEST(Grammar, TextThroughTheFirstMark) {
  GrammarBuilder builder;
  const std::int32_t rule = builder.rule("r");
  builder.empty(builder.text_through(builder.begin_of(rule), "aab"), builder.end_of(rule));
  const Grammar grammar = std::move(builder).build(rule);
  for (const char* text : {"aab", "aaab", "xaab", "abaaab", "ab\xff aab"}) {
    EXPECT_TRUE(takes(grammar, text)) << text;
  }
  for (const char* text : {"", "aa", "ab", "aabx", "aabaab"})
    EXPECT_FALSE(takes(grammar, text)) << text;
}

TEST(Grammar, RangesOfCodePoints) {
  const CodeRanges ranges{{0x7F, 0x81}, {0x7FE, 0x802}, {0xD7FF, 0xE000}, {0xFFFE, 0x10001}};
  GrammarBuilder builder;
  const std::int32_t rule = builder.rule("r");
  builder.code_point(builder.begin_of(rule), complement(complement(ranges)), builder.end_of(rule));
  const Grammar grammar = std::move(builder).build(rule);
  for (const char32_t code :
       {0x7E,   0x7F,   0x80,   0x81,   0x82,   0x7FD,  0x7FE,   0x7FF,   0x800,   0x802,   0x803,
        0xD7FE, 0xD7FF, 0xE000, 0xE001, 0xFFFD, 0xFFFE, 0x10000, 0x10001, 0x10002, 0x10FFFF}) {
    std::string text;
    utf8::append(text, code);
    const bool is_in = std::any_of(ranges.begin(), ranges.end(), [&](const auto& range) {
      return code >= range.first && code <= range.second;
    });
    EXPECT_EQ(takes(grammar, text), is_in) << std::hex << static_cast<unsigned>(code);
  }
}

}  // namespace
}  // namespace tessera::test
