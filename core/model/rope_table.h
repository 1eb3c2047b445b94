// SPDX-License-Identifier: MIT
// Cosines and sines of the rotary embedding, with YaRN's change of frequencies in them
// (arXiv:2309.00071, section 3.2; DeepSeek-V3 report, section 4.3).
#pragma once

#include <vector>

#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/config/model_config.h"

namespace tessera {

/// Angular frequency per position of each of the d / 2 pairs.
std::vector<double> rope_frequencies(const ModelConfig& config);

/// 1 / sqrt(d_nope + d_rope), times YaRN's (0.1 mscale_all_dim ln(factor) + 1)^2 where it is on.
double attention_scale(const ModelConfig& config);

/// Tables (positions, d / 2) for kernels/rope.
class RopeTable {
 public:
  /// `measuring`: shapes without memory.
  RopeTable(const ModelConfig& config, std::int64_t positions, Device device,
            bool measuring = false);
  const Tensor& cos() const { return cos_; }
  const Tensor& sin() const { return sin_; }
  std::int64_t positions() const { return cos_.size(0); }

 private:
  Buffer memory_;
  Tensor cos_, sin_;
};

}  // namespace tessera
