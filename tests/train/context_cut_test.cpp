// SPDX-License-Identifier: MIT
// Rows cut over ranks of context: every token on one rank, and every query with the keys it has in
// the whole row.
#include "core/train/context_cut.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace tessera {
namespace {

/// A row whose token at column i is 100 i, so that columns are known again, with documents that
/// begin at `starts`.
TokenColumns row_of(std::int64_t length, const std::vector<std::int32_t>& starts = {},
                    int extra = 1) {
  std::vector<std::int32_t> ids;
  for (std::int64_t i = 0; i < length + 1 + extra; ++i) ids.push_back(static_cast<int>(100 * i));
  return packed_row(ids, length, extra, starts);
}

/// The columns of a row that each key of a cut is, by the parts of all ranks.
std::vector<std::int32_t> key_columns(const TokenColumns& part,
                                      const std::vector<TokenColumns>& all) {
  std::vector<std::int32_t> columns;
  for (std::size_t i = 0; i < part.context.key_rows.size(); ++i) {
    const auto rank = static_cast<std::size_t>(part.context.key_ranks[i]);
    const auto row = static_cast<std::size_t>(part.context.key_rows[i]);
    columns.push_back(all[rank].positions.at(row));
  }
  return columns;
}

std::vector<TokenColumns> cut(const TokenColumns& row, std::int64_t ranks) {
  std::vector<TokenColumns> parts;
  for (std::int64_t rank = 0; rank < ranks; ++rank) parts.push_back(cut_row(row, {ranks, rank}));
  return parts;
}

/// Each query sees the columns from the begin of its document to its own.
void expect_right(const TokenColumns& row, const std::vector<TokenColumns>& parts) {
  std::vector<int> seen(row.tokens.size(), 0);
  for (std::size_t rank = 0; rank < parts.size(); ++rank) {
    const TokenColumns& part = parts[rank];
    ASSERT_EQ(part.starts.size(), row.starts.size());
    EXPECT_EQ(part.max_length, row.max_length);
    EXPECT_EQ(std::ssize(part.tokens), part.context.shares[rank]);
    const std::vector<std::int32_t> columns = key_columns(part, parts);
    const std::vector<std::int32_t>& ranges = part.context.ranges;
    std::size_t covered = 0;
    for (std::size_t i = 0; i < ranges.size(); i += 4) {
      ASSERT_EQ(ranges[i], static_cast<std::int32_t>(covered));
      for (std::int32_t q = ranges[i]; q < ranges[i + 1]; ++q, ++covered) {
        const auto column = static_cast<std::size_t>(part.positions[covered]);
        ++seen[column];
        EXPECT_EQ(part.tokens[covered], row.tokens[column]);
        EXPECT_EQ(part.targets[covered], row.targets[column]);
        if (!row.mtp_tokens.empty()) {
          EXPECT_EQ(part.mtp_tokens[covered], row.mtp_tokens[column]);
          EXPECT_EQ(part.mtp_targets[covered], row.mtp_targets[column]);
        }
        const auto next = std::upper_bound(row.starts.begin(), row.starts.end(),
                                           static_cast<std::int32_t>(column));
        const std::int32_t first_column = *(next - 1);
        const std::int32_t first = ranges[i + 2], own = ranges[i + 3] + q - ranges[i];
        ASSERT_LT(own, std::ssize(columns));
        EXPECT_EQ(own - first, static_cast<std::int32_t>(column) - first_column);
        for (std::int32_t key = first; key <= own; ++key) {
          EXPECT_EQ(columns[static_cast<std::size_t>(key)], first_column + key - first);
        }
      }
    }
    EXPECT_EQ(covered, part.tokens.size());
    for (std::size_t d = 0; d + 1 < row.starts.size(); ++d) {
      EXPECT_EQ(part.context.lengths[d], row.starts[d + 1] - row.starts[d]);
    }
  }
  EXPECT_EQ(seen, std::vector<int>(row.tokens.size(), 1));
}

TEST(ContextCut, GivesEveryTokenToOneRankWithTheKeysItSees) {
  for (const std::int64_t ranks : {1, 2, 3, 4, 8}) {
    for (const std::int64_t length : {1, 2, 3, 5, 16, 31, 48}) {
      SCOPED_TRACE(fmt::format("{} tokens on {} ranks", length, ranks));
      expect_right(row_of(length), cut(row_of(length), ranks));
      if (length < 3) continue;
      const auto middle = static_cast<std::int32_t>(length / 2);
      const TokenColumns documents = row_of(length, {1, middle, middle + 1});
      expect_right(documents, cut(documents, ranks));
      std::vector<std::int32_t> all(static_cast<std::size_t>(length));
      std::iota(all.begin(), all.end(), 0);
      const TokenColumns single = row_of(length, all);  // a document for each token
      expect_right(single, cut(single, ranks));
    }
  }
}

TEST(ContextCut, LeavesRanksWithoutTokensOfAShortDocument) {
  std::vector<std::int32_t> ids(10, 7);
  const TokenColumns row = document_row(ids, 8, 1, 1);
  ASSERT_EQ(row.tokens.size(), 1u);
  const std::vector<TokenColumns> parts = cut(row, 4);
  expect_right(row, parts);
  EXPECT_EQ(parts[0].tokens.size(), 1u);
  for (std::size_t rank = 1; rank < 4; ++rank) {
    EXPECT_TRUE(parts[rank].tokens.empty());
    EXPECT_TRUE(parts[rank].context.has_mtp);
    EXPECT_TRUE(parts[rank].context.key_rows.empty());
  }
  const TokenColumns nothing = document_row(ids, 8, 1, 0);
  for (const TokenColumns& part : cut(nothing, 2)) EXPECT_TRUE(part.tokens.empty());
}

/// Pairs of a query and a key that it sees differ by less than a hundredth between ranks.
TEST(ContextCut, SharesOutTheWorkOfCausalAttention) {
  for (const std::int64_t ranks : {2, 4, 8}) {
    std::vector<std::int64_t> pairs;
    for (const TokenColumns& part : cut(row_of(4096), ranks)) {
      std::int64_t sum = 0;
      for (const std::int32_t position : part.positions) sum += position + 1;
      pairs.push_back(sum);
      EXPECT_EQ(std::ssize(part.tokens), 4096 / ranks);
    }
    const auto [least, most] = std::minmax_element(pairs.begin(), pairs.end());
    EXPECT_LE(*most - *least, *least / 100);
  }
}

/// Rows of a micro-batch: shares, keys and ranges go on behind those of the rows before.
TEST(ContextCut, JoinsRowsOfAMicroBatch) {
  const std::int64_t lengths[] = {16, 3, 1, 9};
  for (std::int64_t rank = 0; rank < 2; ++rank) {
    std::vector<TokenColumns> joined;  // of both ranks
    for (std::int64_t r = 0; r < 2; ++r) {
      TokenColumns columns = cut_row(row_of(lengths[0], {5}), {2, r});
      for (int i = 1; i < 4; ++i) columns.append(cut_row(row_of(lengths[i]), {2, r}));
      joined.push_back(columns);
    }
    const TokenColumns& part = joined[static_cast<std::size_t>(rank)];
    EXPECT_EQ(part.context.shares[0], std::ssize(joined[0].tokens));
    EXPECT_EQ(part.context.shares[1], std::ssize(joined[1].tokens));
    EXPECT_EQ(part.context.lengths, (std::vector<std::int32_t>{5, 11, 3, 1, 9}));
    EXPECT_EQ(part.starts.size(), 6u);
    const std::vector<std::int32_t> columns = key_columns(part, joined);
    const std::vector<std::int32_t>& ranges = part.context.ranges;
    for (std::size_t i = 0; i < ranges.size(); i += 4) {
      for (std::int32_t q = ranges[i]; q < ranges[i + 1]; ++q) {
        const auto own = static_cast<std::size_t>(ranges[i + 3] + q - ranges[i]);
        EXPECT_EQ(columns.at(own), part.positions.at(static_cast<std::size_t>(q)));
      }
    }
    const MicrobatchBuffer buffer(part, Device::Cpu);
    const ContextCut& cut = buffer.batch().sequences.cut;
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut.share, std::max(part.context.shares[0], part.context.shares[1]));
    EXPECT_EQ(cut.ranges.size(0), std::ssize(ranges) / 4);
    EXPECT_EQ(cut.keys.size(0), std::ssize(columns));
  }
}

}  // namespace
}  // namespace tessera
