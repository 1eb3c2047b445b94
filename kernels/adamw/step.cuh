// SPDX-License-Identifier: MIT
// One step of AdamW for one weight, for the kernels that update weights.
#pragma once

#include <cmath>

#include "kernels/adamw/adamw.h"

namespace tessera::kernels::cuda::adamw_step {

/// The constants of one step; the same formulas as on the CPU.
struct Step {
  explicit Step(const AdamWConfig& c)
      : keep(static_cast<float>(1 - c.learning_rate * c.weight_decay)),
        new1(static_cast<float>(1 - c.beta1)),
        beta2(static_cast<float>(c.beta2)),
        new2(static_cast<float>(1 - c.beta2)),
        epsilon(static_cast<float>(c.epsilon)) {
    const double t = static_cast<double>(c.step);
    size = static_cast<float>(c.learning_rate / (1 - std::pow(c.beta1, t)));
    root = static_cast<float>(std::sqrt(1 - std::pow(c.beta2, t)));
  }
  float keep, new1, beta2, new2, epsilon;
  float size;  ///< lr / (1 - beta1^t)
  float root;  ///< sqrt(1 - beta2^t)

  /// The new weight; `m` and `v` become the new moments. `g` is the clipped gradient.
  __device__ float update(float g, float weight, float& m, float& v) const {
    m = m + new1 * (g - m);
    v = v * beta2 + new2 * g * g;
    const float denominator = sqrtf(v) / root + epsilon;
    return weight * keep - size * (m / denominator);
  }
};

}  // namespace tessera::kernels::cuda::adamw_step
