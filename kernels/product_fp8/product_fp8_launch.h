// SPDX-License-Identifier: MIT
//
// Launchers of the blockwise-scaled FP8 expert products on Hopper (sm_90a). Plain pointers and
// sizes; no CUDA header. All pointers are device memory; nothing waits for the host.
//
// Recipe: DeepSeek-V3 report, section 3.3: E4M3 operands, one FP32 scale per 1 x 128 tile of an
// activation and per 128 x 128 block of a weight; a value is its E4M3 number times its scale.
// Partial sums leave the tensor cores for FP32 registers after every 128 values of K.
//
// Groups: `offsets` (experts + 1) I32, rows of expert e are [offsets[e], offsets[e + 1]).
// NOTE: every offset is a multiple of 128 (kFp8GroupAlignment): one tile of the kernels, and one
// scaling tile along tokens, belong to one expert. Padding rows hold zeros. Groups may be empty.
// `offsets` null: all rows, of any number, in as many near-equal parts as there are experts.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace tessera::kernels::cuda {

inline constexpr int kFp8GroupAlignment = 128;
inline constexpr int kFp8MaxExperts = 384;

/// c[rows of e] = a[rows of e] b[e]^T. Forward, and the input gradient with transposed weights.
struct GroupedFp8Product {
  const void* a;         ///< (rows, k) E4M3, contiguous
  const float* a_scale;  ///< (ceil(k / 128), a_scale_stride): scale of row r, tile t at [t][r]
  const void* b;         ///< (experts, n, k) E4M3, contiguous
  const float* b_scale;  ///< (experts, ceil(n / 128), ceil(k / 128)), contiguous
  const int32_t* offsets;
  void* c;       ///< (rows, n), contiguous; rows past offsets[experts] keep their values
  int64_t rows;  ///< capacity of a and c
  int64_t
      a_scale_stride;  ///< multiple of 4, at least rows: tokens are contiguous, as cuBLASLt has it
  int n, k;            ///< multiples of 16 and 16
  int experts;
  int tile_n = 0;       ///< 128, 192 or 256; 0 chooses by shape
  bool is_f32 = false;  ///< c is F32, not BF16
  bool add = false;     ///< add to c, which is F32
};
void grouped_product_fp8(CUstream_st* stream, const GroupedFp8Product& p);

/// dw[e] (+)= sum over the rows t of e: a[:, t] b[:, t]^T, both operands with tokens contiguous and
/// scaled in tiles of 128 tokens. Deterministic.
struct GroupedFp8WeightGrad {
  const void* a;         ///< (m, tokens) E4M3, row stride token_stride: dY transposed
  const float* a_scale;  ///< (tokens / 128, a_scale_stride): row r, token tile t at [t][r]
  const void* b;         ///< (n, tokens) E4M3, row stride token_stride: X transposed
  const float* b_scale;  ///< (tokens / 128, b_scale_stride)
  const int32_t* offsets;
  float* dw;                               ///< (experts, m, n) F32, contiguous
  int64_t tokens;                          ///< capacity along tokens
  int64_t token_stride;                    ///< multiple of 16
  int64_t a_scale_stride, b_scale_stride;  ///< multiples of 4, at least m and n
  int m, n;                                ///< n a multiple of 16
  int experts;
  bool accumulate;  ///< add to dw (an empty group leaves it); else write (an empty group gives
                    ///< zeros)
};
void grouped_weight_grad_fp8(CUstream_st* stream, const GroupedFp8WeightGrad& p);

}  // namespace tessera::kernels::cuda
