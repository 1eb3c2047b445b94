// SPDX-License-Identifier: MIT
#include "core/data/filter.h"

#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

const FilterOptions kWeb = FilterOptions::for_domain(Domain::Web);

TEST(Filter, ProseAndCodePassInTheirDomains) {
  EXPECT_EQ(check(prose(1), kWeb), std::nullopt);
  std::string chinese;
  for (int i = 0; i < 60; ++i) {
    const Random random(9);
    const char32_t code =
        0x4E00 + static_cast<char32_t>(random.below(static_cast<std::uint64_t>(i), 5000));
    chinese += {static_cast<char>(0xE0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
                static_cast<char>(0x80 | (code & 63))};
  }
  EXPECT_EQ(check(chinese, FilterOptions::for_domain(Domain::Multilingual)), std::nullopt);
  const std::string code =
      "static int sum(const int* x, int n) {\n    int s = 0;\n    for (int i = 0; i < n; ++i) {\n"
      "        s += x[i];\n    }\n    return s;\n}\n";
  EXPECT_EQ(check(code, FilterOptions::for_domain(Domain::Code)), std::nullopt);
  const std::string formula =
      "Let $f(x) = x^2 + 3x - 4$. Then $f'(x) = 2x + 3$, and $f(1) = 0$, so $x = 1$ is a root; "
      "the other one is $x = -4$.";
  EXPECT_EQ(check(formula, FilterOptions::for_domain(Domain::Mathematics)), std::nullopt);
}

TEST(Filter, EachRuleHasItsReason) {
  const std::string good = prose(2, 200);
  EXPECT_EQ(check("short", kWeb), Drop::TooShort);
  FilterOptions o = kWeb;
  o.max_characters = 50;
  EXPECT_EQ(check(good, o), Drop::TooLong);
  std::string numbers;
  for (int i = 1000; i < 1100; ++i) numbers += std::to_string(i) + " ";
  EXPECT_EQ(check(numbers, kWeb), Drop::FewLetters);
  std::string symbols;
  for (int i = 0; i < 100; ++i) symbols += "ab{};*=";
  o = FilterOptions::none();
  o.max_symbols = 0.4;
  EXPECT_EQ(check(symbols, o), Drop::ManySymbols);
  EXPECT_EQ(check(good + std::string(20, '\x01'), kWeb), Drop::ControlCharacters);
  o = kWeb;
  o.max_mean_line = 10;
  EXPECT_EQ(check(good, o), Drop::LongLines);
  o = kWeb;
  o.max_line = 20;
  EXPECT_EQ(check(good, o), Drop::LongLines);
  EXPECT_EQ(check(std::string(300, 'q'), kWeb), Drop::LongWords);
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += "the same line again and again\n";
  EXPECT_EQ(check(lines, kWeb), Drop::RepeatedLines);
  std::string phrases;
  for (int i = 0; i < 20; ++i) phrases += "buy our very nice cheap shoes here now ";
  EXPECT_EQ(check(phrases, kWeb), Drop::RepeatedPhrases);
}

TEST(Filter, NoneLetsEverythingThrough) {
  for (const std::string& text :
       {std::string("x"), std::string(1000, '\x01'), std::string(500, '#')})
    EXPECT_EQ(check(text, FilterOptions::none()), std::nullopt);
}

TEST(Filter, ThresholdsAreExact) {
  FilterOptions o = FilterOptions::none();
  o.min_characters = 4;
  EXPECT_EQ(check("äöü", o), Drop::TooShort);  // characters, not bytes
  EXPECT_EQ(check("äöüß", o), std::nullopt);
  o = FilterOptions::none();
  o.max_repeated_lines = 0.5;
  EXPECT_EQ(check("line number 1\nline number 1\n", o), std::nullopt);
  EXPECT_EQ(check("line number 1\nline number 1\nline number 1\n", o), Drop::RepeatedLines);
  EXPECT_EQ(check("}\n}\n}\n}\n}\n}\n}\n", o), std::nullopt);  // short lines do not count
}

}  // namespace
}  // namespace tessera::data
