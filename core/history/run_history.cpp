// SPDX-License-Identifier: MIT
#include "core/history/run_history.h"

#include <algorithm>
#include <cmath>

namespace tessera {

namespace {
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

void append_step(RunHistory& history, const StepEvent& e, double time) {
  const std::size_t row = history.rows();
  history.step.push_back(e.step);
  history.tokens.push_back(e.tokens);
  history.time.push_back(time);
  for (std::size_t m = 0; m < kMetricCount; ++m) {
    const double value = metric_info(static_cast<Metric>(m)).value(e);
    history.metrics[m].append(static_cast<float>(value));
  }
  while (history.layer_max_vio.size() < e.max_vio.size()) {
    history.layer_max_vio.emplace_back().assign(std::vector<float>(row, kNone));
  }
  for (std::size_t layer = 0; layer < history.layer_max_vio.size(); ++layer) {
    history.layer_max_vio[layer].append(layer < e.max_vio.size() ? e.max_vio[layer] : kNone);
  }
}

std::int64_t step_of(const Event& event) {
  if (const auto* e = std::get_if<CheckpointEvent>(&event.body)) return e->step;
  if (const auto* e = std::get_if<SampleEvent>(&event.body)) return e->step;
  if (const auto* e = std::get_if<SpikeEvent>(&event.body)) return e->step;
  return -1;
}

template <class List, class StepOf>
bool drop_after(List& list, std::int64_t step, const StepOf& step_of_item) {
  const std::size_t before = list.size();
  while (!list.empty() && step_of_item(list.back()) > step) list.pop_back();
  return list.size() != before;
}
}  // namespace

namespace {
constexpr std::size_t kMostRanksRows = 4096;

/// Leaves out every second row of the older half, so that what is new stays whole.
void thin_out(std::vector<RunHistory::Ranks>& rows) {
  if (rows.size() < kMostRanksRows) return;
  const std::size_t older = rows.size() / 2;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i < older && i % 2 == 1) continue;
    if (kept != i) rows[kept] = std::move(rows[i]);
    ++kept;
  }
  rows.resize(kept);
}
}  // namespace

const RunHistory::Ranks* RunHistory::ranks_at(std::int64_t wanted) const {
  if (ranks.empty()) return nullptr;
  if (wanted < 0) return &ranks.back();
  const auto after = std::upper_bound(ranks.begin(), ranks.end(), wanted,
                                      [](std::int64_t s, const Ranks& r) { return s < r.step; });
  return after == ranks.begin() ? nullptr : &*(after - 1);
}

std::int64_t RunHistory::row_of_step(std::int64_t wanted) const {
  return std::upper_bound(step.begin(), step.end(), wanted) - step.begin() - 1;
}

double RunHistory::metric_at(Metric m, std::int64_t wanted) const {
  const std::int64_t row = row_of_step(wanted);
  const Series& series = metric(m);
  if (row < 0 || static_cast<std::size_t>(row) >= series.size()) return kNotMeasured;
  return static_cast<double>(series.at(static_cast<std::size_t>(row)));
}

bool RunHistory::truncate_after(std::int64_t last) {
  const auto kept = static_cast<std::size_t>(row_of_step(last) + 1);
  bool gone = kept < rows();
  step.resize(kept);
  tokens.resize(kept);
  time.resize(kept);
  for (Series& series : metrics) series.truncate(kept);
  for (Series& series : layer_max_vio) series.truncate(kept);
  gone |= drop_after(validations, last, [](const Validation& v) { return v.step; });
  for (auto* events : {&checkpoints, &samples, &spikes}) gone |= drop_after(*events, last, step_of);
  gone |= drop_after(ranks, last, [](const Ranks& r) { return r.step; });
  gone |= drop_after(expert_steps, last, [](std::int64_t s) { return s; });
  return gone;
}

namespace {
/// A fork's first checkpoint came with the folder: its log says only that it was read.
void add_inherited(std::vector<Event>& checkpoints, const Event& event) {
  const auto* resume = std::get_if<ResumeEvent>(&event.body);
  if (!resume || !resume->checkpoint.starts_with("checkpoints/")) return;
  const bool known = std::any_of(checkpoints.begin(), checkpoints.end(), [&](const Event& one) {
    return std::get<CheckpointEvent>(one.body).path == resume->checkpoint;
  });
  if (known) return;
  checkpoints.push_back({event.sequence, event.time,
                         CheckpointEvent{.step = resume->step,
                                         .tokens = resume->tokens,
                                         .path = resume->checkpoint,
                                         .bytes = -1,
                                         .seconds = -1}});
}
}  // namespace

bool RunHistory::take(Event event) {
  const std::optional<std::int64_t> stands = fold_.take(event);
  const bool gone = stands && truncate_after(*stands);
  if (const auto* e = std::get_if<StepEvent>(&event.body)) {
    append_step(*this, *e, event.time);
  } else if (const auto* logged = std::get_if<ExpertsEvent>(&event.body)) {
    expert_steps.push_back(logged->step);
    moe_layers = logged->layers;
    experts = logged->experts;
  } else if (auto* r = std::get_if<RanksEvent>(&event.body)) {
    ranks.push_back(
        {r->step, event.time, r->seconds, std::move(r->work), std::move(r->memory_bytes)});
    thin_out(ranks);
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
    add_inherited(checkpoints, event);
    story.push_back(std::move(event));
  }
  return gone;
}

}  // namespace tessera
