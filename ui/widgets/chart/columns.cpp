// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/columns.h"

#include <algorithm>
#include <cmath>

namespace tessera::ui::chart {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

/// Makes columns of one series.
struct Summary {
  const Series& series;
  const std::vector<float>* smooth;
  bool withMean;

  Column column(float at, std::size_t from, std::size_t to, const Extremes& e) const {
    Column c;
    c.x = at;
    c.values = e.values;
    c.missing = static_cast<std::uint32_t>(to - from) - e.values;
    c.low = c.high = c.last = c.mean = kNone;
    if (e.values > 0) {
      c.low = e.low;
      c.high = e.high;
      c.last = series.at(to - 1);
      if (!std::isfinite(c.last)) c.last = series.bucket(from, to).last;
      if (withMean) {
        const ValueBucket b = series.bucket(from, to);
        c.mean = static_cast<float>(b.sum / b.values);
      }
    }
    c.smooth = smooth && to <= smooth->size() ? (*smooth)[to - 1] : kNone;
    return c;
  }
  Column single(double at, std::size_t row) const {
    return column(static_cast<float>(std::clamp(at, -1e7, 1e7)), row, row + 1,
                  series.extremes(row, row + 1));
  }
};
}  // namespace

std::size_t summarise(const Series& series, const XColumn& x, XAxis axis, const Range& view,
                      int width, const std::vector<float>* smooth, std::vector<Column>& out,
                      bool withMean) {
  out.clear();
  const std::vector<double>& at = x.values(axis);
  const std::size_t rows = std::min(at.size(), series.size());
  if (rows == 0 || width <= 0 || !(view.span() > 0)) return 0;
  const std::vector<std::uint32_t>& edges = x.edges(axis, view, width);
  const double scale = width / view.span();
  const std::size_t first = edges.front(), end = std::min<std::size_t>(edges.back(), rows);
  const bool dense = end > first && end - first > static_cast<std::size_t>(width) / 2;
  const Summary summary{series, smooth, withMean};
  std::size_t missing = 0;
  const auto add = [&](const Column& column) {
    missing += column.missing;
    out.push_back(column);
  };
  const auto addRow = [&](std::size_t row) {
    add(summary.single((at[row] - view.low) * scale, row));
  };
  out.reserve(static_cast<std::size_t>(width) + 2);
  std::vector<Extremes> extremes;
  series.extremes(edges, extremes);
  if (first > 0 && first <= rows) addRow(first - 1);
  for (std::size_t i = 0; i < extremes.size(); ++i) {
    const std::size_t from = edges[i], to = std::min<std::size_t>(edges[i + 1], rows);
    if (from >= to) continue;
    if (!dense && to - from == 1) {
      addRow(from);
    } else {
      add(summary.column(static_cast<float>(i) + 0.5f, from, to, extremes[i]));
    }
  }
  if (end < rows) addRow(end);
  return missing;
}

Range extentOf(const std::vector<Column>& columns, int width, bool log) {
  Extremes e;
  const auto right = static_cast<float>(width);
  for (const Column& c : columns) {
    if (c.values == 0 || c.x < 0 || c.x > right) continue;
    const float low = !log || c.low > 0 ? c.low : c.last;
    if (log && !(c.high > 0)) continue;
    e.low = !log || low > 0 ? std::min(e.low, low) : std::min(e.low, c.high);
    e.high = std::max(e.high, c.high);
  }
  return {double(e.low), double(e.high)};
}

Range robustExtentOf(std::vector<float> lows, std::vector<float> highs) {
  if (lows.empty()) return {1, 0};
  const Range full{*std::min_element(lows.begin(), lows.end()),
                   *std::max_element(highs.begin(), highs.end())};
  const auto quantile = [](std::vector<float>& v, double q) {
    const auto k = static_cast<std::ptrdiff_t>(q * static_cast<double>(v.size() - 1) + 0.5);
    std::nth_element(v.begin(), v.begin() + k, v.end());
    return static_cast<double>(v[static_cast<std::size_t>(k)]);
  };
  Range inner{quantile(lows, 0.01), quantile(highs, 0.99)};
  const double pad = 0.1 * inner.span();
  inner = {std::max(full.low, inner.low - pad), std::min(full.high, inner.high + pad)};
  return inner.span() < 0.5 * full.span() && inner.span() > 0 ? inner : full;
}

}  // namespace tessera::ui::chart
