// SPDX-License-Identifier: MIT
// What a model thinks before it answers, apart from the answer: <think>...</think> as R1 and its
// kin write it, found while the text comes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tessera {

/// Where an answer begins.
enum class Thinking : std::uint8_t {
  Never,   ///< the model has no such marks: all is answer
  May,     ///< the answer may begin with <think>
  Inside,  ///< the prompt ends within the thoughts
};

class ReasoningSplit {
 public:
  explicit ReasoningSplit(Thinking thinking) : state_(thinking) {}

  struct Piece {
    std::string reasoning, content;
  };
  /// Takes the next characters and returns those whose side is known.
  Piece push(std::string_view text);
  /// What was held back, at the end of the answer.
  Piece finish();

 private:
  Piece look(bool is_end);

  Thinking state_;      ///< Never: the thoughts are over, or there were none
  bool trims_ = false;  ///< white space between the thoughts and the answer goes
  std::string held_;
};

}  // namespace tessera
