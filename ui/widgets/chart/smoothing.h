// SPDX-License-Identifier: MIT
// Smoothing: a debiased exponential mean, kept beside the raw values and never instead of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/history/series.h"

namespace tessera::ui::chart {

/// s_i = sum_j b^(i-j) v_j / sum_j b^(i-j) over the finite values so far, b = 1 - 1/points. Grows
/// with its series, so that a live chart pays for the new values only.
class Smoothing {
 public:
  /// Follows `series` for at most `most` further values; returns how many.
  std::size_t follow(const Series& series, int points, int revision, std::size_t most) {
    if (points != m_points || revision != m_revision || series.size() < m_values.size()) {
      m_points = points;
      m_revision = revision;
      m_values.clear();
      m_sum = m_weight = 0;
    }
    const double keep = 1 - 1.0 / std::max(1, points);
    const std::size_t begin = m_values.size(), end = std::min(series.size(), begin + most);
    for (std::size_t i = begin; i < end; ++i) {
      const float v = series.at(i);
      if (std::isfinite(v)) {
        m_sum = keep * m_sum + v;
        m_weight = keep * m_weight + 1;
      }
      m_values.push_back(std::isfinite(v) ? static_cast<float>(m_sum / m_weight) : v);
    }
    return end - begin;
  }
  /// As far as it got; NaN where the value itself is.
  const std::vector<float>& values() const { return m_values; }

 private:
  std::vector<float> m_values;
  double m_sum = 0, m_weight = 0;
  int m_points = 0, m_revision = -1;
};

}  // namespace tessera::ui::chart
