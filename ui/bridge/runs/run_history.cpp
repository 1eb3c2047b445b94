// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_history.h"

#include <algorithm>
#include <cmath>

namespace tessera::ui {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

void appendStep(RunHistory& history, const StepEvent& e, double time) {
  const std::size_t row = history.rows();
  history.step.push_back(e.step);
  history.tokens.push_back(e.tokens);
  history.time.push_back(time);
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const double value = metric_info(static_cast<Metric>(m)).value(e);
    history.metrics[m].append(static_cast<float>(value));
  }
  while (history.layerMaxVio.size() < e.max_vio.size()) {
    history.layerMaxVio.emplace_back().assign(std::vector<float>(row, kNone));
  }
  for (std::size_t layer = 0; layer < history.layerMaxVio.size(); ++layer) {
    history.layerMaxVio[layer].append(layer < e.max_vio.size() ? e.max_vio[layer] : kNone);
  }
}

std::int64_t stepOf(const Event& event) {
  if (const auto* e = std::get_if<CheckpointEvent>(&event.body)) return e->step;
  if (const auto* e = std::get_if<SampleEvent>(&event.body)) return e->step;
  if (const auto* e = std::get_if<SpikeEvent>(&event.body)) return e->step;
  return -1;
}

template <class List, class StepOf>
bool dropAfter(List& list, std::int64_t step, const StepOf& stepOfItem) {
  const std::size_t before = list.size();
  while (!list.empty() && stepOfItem(list.back()) > step) list.pop_back();
  return list.size() != before;
}
}  // namespace

std::int64_t RunHistory::rowOfStep(std::int64_t wanted) const {
  return std::upper_bound(step.begin(), step.end(), wanted) - step.begin() - 1;
}

bool RunHistory::truncateAfter(std::int64_t last) {
  const auto kept = static_cast<std::size_t>(rowOfStep(last) + 1);
  bool gone = kept < rows();
  step.resize(kept);
  tokens.resize(kept);
  time.resize(kept);
  for (Series& series : metrics) series.truncate(kept);
  for (Series& series : layerMaxVio) series.truncate(kept);
  gone |= dropAfter(validations, last, [](const Validation& v) { return v.step; });
  for (auto* events : {&checkpoints, &samples, &spikes}) gone |= dropAfter(*events, last, stepOf);
  gone |= dropAfter(expertSteps, last, [](std::int64_t s) { return s; });
  return gone;
}

bool RunHistory::take(Event event) {
  const std::optional<std::int64_t> stands = m_fold.take(event);
  const bool gone = stands && truncateAfter(*stands);
  if (const auto* e = std::get_if<StepEvent>(&event.body)) {
    appendStep(*this, *e, event.time);
  } else if (const auto* logged = std::get_if<ExpertsEvent>(&event.body)) {
    expertSteps.push_back(logged->step);
    moeLayers = logged->layers;
    experts = logged->experts;
  } else if (const auto* v = std::get_if<ValidationEvent>(&event.body)) {
    Validation& row =
        validations.emplace_back(Validation{v->step, v->tokens, event.time, v->loss, {}});
    for (const auto& source : v->sources) row.sources[source.name] = source.loss;
  } else if (std::holds_alternative<CheckpointEvent>(event.body)) {
    checkpoints.push_back(std::move(event));
  } else if (std::holds_alternative<SampleEvent>(event.body)) {
    samples.push_back(std::move(event));
  } else if (std::holds_alternative<SpikeEvent>(event.body)) {
    spikes.push_back(std::move(event));
  } else if (std::holds_alternative<MessageEvent>(event.body)) {
    messages.push_back(std::move(event));
  } else if (std::holds_alternative<StateEvent>(event.body) ||
             std::holds_alternative<ResumeEvent>(event.body) ||
             std::holds_alternative<RollbackEvent>(event.body)) {
    story.push_back(std::move(event));
  }
  return gone;
}

}  // namespace tessera::ui
