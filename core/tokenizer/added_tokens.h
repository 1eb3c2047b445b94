// SPDX-License-Identifier: MIT
// Private to core/tokenizer: tokens that are cut out of a text, literally, before it is split.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

struct AddedToken {
  std::int32_t id = -1;
  std::string content;
  bool single_word = false;             ///< only where no letter or digit stands beside it
  bool lstrip = false, rstrip = false;  ///< takes the white space beside it along
  bool normalized = true;               ///< looked for behind the normaliser, in its form
  bool special = false;                 ///< has a role: text that people wrote never becomes it
};

/// Whose the bytes of a text are: each one's mark (MarkedText), or one mark for all.
struct MarksView {
  std::string_view each;
  char all = 0;

  /// No byte of [begin, end) is people's.
  bool is_own(std::size_t begin, std::size_t end) const;
  MarksView part(std::size_t begin, std::size_t end) const;
};

/// Finds tokens in a text: the leftmost one, the longest of those.
class AddedTokenFinder {
 public:
  /// `spellings[i]` stands for `tokens[i]`; the first of two equal ones counts, empty ones are
  /// passed over. `tokens` live as long as the finder.
  AddedTokenFinder() = default;
  AddedTokenFinder(std::vector<std::string> spellings, std::vector<const AddedToken*> tokens);

  struct Part {
    std::size_t begin = 0, end = 0;
    const AddedToken* token = nullptr;  ///< nullptr: text between tokens
  };
  /// The parts of `text`, which is valid UTF-8, in order. Special tokens are found only where each
  /// byte is the program's own.
  std::vector<Part> parts(std::string_view text, const MarksView& marks) const;
  bool is_empty() const { return entries_.empty(); }

 private:
  const AddedToken* longest_at(std::string_view text, std::size_t at, std::size_t& end) const;

  struct Entry {
    std::string spelling;
    const AddedToken* token;
  };
  std::vector<Entry> entries_;  ///< ascending by spelling
  std::vector<bool> begins_ = std::vector<bool>(256);
};

}  // namespace tessera
