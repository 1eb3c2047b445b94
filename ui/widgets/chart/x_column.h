// SPDX-License-Identifier: MIT
// XColumn: where the rows of a run lie on each kind of x axis, and which rows fall into each column
// of pixels. One for all panels that show the run: the search is made once a view, not once a line.
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "ui/widgets/chart/scale.h"

namespace tessera::ui::chart {

class XColumn {
 public:
  /// The rows as logged: `step` rises strictly; `tokens` and `time` (seconds since 1970) rise. A
  /// clock that was set back is held still. Rows that grew since the last call are added; anything
  /// else begins anew. `origin`: the time that relative times count from; NaN: that of the first
  /// row.
  void update(const std::vector<std::int64_t>& step, const std::vector<std::int64_t>& tokens,
              const std::vector<double>& time,
              double origin = std::numeric_limits<double>::quiet_NaN());
  void clear();

  std::size_t size() const { return values(XAxis::Step).size(); }
  const std::vector<double>& values(XAxis axis) const {
    return m_values[static_cast<std::size_t>(axis)];
  }
  /// Row edges of `columns` equal parts of the range: part c holds rows [e[c], e[c+1]); the last
  /// part holds range.high too. Kept for the next that asks for the same.
  const std::vector<std::uint32_t>& edges(XAxis axis, const Range& range, int columns) const;
  /// The row whose x is nearest; -1 without rows.
  std::int64_t nearest(XAxis axis, double x) const;
  /// The last row at or before x; -1: none.
  std::int64_t rowAt(XAxis axis, double x) const;

 private:
  struct Edges {
    XAxis axis = XAxis::Step;
    Range range;
    int columns = 0;
    std::size_t rows = 0;
    std::vector<std::uint32_t> rowOf;
  };
  std::array<std::vector<double>, kXAxes> m_values;
  double m_origin = 0;
  mutable std::array<Edges, 8> m_edges;  ///< panels of some widths are on the screen together
  mutable std::size_t m_next = 0;
};

}  // namespace tessera::ui::chart
