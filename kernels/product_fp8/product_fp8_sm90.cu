// SPDX-License-Identifier: MIT
//
// Launchers of the FP8 expert products: tensor maps, tile widths, grids.
#include "kernels/product_fp8/product_fp8_launch.h"

#include <algorithm>

#include "kernels/product_fp8/product_fp8_forward_sm90.cuh"
#include "kernels/product_fp8/product_fp8_weight_grad_sm90.cuh"

namespace tessera::kernels::cuda {

namespace {

using namespace grouped_fp8;
constexpr const char* kForwardName = "grouped_product_fp8";
constexpr const char* kWeightGradName = "grouped_weight_grad_fp8";

void check(cudaError_t status, const char* where) {
  if (status != cudaSuccess) throw Error(where, cudaGetErrorString(status));
}

// Blocks that run at one time: whole clusters only, which the halves of the chip may not fill.
int resident_blocks(const void* kernel, int shared_bytes, const char* where) {
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes),
        where);
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {kCluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = cluster.val.clusterDim.x;
  config.blockDim = {kThreads, 1, 1};
  config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
  config.attrs = &cluster;
  config.numAttrs = 1;
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, kernel, &config), where);
  require(clusters > 0, where, "the kernel does not fit on this GPU");
  return clusters * kCluster;
}

// (outer, inner) E4M3 or F32 values; boxes of 128 bytes with swizzle, or rows of scales without.
CUtensorMap values_map(const void* data, int64_t outer, int64_t inner, int64_t stride, int rows) {
  return ptx::make_tensor_map<2>(CU_TENSOR_MAP_DATA_TYPE_UINT8, data,
                                 {static_cast<uint64_t>(inner), static_cast<uint64_t>(outer)},
                                 {static_cast<uint64_t>(stride)},
                                 {kTileK, static_cast<uint32_t>(rows)}, CU_TENSOR_MAP_SWIZZLE_128B);
}
// The same values with rows in the order that product_fp8_weight_grad_sm90.cuh has columns in;
// rows in multiples of 16.
CUtensorMap shuffled_map(const void* data, int64_t outer, int64_t inner, int64_t stride, int rows) {
  const auto bytes = static_cast<uint64_t>(stride);
  return ptx::make_tensor_map<5>(
      CU_TENSOR_MAP_DATA_TYPE_UINT8, data,
      {static_cast<uint64_t>(inner), 2, 4, 2, static_cast<uint64_t>(outer) / 16},
      {bytes, 4 * bytes, 2 * bytes, 16 * bytes},
      {kTileK, 2, 4, 2, static_cast<uint32_t>(rows) / 16}, CU_TENSOR_MAP_SWIZZLE_128B);
}
CUtensorMap scales_map(const float* data, int64_t tiles, int64_t rows, int64_t stride, int box) {
  return ptx::make_tensor_map<2>(CU_TENSOR_MAP_DATA_TYPE_FLOAT32, data,
                                 {static_cast<uint64_t>(rows), static_cast<uint64_t>(tiles)},
                                 {static_cast<uint64_t>(stride) * 4},
                                 {static_cast<uint32_t>(box), 1}, CU_TENSOR_MAP_SWIZZLE_NONE);
}

// Cost of a tile by width in units of 10 ns: per 128 of K, and once. Fitted to an H100 (NOTES.md);
// only ratios matter.
struct TileCost {
  int width, per_k_block, once;
};
constexpr TileCost kTileCosts[] = {{256, 75, 235}, {192, 57, 176}, {128, 45, 128}};

int choose_width(const GroupedFp8Product& p) {
  constexpr int64_t kBlocks = 132;
  const int64_t k_blocks = (p.k + kTileK - 1) / kTileK;
  int best = 0;
  int64_t best_cost = 0;
  for (const TileCost& c : kTileCosts) {
    const int64_t tiles =
        (p.rows + kForwardRows - 1) / kForwardRows * ((p.n + c.width - 1) / c.width);
    const int64_t cost = (tiles + kBlocks - 1) / kBlocks * (k_blocks * c.per_k_block + c.once);
    if (c.width == p.tile_n) return c.width;
    if (best == 0 || cost < best_cost) {
      best = c.width;
      best_cost = cost;
    }
  }
  require(p.tile_n == 0, kForwardName, "no tile of width {}", p.tile_n);
  return best;
}

template <int BN, int WN, int STAGES, class Out>
void launch_forward(CUstream_st* stream, const GroupedFp8Product& p) {
  constexpr int kShared = ForwardLayout<BN, STAGES>::kTotal;
  const auto kernel = forward_kernel<BN, WN, STAGES, Out>;
  static const int blocks =
      resident_blocks(reinterpret_cast<const void*>(kernel), kShared, kForwardName);
  ForwardArguments arguments{};
  arguments.a = values_map(p.a, p.rows, p.k, p.k, kForwardRows);
  arguments.b = ptx::make_tensor_map<3>(
      CU_TENSOR_MAP_DATA_TYPE_UINT8, p.b,
      {static_cast<uint64_t>(p.k), static_cast<uint64_t>(p.n), static_cast<uint64_t>(p.experts)},
      {static_cast<uint64_t>(p.k), static_cast<uint64_t>(p.k) * static_cast<uint64_t>(p.n)},
      {kTileK, BN / kCluster, 1}, CU_TENSOR_MAP_SWIZZLE_128B);
  constexpr auto kOutType =
      sizeof(Out) == 4 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT32 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
  arguments.c = ptx::make_tensor_map<2>(kOutType, p.c,
                                        {static_cast<uint64_t>(p.n), static_cast<uint64_t>(p.rows)},
                                        {static_cast<uint64_t>(p.n) * sizeof(Out)},
                                        {128 / sizeof(Out), 64}, CU_TENSOR_MAP_SWIZZLE_128B);
  arguments.a_scale =
      scales_map(p.a_scale, (p.k + kTileK - 1) / kTileK, p.rows, p.a_scale_stride, kForwardRows);
  arguments.b_scale = p.b_scale;
  arguments.offsets = p.offsets;
  arguments.n = p.n;
  arguments.k = p.k;
  arguments.experts = p.experts;
  arguments.blocks = static_cast<int>((p.rows + kGroupBlock - 1) / kGroupBlock);
  arguments.add = p.add;
  kernel<<<blocks, kThreads, kShared, stream>>>(arguments);
  check(cudaGetLastError(), kForwardName);
}

template <class Out>
void choose_forward(CUstream_st* stream, const GroupedFp8Product& p) {
  switch (choose_width(p)) {
    case 128:
      return launch_forward<128, 128, 5, Out>(stream, p);
    case 256:
      return launch_forward<256, 128, 4, Out>(stream, p);
    default:
      return launch_forward<192, 192, 4, Out>(stream, p);
  }
}

template <bool ACCUMULATE>
void launch_weight_grad(CUstream_st* stream, const GroupedFp8WeightGrad& p) {
  constexpr int kShared = WeightGradLayout<ACCUMULATE>::kTotal;
  const auto kernel = weight_grad_kernel<ACCUMULATE>;
  static const int blocks =
      resident_blocks(reinterpret_cast<const void*>(kernel), kShared, kWeightGradName);
  WeightGradArguments arguments{};
  arguments.a = values_map(p.a, p.m, p.tokens, p.token_stride, kGradRows / kCluster);
  arguments.b = shuffled_map(p.b, p.n, p.tokens, p.token_stride, kGradColumns);
  const int64_t tiles = (p.tokens + kTileK - 1) / kTileK;
  arguments.a_scale = scales_map(p.a_scale, tiles, p.m, p.a_scale_stride, kGradRows);
  arguments.b_scale = scales_map(p.b_scale, tiles, p.n, p.b_scale_stride, kGradColumns);
  arguments.dw = p.dw;
  const auto m = static_cast<uint64_t>(p.m), n = static_cast<uint64_t>(p.n);
  arguments.dw_panels = ptx::make_tensor_map<3>(
      CU_TENSOR_MAP_DATA_TYPE_FLOAT32, p.dw, {n, m, static_cast<uint64_t>(p.experts)},
      {n * 4, m * n * 4}, {kGradPanel, 64, 1}, CU_TENSOR_MAP_SWIZZLE_128B);
  arguments.offsets = p.offsets;
  arguments.m = p.m;
  arguments.n = p.n;
  arguments.experts = p.experts;
  arguments.blocks = static_cast<int>((p.tokens + kGroupBlock - 1) / kGroupBlock);
  kernel<<<blocks, kThreads, kShared, stream>>>(arguments);
  check(cudaGetLastError(), kWeightGradName);
}

void check_experts(int experts, int64_t rows, const char* where) {
  require(experts >= 1 && experts <= kFp8MaxExperts, where, "{} experts; 1 to {} are handled",
          experts, kFp8MaxExperts);
  require(rows >= 0 && rows / kGroupBlock < 65536, where, "{} rows; below 8,388,608 are handled",
          rows);
}

}  // namespace

void grouped_product_fp8(CUstream_st* stream, const GroupedFp8Product& p) {
  check_experts(p.experts, p.rows, kForwardName);
  require(p.n > 0 && p.n % 16 == 0 && p.k > 0 && p.k % 16 == 0, kForwardName,
          "expected n and k in multiples of 16, got {} and {}", p.n, p.k);
  require(p.a_scale_stride % 4 == 0 && p.a_scale_stride >= p.rows, kForwardName,
          "expected a_scale_stride a multiple of 4 and >= {} rows, got {}", p.rows,
          p.a_scale_stride);
  if (p.rows == 0) return;
  if (p.is_f32) {
    choose_forward<float>(stream, p);
  } else {
    choose_forward<uint16_t>(stream, p);
  }
}

void grouped_weight_grad_fp8(CUstream_st* stream, const GroupedFp8WeightGrad& p) {
  check_experts(p.experts, p.tokens, kWeightGradName);
  require(p.m > 0 && p.n > 0 && p.n % 16 == 0, kWeightGradName,
          "expected m > 0 and n a multiple of 16, got {} and {}", p.m, p.n);
  require(p.tokens > 0 && p.token_stride % 16 == 0 && p.token_stride >= p.tokens, kWeightGradName,
          "expected token_stride a multiple of 16 and >= {} tokens, got {}", p.tokens,
          p.token_stride);
  require(p.a_scale_stride % 4 == 0 && p.a_scale_stride >= p.m && p.b_scale_stride % 4 == 0 &&
              p.b_scale_stride >= p.n,
          kWeightGradName, "expected scale strides in multiples of 4 and >= m, n; got {} and {}",
          p.a_scale_stride, p.b_scale_stride);
  if (p.accumulate) {
    launch_weight_grad<true>(stream, p);
  } else {
    launch_weight_grad<false>(stream, p);
  }
}

}  // namespace tessera::kernels::cuda
