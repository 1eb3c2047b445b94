// SPDX-License-Identifier: MIT
// Where a run keeps the timeline of its ranks (core/train/timeline_file.h writes it,
// core/history/run_timeline.h reads it).
#pragma once

#include <cstdint>

namespace tessera {

/// In the run's folder, beside the file that --timeline names.
inline constexpr const char* kTimelineName = "timeline.json";
/// Bytes. A larger one stays where --timeline put it, and is not read.
inline constexpr std::uintmax_t kMostTimelineBytes = std::uintmax_t{64} << 20;

}  // namespace tessera
