// SPDX-License-Identifier: MIT
// What of a live run somebody should be told at once.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/history/library.h"

namespace tessera {

/// One row in alerts.cpp each, in this order.
enum class AlertKind : std::uint8_t { NotFinite, Diverged, DeadExperts, NoProgress, Count };
inline constexpr std::size_t kAlertKinds = static_cast<std::size_t>(AlertKind::Count);

struct AlertInfo {
  const char* id;     ///< "not_finite", in preferences and keys
  const char* title;  ///< to be translated in the context "Alert", as the next two
  const char* help;
  const char* unit;  ///< the limit's; empty: there is no limit
  double usual_limit;
  double least, most;  ///< that a limit may be
};
const AlertInfo& alert_info(AlertKind kind);

/// What of one run is watched. It is told every row of the list of runs, and every load of experts
/// that is read; holds() judges what was told last.
class RunAlerts {
 public:
  /// `now`: seconds of a clock that is not set back.
  void take(const RunRow& row, double now);
  void take(const ExpertsEvent& event);

  /// What a person should know of it; `limit` in the unit of the kind.
  struct Finding {
    double value = 0;  ///< the loss, the number of dead experts, minutes without a step
    double usual = 0;  ///< the first loss, all experts
  };
  std::optional<Finding> holds(AlertKind kind, double limit) const;

 private:
  std::optional<Finding> not_finite() const;
  std::optional<Finding> diverged(double factor) const;
  std::optional<Finding> dead_experts(int events) const;
  std::optional<Finding> no_progress(double minutes) const;

  RunRow row_;
  double now_ = 0, step_since_ = 0;  ///< when the step that is shown was first seen
  std::int64_t experts_step_ = -1;
  std::vector<int> idle_;  ///< by layer and expert: loads in a row without a token
};

}  // namespace tessera
