// SPDX-License-Identifier: MIT
// Series: one logged quantity, every value kept, with a pyramid of minima and maxima so that any
// range of a million points is summarised in time that depends on the picture, not on the data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace tessera {

/// What one column of pixels shows: a line through `last`, a band from `min` to `max`. A spike of
/// one sample is always in it; values that are not numbers are counted, not averaged away.
struct ValueBucket {
  float min = std::numeric_limits<float>::quiet_NaN();
  float max = std::numeric_limits<float>::quiet_NaN();
  float first = std::numeric_limits<float>::quiet_NaN();
  float last = std::numeric_limits<float>::quiet_NaN();
  double sum = 0;             ///< of the finite values
  std::uint32_t values = 0;   ///< finite ones
  std::uint32_t missing = 0;  ///< NaN and infinite ones

  void add(float value);
  /// What comes after this one.
  void add(const ValueBucket& next);
};

/// The smallest and the largest of some values, and how many are finite: what a column of pixels
/// needs most, without sums.
struct Extremes {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  std::uint32_t values = 0;
};

class Series {
 public:
  void append(float value);
  void assign(std::vector<float> values);
  /// Forgets the values from index `size` on: a resume or rollback undid them.
  void truncate(std::size_t size);

  std::size_t size() const { return values_.size(); }
  bool empty() const { return values_.empty(); }
  float at(std::size_t index) const { return values_[index]; }
  const std::vector<float>& values() const { return values_; }

  /// The values [from, to) as one bucket, in O(log size).
  ValueBucket bucket(std::size_t from, std::size_t to) const;
  /// The same without sums.
  Extremes extremes(std::size_t from, std::size_t to) const;
  /// Of each stretch [edges[i], edges[i + 1]): charts ask for half a million a frame.
  void extremes(const std::vector<std::uint32_t>& edges, std::vector<Extremes>& out) const;

 private:
  static constexpr std::size_t kFan = 16;  ///< children of a node
  void complete_nodes();
  Extremes extremes_of(std::size_t from, std::size_t to) const;
  std::vector<float> values_;
  /// Level l summarises kFan^(l+1) values a bucket; whole buckets only.
  std::vector<std::vector<ValueBucket>> levels_;
};

}  // namespace tessera
