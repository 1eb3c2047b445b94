// SPDX-License-Identifier: MIT
// The timeline of a run's ranks, as `--timeline` records it and a copy of it stands in the run's
// folder: read back, for people to see who works, sends and waits when.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/run/kept_timeline.h"

namespace tessera {

enum class TimelineKind : std::uint8_t {
  Forward,
  Backward,  ///< of the input alone, too
  Weights,   ///< the gradients of weights, where backward is done in two
  AllToAll,
  Sum,  ///< other collectives, and sums of gradients
  Send,
  Wait,  ///< for a message, or for others
  Optimiser,
  Other
};
inline constexpr int kTimelineKinds = 9;
TimelineKind timeline_kind_of(const std::string& name);

struct TimelineSpan {
  std::int64_t from_ns = 0, to_ns = 0;  ///< since the first span of all ranks
  std::int64_t bytes = -1;              ///< of a message; -1: it is none
  std::int32_t step = 0;
  std::int16_t stage = -1, micro_batch = -1;  ///< -1: it is of none
  std::uint16_t name = 0;                     ///< in RunTimeline::names
  TimelineKind kind = TimelineKind::Other;
};

/// One rank. Spans lie inside of each other (a call inside of a forward); `starts` cuts the time
/// into pieces, of which each has one owner: the innermost span, or none.
struct TimelineLane {
  std::vector<TimelineSpan> spans;   ///< by their begin, the longer one first
  std::vector<std::int64_t> starts;  ///< ns; a piece goes on to the next one's start
  std::vector<std::int32_t> owners;  ///< index of a span; -1: nothing is done
  double idle = 0;                   ///< share of the whole time without work and without sending

  /// The innermost span at a time; -1: there is none.
  std::int32_t owner_at(std::int64_t ns) const;
};

struct RunTimeline {
  std::vector<std::string> names;
  std::vector<TimelineLane> lanes;  ///< by rank
  std::int64_t length_ns = 0;
};

/// Sorts the spans, moves their begin to 0 and finds pieces and idle shares.
void arrange(RunTimeline& timeline);

/// Throws Error for a file that is none of ours, holds no span, or is larger than the limit.
RunTimeline read_timeline(const std::filesystem::path& file);

}  // namespace tessera
