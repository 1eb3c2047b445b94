// SPDX-License-Identifier: MIT
// The plan of dispatch on the GPU: a counting sort of slots by expert that keeps their order.
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/pieces.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/permute/permute_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr int kPlanWarps = 8;
constexpr int kSlotsPerWarp = 64;
constexpr int kSlotsPerBlock = kPlanWarps * kSlotsPerWarp;
constexpr int kPlaceThreads = 1024;
constexpr int kBlocksAtOnce = 8;
constexpr std::int64_t kMostExperts = 48 * 1024 / 4 / kPlanWarps;

struct PlanTask {
  const std::int32_t* picks;
  std::int64_t slots;
  int experts, blocks;
  std::int64_t alignment;
  std::int32_t*
      of_blocks;  ///< (blocks, experts): slots of each block, then those of earlier blocks
  std::int64_t* counts;
  std::int32_t *offsets, *row_of_slot, *slot_of_row;
  std::int64_t rows;  ///< length of slot_of_row

  __device__ bool is_expert(std::int32_t pick) const { return pick >= 0 && pick < experts; }
};

/// Also marks all rows as padding.
__global__ void __launch_bounds__(kPlanWarps* kWarp)
    count_kernel(const PlanTask task, tessera::cuda::Fault fault) {
  extern __shared__ std::int32_t counts[];
  const std::int64_t thread = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (std::int64_t row = thread; row < task.rows; row += std::int64_t{gridDim.x} * blockDim.x) {
    task.slot_of_row[row] = -1;
  }
  for (int e = threadIdx.x; e < task.experts; e += blockDim.x) counts[e] = 0;
  __syncthreads();
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * kSlotsPerBlock;
  for (int i = threadIdx.x; i < kSlotsPerBlock && first + i < task.slots; i += blockDim.x) {
    const std::int32_t pick = task.picks[first + i];
    if (task.is_expert(pick)) {
      atomicAdd(counts + pick, 1);  // integers: the order changes nothing
    } else if (pick != kNoPick) {
      fault.raise(static_cast<unsigned>(first + i));
    }
  }
  __syncthreads();
  std::int32_t* to = task.of_blocks + static_cast<std::int64_t>(blockIdx.x) * task.experts;
  for (int e = threadIdx.x; e < task.experts; e += blockDim.x) to[e] = counts[e];
}

/// One block. Turns of_blocks into the slots of earlier blocks; writes totals and offsets. Several
/// threads share an expert: each has the blocks of one slice.
__global__ void __launch_bounds__(kPlaceThreads) place_kernel(const PlanTask task, int slices) {
  extern __shared__ std::int32_t of_slices[];  // (slices, experts)
  const int share = (task.blocks + slices - 1) / slices;
  const auto for_slices = [&](const auto& body) {
    for (int i = static_cast<int>(threadIdx.x); i < slices * task.experts; i += kPlaceThreads) {
      const int slice = i / task.experts;
      body(i, i % task.experts, slice * share, min(task.blocks, (slice + 1) * share));
    }
    __syncthreads();
  };
  for_slices([&](int i, int e, int from, int to) {
    std::int32_t sum = 0;
#pragma unroll 8
    for (int b = from; b < to; ++b) sum += task.of_blocks[std::int64_t{b} * task.experts + e];
    of_slices[i] = sum;
  });
  for (int e = static_cast<int>(threadIdx.x); e < task.experts; e += kPlaceThreads) {
    std::int32_t before = 0;
    for (int slice = 0; slice < slices; ++slice) {
      const std::int32_t count = of_slices[slice * task.experts + e];
      of_slices[slice * task.experts + e] = before;
      before += count;
    }
    task.counts[e] = before;
  }
  __syncthreads();
  for_slices([&](int i, int e, int from, int to) {
    std::int32_t before = of_slices[i];
    for (int first = from; first < to; first += kBlocksAtOnce) {
      std::int32_t loaded[kBlocksAtOnce];
#pragma unroll
      for (int b = 0; b < kBlocksAtOnce; ++b) {
        const std::int64_t at = std::int64_t{first + b} * task.experts + e;
        loaded[b] = first + b < to ? task.of_blocks[at] : 0;
      }
#pragma unroll
      for (int b = 0; b < kBlocksAtOnce; ++b) {
        if (first + b < to) task.of_blocks[std::int64_t{first + b} * task.experts + e] = before;
        before += loaded[b];
      }
    }
  });
  if (threadIdx.x >= kWarp) return;
  std::int64_t carry = 0;
  for (int first = 0; first < task.experts; first += kWarp) {
    const int e = first + static_cast<int>(threadIdx.x);
    const std::int64_t count = e < task.experts ? task.counts[e] : 0;
    const std::int64_t aligned = (count + task.alignment - 1) / task.alignment * task.alignment;
    std::int64_t through = aligned;
    for (int step = 1; step < kWarp; step *= 2) {
      const std::int64_t below = __shfl_up_sync(kAllLanes, through, step);
      if (static_cast<int>(threadIdx.x) >= step) through += below;
    }
    if (e < task.experts) task.offsets[e] = static_cast<std::int32_t>(carry + through - aligned);
    carry += __shfl_sync(kAllLanes, through, kWarp - 1);
  }
  if (threadIdx.x == 0) task.offsets[task.experts] = static_cast<std::int32_t>(carry);
}

/// Each warp walks its slots in order; `next` (warps, experts) is where its next slot goes.
__global__ void __launch_bounds__(kPlanWarps* kWarp) scatter_kernel(const PlanTask task) {
  extern __shared__ std::int32_t next[];
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  std::int32_t* mine = next + warp * task.experts;
  for (int i = threadIdx.x; i < kPlanWarps * task.experts; i += blockDim.x) next[i] = 0;
  __syncthreads();
  const std::int64_t first =
      static_cast<std::int64_t>(blockIdx.x) * kSlotsPerBlock + warp * kSlotsPerWarp;
  for (int i = lane; i < kSlotsPerWarp && first + i < task.slots; i += kWarp) {
    const std::int32_t pick = task.picks[first + i];
    if (task.is_expert(pick)) atomicAdd(mine + pick, 1);
  }
  __syncthreads();
  for (int e = threadIdx.x; e < task.experts; e += blockDim.x) {
    std::int32_t row =
        task.offsets[e] + task.of_blocks[static_cast<std::int64_t>(blockIdx.x) * task.experts + e];
    for (int w = 0; w < kPlanWarps; ++w) {
      const std::int32_t count = next[w * task.experts + e];
      next[w * task.experts + e] = row;
      row += count;
    }
  }
  __syncthreads();
  for (int round = 0; round < kSlotsPerWarp; round += kWarp) {
    const std::int64_t slot = first + round + lane;
    const std::int32_t pick = slot < task.slots ? task.picks[slot] : -1;
    const bool valid = task.is_expert(pick);
    const unsigned same = __match_any_sync(kAllLanes, pick);
    const int rank = __popc(same & ((1u << lane) - 1));
    const std::int32_t row = valid ? mine[pick] + rank : -1;
    __syncwarp();
    if (valid && rank == 0) mine[pick] += __popc(same);
    __syncwarp();
    if (slot < task.slots) task.row_of_slot[slot] = row;
    if (valid) task.slot_of_row[row] = static_cast<std::int32_t>(slot);
  }
}
}  // namespace

void permute_plan(Context& context, const Tensor& picks, const Permutation& p) {
  const char* where = "permute_plan";
  contract::permute_plan(where, picks, p);
  const std::int64_t slots = picks.numel(), experts = p.counts.size(0);
  const std::int64_t rows = p.slot_of_row.size(0);
  require(experts <= kMostExperts, where, "{} experts are more than {}", experts, kMostExperts);
  const std::int64_t most = max_permuted_rows(picks.size(0), picks.size(1), experts, p.alignment);
  require(rows >= most, where, "{} rows may be needed but slot_of_row has {}", most, rows);

  const auto blocks =
      static_cast<int>(std::max<std::int64_t>(1, (slots + kSlotsPerBlock - 1) / kSlotsPerBlock));
  Pieces pieces;
  const auto of_blocks = pieces.reserve<std::int32_t>(blocks * experts);
  pieces.take(context);
  const PlanTask task{picks.data<std::int32_t>(),
                      slots,
                      static_cast<int>(experts),
                      blocks,
                      p.alignment,
                      pieces.at(of_blocks),
                      p.counts.data<std::int64_t>(),
                      p.offsets.data<std::int32_t>(),
                      p.row_of_slot.data<std::int32_t>(),
                      p.slot_of_row.data<std::int32_t>(),
                      rows};
  const cudaStream_t stream = stream_of(context);
  const auto grid = static_cast<unsigned>(blocks);
  const std::size_t shared = static_cast<std::size_t>(experts) * sizeof(std::int32_t);
  count_kernel<<<grid, kPlanWarps * kWarp, shared, stream>>>(
      task, tessera::cuda::fault(where, "slot {} picks an expert that there is not"));
  check_launch(where);
  const auto slices = static_cast<int>(
      std::clamp<std::int64_t>(kPlaceThreads / std::max<std::int64_t>(1, experts), 1, 32));
  place_kernel<<<1, kPlaceThreads, static_cast<std::size_t>(slices) * shared, stream>>>(task,
                                                                                        slices);
  check_launch(where);
  scatter_kernel<<<grid, kPlanWarps * kWarp, kPlanWarps * shared, stream>>>(task);
  check_launch(where);
}
TESSERA_CUDA_OPERATION(permute_plan)

}  // namespace tessera::kernels::cuda
