// SPDX-License-Identifier: MIT
// Edges are found by galloping from where the column before ended: rows are nearly evenly spaced.
#include "ui/widgets/chart/x_column.h"

#include <algorithm>
#include <cmath>

namespace tessera::ui::chart {

namespace {
/// The first index at or after `from` whose value is not below (or, `after`, above) x.
std::size_t gallop(const std::vector<double>& v, std::size_t from, double x, std::size_t guess,
                   bool after) {
  const auto before = [&](std::size_t i) { return after ? v[i] <= x : v[i] < x; };
  std::size_t low = from, step = std::max<std::size_t>(guess, 1);
  while (low + step < v.size() && before(low + step)) {
    low += step;
    step *= 2;
  }
  const std::size_t high = std::min(low + step + 1, v.size());
  const auto begin = v.begin();
  const auto first = begin + static_cast<std::ptrdiff_t>(low);
  const auto last = begin + static_cast<std::ptrdiff_t>(high);
  const auto found = after ? std::upper_bound(first, last, x) : std::lower_bound(first, last, x);
  return static_cast<std::size_t>(found - begin);
}
}  // namespace

void XColumn::update(const std::vector<std::int64_t>& step, const std::vector<std::int64_t>& tokens,
                     const std::vector<double>& time, double origin) {
  auto& [steps, token, wall, relative] = m_values;
  const std::size_t rows = std::min({step.size(), tokens.size(), time.size()});
  const bool grown = !steps.empty() && steps.size() <= rows &&
                     steps.back() == static_cast<double>(step[steps.size() - 1]) &&
                     steps.front() == static_cast<double>(step.front());
  if (std::isnan(origin) && !time.empty()) origin = time.front();
  if (!grown || origin != m_origin) clear();
  m_origin = origin;
  for (std::size_t i = steps.size(); i < rows; ++i) {
    steps.push_back(static_cast<double>(step[i]));
    token.push_back(static_cast<double>(tokens[i]));
    wall.push_back(wall.empty() ? time[i] : std::max(wall.back(), time[i]));
    relative.push_back(wall.back() - origin);
  }
}

void XColumn::clear() {
  for (auto& values : m_values) values.clear();
  for (Edges& e : m_edges) e.columns = 0;
}

const std::vector<std::uint32_t>& XColumn::edges(XAxis axis, const Range& range,
                                                 int columns) const {
  for (const Edges& e : m_edges) {
    if (e.columns == columns && e.axis == axis && e.range == range && e.rows == size()) {
      return e.rowOf;
    }
  }
  Edges& e = m_edges[m_next++ % m_edges.size()];
  e.axis = axis;
  e.range = range;
  e.columns = columns;
  e.rows = size();
  e.rowOf.resize(static_cast<std::size_t>(columns) + 1);
  const std::vector<double>& x = values(axis);
  const double width = range.span() / std::max(1, columns);
  std::size_t at =
      static_cast<std::size_t>(std::lower_bound(x.begin(), x.end(), range.low) - x.begin());
  e.rowOf[0] = static_cast<std::uint32_t>(at);
  std::size_t moved = 1;
  for (int c = 1; c <= columns; ++c) {
    const bool last = c == columns;
    const std::size_t next =
        at >= x.size() ? at : gallop(x, at, last ? range.high : range.low + c * width, moved, last);
    moved = next - at;
    at = next;
    e.rowOf[static_cast<std::size_t>(c)] = static_cast<std::uint32_t>(at);
  }
  return e.rowOf;
}

std::int64_t XColumn::rowAt(XAxis axis, double x) const {
  const std::vector<double>& v = values(axis);
  return std::upper_bound(v.begin(), v.end(), x) - v.begin() - 1;
}

std::int64_t XColumn::nearest(XAxis axis, double x) const {
  const std::vector<double>& v = values(axis);
  if (v.empty()) return -1;
  const std::int64_t row = std::max<std::int64_t>(rowAt(axis, x), 0);
  const auto at = static_cast<std::size_t>(row);
  if (at + 1 < v.size() && v[at + 1] - x < x - v[at]) return row + 1;
  return row;
}

}  // namespace tessera::ui::chart
