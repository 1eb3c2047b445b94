// SPDX-License-Identifier: MIT
#include "ui/bridge/series.h"

#include <algorithm>
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

}  // namespace tessera::ui
