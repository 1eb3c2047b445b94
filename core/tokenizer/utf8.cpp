// SPDX-License-Identifier: MIT
#include "core/tokenizer/utf8.h"

namespace tessera::utf8 {

namespace {

/// Length of the character that `lead` starts, and the range of the byte after it (table 3-7: this
/// is what excludes overlong forms, surrogates and code points past 0x10FFFF). 0: no lead byte.
struct Form {
  std::size_t bytes = 0;
  unsigned char low = 0x80, high = 0xBF;
};

Form form_of(unsigned char lead) {
  if (lead < 0x80) return {1};
  if (lead < 0xC2) return {0};
  if (lead < 0xE0) return {2};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0};
}

}  // namespace

Character next(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const Form form = form_of(byte(0));
  if (form.bytes == 1) return {byte(0), 1, true, false};
  if (form.bytes == 0) return {};
  char32_t code = byte(0) & (0x7Fu >> form.bytes);
  for (std::size_t i = 1; i < form.bytes; ++i) {
    if (at + i >= text.size()) return {0xFFFD, i, false, true};
    const unsigned char low = i == 1 ? form.low : 0x80, high = i == 1 ? form.high : 0xBF;
    if (byte(i) < low || byte(i) > high) return {0xFFFD, i, false, false};
    code = code << 6 | (byte(i) & 0x3Fu);
  }
  return {code, form.bytes, true, false};
}

bool is_valid(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Character character = next(text, at);
    if (!character.valid) return false;
    at += character.bytes;
  }
  return true;
}

void append(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

std::string replace_invalid(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character character = next(text, at);
    if (character.valid)
      out.append(text, at, character.bytes);
    else
      append(out, 0xFFFD);
    at += character.bytes;
  }
  return out;
}

std::size_t incomplete_tail(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t at = text.size() - back;
    if ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80) continue;
    const Character character = next(text, at);
    return character.cut_off && character.bytes == back ? back : 0;
  }
  return 0;
}

}  // namespace tessera::utf8
