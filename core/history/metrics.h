// SPDX-License-Identifier: MIT
// The one table of what is logged for each step: charts, lists, exports and the glossary follow it.
#pragma once

#include <cstdint>

#include "core/events/events.h"

namespace tessera {

/// Quantities of step events. One row in metrics.cpp each, in this order, which is that of charts.
enum class Metric : std::uint8_t {
  Loss,
  LearningRate,
  GradNorm,
  TokensPerSecond,
  Mfu,  ///< in percent
  Memory,
  MaxVio,  ///< the largest over layers
  MtpLoss,
  BalanceLoss,
  Clip,
  BiasSpeed,
  MtpLambda,
  SequenceLength,
  BatchSequences,
  ExchangeBytes,
  RanksPerToken,
  BusiestRank,  ///< its tokens, as a multiple of the mean
  Count
};
inline constexpr std::size_t kMetricCount = static_cast<std::size_t>(Metric::Count);

struct MetricInfo {
  enum class Draw : std::uint8_t {
    Smoothed,     ///< a noisy measurement: a smoothed curve may be drawn over it
    Logarithmic,  ///< likewise, over several powers of ten: a log axis is the better start
    Exact         ///< a quantity that is set or counted: never smoothed
  };
  const char* id;       ///< "grad_norm", in files and links
  const char* title;    ///< "Gradient norm", to be translated in the context "Metric"
  const char* unit;     ///< "tokens/s"; empty: none
  const char* term;     ///< its entry in the glossary
  Draw draw;            ///< how its chart begins
  const char* without;  ///< what its chart says where no run has a value; in the context "Chart"
  /// In `unit`; NaN where the step has no such value.
  double (*value)(const StepEvent& step);

  bool logarithmic() const { return draw == Draw::Logarithmic; }
  bool smoothed() const { return draw != Draw::Exact; }
};
const MetricInfo& metric_info(Metric metric);

}  // namespace tessera
