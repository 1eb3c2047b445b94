// SPDX-License-Identifier: MIT
// Columns: what a line shows in each column of pixels of a view. The cost follows the width of the
// picture, not the length of the series; the extremes of every column are exact.
#pragma once

#include <cstdint>
#include <vector>

#include "core/history/series.h"
#include "ui/widgets/chart/x_column.h"

namespace tessera::ui::chart {

struct Column {
  float x =
      0;  ///< pixels from the left edge; before 0 and after the width for the lines that leave
  float low = 0, high = 0, last = 0;
  float mean = 0;    ///< NaN: not asked for
  float smooth = 0;  ///< NaN: none
  std::uint32_t values = 0, missing = 0;
};

/// `out` gets the columns of the view that hold rows, and the nearest row on each side.
/// Returns how many of the rows are no numbers.
std::size_t summarise(const Series& series, const XColumn& x, XAxis axis, const Range& view,
                      int width, const std::vector<float>* smooth, std::vector<Column>& out,
                      bool withMean = false);

/// Extent of the values inside the view; low > high without any. With `log` only values above 0
/// count.
Range extentOf(const std::vector<Column>& columns, int width, bool log);
/// As extentOf() without the outermost hundredth of columns on each side, where these would take
/// most of the height; the full extent otherwise.
Range robustExtentOf(std::vector<float> lows, std::vector<float> highs);

}  // namespace tessera::ui::chart
