// SPDX-License-Identifier: MIT
#include "core/model/rope_table.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/memory.h"
#include "core/base/transfer.h"

namespace tessera {

namespace {
/// The pair whose wave turns `rotations` times over the original length.
double correction_dimension(const ModelConfig& c, double rotations) {
  const auto d = static_cast<double>(c.qk_rope_head_dim);
  const double wavelength = static_cast<double>(c.yarn.original_length) / rotations;
  return d * std::log(wavelength / (2.0 * std::numbers::pi)) / (2.0 * std::log(c.rope_theta));
}

double yarn_mscale(double factor, double mscale) {
  return factor > 1.0 ? 0.1 * mscale * std::log(factor) + 1.0 : 1.0;
}
}  // namespace

std::vector<double> rope_frequencies(const ModelConfig& c) {
  const std::int64_t pairs = c.qk_rope_head_dim / 2;
  std::vector<double> frequency(static_cast<std::size_t>(pairs));
  for (std::int64_t i = 0; i < pairs; ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(c.qk_rope_head_dim);
    frequency[static_cast<std::size_t>(i)] = std::pow(c.rope_theta, -exponent);
  }
  if (c.yarn.factor <= 1.0) return frequency;
  const auto last = static_cast<double>(c.qk_rope_head_dim - 1);
  const double low = std::max(std::floor(correction_dimension(c, c.yarn.beta_fast)), 0.0);
  double high = std::min(std::ceil(correction_dimension(c, c.yarn.beta_slow)), last);
  if (high == low) high += 0.001;  // a ramp of no width would divide by zero
  for (std::int64_t i = 0; i < pairs; ++i) {
    double& f = frequency[static_cast<std::size_t>(i)];
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    f = f / c.yarn.factor * ramp + f * (1.0 - ramp);
  }
  return frequency;
}

double attention_scale(const ModelConfig& c) {
  const double scale = 1.0 / std::sqrt(static_cast<double>(c.qk_head_dim()));
  if (c.yarn.factor <= 1.0 || c.yarn.mscale_all_dim == 0.0) return scale;
  const double mscale = yarn_mscale(c.yarn.factor, c.yarn.mscale_all_dim);
  return scale * mscale * mscale;
}

RopeTable::RopeTable(const ModelConfig& c, std::int64_t positions, Device device, bool measuring) {
  const std::int64_t pairs = c.qk_rope_head_dim / 2;
  const std::size_t bytes = static_cast<std::size_t>(2 * positions * pairs) * sizeof(float);
  memory_ = measuring ? Buffer::measuring(bytes, device) : Buffer(bytes, device);
  const Tensor both = memory_.view(DType::F32, {2, positions, pairs});
  cos_ = both[0];
  sin_ = both[1];
  if (measuring) return;
  const double magnitude =
      yarn_mscale(c.yarn.factor, c.yarn.mscale) / yarn_mscale(c.yarn.factor, c.yarn.mscale_all_dim);
  const std::vector<double> frequency = rope_frequencies(c);
  std::vector<float> values(static_cast<std::size_t>(2 * positions * pairs));
  float* cos = values.data();
  float* sin = cos + positions * pairs;
  for (std::int64_t p = 0; p < positions; ++p) {
    for (double f : frequency) {
      const double angle = static_cast<double>(p) * f;
      *cos++ = static_cast<float>(std::cos(angle) * magnitude);
      *sin++ = static_cast<float>(std::sin(angle) * magnitude);
    }
  }
  copy_from_host(values.data(), both);
}

}  // namespace tessera
