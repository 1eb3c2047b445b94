// SPDX-License-Identifier: MIT
//
// Launchers of the FP8 quantisation kernels. Plain pointers and sizes; no CUDA header. All pointers
// are device memory; nothing waits for the host.
//
// Recipe: DeepSeek-V3 report, section 3.3.2. For every tile, in FP32 with IEEE rounding:
//   m = max(largest |x| of the tile, 1e-4)     (NaN is passed over here and stays NaN as a value)
//   scale = m / 448
//   value = E4M3(x * (448 / m))                (round to nearest even, saturating)
// so x is about value * scale. The CPU computes the same, bit for bit.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace tessera::kernels::cuda::e4m3 {

/// Where the two layouts of a quantised (rows, cols) activation go. Either may be absent (null).
struct QuantisedActivation {
  // Tiles of 1 x 128 along a row: operand of the forward product and of the input gradient.
  void* values = nullptr;    ///< (rows, cols) E4M3, contiguous
  float* scales = nullptr;   ///< (ceil(cols / 128), scale_stride): row r, tile t at [t][r]
  int64_t scale_stride = 0;  ///< at least rows; a multiple of 4 for the products
  // Tiles of 128 x 1 along tokens, transposed: operand of the weight gradient.
  void* values_t = nullptr;    ///< (cols, rows) E4M3, row stride stride_t
  float* scales_t = nullptr;   ///< (ceil(rows / 128), scale_stride_t): column c, tile t at [t][c]
  int64_t stride_t = 0;        ///< a multiple of 16, at least rows; a row's last 16 may get zeros
  int64_t scale_stride_t = 0;  ///< at least cols; a multiple of 4 for the products
};

/// x (rows, cols) BF16, contiguous, cols a multiple of 8. `live_rows` (1) I32 may be null; rows
/// from live_rows[0] on are neither read nor written. Reads x once.
void quantise_activation(CUstream_st* stream, const void* x, int64_t rows, int cols,
                         const int32_t* live_rows, const QuantisedActivation& out);
/// The same of BF16 or F32, which is rounded to BF16 first.
void quantise_activation(CUstream_st* stream, const void* x, bool is_bf16, int64_t rows, int cols,
                         const int32_t* live_rows, const QuantisedActivation& out);

/// Weights w (batch, n, k), F32 or BF16, in 128 x 128 blocks; n and k multiples of 16.
struct QuantisedWeight {
  void* values = nullptr;     ///< (batch, n, k) E4M3, contiguous
  float* scales = nullptr;    ///< (batch, ceil(n / 128), ceil(k / 128))
  void* values_t = nullptr;   ///< (batch, k, n) E4M3: the same numbers, for the input gradient
  float* scales_t = nullptr;  ///< (batch, ceil(k / 128), ceil(n / 128))
};
void quantise_weight(CUstream_st* stream, const void* w, bool is_bf16, int batch, int n, int k,
                     const QuantisedWeight& out);

}  // namespace tessera::kernels::cuda::e4m3
