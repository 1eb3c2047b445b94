// SPDX-License-Identifier: MIT
#include "core/train/spikes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tessera {

namespace {
double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}
}  // namespace

std::optional<Spike> SpikeDetector::add(double loss) {
  if (window_ == 0 || !std::isfinite(loss)) return {};
  const auto window = static_cast<std::size_t>(window_);
  std::optional<Spike> found;
  if (losses_.size() >= window) {
    Spike spike{.loss = loss, .usual = median({losses_.begin(), losses_.end()})};
    std::vector<double> distances;
    for (const double old : losses_) distances.push_back(std::fabs(old - spike.usual));
    spike.spread = std::max(1.4826 * median(std::move(distances)), 0.01 * std::fabs(spike.usual));
    if (loss > spike.usual + factor_ * spike.spread) found = spike;
  }
  losses_.push_back(loss);
  while (losses_.size() > window) losses_.pop_front();
  return found;
}

}  // namespace tessera
