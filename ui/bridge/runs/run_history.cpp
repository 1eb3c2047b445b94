// SPDX-License-Identifier: MIT
#include "ui/bridge/runs/run_history.h"

#include <QtGlobal>
#include <algorithm>
#include <cmath>

namespace tessera::ui {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

constexpr MetricInfo kMetrics[] = {
    {"loss", QT_TRANSLATE_NOOP("Metric", "Loss"), "nats", "loss", false},
    {"mtp_loss", QT_TRANSLATE_NOOP("Metric", "MTP loss"), "nats", "mtp", false},
    {"balance_loss", QT_TRANSLATE_NOOP("Metric", "Balance loss"), "", "balance_loss", false},
    {"learning_rate", QT_TRANSLATE_NOOP("Metric", "Learning rate"), "", "learning_rate", false},
    {"grad_norm", QT_TRANSLATE_NOOP("Metric", "Gradient norm"), "", "gradient_norm", true},
    {"clip", QT_TRANSLATE_NOOP("Metric", "Gradient scale by clipping"), "", "clipping", false},
    {"tokens_per_second", QT_TRANSLATE_NOOP("Metric", "Tokens per second"), "tokens/s",
     "tokens_per_second", false},
    {"mfu", QT_TRANSLATE_NOOP("Metric", "Model FLOPs utilisation"), "%", "mfu", false},
    {"memory", QT_TRANSLATE_NOOP("Metric", "Memory"), "bytes", "memory", false},
    {"max_vio", QT_TRANSLATE_NOOP("Metric", "MaxVio, worst layer"), "", "maxvio", false},
    {"bias_speed", QT_TRANSLATE_NOOP("Metric", "Bias update speed"), "", "bias_speed", false},
    {"mtp_lambda", QT_TRANSLATE_NOOP("Metric", "MTP weight"), "", "mtp", false},
    {"sequence_length", QT_TRANSLATE_NOOP("Metric", "Sequence length"), "tokens", "sequence_length",
     false},
    {"batch_sequences", QT_TRANSLATE_NOOP("Metric", "Batch"), "sequences", "batch", false},
};
static_assert(std::size(kMetrics) == static_cast<std::size_t>(Metric::Count));

std::array<float, static_cast<std::size_t>(Metric::Count)> valuesOf(const StepEvent& e) {
  const auto f = [](auto x) { return static_cast<float>(x); };
  float worst = kNone;
  for (const float vio : e.max_vio) worst = std::fmax(worst, vio);  // passes over NaN
  return {f(e.loss),
          f(e.mtp_loss),
          f(e.balance_loss),
          f(e.learning_rate),
          f(e.grad_norm),
          f(e.clip),
          f(e.tokens_per_second),
          f(e.mfu * 100),
          e.memory_bytes > 0 ? f(e.memory_bytes) : kNone,
          worst,
          f(e.bias_speed),
          f(e.mtp_lambda),
          f(e.sequence_length),
          f(e.batch_sequences)};
}

void appendStep(RunHistory& history, const StepEvent& e, double time) {
  const std::size_t row = history.rows();
  history.step.push_back(e.step);
  history.tokens.push_back(e.tokens);
  history.time.push_back(time);
  const auto values = valuesOf(e);
  for (std::size_t m = 0; m < values.size(); ++m) history.metrics[m].append(values[m]);
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

const MetricInfo& metricInfo(Metric metric) {
  return kMetrics[static_cast<std::size_t>(metric)];
}

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
  if (const auto* e = std::get_if<StepEvent>(&event.body)) {
    // A log that lost its resume event to damage must not bend the step axis back.
    const bool gone = !step.empty() && e->step <= step.back() && truncateAfter(e->step - 1);
    appendStep(*this, *e, event.time);
    return gone;
  }
  if (const auto* e = std::get_if<ExpertsEvent>(&event.body)) {
    const auto at = std::lower_bound(expertSteps.begin(), expertSteps.end(), e->step);
    expertSteps.erase(at, expertSteps.end());
    expertSteps.push_back(e->step);
    moeLayers = e->layers;
    experts = e->experts;
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
  } else if (std::holds_alternative<StateEvent>(event.body)) {
    story.push_back(std::move(event));
  } else if (const auto* resume = std::get_if<ResumeEvent>(&event.body)) {
    const std::int64_t last = resume->step;
    story.push_back(std::move(event));
    return truncateAfter(last);
  } else if (const auto* rollback = std::get_if<RollbackEvent>(&event.body)) {
    const std::int64_t last = rollback->to_step;
    story.push_back(std::move(event));
    return truncateAfter(last);
  }
  return false;
}

}  // namespace tessera::ui
