// SPDX-License-Identifier: MIT
#include "ui/pages/curriculum/stage_axis.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tessera::ui {

StageAxis::StageAxis(const std::vector<std::int64_t>& tokens, double pixels, double least) {
  const auto count = static_cast<double>(tokens.size());
  least = std::min(least, pixels / std::max(1.0, count));
  // Widening some leaves less for the others, which may then be too narrow themselves.
  std::vector<bool> widened(tokens.size(), false);
  double free = pixels, rest = 0;
  for (bool again = true; again;) {
    again = false;
    free = pixels;
    rest = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      widened[i] ? free -= least : rest += static_cast<double>(tokens[i]);
    }
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      if (widened[i] || static_cast<double>(tokens[i]) / rest * free >= least) continue;
      widened[i] = m_distorted = again = true;
      break;
    }
  }
  m_edges.push_back(0);
  m_first.push_back(0);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const double width = widened[i] ? least : static_cast<double>(tokens[i]) / rest * free;
    m_edges.push_back(m_edges.back() + width);
    m_first.push_back(m_first.back() + tokens[i]);
  }
}

double StageAxis::x(std::int64_t tokens) const {
  if (m_edges.size() < 2) return 0;
  const auto after = std::upper_bound(m_first.begin() + 1, m_first.end() - 1, tokens);
  const auto stage = static_cast<std::size_t>(after - m_first.begin()) - 1;
  const double share = static_cast<double>(tokens - m_first[stage]) /
                       static_cast<double>(m_first[stage + 1] - m_first[stage]);
  return m_edges[stage] + std::clamp(share, 0.0, 1.0) * (m_edges[stage + 1] - m_edges[stage]);
}

int StageAxis::stageAt(double x) const {
  for (int i = 0; i < stages(); ++i) {
    if (x >= edge(i) && x < edge(i + 1)) return i;
  }
  return -1;
}

std::int64_t StageAxis::tokensAt(double x) const {
  if (m_edges.size() < 2) return 0;
  x = std::clamp(x, 0.0, m_edges.back());
  const int stage = std::max(0, stageAt(std::min(x, m_edges.back() - 1e-6)));
  return firstToken(stage) + static_cast<std::int64_t>((x - edge(stage)) * tokensPerPixel(stage));
}

double StageAxis::tokensPerPixel(int stage) const {
  return static_cast<double>(firstToken(stage + 1) - firstToken(stage)) /
         std::max(1e-9, edge(stage + 1) - edge(stage));
}

std::int64_t roundedLength(double value, double grain) {
  double step = std::pow(10.0, std::floor(std::log10(std::max(1.0, grain))));
  for (const double factor : {1.0, 2.0, 5.0, 10.0}) {
    if (step * factor >= grain) {
      step *= factor;
      break;
    }
  }
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::llround(value / step) * step));
}

}  // namespace tessera::ui
