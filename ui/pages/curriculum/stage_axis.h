// SPDX-License-Identifier: MIT
// The time axis of a curriculum: tokens to pixels, in which no stage is too narrow to be seen.
#pragma once

#include <cstdint>
#include <vector>

namespace tessera::ui {

class StageAxis {
 public:
  /// `tokens` of each stage, at least 1; widths add up to `pixels`. Stages whose share is below
  /// `least` pixels are widened to it.
  StageAxis(const std::vector<std::int64_t>& tokens, double pixels, double least);
  StageAxis() = default;

  double x(std::int64_t tokens) const;
  std::int64_t tokensAt(double x) const;
  int stageAt(double x) const;  ///< -1: none
  double edge(int stage) const { return m_edges[static_cast<std::size_t>(stage)]; }
  int stages() const { return static_cast<int>(m_edges.size()) - 1; }
  std::int64_t firstToken(int stage) const { return m_first[static_cast<std::size_t>(stage)]; }
  /// Tokens of one pixel within a stage.
  double tokensPerPixel(int stage) const;
  /// Whether widths are not proportional.
  bool distorted() const { return m_distorted; }

 private:
  std::vector<double> m_edges;        ///< stages + 1
  std::vector<std::int64_t> m_first;  ///< stages + 1
  bool m_distorted = false;
};

/// A length that people would write: 1, 2, 2.5 or 5 times a power of ten steps, near `value`.
std::int64_t roundedLength(double value, double grain);

}  // namespace tessera::ui
