// SPDX-License-Identifier: MIT
// Choosing the next token of many rows of logits at once, by the rules of core/infer/sampler.h that
// need nothing but the logits: temperature, top-k, top-p and min-p.
#pragma once

#include "core/base/op.h"

namespace tessera::kernels {

/// Columns of `draws`: what a row's choice depends on besides its logits.
enum DrawColumn : std::int64_t {
  kDrawScale,       ///< 1 / temperature; 0: the likeliest token
  kDrawTopK,        ///< only the k likeliest; 0: all
  kDrawTopP,        ///< only the smallest set with this probability
  kDrawMinP,        ///< only those with this share of the best one's probability
  kDrawUniform,     ///< in [0, 1): which of them
  kDrawVocabulary,  ///< logits from here on are padding; 0: none are
  kDrawColumns
};
/// Columns of what comes back, I32.
enum ChosenColumn : std::int64_t {
  kChosenId,
  kChosenProbability,  ///< the bits of an F32: after temperature, before top-k, top-p and min-p
  kChosenBroken,       ///< logits that are not finite, padding included: the choice is void then
  kChosenColumns
};

namespace cpu {
/// chosen (rows, kChosenColumns) I32 from logits (rows, vocabulary) F32, rows strided, and draws
/// (rows, kDrawColumns) F64. Probabilities are rounded to F32 as exp((l - max) scale) and divided
/// by their sum, likewise rounded; tokens of equal probability follow each other by falling
/// probability and rising id, and the first of them chosen whose sum passes uniform times that of
/// all allowed ones. Sums of probabilities are exact to 2^-62.
void choose(Context& context, const Tensor& logits, const Tensor& draws, const Tensor& chosen);
}  // namespace cpu

inline const Op<decltype(cpu::choose)> choose{"choose", cpu::choose};

}  // namespace tessera::kernels
