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
  int64_t stride;  ///< of rows of x
  float eps;
  __nv_bfloat16* y;  ///< may be null
  X* copy;           ///< of x, contiguous; may be null
  float* rstd;
};

/// Eight neighbours of x as they are stored.
template <class X>
struct Eight {
  static constexpr int kParts = sizeof(X) / 2;  ///< of 16 bytes
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

struct NormShared {
  float sums[kTile];  ///< of squares over this block's columns, read by the others of the cluster
  float rstd[kTile];
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

template <bool in_cluster, class X>
__global__ void __launch_bounds__(kThreads, 2)
    norm_kernel(const Norm<X> norm, int64_t rows, int cols, const QuantisedActivation out) {
  __shared__ ActivationShared shared;
  __shared__ NormShared sums;
  const Place place = place_of(rows, cols);
  const int64_t row0 = static_cast<int64_t>(blockIdx.y) * kTile;
  FloatBlock block;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    Eight<X> v;
    if (place.has_row(r) && place.has_columns()) {
      v.load(norm.x + (place.row + r) * norm.stride + place.column);
      if (norm.copy != nullptr) v.store(norm.copy + (place.row + r) * cols + place.column);
    }
    v.floats(block.values[r]);
  }
  if constexpr (in_cluster) {
    tile_sums(block, sums.sums);
    exchange_sums(norm, place, row0, sums);
  } else {
    if (threadIdx.x < kTile) {
      sums.rstd[threadIdx.x] = row0 + threadIdx.x < rows ? norm.rstd[row0 + threadIdx.x] : 0.0f;
    }
    __syncthreads();
  }
  float weight[8] = {};
  if (place.has_columns()) {
#pragma unroll
    for (int c = 0; c < 8; ++c) weight[c] = norm.weight[place.column + c];
  }
  PairBlock pairs;
#pragma unroll
  for (int r = 0; r < 8; ++r) {
    const float scale = sums.rstd[threadIdx.x / 16 * 8 + r];
    float v[8];
#pragma unroll
    for (int c = 0; c < 8; ++c) v[c] = block.values[r][c] * scale * weight[c];
    pairs.set_row(r, make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]),
                                pack_bf16(v[6], v[7])));
    if (norm.y != nullptr && place.has_row(r) && place.has_columns()) {
      *reinterpret_cast<uint4*>(norm.y + (place.row + r) * cols + place.column) =
          make_uint4(pairs.pairs[r][0], pairs.pairs[r][1], pairs.pairs[r][2], pairs.pairs[r][3]);
    }
  }
  quantise_tile(pairs, place, row0, blockIdx.x * kTile, out, shared);
}

constexpr int kRowThreads = 256;

/// The sum over the PER_ROW neighbouring threads of a row, in every one of them.
template <int PER_ROW>
__device__ inline float sum_of_row(float sum) {
#pragma unroll
  for (int step = (PER_ROW < kWarp ? PER_ROW : kWarp) / 2; step > 0; step /= 2) {
    sum += __shfl_xor_sync(0xffffffff, sum, step);
  }
  if constexpr (PER_ROW > kWarp) {
    __shared__ float warps[kRowThreads / kWarp];
    if (threadIdx.x % kWarp == 0) warps[threadIdx.x / kWarp] = sum;
    __syncthreads();
    const float* mine = warps + threadIdx.x / PER_ROW * (PER_ROW / kWarp);
    sum = 0;
#pragma unroll
    for (int i = 0; i < PER_ROW / kWarp; ++i) sum += mine[i];
  }
  return sum;
}

/// The layout by rows alone: PER_ROW threads hold 8 columns of a row each, 16 of them a tile.
template <int PER_ROW, class X>
__global__ void __launch_bounds__(kRowThreads)
    rows_kernel(const Norm<X> norm, int64_t rows, int cols, const QuantisedActivation out) {
  const int64_t row =
      static_cast<int64_t>(blockIdx.x) * (kRowThreads / PER_ROW) + threadIdx.x / PER_ROW;
  const int column = 8 * static_cast<int>(threadIdx.x % PER_ROW);
  const bool live = row < rows && column < cols;
  Eight<X> raw;
  float v[8], weight[8] = {};
  if (live) {
    raw.load(norm.x + row * norm.stride + column);
#pragma unroll
    for (int c = 0; c < 8; ++c) weight[c] = norm.weight[column + c];
    if (norm.copy != nullptr) raw.store(norm.copy + row * cols + column);
  }
  raw.floats(v);
  float sum = 0;
#pragma unroll
  for (int c = 0; c < 8; ++c) sum += v[c] * v[c];
  const float r = rstd_of(sum_of_row<PER_ROW>(sum), cols, norm.eps);
  if (column == 0 && row < rows) norm.rstd[row] = r;

  uint32_t pairs[4], largest = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    pairs[i] = pack_bf16(v[2 * i] * r * weight[2 * i], v[2 * i + 1] * r * weight[2 * i + 1]);
    largest = max_bf16x2(largest, magnitude(pairs[i]));
  }
#pragma unroll
  for (int step = 8; step > 0; step /= 2) {
    largest = max_bf16x2(largest, __shfl_xor_sync(0xffffffff, largest, step));
  }
  if (!live) return;
  if (norm.y != nullptr) {
    *reinterpret_cast<uint4*>(norm.y + row * cols + column) =
        make_uint4(pairs[0], pairs[1], pairs[2], pairs[3]);
  }
  const float most = fmaxf(low_float(largest), high_float(largest)), s = inverse_of(most);
  const auto four = [&](uint32_t a, uint32_t b) {
    return pack_e4m3(low_float(a) * s, high_float(a) * s, low_float(b) * s, high_float(b) * s);
  };
  *reinterpret_cast<uint2*>(static_cast<uint8_t*>(out.values) + row * cols + column) =
      make_uint2(four(pairs[0], pairs[1]), four(pairs[2], pairs[3]));
  if (threadIdx.x % 16 == 0) {
    out.scales[column / kTile * out.scale_stride + row] = scale_of(most);
  }
}

template <int PER_ROW, class X>
void launch_rows(cudaStream_t stream, const Norm<X>& norm, int64_t rows, int cols,
                 const QuantisedActivation& out) {
  constexpr int kRows = kRowThreads / PER_ROW;
  rows_kernel<PER_ROW><<<blocks_for(rows, kRows), kRowThreads, 0, stream>>>(norm, rows, cols, out);
}

/// False where a row is too long for the threads of a block.
template <class X>
bool launch_rows(cudaStream_t stream, const Norm<X>& norm, int64_t rows, int cols,
                 const QuantisedActivation& out) {
  if (cols > 8 * kRowThreads) return false;
  if (cols <= 8 * 16) {
    launch_rows<16>(stream, norm, rows, cols, out);
  } else if (cols <= 8 * 32) {
    launch_rows<32>(stream, norm, rows, cols, out);
  } else if (cols <= 8 * 64) {
    launch_rows<64>(stream, norm, rows, cols, out);
  } else if (cols <= 8 * 128) {
    launch_rows<128>(stream, norm, rows, cols, out);
  } else {
    launch_rows<256>(stream, norm, rows, cols, out);
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
  expect_shape(where, "x", x, {-1, -1});
  const std::int64_t rows = x.size(0), cols = x.size(1);
  constexpr std::int64_t kStep = 16 / sizeof(X);
  require(rows <= 1 || x.stride(0) % kStep == 0, where, "expected rows in multiples of {} elements",
          kStep);
  expect_shape(where, "weight", weight, {cols});
  expect_shape(where, "rstd", rstd, {rows});
  if (y) {
    expect_shape(where, "y", y, {rows, cols});
    expect_contiguous(where, "y", y);
  }
  if (copy) {
    expect_shape(where, "copy", copy, {rows, cols});
    expect_contiguous(where, "copy", copy);
  }
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
