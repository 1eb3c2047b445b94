// SPDX-License-Identifier: MIT
// Blocks of Q4_K. Each run of 32 numbers is x = s q - o with q from 0 to 15 and s, o at least 0.
// For several widths of the grid, levels are rounded and then s and o fitted to them by weighted
// least squares; the fit with the least error stays. Numbers that are large beside the run's mean
// square weigh more, as they do in products. Then all s of the block become 6-bit multiples of d,
// all o of dmin, and levels are rounded anew for what these have become.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "core/base/dtype.h"
#include "core/gguf/blocks.h"

namespace tessera::gguf_internal {

namespace {
constexpr int kRun = 32, kRuns = 8, kLevels = 15, kSixBits = 63;

struct RunFit {
  float scale = 0.f, offset = 0.f;
};

std::array<float, kRun> weights_of(const float* x) {
  float squares = 0.f;
  for (int i = 0; i < kRun; ++i) squares += x[i] * x[i];
  const float root = std::sqrt(squares / static_cast<float>(kRun));
  std::array<float, kRun> weights{};
  for (int i = 0; i < kRun; ++i) {
    weights[static_cast<std::size_t>(i)] = root + std::fabs(x[i]);
  }
  return weights;
}

int level_of(float value) {
  return std::clamp(static_cast<int>(std::lround(value)), 0, kLevels);
}

/// The s and o of least weighted squares for given levels. False: the levels are all alike.
bool fit_levels(const float* x, const std::array<float, kRun>& weights,
                const std::array<int, kRun>& levels, RunFit& fit) {
  double w = 0, wq = 0, wqq = 0, wx = 0, wqx = 0;
  for (std::size_t i = 0; i < kRun; ++i) {
    const double weight = weights[i], q = levels[i], value = x[i];
    w += weight;
    wq += weight * q;
    wqq += weight * q * q;
    wx += weight * value;
    wqx += weight * q * value;
  }
  const double determinant = w * wqq - wq * wq;
  if (!(determinant > 0.0)) return false;  // NaN too, of numbers whose squares are too large
  double scale = (w * wqx - wq * wx) / determinant;
  double offset = (wq * wqx - wqq * wx) / determinant;
  if (offset < 0.0) {  // no offset below 0 can be stored
    offset = 0.0;
    scale = wqx / wqq;
  }
  if (!(scale >= 0.0)) return false;
  fit = {static_cast<float>(scale), static_cast<float>(offset)};
  return true;
}

double error_of_fit(const float* x, const std::array<float, kRun>& weights,
                    const std::array<int, kRun>& levels, const RunFit& fit) {
  double error = 0;
  for (std::size_t i = 0; i < kRun; ++i) {
    const double off = fit.scale * static_cast<float>(levels[i]) - fit.offset - x[i];
    error += weights[i] * off * off;
  }
  return error;
}

RunFit fit_run(const float* x) {
  const auto [low_at, high_at] = std::minmax_element(x, x + kRun);
  const float low = std::min(*low_at, 0.f), high = *high_at;
  if (high <= low) return {0.f, -low};
  if (!std::isfinite(high - low)) return {high - low, 0.f};  // does not fit, as the caller finds
  const std::array<float, kRun> weights = weights_of(x);
  RunFit best{(high - low) / static_cast<float>(kLevels), -low};
  double least = -1;
  constexpr int kSteps = 10;
  for (int step = -kSteps; step <= kSteps; ++step) {
    const float inverse =
        (static_cast<float>(kLevels) + 0.1f * static_cast<float>(step)) / (high - low);
    std::array<int, kRun> levels{};
    for (std::size_t i = 0; i < kRun; ++i) levels[i] = level_of(inverse * (x[i] - low));
    RunFit fit;
    if (!std::isfinite(inverse) || !fit_levels(x, weights, levels, fit)) continue;
    const double error = error_of_fit(x, weights, levels, fit);
    if (least >= 0 && error >= least) continue;
    least = error;
    best = fit;
  }
  return best;
}

/// The largest of the runs' numbers becomes 63 steps. Returns the step as F16 holds it.
float shared_step(const std::array<float, kRuns>& values, std::byte* to,
                  std::array<std::uint8_t, kRuns>& steps) {
  const float largest = *std::max_element(values.begin(), values.end());
  f16 half;
  half.bits = half_bits(largest / static_cast<float>(kSixBits));
  std::memcpy(to, &half.bits, sizeof(half.bits));
  const float step = static_cast<float>(half);
  for (std::size_t i = 0; i < kRuns; ++i) {
    const float count = step > 0.f && std::isfinite(step) ? values[i] / step : 0.f;
    steps[i] = static_cast<std::uint8_t>(std::clamp<long>(std::lround(count), 0, kSixBits));
  }
  return step;
}

/// Twelve bytes: 6 bits of the first four runs each in a byte of their own; of the last four, 4
/// bits side by side and the upper 2 in the first eight bytes.
void pack_scales(const std::array<std::uint8_t, kRuns>& scales,
                 const std::array<std::uint8_t, kRuns>& offsets, std::uint8_t* packed) {
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint8_t scale = scales[i + 4], offset = offsets[i + 4];
    packed[i] = static_cast<std::uint8_t>(scales[i] | ((scale >> 4) << 6));
    packed[i + 4] = static_cast<std::uint8_t>(offsets[i] | ((offset >> 4) << 6));
    packed[i + 8] = static_cast<std::uint8_t>((scale & 15) | ((offset & 15) << 4));
  }
}
}  // namespace

KScale k_scale(const std::uint8_t* packed, int index) {
  if (index < 4) {
    return {static_cast<std::uint8_t>(packed[index] & 63),
            static_cast<std::uint8_t>(packed[index + 4] & 63)};
  }
  const std::uint8_t low = packed[index + 4];
  return {static_cast<std::uint8_t>((low & 15) | ((packed[index - 4] >> 6) << 4)),
          static_cast<std::uint8_t>((low >> 4) | ((packed[index] >> 6) << 4))};
}

bool encode_q4_k(const float* from, std::byte* to) {
  std::array<float, kRuns> scales{}, offsets{};
  for (std::size_t run = 0; run < kRuns; ++run) {
    const RunFit fit = fit_run(from + run * kRun);
    scales[run] = fit.scale;
    offsets[run] = fit.offset;
  }
  std::array<std::uint8_t, kRuns> scale_steps{}, offset_steps{};
  const float d = shared_step(scales, to, scale_steps);
  const float dmin = shared_step(offsets, to + 2, offset_steps);
  pack_scales(scale_steps, offset_steps, reinterpret_cast<std::uint8_t*>(to + 4));
  for (std::size_t pair = 0; pair < kRuns / 2; ++pair) {
    for (std::size_t i = 0; i < kRun; ++i) {
      std::array<int, 2> level{};
      for (std::size_t side = 0; side < 2; ++side) {
        const std::size_t run = 2 * pair + side;
        const float step = d * static_cast<float>(scale_steps[run]);
        const float value = from[run * kRun + i] + dmin * static_cast<float>(offset_steps[run]);
        level[side] = step > 0.f && std::isfinite(value / step) ? level_of(value / step) : 0;
      }
      to[16 + pair * kRun + i] = static_cast<std::byte>(level[0] | (level[1] << 4));
    }
  }
  return std::isfinite(d) && std::isfinite(dmin);
}

}  // namespace tessera::gguf_internal
