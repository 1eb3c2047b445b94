// SPDX-License-Identifier: MIT
// RMSNorm and quantisation in one pass over x. The layout by rows alone needs no tiles: a row stays
// in the registers of its threads (rows_kernel). With the transposed one, the tiles of 128 rows are
// a cluster of blocks that exchange the rows' sums through distributed shared memory, while x stays
// in registers. Where a row is more than 16 tiles long, and before Hopper, a first pass makes the
// sums.
#include <cooperative_groups.h>

#include "kernels/cuda/has.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/quantise/quantise_operands.cuh"
#include "kernels/rms_norm/rms_norm_contract.h"

namespace tessera::kernels::cuda {

using namespace e4m3;

namespace {
constexpr int kMostTilesOfCluster = 16;
constexpr int kPortableCluster = 8;

/// X: float or __nv_bfloat16.
template <class X>
struct Norm {
  const X* x;
  const float* weight;
  int64_t stride;  ///< from one row of x to the next
  float eps;
  __nv_bfloat16* y;  ///< may be null
  X* copy;           ///< a contiguous copy of x; may be null
  float* rstd;
};

/// Eight neighbours of x as they are stored.
template <class X>
struct Eight {
  static constexpr int kParts = sizeof(X) / 2;  ///< parts of 16 bytes
  uint4 parts[kParts] = {};

  __device__ void load(const X* from) {
#pragma unroll
    for (int i = 0; i < kParts; ++i) parts[i] = load_stream(from + 8 / kParts * i);
  }
  __device__ void store(X* to) const {
#pragma unroll
    for (int i = 0; i < kParts; ++i) reinterpret_cast<uint4*>(to)[i] = parts[i];
  }
  __device__ void floats(float (&to)[8]) const {
    const uint32_t* words = reinterpret_cast<const uint32_t*>(parts);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      if constexpr (kParts == 2) {
        to[i] = __uint_as_float(words[i]);
      } else {
        to[i] = i % 2 == 0 ? low_float(words[i / 2]) : high_float(words[i / 2]);
      }
    }
  }
};

/// Eight neighbouring floats at a multiple of 16 bytes.
struct EightFloats {
  float values[8] = {};
  EightFloats() = default;
  __device__ explicit EightFloats(const float* from) {
    *reinterpret_cast<float4*>(values) = *reinterpret_cast<const float4*>(from);
    *reinterpret_cast<float4*>(values + 4) = *reinterpret_cast<const float4*>(from + 4);
  }
};

struct NormShared {
  float sums[kTile];  ///< squares over this block's columns; the cluster's other blocks read them
  alignas(16) float rstd[kTile];
};

__device__ inline float rstd_of(float sum, int cols, float eps) {
  return 1.0f / sqrtf(sum / static_cast<float>(cols) + eps);
}

/// Sums of squares of the tile's rows, from the 8 x 8 values of each thread.
__device__ inline void tile_sums(const FloatBlock& block, float* sums) {
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    float sum = 0;
#pragma unroll
    for (int c = 0; c < 8; ++c) sum += block.values[r][c] * block.values[r][c];
#pragma unroll
    for (int step = 8; step > 0; step /= 2) sum += __shfl_xor_sync(0xffffffff, sum, step);
    if (threadIdx.x % 16 == 0) sums[threadIdx.x / 16 * 8 + r] = sum;
  }
}

/// shared.rstd from the sums of all blocks of the cluster, in the order of their columns.
template <class X>
__device__ inline void exchange_sums(const Norm<X>& norm, const Place& place, int64_t row0,
                                     NormShared& shared) {
#if __CUDA_ARCH__ >= 900
  namespace cg = cooperative_groups;
  const cg::cluster_group cluster = cg::this_cluster();
  cluster.sync();
  if (threadIdx.x < kTile) {
    float sum = 0;
    for (unsigned rank = 0; rank < cluster.num_blocks(); ++rank) {
      sum += cluster.map_shared_rank(shared.sums, rank)[threadIdx.x];
    }
    const float r = rstd_of(sum, place.cols, norm.eps);
    shared.rstd[threadIdx.x] = r;
    if (blockIdx.x == 0 && row0 + threadIdx.x < place.rows) norm.rstd[row0 + threadIdx.x] = r;
  }
  cluster.sync();  // nobody leaves while another reads its sums
#endif
}

__host__ __device__ inline bool is_aligned(const float* weight) {
  return reinterpret_cast<uintptr_t>(weight) % 16 == 0;
}
/// The weights of eight columns.
template <bool ALIGNED = false>
__device__ inline EightFloats load_weights(const float* from) {
  EightFloats to;
  if (ALIGNED || is_aligned(from)) {
    to = EightFloats(from);
  } else {
#pragma unroll
    for (int c = 0; c < 8; ++c) to.values[c] = from[c];
  }
  return to;
}

template <bool in_cluster, class X, class P>
__device__ inline void norm_tile(const Norm<X>& norm, const P& place, int64_t row0,
                                 const QuantisedActivation& out, ActivationShared& shared,
                                 NormShared& sums) {
  FloatBlock block;
  {
    const X* from = norm.x + place.row * norm.stride + place.column;
    Eight<X> v[8];
#pragma unroll
    for (int r = 0; r < 8; ++r, from += norm.stride) {
      if (place.has_row(r) && place.has_columns()) v[r].load(from);
    }
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      if (norm.copy != nullptr && place.has_row(r) && place.has_columns()) {
        v[r].store(norm.copy + (place.row + r) * place.cols + place.column);
      }
      v[r].floats(block.values[r]);
    }
  }
  if constexpr (in_cluster) {
    tile_sums(block, sums.sums);
    exchange_sums(norm, place, row0, sums);
  } else {
    if (threadIdx.x < kTile) {
      sums.rstd[threadIdx.x] =
          kIsWhole<P> || row0 + threadIdx.x < place.rows ? norm.rstd[row0 + threadIdx.x] : 0.0f;
    }
    __syncthreads();
  }
  EightFloats weight;
  if (place.has_columns()) weight = load_weights(norm.weight + place.column);
  const EightFloats rstd(sums.rstd + threadIdx.x / 16 * 8);
  PairBlock pairs;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const float scale = rstd.values[r];
    float v[8];
#pragma unroll
    for (int c = 0; c < 8; ++c) v[c] = block.values[r][c] * scale * weight.values[c];
    pairs.set_row(r, make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]),
                                pack_bf16(v[6], v[7])));
    if (norm.y != nullptr && place.has_row(r) && place.has_columns()) {
      *reinterpret_cast<uint4*>(norm.y + (place.row + r) * place.cols + place.column) =
          make_uint4(pairs.pairs[r][0], pairs.pairs[r][1], pairs.pairs[r][2], pairs.pairs[r][3]);
    }
  }
  quantise_tile(pairs, place, row0, blockIdx.x * kTile, out, shared);
}

template <bool in_cluster, class X>
__global__ void __launch_bounds__(kThreads, 2)
    norm_kernel(const Norm<X> norm, int64_t rows, int cols, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  __shared__ NormShared sums;
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  with_place(place_of(rows, cols), row0, blockIdx.x * kTile,
             [&](const auto& here) { norm_tile<in_cluster>(norm, here, row0, out, shared, sums); });
}

// ---- the layout by rows alone: a warp for each row

constexpr int kRowThreads = 256;
constexpr int kPackColumns = 8 * kWarp;  ///< a lane has 8 neighbours of each
constexpr int kMostPacks = 8;

/// PACKS values of each lane, over the lanes that differ in the bits from STEP down to 1: a lane
/// ends with the result of the pack that its bits from STEP down name. Two values become one in an
/// exchange, so that this takes little more than the exchanges of one value; every sum is made in
/// the order that the exchange of each value by itself has.
template <int PACKS, int STEP, class T, class Combine>
__device__ inline T combine_packs(const T (&of)[PACKS], const Combine& combine) {
  if constexpr (PACKS == 1) {
    T value = of[0];
#pragma unroll
    for (int step = STEP; step > 0; step /= 2) {
      value = combine(value, __shfl_xor_sync(kAllLanes, value, step));
    }
    return value;
  } else {
    const bool upper = (threadIdx.x & STEP) != 0;
    T half[PACKS / 2];
#pragma unroll
    for (int i = 0; i < PACKS / 2; ++i) {
      const T low = of[i], high = of[i + PACKS / 2];
      half[i] = combine(upper ? high : low, __shfl_xor_sync(kAllLanes, upper ? low : high, STEP));
    }
    return combine_packs<PACKS / 2, STEP / 2>(half, combine);
  }
}
/// The pack whose result combine_packs() left in `lane`, and the lowest lane that has a pack's.
template <int PACKS, int STEP>
__device__ constexpr int pack_of_lane(int lane) {
  return PACKS == 1 ? 0 : lane / (2 * STEP / PACKS) % PACKS;
}
template <int PACKS, int STEP>
__device__ constexpr int lane_of_pack(int pack) {
  return PACKS == 1 ? 0 : pack * (2 * STEP / PACKS);
}

/// WHOLE: rows of exactly PACKS packs, and weights at a multiple of 16 bytes.
template <int PACKS, bool WHOLE, class X>
__global__ void __launch_bounds__(kRowThreads, sizeof(X) == 2 ? 3 : 2)
    rows_kernel(const Norm<X> norm, int64_t rows, int cols, const QuantisedActivation out) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int64_t row =
      int64_t{blockIdx.x} * (kRowThreads / kWarp) + static_cast<int>(threadIdx.x) / kWarp;
  if (row >= rows) return;
  const auto column = [&](int pack) { return pack * kPackColumns + 8 * lane; };
  const auto has = [&](int pack) { return WHOLE || column(pack) < cols; };
  Eight<X> raw[PACKS];
  const X* from = norm.x + row * norm.stride;
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    if (has(p)) raw[p].load(from + column(p));
  }
  float squares[PACKS];
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    if (norm.copy != nullptr && has(p)) {
      raw[p].store(norm.copy + row * cols + column(p));
    }
    float v[8];
    raw[p].floats(v);
    squares[p] = 0;
#pragma unroll
    for (int c = 0; c < 8; ++c) squares[p] += v[c] * v[c];
  }
  const float of_pack = combine_packs<PACKS, kWarp / 2>(squares, Add{});
  float sum = 0;
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    sum += __shfl_sync(kAllLanes, of_pack, lane_of_pack<PACKS, kWarp / 2>(p));
  }
  const float r = rstd_of(sum, cols, norm.eps);
  if (lane == 0) norm.rstd[row] = r;

  uint32_t pairs[PACKS][4], largest[PACKS];
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    EightFloats weight;
    if (has(p)) weight = load_weights<WHOLE>(norm.weight + column(p));
    float v[8];
    raw[p].floats(v);
    largest[p] = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      pairs[p][i] = pack_bf16(v[2 * i] * r * weight.values[2 * i],
                              v[2 * i + 1] * r * weight.values[2 * i + 1]);
      largest[p] = max_bf16x2(largest[p], magnitude(pairs[p][i]));
    }
  }
  // A tile is half of a pack; each lane finishes one.
  const auto larger = [](uint32_t a, uint32_t b) { return max_bf16x2(a, b); };
  const uint32_t of_tile = combine_packs<PACKS, kWarp / 4>(largest, larger);
  const float most = fmaxf(low_float(of_tile), high_float(of_tile)), inverse = inverse_of(most);
  const int tile = 2 * pack_of_lane<PACKS, kWarp / 4>(lane % (kWarp / 2)) + lane / (kWarp / 2);
  const bool is_first = lane_of_pack<PACKS, kWarp / 4>(tile / 2) == lane % (kWarp / 2);
  if (is_first && (WHOLE || tile * kTile < cols))
    out.scales[tile * out.scale_stride + row] = scale_of(most);
  uint8_t* values = static_cast<uint8_t*>(out.values) + row * cols;
#pragma unroll
  for (int p = 0; p < PACKS; ++p) {
    const int owner = lane / (kWarp / 2) * (kWarp / 2) + lane_of_pack<PACKS, kWarp / 4>(p);
    const float s = __shfl_sync(kAllLanes, inverse, owner);
    if (!has(p)) continue;
    if (norm.y != nullptr) {
      *reinterpret_cast<uint4*>(norm.y + row * cols + column(p)) =
          make_uint4(pairs[p][0], pairs[p][1], pairs[p][2], pairs[p][3]);
    }
    const auto four = [&](uint32_t a, uint32_t b) {
      return pack_e4m3(low_float(a) * s, high_float(a) * s, low_float(b) * s, high_float(b) * s);
    };
    *reinterpret_cast<uint2*>(values + column(p)) =
        make_uint2(four(pairs[p][0], pairs[p][1]), four(pairs[p][2], pairs[p][3]));
  }
}

template <int PACKS, class X>
void launch_rows_of(cudaStream_t stream, const Norm<X>& norm, int64_t rows, int cols,
                    const QuantisedActivation& out) {
  const unsigned blocks = blocks_for(rows, kRowThreads / kWarp);
  if (cols == PACKS * kPackColumns && is_aligned(norm.weight)) {
    rows_kernel<PACKS, true><<<blocks, kRowThreads, 0, stream>>>(norm, rows, cols, out);
  } else {
    rows_kernel<PACKS, false><<<blocks, kRowThreads, 0, stream>>>(norm, rows, cols, out);
  }
}

/// False where a row is too long for a warp.
template <class X>
bool launch_rows(cudaStream_t stream, const Norm<X>& norm, int64_t rows, int cols,
                 const QuantisedActivation& out) {
  if (cols > kMostPacks * kPackColumns) return false;
  if (cols <= kPackColumns) {
    launch_rows_of<1>(stream, norm, rows, cols, out);
  } else if (cols <= 2 * kPackColumns) {
    launch_rows_of<2>(stream, norm, rows, cols, out);
  } else if (cols <= 4 * kPackColumns) {
    launch_rows_of<4>(stream, norm, rows, cols, out);
  } else {
    launch_rows_of<kMostPacks>(stream, norm, rows, cols, out);
  }
  return true;
}

/// One block per row; cols a multiple of 8.
template <class X>
__global__ void __launch_bounds__(256) rstd_kernel(const Norm<X> norm, int cols) {
  __shared__ float shared[256 / kWarp];
  const X* x = norm.x + static_cast<int64_t>(blockIdx.x) * norm.stride;
  float sum = 0;
  for (int c = 4 * static_cast<int>(threadIdx.x); c < cols; c += 4 * 256) {
    float v[4];
    load<4>(x + c, v);
    sum += (v[0] * v[0] + v[1] * v[1]) + (v[2] * v[2] + v[3] * v[3]);
  }
  sum = row_sum(sum, shared);
  if (threadIdx.x == 0) norm.rstd[blockIdx.x] = rstd_of(sum, cols, norm.eps);
}

template <class X>
void launch_cluster(cudaStream_t stream, dim3 grid, const Norm<X>& norm, int64_t rows, int cols,
                    const QuantisedActivation& out, const char* where) {
  if (grid.x > kPortableCluster) {
    check(cudaFuncSetAttribute(norm_kernel<true, X>, cudaFuncAttributeNonPortableClusterSizeAllowed,
                               1),
          where);
  }
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim.x = grid.x;
  cluster.val.clusterDim.y = cluster.val.clusterDim.z = 1;
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  config.attrs = &cluster;
  config.numAttrs = 1;
  check(cudaLaunchKernelEx(&config, norm_kernel<true, X>, norm, rows, cols, out), where);
}
}  // namespace

namespace {
/// The operands of both operations, checked.
template <class X>
struct Operands {
  Norm<X> norm;
  std::int64_t rows;
  int cols;
  QuantisedActivation layouts;
  bool empty() const { return rows == 0 || cols == 0; }
};

template <class X>
Operands<device_t<X>> operands_of(const char* where, const Tensor& x, const Tensor& weight,
                                  float eps, const Tensor& y, const Tensor& copy,
                                  const Tensor& rstd, const Quantised& out) {
  contract::rms_norm_quantise(where, x, weight, y, copy, rstd, out);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  constexpr std::int64_t kStep = 16 / sizeof(X);
  require(rows <= 1 || x.stride(0) % kStep == 0, where, "expected rows in multiples of {} elements",
          kStep);
  if (y) expect_contiguous(where, "y", y);
  if (copy) expect_contiguous(where, "copy", copy);
  const Norm<device_t<X>> norm{device_data<X>(x),
                               weight.data<float>(),
                               rows > 1 ? x.stride(0) : cols,
                               eps,
                               y ? device_data<bf16>(y) : nullptr,
                               copy ? device_data<X>(copy) : nullptr,
                               rstd.data<float>()};
  return {norm, rows, static_cast<int>(cols), layouts_of(where, out, rows, cols)};
}

template <class X>
void quantise_norm(Context& context, const char* where, const Operands<X>& o, bool by_rows) {
  const cudaStream_t stream = stream_of(context);
  if (by_rows && launch_rows(stream, o.norm, o.rows, o.cols, o.layouts)) return check_launch(where);
  const dim3 grid = tiles(o.rows, o.cols, 1, where);
  if (has(Feature::NormCluster) && grid.x <= kMostTilesOfCluster) {
    launch_cluster(stream, grid, o.norm, o.rows, o.cols, o.layouts, where);
    return check_launch(where);
  }
  rstd_kernel<<<static_cast<unsigned>(o.rows), 256, 0, stream>>>(o.norm, o.cols);
  check_launch(where);
  norm_kernel<false, X><<<grid, kThreads, 0, stream>>>(o.norm, o.rows, o.cols, o.layouts);
  check_launch(where);
}
}  // namespace

void rms_norm_quantise(Context& context, const Tensor& x, const Tensor& weight, float eps,
                       const Tensor& y, const Tensor& copy, const Tensor& rstd,
                       const Quantised& out) {
  const char* where = "rms_norm_quantise";
  with_real(where, "x", x, [&]<class X>(X) {
    const auto o = operands_of<X>(where, x, weight, eps, y, copy, rstd, out);
    if (!o.empty()) quantise_norm(context, where, o, out.values && !out.values_t);
  });
}
TESSERA_CUDA_OPERATION(rms_norm_quantise)

void rms_norm_requantise(Context& context, const Tensor& x, const Tensor& weight,
                         const Tensor& rstd, const Tensor& y, const Quantised& out) {
  const char* where = "rms_norm_requantise";
  with_real(where, "x", x, [&]<class X>(X) {
    const auto o = operands_of<X>(where, x, weight, 0, y, {}, rstd, out);
    if (o.empty()) return;
    norm_kernel<false, device_t<X>>
        <<<tiles(o.rows, o.cols, 1, where), kThreads, 0, stream_of(context)>>>(o.norm, o.rows,
                                                                               o.cols, o.layouts);
    check_launch(where);
  });
}
TESSERA_CUDA_OPERATION(rms_norm_requantise)

}  // namespace tessera::kernels::cuda
