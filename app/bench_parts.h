// SPDX-License-Identifier: MIT
// What the benches of whole models share: a clock, medians, random models and tokens.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/model/model.h"

namespace tessera::app {

using BenchClock = std::chrono::steady_clock;

double seconds_since(BenchClock::time_point start);

/// The middle value (of an even number: the upper one of the two in the middle); at least one
/// value.
double median_of(std::vector<double> values);

/// `shape` "small" or "medium" (the presets numbers-small, numbers-medium), a preset or a file,
/// with random weights, for inference alone: without MTP layers, and with at least `positions`
/// positions.
std::unique_ptr<Model> random_model(const std::string& shape, const Precision& precision,
                                    Device device, std::int64_t positions);

/// Tokens of the model's vocabulary; the same for the same `stream`.
std::vector<std::int32_t> random_ids(const Model& model, std::int64_t count, std::uint64_t stream);

}  // namespace tessera::app
