// SPDX-License-Identifier: MIT
// Measures of difference between our tensors and recorded ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/checkpoint/safetensors.h"
#include "core/model/model.h"

namespace tessera {

/// |a - b| / |b|.
double relative(double a, double b);

/// Largest |ours - theirs| / largest |theirs|, elements in order; ours F32, BF16 or F64,
/// contiguous. Throws Error when the numbers of elements differ.
double largest_difference(const Tensor& ours, const StoredTensor& theirs);

/// ||ours - theirs|| / ||theirs|| in F64.
double norm_of_difference(const Tensor& ours, const StoredTensor& theirs);

struct RouterDifference {
  std::int64_t tokens_differing = 0;  ///< tokens whose sets of experts differ
  double weight_error = 0;  ///< error of the weights by expert, over tokens with equal sets
};
/// ours: picks (tokens, k) I32 and weights; theirs integers and F32, experts of a
/// token in any order.
RouterDifference compare_picks(const Tensor& picks, const Tensor& weights,
                               const StoredTensor& their_picks, const StoredTensor& their_weights);

/// The first element of a tensor of floating-point numbers: the loss.
double first_value(const StoredTensor& tensor);

/// A gradient under the name that the record gives it: the whole parameter (experts stacked), or
/// its released parts.
struct GradientPart {
  std::string name;
  Tensor gradient;
};
std::vector<GradientPart> gradient_parts(const Parameter& parameter,
                                         const SafetensorsFile& reference);

/// Norm of the weight of that name: a parameter or a released part of one.
double norm_of(const Model& model, const std::string& name);

}  // namespace tessera
