// SPDX-License-Identifier: MIT
// Private to core/tokenizer: sets of code points, as patterns name them.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tokenizer/unicode_table.h"

namespace tessera {

/// A set of code points as ascending ranges that do not touch.
class CodeSet {
 public:
  CodeSet() = default;
  CodeSet(char32_t first, char32_t last) { add(first, last); }
  explicit CodeSet(std::vector<unicode::Range> ranges) : ranges_(std::move(ranges)) { tidy(); }

  void add(char32_t first, char32_t last);
  void add(const CodeSet& other);
  CodeSet complement() const;
  CodeSet intersection(const CodeSet& other) const;

  bool contains(char32_t code) const;
  const std::vector<unicode::Range>& ranges() const { return ranges_; }

 private:
  void tidy();
  std::vector<unicode::Range> ranges_;
};

namespace unicode {
/// The set of a property as \p{NAME} spells it: a general category ("Lu", "L"), "Han" or "Any".
/// False: none of these.
bool property(std::string_view name, CodeSet& set);
/// White_Space (PropList.txt), which \s matches.
const CodeSet& spaces();
/// What \w matches.
const CodeSet& word();
}  // namespace unicode

/// The same for lookups that cost a few instructions.
class CodeTable {
 public:
  explicit CodeTable(const CodeSet& set);

  bool contains(char32_t code) const {
    const std::size_t block = index_[code >> 8];
    return blocks_[block][code >> 6 & 3] >> (code & 63) & 1;
  }
  /// Bytes that the UTF-8 form of a member begins with.
  const std::bitset<256>& first_bytes() const { return first_bytes_; }

 private:
  std::array<std::uint16_t, 0x1100> index_{};
  std::vector<std::array<std::uint64_t, 4>> blocks_;
  std::bitset<256> first_bytes_;
};

}  // namespace tessera
