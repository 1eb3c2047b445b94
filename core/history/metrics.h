// SPDX-License-Identifier: MIT
// The one table of what is logged for each step: charts, lists, exports and the glossary follow it.
#pragma once

#include <cstdint>

#include "core/events/events.h"

namespace tessera {

/// Quantities of step events. One row in metrics.cpp each, in this order.
enum class Metric : std::uint8_t {
  Loss,
  MtpLoss,
  BalanceLoss,
  LearningRate,
  GradNorm,
  Clip,
  TokensPerSecond,
  Mfu,  ///< in percent
  Memory,
  MaxVio,  ///< the largest over layers
  BiasSpeed,
  MtpLambda,
  SequenceLength,
  BatchSequences,
  Count
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::Count);

struct MetricInfo {
  const char* id;     ///< "grad_norm", in files and links
  const char* title;  ///< "Gradient norm", to be translated in the context "Metric"
  const char* unit;   ///< "tokens/s"; empty: none
  const char* term;   ///< its entry in the glossary
  bool logarithmic;   ///< whether a log axis is the better start
  /// In `unit`; NaN where the step has no such value.
  double (*value)(const StepEvent& step);
};
const MetricInfo& metric_info(Metric metric);

}  // namespace tessera
