// SPDX-License-Identifier: MIT
#include "kernels/exchange/exchange.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/exchange/exchange_contract.h"

namespace tessera::kernels::cuda {

namespace {
/// The rank whose run of tokens the token is in; groups of ranks are small.
__device__ inline int source_of(const std::int32_t* starts, int ranks, std::int64_t token) {
  int source = 0;
  while (source + 1 < ranks && starts[source + 1] <= token) ++source;
  return source;
}

__global__ void __launch_bounds__(256)
    rank_picks_kernel(const std::int32_t* picks, std::int64_t tokens, int k, std::int64_t each,
                      int width, std::int32_t* ranks, tessera::cuda::Fault fault) {
  const std::int64_t t = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (t >= tokens) return;
  const std::int32_t* pick = picks + t * k;
  std::int32_t* to = ranks + t * width;
  int found = 0;
  for (std::int64_t last = -1;;) {
    std::int64_t next = -1;
    for (int i = 0; i < k; ++i) {
      const std::int64_t rank = pick[i] / each;
      if (rank > last && (next < 0 || rank < next)) next = rank;
    }
    if (next < 0) break;
    if (found == width) {
      fault.raise(static_cast<unsigned>(t));
      break;
    }
    to[found++] = static_cast<std::int32_t>(last = next);
  }
  for (; found < width; ++found) to[found] = kNoPick;
}

__global__ void __launch_bounds__(256)
    held_picks_kernel(const std::int32_t* picks, std::int64_t stride, std::int64_t tokens, int k,
                      std::int64_t first, std::int64_t each, const std::int32_t* starts, int ranks,
                      std::int32_t* groups) {
  const std::int64_t slot = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (slot >= tokens * k) return;
  const std::int64_t t = slot / k, held = picks[t * stride + slot % k] - first;
  const std::int64_t base = starts ? source_of(starts, ranks, t) * each : 0;
  groups[slot] = held >= 0 && held < each ? static_cast<std::int32_t>(base + held) : kNoPick;
}

__global__ void __launch_bounds__(256)
    row_sources_kernel(const std::int32_t* slot_of_row, std::int64_t rows, int k,
                       const std::int32_t* starts, int ranks, std::int32_t* sources) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row >= rows) return;
  const std::int32_t slot = slot_of_row[row];
  sources[row] = slot < 0 ? kNoPick : source_of(starts, ranks, slot / k);
}
}  // namespace

void rank_picks(Context& context, const Tensor& picks, std::int64_t each, const Tensor& ranks) {
  const char* where = "rank_picks";
  contract::rank_picks(where, picks, each, ranks);
  if (picks.numel() == 0) return;
  rank_picks_kernel<<<blocks_for(picks.size(0), 256), 256, 0, stream_of(context)>>>(
      picks.data<std::int32_t>(), picks.size(0), static_cast<int>(picks.size(1)), each,
      static_cast<int>(ranks.size(1)), ranks.data<std::int32_t>(),
      tessera::cuda::fault(where, "token {} has experts on too many ranks"));
  check_launch(where);
}
TESSERA_CUDA_OPERATION(rank_picks)

void held_picks(Context& context, const Tensor& picks, std::int64_t first, std::int64_t each,
                const Tensor& starts, const Tensor& groups) {
  const char* where = "held_picks";
  contract::held_picks(where, picks, first, each, starts, groups);
  if (picks.numel() == 0) return;
  held_picks_kernel<<<blocks_for(picks.numel(), 256), 256, 0, stream_of(context)>>>(
      picks.data<std::int32_t>(), picks.stride(0), picks.size(0), static_cast<int>(picks.size(1)),
      first, each, starts ? starts.data<std::int32_t>() : nullptr,
      starts ? static_cast<int>(starts.numel() - 1) : 1, groups.data<std::int32_t>());
  check_launch(where);
}
TESSERA_CUDA_OPERATION(held_picks)

void row_sources(Context& context, const Permutation& plan, const Tensor& starts,
                 const Tensor& sources) {
  const char* where = "row_sources";
  contract::row_sources(where, plan, starts, sources);
  if (sources.numel() == 0) return;
  row_sources_kernel<<<blocks_for(sources.size(0), 256), 256, 0, stream_of(context)>>>(
      plan.slot_of_row.data<std::int32_t>(), sources.size(0),
      static_cast<int>(plan.row_of_slot.size(1)), starts.data<std::int32_t>(),
      static_cast<int>(starts.numel() - 1), sources.data<std::int32_t>());
  check_launch(where);
}
TESSERA_CUDA_OPERATION(row_sources)

}  // namespace tessera::kernels::cuda
