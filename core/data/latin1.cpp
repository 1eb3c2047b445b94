// SPDX-License-Identifier: MIT
#include "core/data/latin1.h"

#include <array>
#include <cstddef>

#include "core/tokenizer/utf8.h"

namespace tessera::data {

namespace {
/// 0x80 to 0x9F of Windows-1252; 0 where it has no character.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};
}  // namespace

std::string from_latin1(std::string_view bytes) {
  std::string text;
  std::size_t high = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) {
      text.push_back(bytes[at]);
      continue;
    }
    const char32_t code = byte < 0xA0 ? kWindows1252[byte - 0x80u] : byte;
    // A whole UTF-8 sequence says that this is damaged UTF-8 rather than Latin-1.
    if (code == 0 || utf8::next(bytes, at).valid) return {};
    utf8::append(text, code);
    ++high;
  }
  return high * 10 <= bytes.size() * 3 ? text : std::string{};
}

}  // namespace tessera::data
