// SPDX-License-Identifier: MIT
//
// One 128 x 128 block of weights to E4M3 in both layouts, by a block of 256 threads; where the
// weights come from is the kernels' business.
#pragma once

#include "kernels/quantise/quantise_tile.cuh"

namespace tessera::kernels::cuda::e4m3 {

struct WeightShared {
  float largest[kWarps];
  alignas(16) uint8_t staged[kTile * kTile];
};

__device__ inline float block_largest(float value, float* of_warps) {
#pragma unroll
  for (int step = 16; step > 0; step /= 2) {
    value = fmaxf(value, __shfl_xor_sync(0xffffffff, value, step));
  }
  if (threadIdx.x % 32 == 0) of_warps[threadIdx.x / 32] = value;
  __syncthreads();
  float largest = of_warps[0];
#pragma unroll
  for (int w = 1; w < kWarps; ++w) largest = fmaxf(largest, of_warps[w]);
  return largest;
}

/// Writes the tile of this block: blockIdx.x along k, blockIdx.y along n.
template <class Block, class P>
__device__ inline void quantise_weight_tile(const Block& block, const P& place, int64_t batch,
                                            int n, int k, const QuantisedWeight& out,
                                            WeightShared& shared) {
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile, first = batch * n * k;
  const float largest = block_largest(block.largest(), shared.largest);
  const float inverse = inverse_of(largest);
  float inverses[8];
#pragma unroll
  for (float& value : inverses) value = inverse;
  if (threadIdx.x == 0) {
    if (out.values != nullptr) {
      out.scales[(batch * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x] = scale_of(largest);
    }
    if (out.values_t != nullptr) {
      out.scales_t[(batch * gridDim.x + blockIdx.x) * gridDim.y + blockIdx.y] = scale_of(largest);
    }
  }
  if (out.values != nullptr) {
    write_rows(static_cast<uint8_t*>(out.values) + first, block, place, inverses);
  }
  if (out.values_t == nullptr) return;
  stage_block(shared.staged, block, inverses);
  __syncthreads();
  write_transposed<Written::soon_read, kIsWhole<P>>(shared.staged,
                                                    static_cast<uint8_t*>(out.values_t) + first, n,
                                                    row0, blockIdx.x * kTile, n, k);
}

}  // namespace tessera::kernels::cuda::e4m3
