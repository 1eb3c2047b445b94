// SPDX-License-Identifier: MIT
#include "core/train/context_cut.h"

#include <algorithm>

namespace tessera {

namespace {
/// Columns [from, to) of a row.
struct Span {
  std::int64_t from, to;
};

/// Appends the columns of a span.
class ColumnCut {
 public:
  explicit ColumnCut(const TokenColumns& row) : row_(row) {}

  void append(Span span, TokenColumns& to) const {
    const auto copy = [&](const auto& all, auto& some) {
      if (!all.empty()) some.insert(some.end(), all.begin() + span.from, all.begin() + span.to);
    };
    copy(row_.tokens, to.tokens);
    copy(row_.positions, to.positions);
    copy(row_.targets, to.targets);
    copy(row_.mtp_tokens, to.mtp_tokens);
    copy(row_.mtp_targets, to.mtp_targets);
    copy(row_.weights, to.weights);
    copy(row_.mtp_weights, to.mtp_weights);
  }

 private:
  const TokenColumns& row_;
};

/// Adds the keys of the columns [from, to) of a row.
void append_keys(const ContextPieces& pieces, Span span, ContextColumns& to) {
  for (std::int64_t piece = 0; piece < pieces.count(); ++piece) {
    const std::int64_t begin = pieces.begin(piece), rank = pieces.rank_of(piece);
    const std::int64_t before = piece == rank ? 0 : pieces.size(rank);  // tokens of its first piece
    const std::int64_t end = std::min(span.to, pieces.begin(piece + 1));
    for (std::int64_t column = std::max(span.from, begin); column < end; ++column) {
      to.key_ranks.push_back(static_cast<std::int32_t>(rank));
      to.key_rows.push_back(static_cast<std::int32_t>(before + column - begin));
    }
  }
}
}  // namespace

TokenColumns cut_row(const TokenColumns& row, const ContextPlace& place) {
  const ContextPieces pieces(std::ssize(row.tokens), place.ranks);
  const std::int64_t early = place.index, late = pieces.count() - 1 - place.index;
  const Span own[] = {{pieces.begin(early), pieces.begin(early + 1)},
                      {pieces.begin(late), pieces.begin(late + 1)}};
  const ColumnCut columns(row);
  TokenColumns part;
  part.max_length = row.max_length;
  ContextColumns& cut = part.context;
  cut.has_mtp = row.context.has_mtp || !row.mtp_tokens.empty();
  for (std::int64_t rank = 0; rank < place.ranks; ++rank) cut.shares.push_back(pieces.share(rank));
  for (std::size_t document = 0; document + 1 < row.starts.size(); ++document) {
    const Span all{row.starts[document], row.starts[document + 1]};
    const auto first_key = std::ssize(cut.key_rows);
    std::int64_t end = all.from;  // of the keys that are seen
    for (const Span& piece : own) {
      const Span span{std::max(all.from, piece.from), std::min(all.to, piece.to)};
      if (span.from >= span.to) continue;
      const auto from = std::ssize(part.tokens);
      columns.append(span, part);
      for (const std::int64_t number :
           {from, std::ssize(part.tokens), first_key, first_key + span.from - all.from}) {
        cut.ranges.push_back(static_cast<std::int32_t>(number));
      }
      end = span.to;
    }
    append_keys(pieces, {all.from, end}, cut);
    cut.lengths.push_back(static_cast<std::int32_t>(all.to - all.from));
    part.end_sequence();
  }
  return part;
}

}  // namespace tessera
