// SPDX-License-Identifier: MIT
#include "ui/bridge/series.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace tessera::ui {

void Bucket::add(float value) {
  if (!std::isfinite(value)) {
    ++missing;
    return;
  }
  if (values == 0) {
    min = max = first = value;
  } else {
    min = std::min(min, value);
    max = std::max(max, value);
  }
  last = value;
  sum += static_cast<double>(value);
  ++values;
}

void Bucket::add(const Bucket& next) {
  missing += next.missing;
  if (next.values == 0) return;
  if (values == 0) {
    const std::uint32_t before = missing;
    *this = next;
    missing = before;
    return;
  }
  min = std::min(min, next.min);
  max = std::max(max, next.max);
  last = next.last;
  sum += next.sum;
  values += next.values;
}

void Series::append(float value) {
  m_values.push_back(value);
  if (m_values.size() % kFan == 0) completeNodes();
}

void Series::assign(std::vector<float> values) {
  m_values = std::move(values);
  m_levels.clear();
  completeNodes();
}

void Series::truncate(std::size_t size) {
  if (size >= m_values.size()) return;
  m_values.resize(size);
  for (auto& level : m_levels) {
    size /= kFan;
    level.resize(size);
  }
  while (!m_levels.empty() && m_levels.back().empty()) m_levels.pop_back();
}

/// Adds the buckets whose children are all there.
void Series::completeNodes() {
  std::size_t children = m_values.size();
  for (std::size_t l = 0; children >= kFan; ++l) {
    if (l == m_levels.size()) m_levels.emplace_back();
    std::vector<Bucket>& level = m_levels[l];
    for (std::size_t node = level.size(); node < children / kFan; ++node) {
      Bucket bucket;
      for (std::size_t child = node * kFan; child < (node + 1) * kFan; ++child) {
        if (l == 0) {
          bucket.add(m_values[child]);
        } else {
          bucket.add(m_levels[l - 1][child]);
        }
      }
      level.push_back(bucket);
    }
    children = level.size();
  }
}

// From both ends towards the middle and up a level at a time. What is left at a level begins and
// ends at multiples of kFan, so its parents are whole.
Bucket Series::bucket(std::size_t from, std::size_t to) const {
  to = std::min(to, m_values.size());
  Bucket left, right;
  const auto addRight = [&right](auto value) {
    Bucket before;
    before.add(value);
    before.add(right);
    right = before;
  };
  for (; from < to && from % kFan != 0; ++from) left.add(m_values[from]);
  for (; from < to && to % kFan != 0; --to) addRight(m_values[to - 1]);
  for (std::size_t l = 0; from < to; ++l) {
    const std::vector<Bucket>& level = m_levels[l];
    from /= kFan;
    to /= kFan;
    for (; from < to && from % kFan != 0; ++from) left.add(level[from]);
    for (; from < to && to % kFan != 0; --to) addRight(level[to - 1]);
  }
  left.add(right);
  return left;
}

namespace {
/// Fewer values than this are quicker read through than gathered from the pyramid.
constexpr std::size_t kShort = 96;
constexpr std::size_t kLanes = 8;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool isFinite(float value) {
  return std::abs(value) <= std::numeric_limits<float>::max();  // false for NaN
}

/// Extremes of every eighth value, so that the compiler makes vectors of them.
struct Lanes {
  alignas(32) std::array<float, kLanes> low, high;
  alignas(32) std::array<std::uint32_t, kLanes> odd{};  ///< 1: some value is not finite

  Lanes() {
    low.fill(kInfinity);
    high.fill(-kInfinity);
  }
  void add(const float* next) {
    for (std::size_t k = 0; k < kLanes; ++k) {
      const bool ok = isFinite(next[k]);
      const float below = ok ? next[k] : kInfinity, above = ok ? next[k] : -kInfinity;
      low[k] = below < low[k] ? below : low[k];
      high[k] = above > high[k] ? above : high[k];
      odd[k] |= ok ? 0u : 1u;
    }
  }
  template <std::size_t kHalf>
  void fold() {
    for (std::size_t k = 0; k < kHalf; ++k) {
      low[k] = low[k + kHalf] < low[k] ? low[k + kHalf] : low[k];
      high[k] = high[k + kHalf] > high[k] ? high[k + kHalf] : high[k];
      odd[k] |= odd[k + kHalf];
    }
  }
};

void scan(const float* values, std::size_t count, Extremes& e) {
  if (count < kLanes) {
    for (std::size_t i = 0; i < count; ++i) {
      if (!isFinite(values[i])) continue;
      e.low = values[i] < e.low ? values[i] : e.low;
      e.high = values[i] > e.high ? values[i] : e.high;
      ++e.values;
    }
    return;
  }
  Lanes lanes;
  for (std::size_t i = 0; i + kLanes <= count; i += kLanes) lanes.add(values + i);
  lanes.add(values + count - kLanes);  // some of them twice, which changes nothing
  lanes.fold<4>();
  lanes.fold<2>();
  lanes.fold<1>();
  e.low = lanes.low[0] < e.low ? lanes.low[0] : e.low;
  e.high = lanes.high[0] > e.high ? lanes.high[0] : e.high;
  const auto finite = lanes.odd[0] == 0 ? static_cast<std::ptrdiff_t>(count)
                                        : std::count_if(values, values + count, isFinite);
  e.values += static_cast<std::uint32_t>(finite);
}

/// Empty buckets have NaN as extremes, which no comparison takes.
void join(const Bucket& bucket, Extremes& e) {
  e.low = bucket.min < e.low ? bucket.min : e.low;
  e.high = bucket.max > e.high ? bucket.max : e.high;
  e.values += bucket.values;
}
}  // namespace

Extremes Series::extremes(std::size_t from, std::size_t to) const {
  to = std::min(to, m_values.size());
  Extremes e;
  if (from >= to) return e;
  const float* values = m_values.data();
  if (to - from == 1) {
    const float value = values[from];
    if (isFinite(value)) e = {value, value, 1};
    return e;
  }
  if (to - from <= kShort) {
    scan(values + from, to - from, e);
    return e;
  }
  const std::size_t left = (from + kFan - 1) / kFan * kFan, right = to / kFan * kFan;
  scan(values + from, left - from, e);
  scan(values + right, to - right, e);
  from = left / kFan;
  to = right / kFan;
  for (const std::vector<Bucket>& level : m_levels) {
    if (to - from < 2 * kFan) {
      for (; from < to; ++from) join(level[from], e);
      break;
    }
    for (; from % kFan != 0; ++from) join(level[from], e);
    for (; to % kFan != 0; --to) join(level[to - 1], e);
    from /= kFan;
    to /= kFan;
  }
  return e;
}

}  // namespace tessera::ui
