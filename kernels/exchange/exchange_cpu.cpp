// SPDX-License-Identifier: MIT
#include "kernels/exchange/exchange.h"

#include <algorithm>

#include "core/base/threads.h"
#include "kernels/exchange/exchange_contract.h"

namespace tessera::kernels::cpu {

namespace {
/// The rank whose run of tokens the token is in.
std::int64_t source_of(const Tensor& starts, std::int64_t token) {
  const auto* at = starts.data<std::int32_t>();
  const auto* above = std::upper_bound(at, at + starts.numel(), static_cast<std::int32_t>(token));
  return above - at - 1;
}
}  // namespace

void rank_picks(Context&, const Tensor& picks, std::int64_t each, const Tensor& ranks) {
  const char* where = "rank_picks";
  contract::rank_picks(where, picks, each, ranks);
  const std::int64_t k = picks.size(1), width = ranks.size(1);
  parallel_for(picks.size(0), rows_per_piece(k * k), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const auto* pick = picks.data<std::int32_t>() + t * k;
      auto* to = ranks.data<std::int32_t>() + t * width;
      std::int64_t found = 0;
      // Each time the lowest rank above the last one.
      for (std::int64_t last = -1;;) {
        std::int64_t next = -1;
        for (std::int64_t i = 0; i < k; ++i) {
          const std::int64_t rank = pick[i] / each;
          if (rank > last && (next < 0 || rank < next)) next = rank;
        }
        if (next < 0) break;
        require(found < width, where, "token {} has experts on more than {} ranks", t, width);
        to[found++] = static_cast<std::int32_t>(last = next);
      }
      std::fill(to + found, to + width, kNoPick);
    }
  });
}

void held_picks(Context&, const Tensor& picks, std::int64_t first, std::int64_t each,
                const Tensor& starts, const Tensor& groups) {
  contract::held_picks("held_picks", picks, first, each, starts, groups);
  const std::int64_t k = picks.size(1);
  parallel_for(picks.size(0), rows_per_piece(k), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const auto* pick = picks.data<std::int32_t>() + t * picks.stride(0);
      auto* to = groups.data<std::int32_t>() + t * k;
      const std::int64_t base = starts ? source_of(starts, t) * each : 0;
      for (std::int64_t i = 0; i < k; ++i) {
        const std::int64_t held = pick[i] - first;
        to[i] = held >= 0 && held < each ? static_cast<std::int32_t>(base + held) : kNoPick;
      }
    }
  });
}

void row_sources(Context&, const Permutation& plan, const Tensor& starts, const Tensor& sources) {
  contract::row_sources("row_sources", plan, starts, sources);
  const std::int64_t k = plan.row_of_slot.size(1);
  const auto* slots = plan.slot_of_row.data<std::int32_t>();
  auto* to = sources.data<std::int32_t>();
  parallel_for(sources.size(0), kElementsPerPiece, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      to[row] =
          slots[row] < 0 ? kNoPick : static_cast<std::int32_t>(source_of(starts, slots[row] / k));
    }
  });
}

}  // namespace tessera::kernels::cpu
