// SPDX-License-Identifier: MIT
// Loss spikes: a step whose loss stands out of those before it.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json.hpp>
#include <optional>

namespace tessera {

struct Spike {
  double loss = 0, usual = 0, spread = 0;
};

/// Keeps the losses of the last `window` steps, spikes included. The usual loss is their median;
/// the spread is the median distance from it, scaled to a standard deviation (times 1.4826), and at
/// least 1 % of the usual loss. A loss above usual + factor * spread is a spike. Both medians stand
/// fast while less than half of the window is spikes, and follow the loss where it stays: a level
/// that has come to stay is no spike for longer than about half a window.
class SpikeDetector {
 public:
  /// window 0: off.
  SpikeDetector(std::int64_t window, double factor) : window_(window), factor_(factor) {}

  /// A loss that is not finite is left out: it is no level that one could get used to.
  std::optional<Spike> add(double loss);

  nlohmann::json state() const { return losses_; }
  void restore(const nlohmann::json& state) { losses_ = state.get<std::deque<double>>(); }

 private:
  std::int64_t window_;
  double factor_;
  std::deque<double> losses_;
};

}  // namespace tessera
