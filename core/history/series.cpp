// SPDX-License-Identifier: MIT
#include "core/history/series.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tessera {

void ValueBucket::add(float value) {
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

void ValueBucket::add(const ValueBucket& next) {
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
  values_.push_back(value);
  if (values_.size() % kFan == 0) complete_nodes();
}

void Series::assign(std::vector<float> values) {
  values_ = std::move(values);
  levels_.clear();
  complete_nodes();
}

void Series::truncate(std::size_t size) {
  if (size >= values_.size()) return;
  values_.resize(size);
  for (auto& level : levels_) {
    size /= kFan;
    level.resize(size);
  }
  while (!levels_.empty() && levels_.back().empty()) levels_.pop_back();
}

/// Adds the buckets whose children are all there.
void Series::complete_nodes() {
  std::size_t children = values_.size();
  for (std::size_t l = 0; children >= kFan; ++l) {
    if (l == levels_.size()) levels_.emplace_back();
    std::vector<ValueBucket>& level = levels_[l];
    for (std::size_t node = level.size(); node < children / kFan; ++node) {
      ValueBucket bucket;
      for (std::size_t child = node * kFan; child < (node + 1) * kFan; ++child) {
        if (l == 0) {
          bucket.add(values_[child]);
        } else {
          bucket.add(levels_[l - 1][child]);
        }
      }
      level.push_back(bucket);
    }
    children = level.size();
  }
}

// From both ends towards the middle and up a level at a time. What is left at a level begins and
// ends at multiples of kFan, so its parents are whole.
ValueBucket Series::bucket(std::size_t from, std::size_t to) const {
  to = std::min(to, values_.size());
  ValueBucket left, right;
  const auto add_right = [&right](auto value) {
    ValueBucket before;
    before.add(value);
    before.add(right);
    right = before;
  };
  for (; from < to && from % kFan != 0; ++from) left.add(values_[from]);
  for (; from < to && to % kFan != 0; --to) add_right(values_[to - 1]);
  for (std::size_t l = 0; from < to; ++l) {
    const std::vector<ValueBucket>& level = levels_[l];
    from /= kFan;
    to /= kFan;
    for (; from < to && from % kFan != 0; ++from) left.add(level[from]);
    for (; from < to && to % kFan != 0; --to) add_right(level[to - 1]);
  }
  left.add(right);
  return left;
}

namespace {
/// Fewer values than this are quicker read through than gathered from the pyramid.
constexpr std::size_t kShort = 192;
constexpr std::size_t kLanes = 8;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

bool is_finite(float value) {
  return std::abs(value) <= std::numeric_limits<float>::max();  // false for NaN
}

// Vectors of GCC and Clang; without registers of that size the compiler splits them. (Of plain
// loops over eight floats it makes vectors only while nothing near them changes.)
using Floats = float __attribute__((vector_size(4 * kLanes)));

/// Extremes of every eighth value.
struct Lanes {
  Floats low = Floats{} + kInfinity, high = -low;
  Floats odd{};  ///< NaN: some value is not finite

  /// No comparison takes a NaN; an infinity is taken, and seen in `odd`.
  void add(const float* next) {
    Floats value;
    std::memcpy(&value, next, sizeof value);
    low = value < low ? value : low;
    high = value > high ? value : high;
    odd += value * 0.0f;
  }
  /// To each lane what the lane named for it holds.
  template <int... kFrom>
  void fold() {
    const Floats below = __builtin_shufflevector(low, low, kFrom...);
    const Floats above = __builtin_shufflevector(high, high, kFrom...);
    low = below < low ? below : low;
    high = above > high ? above : high;
    odd += __builtin_shufflevector(odd, odd, kFrom...);
  }
};

inline Extremes joined(Extremes a, Extremes b) {
  return {b.low < a.low ? b.low : a.low, b.high > a.high ? b.high : a.high, a.values + b.values};
}
/// Empty buckets have NaN as extremes, which no comparison takes.
inline Extremes joined(Extremes a, const ValueBucket& b) {
  return joined(a, Extremes{b.min, b.max, b.values});
}

Extremes scan_each(const float* values, std::size_t count) {
  Extremes e;
  for (std::size_t i = 0; i < count; ++i) {
    if (is_finite(values[i])) e = joined(e, Extremes{values[i], values[i], 1});
  }
  return e;
}

inline Extremes scan(const float* values, std::size_t count) {
  if (count < kLanes) return scan_each(values, count);
  Lanes lanes;
  for (std::size_t i = 0; i + kLanes <= count; i += kLanes) lanes.add(values + i);
  lanes.add(values + count - kLanes);  // some of them twice, which changes nothing
  lanes.fold<4, 5, 6, 7, 0, 1, 2, 3>();
  lanes.fold<2, 3, 0, 1, 6, 7, 4, 5>();
  lanes.fold<1, 0, 3, 2, 5, 4, 7, 6>();
  if (std::isnan(lanes.odd[0])) return scan_each(values, count);
  return {lanes.low[0], lanes.high[0], static_cast<std::uint32_t>(count)};
}
}  // namespace

// Inline, so that extremes stay in registers: as the result of a call they go through memory, are
// written in parts and read as a whole, and the processor waits for that as long as for the scan.
inline Extremes Series::extremes_of(std::size_t from, std::size_t to) const {
  if (from >= to) return {};
  const float* values = values_.data();
  if (to - from <= kShort) return scan(values + from, to - from);
  const std::size_t left = (from + kFan - 1) / kFan * kFan, right = to / kFan * kFan;
  Extremes e = joined(scan(values + from, left - from), scan(values + right, to - right));
  from = left / kFan;
  to = right / kFan;
  for (const std::vector<ValueBucket>& level : levels_) {
    if (to - from < 2 * kFan) {
      for (; from < to; ++from) e = joined(e, level[from]);
      break;
    }
    for (; from % kFan != 0; ++from) e = joined(e, level[from]);
    for (; to % kFan != 0; --to) e = joined(e, level[to - 1]);
    from /= kFan;
    to /= kFan;
  }
  return e;
}

Extremes Series::extremes(std::size_t from, std::size_t to) const {
  return extremes_of(from, std::min(to, values_.size()));
}

void Series::extremes(const std::vector<std::uint32_t>& edges, std::vector<Extremes>& out) const {
  out.resize(edges.empty() ? 0 : edges.size() - 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = extremes_of(edges[i], std::min<std::size_t>(edges[i + 1], values_.size()));
  }
}

}  // namespace tessera
