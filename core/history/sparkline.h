// SPDX-License-Identifier: MIT
// The small curve of a run that lists show.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace tessera::library {

/// At most 64 values over a series of any length: every stride-th, with a stride that doubles.
struct Sparkline {
  std::vector<float> values;
  std::int64_t stride = 1;
  std::int64_t rows = 0;  ///< values added so far, kept or not
  void add(float value);
};

}  // namespace tessera::library
