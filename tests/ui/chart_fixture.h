// SPDX-License-Identifier: MIT
// Histories for tests of charts, made without a log.
#pragma once

#include <cmath>
#include <memory>
#include <random>

#include "ui/widgets/chart/run_curves.h"

namespace tessera::ui::test {

inline Series& metricOf(RunHistory& history, Metric metric) {
  return history.metrics[static_cast<std::size_t>(metric)];
}

/// A run whose loss falls with noise from 8 to 4; steps 0, `every`, 2 `every`, ...
inline std::shared_ptr<RunHistory> makeHistory(std::size_t rows, unsigned seed = 1,
                                               std::int64_t every = 1) {
  auto history = std::make_shared<RunHistory>();
  std::mt19937 random(seed);
  std::normal_distribution<float> noise(0, 0.08f);
  std::vector<float> loss(rows), norm(rows), rate(rows), speed(rows);
  for (std::size_t i = 0; i < rows; ++i) {
    const float t = static_cast<float>(i) / static_cast<float>(std::max<std::size_t>(rows, 2) - 1);
    history->step.push_back(static_cast<std::int64_t>(i) * every);
    history->tokens.push_back((static_cast<std::int64_t>(i) * every + 1) * 4096);
    history->time.push_back(1.7e9 + static_cast<double>(i) * 0.5);
    loss[i] = 4 + 4 * std::exp(-6 * t) + noise(random);
    norm[i] = std::exp(noise(random) * 6) * (1 + 3 * std::exp(-8 * t));
    rate[i] =
        t < 0.05f ? t / 0.05f * 3e-3f : 3e-3f * (0.1f + 0.9f * (1 + std::cos(3.14159f * t)) / 2);
    speed[i] = 11700 + 400 * noise(random);
  }
  metricOf(*history, Metric::Loss).assign(std::move(loss));
  metricOf(*history, Metric::GradNorm).assign(std::move(norm));
  metricOf(*history, Metric::LearningRate).assign(std::move(rate));
  metricOf(*history, Metric::TokensPerSecond).assign(std::move(speed));
  return history;
}

/// Sets one value, whatever it was.
inline void setValue(RunHistory& history, Metric metric, std::size_t row, float value) {
  std::vector<float> values = metricOf(history, metric).values();
  values[row] = value;
  metricOf(history, metric).assign(std::move(values));
}

inline std::shared_ptr<RunCurves> makeCurves(const QString& id,
                                             const std::shared_ptr<RunHistory>& history) {
  auto curves = std::make_shared<RunCurves>(id, id);
  curves->update(*history, history);
  return curves;
}

}  // namespace tessera::ui::test
