// SPDX-License-Identifier: MIT
#include "core/grammar/token_trie.h"

#include <algorithm>

namespace tessera {

TokenTrie::TokenTrie(const Tokenizer& tokenizer, const std::vector<std::string_view>& marks) {
  for (std::int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    std::string_view bytes = tokenizer.bytes_of(id);
    if (tokenizer.is_special(id)) {
      const std::string_view piece = tokenizer.piece(id);
      bytes = std::find(marks.begin(), marks.end(), piece) == marks.end() ? "" : piece;
    }
    bytes_.push_back(bytes);
    if (!bytes.empty()) tokens_.push_back(id);
  }
  std::sort(tokens_.begin(), tokens_.end(), [&](std::int32_t a, std::int32_t b) {
    const int order = bytes_of(a).compare(bytes_of(b));
    return order != 0 ? order < 0 : a < b;
  });
  nodes_.emplace_back();
  std::vector<std::int32_t> path{0};  // nodes from the root to the last token's
  std::string_view before;
  const auto close_down_to = [&](std::size_t depth) {
    while (path.size() > depth + 1) {
      nodes_[static_cast<std::size_t>(path.back())].end = static_cast<std::int32_t>(nodes_.size());
      path.pop_back();
    }
  };
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    const std::string_view bytes = bytes_of(tokens_[i]);
    const auto common = static_cast<std::size_t>(
        std::mismatch(bytes.begin(), bytes.end(), before.begin(), before.end()).first -
        bytes.begin());
    close_down_to(common);
    for (std::size_t depth = common; depth < bytes.size(); ++depth) {
      path.push_back(static_cast<std::int32_t>(nodes_.size()));
      Node node;
      node.byte = bytes[depth];
      node.first_token = node.tokens_end = static_cast<std::int32_t>(i);
      nodes_.push_back(node);
    }
    nodes_[static_cast<std::size_t>(path.back())].tokens_end = static_cast<std::int32_t>(i) + 1;
    before = bytes;
  }
  close_down_to(0);
  nodes_.front().end = static_cast<std::int32_t>(nodes_.size());
}

}  // namespace tessera
