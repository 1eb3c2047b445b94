// SPDX-License-Identifier: MIT
// How long a run has yet to train, from its log: one estimate (StepPace) for the window and
// `tessera runs`.
#pragma once

#include <filesystem>

#include "core/history/run_history.h"
#include "core/spec/spec.h"

namespace tessera {

/// What the curriculum trains in all; 0 where it cannot be scheduled.
std::int64_t total_tokens_of(const RunSpec& spec);

/// Until `total_tokens` are trained, at the pace of the last steps; NaN where nothing tells it.
/// What these say holds while the run trains.
double seconds_left(const RunHistory& history, std::int64_t total_tokens);
/// The same from the end of a log. Throws Error as EventReader does.
double seconds_left(const std::filesystem::path& log, std::int64_t total_tokens);

}  // namespace tessera
