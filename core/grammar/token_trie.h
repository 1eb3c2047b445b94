// SPDX-License-Identifier: MIT
// The tokens of a vocabulary by the bytes that they add to a text.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/tokenizer/tokenizer.h"

namespace tessera {

/// Nodes in the order of a walk that takes children before siblings; node 0 is the root. Tokens of
/// equal bytes lie at one node.
class TokenTrie {
 public:
  struct Node {
    char byte = 0;
    std::int32_t end = 0;                          ///< the first node behind those below it
    std::int32_t first_token = 0, tokens_end = 0;  ///< in tokens()
  };

  /// Special tokens add nothing to a text and are not in it, but for those spelled as one of
  /// `marks`, which add their spelling.
  explicit TokenTrie(const Tokenizer& tokenizer, const std::vector<std::string_view>& marks = {});

  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<std::int32_t>& tokens() const { return tokens_; }
  std::string_view bytes_of(std::int32_t id) const { return bytes_[static_cast<std::size_t>(id)]; }
  std::int32_t vocab_size() const { return static_cast<std::int32_t>(bytes_.size()); }

 private:
  std::vector<std::string_view> bytes_;  ///< by id, the tokenizer's memory
  std::vector<Node> nodes_;
  std::vector<std::int32_t> tokens_;  ///< ids, by their bytes
};

}  // namespace tessera
