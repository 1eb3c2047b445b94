// SPDX-License-Identifier: MIT
// What the operations of exchange.h refuse, on every device.
#pragma once

#include "kernels/arguments.h"
#include "kernels/exchange/exchange.h"

namespace tessera::kernels::contract {

inline void rank_picks(const char* where, const Tensor& picks, std::int64_t each,
                       const Tensor& ranks) {
  expect_shape(where, "picks", picks, {-1, -1});
  expect_contiguous(where, "picks", picks);
  expect_shape(where, "ranks", ranks, {picks.size(0), -1});
  expect_contiguous(where, "ranks", ranks);
  require(each >= 1, where, "{} experts a rank", each);
}

inline void held_picks(const char* where, const Tensor& picks, std::int64_t first,
                       std::int64_t each, const Tensor& starts, const Tensor& groups) {
  expect_shape(where, "picks", picks, {-1, -1});
  expect_shape(where, "groups", groups, {picks.size(0), picks.size(1)});
  expect_contiguous(where, "groups", groups);
  require(each >= 1 && first >= 0, where, "experts {} and {} more", first, each);
  require(!starts || starts.numel() >= 2, where, "starts are {}", starts.describe());
}

inline void row_sources(const char* where, const Permutation& plan, const Tensor& starts,
                        const Tensor& sources) {
  expect_shape(where, "sources", sources, {plan.slot_of_row.size(0), 1});
  expect_contiguous(where, "sources", sources);
  expect_shape(where, "row_of_slot", plan.row_of_slot, {-1, -1});
  require(starts && starts.numel() >= 2, where, "starts are absent");
}

}  // namespace tessera::kernels::contract
