// SPDX-License-Identifier: MIT
#include "core/history/sparkline.h"

namespace tessera::library {

namespace {
constexpr std::size_t kSparkline = 64;
}

void Sparkline::add(float value) {
  const std::int64_t row = rows++;
  if (row % stride != 0) return;
  if (values.size() == kSparkline) {
    for (std::size_t i = 0; 2 * i < values.size(); ++i) values[i] = values[2 * i];
    values.resize(kSparkline / 2);
    stride *= 2;
    if (row % stride != 0) return;
  }
  values.push_back(value);
}

}  // namespace tessera::library
