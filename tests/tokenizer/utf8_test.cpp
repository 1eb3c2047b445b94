// SPDX-License-Identifier: MIT
#include "core/tokenizer/utf8.h"

#include <gtest/gtest.h>

namespace tessera::utf8 {
namespace {

TEST(Utf8, AppendAndNextAreInverseForEveryCodePoint) {
  for (char32_t code = 0; code <= 0x10FFFF; ++code) {
    std::string text;
    append(text, code);
    const Character character = next(text, 0);
    const bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    ASSERT_EQ(character.valid, !surrogate) << static_cast<unsigned>(code);
    if (surrogate) continue;
    ASSERT_EQ(character.code, code);
    ASSERT_EQ(character.bytes, text.size());
    ASSERT_EQ(incomplete_tail(text), 0u);
    for (std::size_t cut = 1; cut < text.size(); ++cut)
      ASSERT_EQ(incomplete_tail(text.substr(0, cut)), cut) << static_cast<unsigned>(code);
  }
}

TEST(Utf8, IllFormedSequences) {
  for (const char* bad : {"\x80", "\xBF", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xED\xA0\x80",
                          "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
                          "\xC3", "\xE2\x82", "\xF0\x9F\x98", "a\xC3z"})
    EXPECT_FALSE(is_valid(bad)) << testing::PrintToString(std::string(bad));
  EXPECT_TRUE(is_valid("plain, caf\xC3\xA9, \xE6\xBC\xA2, \xF0\x9F\x98\x80"));
}

// Examples of the Unicode standard, table 3-8 to 3-11: one U+FFFD per maximal subpart.
TEST(Utf8, ReplacementIsPerMaximalSubpart) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(replace_invalid("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"),
            r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(replace_invalid("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(Utf8, TailOfIllFormedTextIsNotHeldForever) {
  EXPECT_EQ(incomplete_tail("\x80\x80\x80\x80"), 0u);
  EXPECT_EQ(incomplete_tail("\xE0\x80"), 0u);  // no continuation can make it a character
  EXPECT_EQ(incomplete_tail("a\xF0\x9F"), 2u);
  EXPECT_EQ(incomplete_tail(""), 0u);
}

}  // namespace
}  // namespace tessera::utf8
