// SPDX-License-Identifier: MIT
// In which order the tiles of dispatch are made. Every token's row is read top_k times, by experts
// whose tiles may be far apart. So tiles are made in the order of their tokens, in windows of
// tokens: what is read again soon is then in L2, whatever the number of tokens and however tokens
// choose. (Neighbours choose alike: in a sequence a few experts may have nearly everything, in the
// next one others, so that an expert's n-th tile says nothing about where its tokens are.) The
// tiles of several windows are taken together, a panel of columns after the other.
#pragma once

#include <algorithm>
#include <limits>

#include "kernels/cuda/pieces.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/permute/permute.h"
#include "kernels/quantise/quantise_tile.cuh"

namespace tessera::kernels::cuda::e4m3 {

/// What a block of a grid of blocks() makes: one tile of 128 rows and of one panel of columns.
struct TileOrder {
  struct Tile {
    bool is_used;  ///< false: there is nothing to do
    int64_t row0;
    int column;  ///< panel
  };

  const int32_t* tile_at;  ///< (groups * together) tiles by rows, as many as are in use
  int panels, together;
  int64_t groups;

  unsigned blocks() const { return static_cast<unsigned>(groups * together * panels); }

  /// `used`: rows in use.
  __device__ Tile tile(int64_t used) const {
    const int of_group = together * panels;
    const int group = static_cast<int>(blockIdx.x) / of_group;
    const int in_group = static_cast<int>(blockIdx.x) - group * of_group;
    const int panel = in_group / together;
    const int at = group * together + (in_group - panel * together);
    // Read whether or not it means something, so that nothing waits for `used`.
    const int64_t row0 = int64_t{tile_at[at]} * kTile;
    return {int64_t{at} * kTile < used, row0, panel};
  }
};

/// What the order is made of.
struct OrderTask {
  const int32_t *offsets, *slot_of_row;
  int experts, windows;
  int64_t slots;     ///< tokens * top_k
  int32_t* until;    ///< (windows + 1, experts) tiles of the expert that begin before the window
  int32_t* tile_at;  ///< what TileOrder has

  /// Tiles of an expert: [first_tile(e), first_tile(e + 1)). One with rows of two experts is the
  /// later one's.
  __device__ int first_tile(int e) const {
    const int rows = offsets[e];
    return e < experts ? rows / kTile : (rows + kTile - 1) / kTile;
  }
  /// The first slot of the expert's tile `first + i`; rows of an expert are in order of slots.
  __device__ int64_t slot(int e, int first, int i) const {
    const int row = (first + i) * kTile;
    if (row < offsets[e]) return 0;
    const int32_t found = slot_of_row[row];
    return found < 0 ? slots : found;  // padding follows all of the expert's slots
  }
};

/// Fills `until`, a thread for each element.
static __global__ void __launch_bounds__(kThreads) order_windows_kernel(const OrderTask task) {
  const int at = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);
  const int window = at / task.experts, e = at % task.experts;
  if (window > task.windows) return;
  const int first = task.first_tile(e);
  const int64_t begin = task.slots * window / task.windows;
  int low = 0, high = task.first_tile(e + 1) - first;
  if (window == task.windows) low = high;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (task.slot(e, first, middle) < begin) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  task.until[at] = low;
}

/// Fills `tile_at`, a warp for each window: its tiles follow each other, expert by expert.
static __global__ void __launch_bounds__(kThreads) order_tiles_kernel(const OrderTask task) {
  const int window = static_cast<int>(blockIdx.x) * kWarps + static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp, experts = task.experts;
  if (window >= task.windows) return;
  const int32_t *from = task.until + int64_t{window} * experts, *to = from + experts;
  int at = 0;
  for (int e = lane; e < experts; e += kWarp) at += from[e];
  at = warp_sum(at);
  for (int e = lane; e - lane < experts; e += kWarp) {
    const int count = e < experts ? to[e] - from[e] : 0;
    int through = count;
    for (int step = 1; step < kWarp; step *= 2) {
      const int before = __shfl_up_sync(kAllLanes, through, step);
      if (lane >= step) through += before;
    }
    const int first = count > 0 ? task.first_tile(e) + from[e] : 0;
    for (int i = 0; i < count; ++i) task.tile_at[at + through - count + i] = first + i;
    at += __shfl_sync(kAllLanes, through, kWarp - 1);
  }
}

/// The order for a dispatch with `panels` panels of columns. Uses the operation's workspace.
inline TileOrder order_tiles(Context& context, const char* where, const Permutation& permutation,
                             int panels) {
  const int64_t tiles = blocks_for(permutation.slot_of_row.size(0), kTile);
  const int64_t experts = permutation.offsets.size(0) - 1;
  require(experts >= 1, where, "there are no experts");
  const int64_t windows = std::max<int64_t>(1, tiles / experts);
  // More are more than L2 holds, fewer change panels too often.
  const int64_t together = std::min(6 * experts, tiles);
  const int64_t groups = (tiles + together - 1) / together;
  require(groups * together * panels <= std::numeric_limits<int>::max(), where,
          "{} tiles of rows in {} panels are too many", tiles, panels);
  Pieces pieces;
  const auto until = pieces.reserve<int32_t>((windows + 1) * experts);
  const auto tile_at = pieces.reserve<int32_t>(groups * together);
  pieces.take(context);
  const OrderTask task{permutation.offsets.data<int32_t>(),
                       permutation.slot_of_row.data<int32_t>(),
                       static_cast<int>(experts),
                       static_cast<int>(windows),
                       permutation.row_of_slot.numel(),
                       pieces.at(until),
                       pieces.at(tile_at)};
  const cudaStream_t stream = stream_of(context);
  order_windows_kernel<<<blocks_for((windows + 1) * experts, kThreads), kThreads, 0, stream>>>(
      task);
  check_launch(where);
  order_tiles_kernel<<<blocks_for(windows, kWarps), kThreads, 0, stream>>>(task);
  check_launch(where);
  return {task.tile_at, panels, static_cast<int>(together), groups};
}

}  // namespace tessera::kernels::cuda::e4m3
