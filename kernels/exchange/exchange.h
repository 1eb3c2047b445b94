// SPDX-License-Identifier: MIT
// Who gets which token when the experts of a layer are spread over ranks: what is between the
// router's picks and kernels/permute, which sorts rows by rank as it sorts them by expert.
//
// Rank r holds the experts [r * each, (r + 1) * each). Tokens that came from rank s of a group are
// the rows [starts[s], starts[s + 1]); starts (ranks + 1) I32.
#pragma once

#include "core/base/op.h"
#include "kernels/permute/permute.h"

namespace tessera::kernels {

namespace cpu {
/// ranks[t]: the ranks that hold the experts of token t, each once, in the order of their numbers,
/// then kNoPick. picks (tokens, k) I32; ranks (tokens, w) I32 with w at least the number of ranks
/// or k, whichever is smaller. Throws Error where a token has more ranks than w.
void rank_picks(Context& context, const Tensor& picks, std::int64_t each, const Tensor& ranks);

/// groups[t, i]: the place of picks[t, i] among the experts [first, first + each), kNoPick for
/// experts of other ranks. Where `starts` is given, every rank's tokens have groups of their own:
/// those of rank s begin at s * each. picks (tokens, k) I32, rows may be apart; groups likewise,
/// contiguous.
void held_picks(Context& context, const Tensor& picks, std::int64_t first, std::int64_t each,
                const Tensor& starts, const Tensor& groups);

/// sources[row]: the rank that the row's token came from, kNoPick for rows without a token. `plan`
/// is that of the received tokens; sources (rows, 1) I32.
void row_sources(Context& context, const Permutation& plan, const Tensor& starts,
                 const Tensor& sources);
}  // namespace cpu

inline const Op<decltype(cpu::rank_picks)> rank_picks{"rank_picks", cpu::rank_picks};
inline const Op<decltype(cpu::held_picks)> held_picks{"held_picks", cpu::held_picks};
inline const Op<decltype(cpu::row_sources)> row_sources{"row_sources", cpu::row_sources};

}  // namespace tessera::kernels
