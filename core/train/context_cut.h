// SPDX-License-Identifier: MIT
// Rows of tokens cut over the ranks of context. A row is cut into 2 N pieces of one length, or one
// token more or less where it does not divide; rank r of N has the pieces r and 2 N - 1 - r. Late
// tokens see many keys and early ones few, so that ranks have alike work in causal attention.
#pragma once

#include "core/config/layout.h"
#include "core/train/microbatch.h"

namespace tessera {

/// Where the pieces of a row of `tokens` tokens lie, and whose they are.
class ContextPieces {
 public:
  ContextPieces(std::int64_t tokens, std::int64_t ranks) : tokens_(tokens), ranks_(ranks) {}

  std::int64_t count() const { return 2 * ranks_; }
  /// Pieces go from begin(i) to begin(i + 1).
  std::int64_t begin(std::int64_t piece) const { return piece * tokens_ / count(); }
  std::int64_t size(std::int64_t piece) const { return begin(piece + 1) - begin(piece); }
  std::int64_t rank_of(std::int64_t piece) const { return std::min(piece, count() - 1 - piece); }
  /// Tokens of a rank.
  std::int64_t share(std::int64_t rank) const { return size(rank) + size(count() - 1 - rank); }

 private:
  std::int64_t tokens_, ranks_;
};

/// What a rank of context computes of a row, and which keys of the row its queries see. Columns
/// keep their positions and targets. The row may have several documents, or no token at all.
TokenColumns cut_row(const TokenColumns& row, const ContextPlace& place);

}  // namespace tessera
