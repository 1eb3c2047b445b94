// SPDX-License-Identifier: MIT
// Keys of MLA's plain form: each head's part without position beside the one rotary key that all
// heads share (DeepSeek-V3 report, eq. 4: k = [k_c; k_r]).
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// k[t, h] = [k_nope[t, h]; k_rope[t]].
/// k_nope (tokens, heads, d_nope), token and head strides free; k_rope (tokens, d_rope), token
/// stride free; k (tokens, heads, d_nope + d_rope) contiguous. All F32 or all F64; on the GPU also
/// k_nope and k BF16 with k_rope F32.
void mla_key_forward(Context& context, const Tensor& k_nope, const Tensor& k_rope, const Tensor& k);

/// dk_nope[t, h] = dk[t, h, 0 : d_nope]; dk_rope[t] = sum over heads of dk[t, h, d_nope :].
/// Both written, with free strides; dk's token and head strides are free too. Without dk_nope dk is
/// the rotary part alone, (tokens, heads, d_rope). On the GPU also dk and dk_nope BF16 with dk_rope
/// F32 (summed in F32).
void mla_key_backward(Context& context, const Tensor& dk, const Tensor& dk_nope,
                      const Tensor& dk_rope);
}  // namespace cpu

inline const Op<decltype(cpu::mla_key_forward)> mla_key_forward{"mla_key_forward",
                                                                cpu::mla_key_forward};
inline const Op<decltype(cpu::mla_key_backward)> mla_key_backward{"mla_key_backward",
                                                                  cpu::mla_key_backward};

}  // namespace tessera::kernels
