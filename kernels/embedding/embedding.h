// SPDX-License-Identifier: MIT
// Token embedding: rows of a table, and the gradient scattered back.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

namespace cpu {
/// y[t] = table[tokens[t]]; tokens (n) I32 in [0, vocabulary), table (vocabulary, d), y (n, d).
/// Throws Error naming the position for an id outside the table. F32 or F64.
void embedding_forward(Context& context, const Tensor& tokens, const Tensor& table,
                       const Tensor& y);

/// d_table[tokens[t]] += dy[t], in the order of t for each row whatever the number of threads.
void embedding_backward(Context& context, const Tensor& tokens, const Tensor& dy,
                        const Tensor& d_table);
}  // namespace cpu

inline const Op<decltype(cpu::embedding_forward)> embedding_forward{"embedding_forward",
                                                                    cpu::embedding_forward};
inline const Op<decltype(cpu::embedding_backward)> embedding_backward{"embedding_backward",
                                                                      cpu::embedding_backward};

}  // namespace tessera::kernels
