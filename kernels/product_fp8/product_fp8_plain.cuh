// SPDX-License-Identifier: MIT
// FP8 products without FP8 tensor cores: operands are dequantised as tiles are read, products and
// sums are FP32, in the order of k. Any GPU; far slower than BF16 on tensor cores.
#pragma once

#include <cuda_fp8.h>

#include "kernels/product/product_plain.cuh"
#include "kernels/product_fp8/product_fp8_contract.h"

namespace tessera::kernels::cuda::fp8_plain {

/// Rows of E4M3 along k: element (i, k) is values[i * row + k] times
/// scales[k / 128 * scale_k + i / scale_rows * scale_i].
struct Operand {
  const std::uint8_t* values;
  std::int64_t row;
  const float* scales;
  std::int64_t scale_k, scale_i;
  int scale_rows;  ///< 1 in tiles, 128 in blocks

  __device__ float number(std::int64_t i, std::int64_t k) const {
    const __nv_fp8_storage_t bits = values[i * row + k];
    const float value = __half2float(__half(__nv_cvt_fp8_to_halfraw(bits, __NV_E4M3)));
    return value * scales[k / kScaleTile * scale_k + i / scale_rows * scale_i];
  }
};

/// The left side, (m, k), and the right side, (k, n), of a product.
struct Left : Operand {
  __device__ float at(std::int64_t i, std::int64_t k) const { return number(i, k); }
  __device__ bool rows_are_contiguous() const { return true; }
};
struct Right : Operand {
  __device__ float at(std::int64_t k, std::int64_t j) const { return number(j, k); }
  __device__ bool columns_are_contiguous() const { return true; }
};

template <class Out>
struct Rows {
  Left a;
  Right w;
  Strided<Out> c;
  const std::int32_t* offsets;  ///< null: all `rows` are one group's
  std::int64_t rows, w_expert, scale_expert, n, k;
  int experts;
  bool add;
};

template <class Out>
__global__ void __launch_bounds__(kPlainThreads) rows_kernel(Rows<Out> p) {
  __shared__ int2 found;
  const int block = static_cast<int>(blockIdx.x);
  if (threadIdx.x == 0) {
    found = p.offsets ? find_plain_tile(p.offsets, p.experts, block) : make_int2(0, block);
  }
  __syncthreads();
  const int e = found.x;
  if (e == p.experts) return;
  const std::int64_t first = p.offsets ? p.offsets[e] : 0;
  const std::int64_t rows = p.offsets ? p.offsets[e + 1] - first : p.rows;
  p.a.values += first * p.a.row;
  p.a.scales += first * p.a.scale_i;
  p.c.data += first * p.c.row;
  p.w.values += e * p.w_expert;
  p.w.scales += e * p.scale_expert;
  plain_product_tile(p.a, p.w, p.c, rows, p.n, p.k, std::int64_t{found.y} * kPlainTile,
                     std::int64_t{blockIdx.y} * kPlainTile, p.add);
}

/// db[e] = dc[tokens of e]^T a[tokens of e], both (columns, tokens).
struct WeightGrad {
  Left dc;
  Right a;
  Strided<float> db;
  const std::int32_t* offsets;
  std::int64_t tokens, db_expert, n, k;
  bool add;
};

__global__ void __launch_bounds__(kPlainThreads) weight_grad_kernel(WeightGrad p) {
  const int e = static_cast<int>(blockIdx.z);
  const std::int64_t first = p.offsets ? p.offsets[e] : 0;
  const std::int64_t count = p.offsets ? p.offsets[e + 1] - first : p.tokens;
  for (Operand* one : {static_cast<Operand*>(&p.dc), static_cast<Operand*>(&p.a)}) {
    one->values += first;
    one->scales += first / kScaleTile * one->scale_k;  // groups begin at multiples of 128
  }
  p.db.data += e * p.db_expert;
  plain_product_tile(p.dc, p.a, p.db, p.n, p.k, count, std::int64_t{blockIdx.x} * kPlainTile,
                     std::int64_t{blockIdx.y} * kPlainTile, p.add);
}

// ---- host

inline const std::uint8_t* bytes_of(const Tensor& x) {
  return reinterpret_cast<const std::uint8_t*>(x.data<f8e4m3>());
}
inline const std::int32_t* offsets_of(const Tensor& offsets) {
  return offsets ? offsets.data<std::int32_t>() : nullptr;
}
/// Tiles of 1 x 128: scales (tiles, rows).
inline Operand in_tiles(const Tensor& values, const Tensor& scales) {
  return {bytes_of(values), values.stride(0), scales.data<float>(), scales.stride(0), 1, 1};
}

template <class Out>
void multiply_into(Context& context, const fp8::RowsProduct& p) {
  Rows<device_t<Out>> x{};
  x.a = {in_tiles(p.values, p.scales)};
  x.w = {{bytes_of(p.weights), p.k(), p.weight_scales.data<float>(), 1, scale_tiles(p.k()), 128}};
  x.c = {device_data<Out>(p.c), p.c.stride(0), 1};
  x.offsets = offsets_of(p.offsets);
  x.rows = p.rows();
  x.w_expert = p.n() * p.k();
  x.scale_expert = scale_tiles(p.n()) * scale_tiles(p.k());
  x.n = p.n();
  x.k = p.k();
  x.experts = static_cast<int>(p.experts());
  x.add = p.add;
  const unsigned tiles = blocks_for(p.rows(), kPlainTile);
  const dim3 grid(p.offsets ? tiles + static_cast<unsigned>(x.experts) : tiles,
                  blocks_for(x.n, kPlainTile));
  rows_kernel<<<grid, kPlainThreads, 0, stream_of(context)>>>(x);
  check_launch(p.where);
}

inline void multiply(Context& context, const fp8::RowsProduct& p) {
  if (p.c.dtype() == DType::BF16) return multiply_into<bf16>(context, p);
  multiply_into<float>(context, p);
}

inline void weight_grad(Context& context, const Quantised& dc, const Quantised& a,
                        const Tensor& offsets, bool add, const Tensor& db) {
  WeightGrad x{};
  x.dc = {in_tiles(dc.values_t, dc.scales_t)};
  x.a = {in_tiles(a.values_t, a.scales_t)};
  x.db = {db.data<float>(), db.stride(1), 1};
  x.offsets = offsets_of(offsets);
  x.tokens = a.values_t.size(1);
  x.db_expert = db.stride(0);
  x.n = db.size(1);
  x.k = db.size(2);
  x.add = add;
  const dim3 grid(blocks_for(x.n, kPlainTile), blocks_for(x.k, kPlainTile),
                  static_cast<unsigned>(db.size(0)));
  weight_grad_kernel<<<grid, kPlainThreads, 0, stream_of(context)>>>(x);
  check_launch("product_fp8_weight_grad");
}

}  // namespace tessera::kernels::cuda::fp8_plain
