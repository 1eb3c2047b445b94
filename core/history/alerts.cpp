// SPDX-License-Identifier: MIT
#include "core/history/alerts.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

// NOTE: the name is Qt's: its tool that collects texts to translate looks for it here as well.
#define QT_TRANSLATE_NOOP(context, text) text

namespace tessera {

namespace {
constexpr AlertInfo kAlerts[] = {
    {"not_finite", QT_TRANSLATE_NOOP("Alert", "The loss is not a number"),
     QT_TRANSLATE_NOOP("Alert", "Training cannot come back from it by itself"), "", 0, 0, 0},
    // A model that knows nothing has about the loss it began with; more than half above that, it
    // has unlearned what it knew.
    {"diverged", QT_TRANSLATE_NOOP("Alert", "The loss has run away"),
     QT_TRANSLATE_NOOP("Alert", "It is so many times the first loss of the run, or more"),
     QT_TRANSLATE_NOOP("Alert", "times"), 1.5, 1.05, 100},
    // In a run's first steps the selection biases are not there yet, and an expert may well go
    // without tokens for ten loads or twenty.
    {"dead_experts", QT_TRANSLATE_NOOP("Alert", "Experts get no tokens"),
     QT_TRANSLATE_NOOP("Alert",
                       "An expert of some layer had none in so many logged loads in a "
                       "row"),
     QT_TRANSLATE_NOOP("Alert", "loads"), 50, 2, 1000},
    {"no_progress", QT_TRANSLATE_NOOP("Alert", "A run makes no progress"),
     QT_TRANSLATE_NOOP("Alert", "It trains, and no step has ended for so long"),
     QT_TRANSLATE_NOOP("Alert", "minutes"), 15, 1, 10'000},
};
static_assert(std::size(kAlerts) == kAlertKinds);

constexpr std::size_t kFewestLosses = 3;
/// With fewer tokens than this for each expert, none is dead that has none by chance: among 32 a
/// fair share, the chance is e^-32.
constexpr std::int64_t kEnoughTokens = 32;

bool has_ended(RunState state) {
  return is_final(state) || state == RunState::Draft;
}
}  // namespace

const AlertInfo& alert_info(AlertKind kind) {
  return kAlerts[static_cast<std::size_t>(kind)];
}

void RunAlerts::take(const RunRow& row, double now) {
  // Time counts while the run trains: not while it is paused, saves or prepares its data.
  const bool stands =
      row.step == row_.step && row.state == RunState::Running && row_.state == RunState::Running;
  if (!stands) step_since_ = now;
  if (has_ended(row.state) || row.step < experts_step_) idle_.clear();
  row_ = row;
  now_ = now;
}

void RunAlerts::take(const ExpertsEvent& event) {
  if (event.step == experts_step_ || event.counts.empty()) return;
  if (idle_.size() != event.counts.size() || event.step < experts_step_) {
    idle_.assign(event.counts.size(), 0);
  }
  experts_step_ = event.step;
  const auto experts = static_cast<std::size_t>(event.experts);
  for (std::size_t layer = 0; layer + experts <= event.counts.size(); layer += experts) {
    const auto first = event.counts.begin() + static_cast<std::ptrdiff_t>(layer);
    const auto tokens =
        std::accumulate(first, first + static_cast<std::ptrdiff_t>(experts), std::int64_t{0});
    if (tokens < kEnoughTokens * event.experts) continue;
    for (std::size_t e = layer; e < layer + experts; ++e) {
      idle_[e] = event.counts[e] == 0 ? idle_[e] + 1 : 0;
    }
  }
}

std::optional<RunAlerts::Finding> RunAlerts::holds(AlertKind kind, double limit) const {
  if (has_ended(row_.state)) return {};
  switch (kind) {
    case AlertKind::NotFinite:
      return not_finite();
    case AlertKind::Diverged:
      return diverged(limit);
    case AlertKind::DeadExperts:
      return dead_experts(static_cast<int>(limit));
    case AlertKind::NoProgress:
      return no_progress(limit);
    case AlertKind::Count:
      break;
  }
  return {};
}

/// A run that has logged no step yet has no loss either; one that has, has a speed.
std::optional<RunAlerts::Finding> RunAlerts::not_finite() const {
  const bool has_step = row_.step >= 0 && row_.tokens_per_second > 0;
  if (!has_step || std::isfinite(row_.loss)) return {};
  return Finding{row_.loss, 0};
}

std::optional<RunAlerts::Finding> RunAlerts::diverged(double factor) const {
  if (row_.step < 0 || row_.sparkline.size() < kFewestLosses) return {};
  const auto first = static_cast<double>(row_.sparkline.front());
  if (!std::isfinite(first) || !std::isfinite(row_.loss) || row_.loss <= factor * first) return {};
  return Finding{row_.loss, first};
}

std::optional<RunAlerts::Finding> RunAlerts::dead_experts(int events) const {
  const auto dead = std::count_if(idle_.begin(), idle_.end(), [&](int n) { return n >= events; });
  if (dead == 0) return {};
  return Finding{static_cast<double>(dead), static_cast<double>(idle_.size())};
}

std::optional<RunAlerts::Finding> RunAlerts::no_progress(double minutes) const {
  const double stood = (now_ - step_since_) / 60;
  if (row_.step < 0 || row_.state != RunState::Running || stood < minutes) return {};
  return Finding{stood, 0};
}

}  // namespace tessera
