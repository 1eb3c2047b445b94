// SPDX-License-Identifier: MIT
//
// Causal attention over packed sequences on Hopper (sm_90a), forward and backward: the launchers
// under the contract of attention.h, in raw device pointers and with BF16 operands.
//
//   q                (tokens, heads, key_size)     key_size <= 192
//   k                (tokens, heads, key_size)     or, with a shared rotary part (below), split
//   v, o             (tokens, heads, value_size)   value_size <= 128
//   lse              (heads, tokens) f32           natural logarithm of the row's sum
//   starts           (sequences + 1) i32           sequence s is the tokens starts[s] ..
//   starts[s+1]
//
// Sizes are multiples of 8; smaller heads run at the cost of 192/128. Rows are strided: `token` and
// `head` distances in elements, multiples of 8, the last dimension contiguous, the base aligned to
// 16 bytes. Sums in FP32; P and dS are rounded to BF16 before their products.
//
// Shared rotary part: with k.tail set, columns 128.. of every head's key are read there, with the
// head distance that tail_stride gives (0: one rotary key for all heads), and k holds columns
// 0..127 only. It spares the copy of the rotary key to every head. dk.tail takes the gradient of
// those columns, one row per head even if the key is shared: summing over heads is left to the
// caller.
//
// All values within `tokens` must be finite, also those of sequences the caller ignores: a masked
// probability is zero, but 0 * NaN is not. No overlap between inputs and outputs.
//
// Determinism: forward always. Backward: dk and dv always; dq where `deterministic` is set (key
// tiles are then added in order), otherwise its FP32 sums are added in the order of arrival and
// differ from run to run by rounding.
//
// Errors: the launchers throw tessera::Error for shapes, strides and alignment the kernels do not
// take, and for CUDA errors of the launch.
#pragma once

#include <cstddef>
#include <cstdint>

struct CUstream_st;

namespace tessera::kernels::cuda {

struct AttentionStride {
  int64_t token = 0, head = 0;  // elements
};

// BF16 device memory, with its distances.
struct AttentionRows {
  void* data = nullptr;
  AttentionStride stride;
  void* tail = nullptr;  // only k and dk have one: their columns from 128 on lie there
  AttentionStride tail_stride;
};

struct AttentionShape {
  int tokens = 0, heads = 0, key_size = 0, value_size = 0;
  int sequences = 0;
  int max_length = 0;           // no sequence is longer
  const int* starts = nullptr;  // device, (sequences + 1)
  float scale = 0.0f;           // factor of q . k
  int head_group = 0;           // heads worked on at one time, to share the L2 cache; 0: chosen
};

// Device bytes the launchers need, aligned to 256; what is in it does not matter.
std::size_t attention_forward_workspace(const AttentionShape& shape);
std::size_t attention_backward_workspace(const AttentionShape& shape);

void attention_forward_bf16(CUstream_st* stream, const AttentionShape& shape,
                            const AttentionRows& q, const AttentionRows& k, const AttentionRows& v,
                            const AttentionRows& o, float* lse, void* workspace);

void attention_backward_bf16(CUstream_st* stream, const AttentionShape& shape,
                             const AttentionRows& q, const AttentionRows& k, const AttentionRows& v,
                             const AttentionRows& o, const float* lse, const AttentionRows& d_o,
                             const AttentionRows& dq, const AttentionRows& dk,
                             const AttentionRows& dv, void* workspace, bool deterministic);

}  // namespace tessera::kernels::cuda
