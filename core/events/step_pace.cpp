// SPDX-License-Identifier: MIT
#include "core/events/step_pace.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tessera {

namespace {
/// A gap counts as a sleep of the machine where it is longer than this many usual ones, and by this
/// many seconds more. Validation and saving stay below that.
constexpr double kMostShare = 10, kMostSeconds = 60;

bool stands_still(const EventBody& body) {
  if (const auto* state = std::get_if<StateEvent>(&body)) {
    return state->state != RunState::Running && state->state != RunState::Saving;
  }
  return std::holds_alternative<ResumeEvent>(body) || std::holds_alternative<RollbackEvent>(body);
}
}  // namespace

void StepPace::take(const Event& event) {
  broken_ = broken_ || stands_still(event.body);
  const auto* step = std::get_if<StepEvent>(&event.body);
  if (!step) return;
  while (!rows_.empty() && rows_.back().tokens >= step->tokens) {  // these steps were undone
    rows_.pop_back();
    broken_ = true;
  }
  rows_.push_back({.tokens = step->tokens,
                   .time = event.time,
                   .own_pace = step->tokens_per_second > 0 ? 1 / step->tokens_per_second : 0,
                   .follows = !broken_ && !rows_.empty()});
  broken_ = false;
  if (rows_.size() > kMostRows) rows_.pop_front();
}

double StepPace::seconds_per_token() const {
  std::vector<double> seconds, tokens, paces;
  for (std::size_t i = 1; i < rows_.size(); ++i) {
    if (!rows_[i].follows || !(rows_[i].time >= rows_[i - 1].time)) continue;  // the clock was set
    seconds.push_back(rows_[i].time - rows_[i - 1].time);
    tokens.push_back(static_cast<double>(rows_[i].tokens - rows_[i - 1].tokens));
    paces.push_back(seconds.back() / tokens.back());
  }
  if (paces.empty()) return rows_.empty() ? 0 : rows_.back().own_pace;
  const auto middle = paces.begin() + static_cast<std::ptrdiff_t>(paces.size() / 2);
  std::nth_element(paces.begin(), middle, paces.end());
  double all_seconds = 0, all_tokens = 0;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const double usual = *middle * tokens[i];
    all_seconds += seconds[i] > kMostShare * usual + kMostSeconds ? usual : seconds[i];
    all_tokens += tokens[i];
  }
  return all_seconds / all_tokens;
}

double StepPace::seconds_left(std::int64_t total_tokens) const {
  const double pace = seconds_per_token();
  if (total_tokens <= 0 || !(pace > 0)) return kNotMeasured;
  return pace * static_cast<double>(std::max<std::int64_t>(0, total_tokens - rows_.back().tokens));
}

}  // namespace tessera
