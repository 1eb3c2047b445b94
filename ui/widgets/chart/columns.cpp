// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/columns.h"

#include <algorithm>
#include <cmath>

namespace tessera::ui::chart {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

/// Short stretches are quicker read through than gathered from the pyramid.
constexpr std::size_t kShort = 96;

void scan(const Series& series, std::size_t from, std::size_t to, Column& c) {
  const float* values = series.values().data();
  float low = std::numeric_limits<float>::infinity(), high = -low;
  double sum = 0;
  std::uint32_t finite = 0;
  for (std::size_t i = from; i < to; ++i) {
    const float v = values[i];
    const bool ok = std::abs(v) <= std::numeric_limits<float>::max();  // false for NaN
    low = ok && v < low ? v : low;
    high = ok && v > high ? v : high;
    sum += ok ? static_cast<double>(v) : 0.0;
    finite += ok ? 1 : 0;
  }
  c.values = finite;
  c.missing = static_cast<std::uint32_t>(to - from) - finite;
  c.low = finite ? low : kNone;
  c.high = finite ? high : kNone;
  c.mean = finite ? static_cast<float>(sum / finite) : kNone;
  c.last = kNone;
  for (std::size_t i = to; i > from && !std::isfinite(c.last); --i) c.last = values[i - 1];
  if (!finite) c.last = kNone;
}

Column columnOf(const Series& series, std::size_t from, std::size_t to,
                const std::vector<float>* smooth) {
  Column c;
  if (to - from == 1) {
    const float v = series.at(from);
    const bool finite = std::isfinite(v);
    c.low = c.high = c.last = c.mean = finite ? v : kNone;
    c.values = finite;
    c.missing = !finite;
  } else if (to - from <= kShort) {
    scan(series, from, to, c);
  } else {
    const Bucket b = series.bucket(from, to);
    c.low = b.min;
    c.high = b.max;
    c.last = b.last;
    c.mean = b.values ? static_cast<float>(b.sum / b.values) : kNone;
    c.values = b.values;
    c.missing = b.missing;
  }
  c.smooth = smooth && to <= smooth->size() ? (*smooth)[to - 1] : kNone;
  return c;
}
}  // namespace

void summarise(const Series& series, const XColumn& x, XAxis axis, const Range& view, int width,
               const std::vector<float>* smooth, std::vector<Column>& out) {
  out.clear();
  const std::vector<double>& at = x.values(axis);
  const std::size_t rows = std::min(at.size(), series.size());
  if (rows == 0 || width <= 0 || !(view.span() > 0)) return;
  const std::vector<std::uint32_t>& edges = x.edges(axis, view, width);
  const double scale = width / view.span();
  const std::size_t first = edges.front(), end = std::min<std::size_t>(edges.back(), rows);
  const bool dense = end > first && end - first > static_cast<std::size_t>(width) / 2;
  const auto single = [&](std::size_t row) {
    Column c = columnOf(series, row, row + 1, smooth);
    c.x = static_cast<float>(std::clamp((at[row] - view.low) * scale, -1e7, 1e7));
    out.push_back(c);
  };
  if (first > 0 && first <= rows) single(first - 1);
  for (int i = 0; i < width; ++i) {
    const std::size_t from = edges[static_cast<std::size_t>(i)];
    const std::size_t to = std::min<std::size_t>(edges[static_cast<std::size_t>(i) + 1], rows);
    if (from >= to) continue;
    if (!dense && to - from == 1) {
      single(from);
      continue;
    }
    Column c = columnOf(series, from, to, smooth);
    c.x = static_cast<float>(i) + 0.5f;
    out.push_back(c);
  }
  if (end < rows) single(end);
}

Range extentOf(const std::vector<Column>& columns, int width, bool log) {
  Range range{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()};
  for (const Column& c : columns) {
    if (c.values == 0 || c.x < 0 || c.x > static_cast<float>(width)) continue;
    for (const float v : {c.low, c.high, c.last}) {
      if (log && !(v > 0)) continue;
      range.low = std::min<double>(range.low, v);
      range.high = std::max<double>(range.high, v);
    }
  }
  return range;
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
