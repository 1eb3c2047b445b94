// SPDX-License-Identifier: MIT
#include "core/history/time_left.h"

#include "core/base/error.h"
#include "core/events/step_pace.h"
#include "core/spec/curriculum.h"

namespace tessera {

std::int64_t total_tokens_of(const RunSpec& spec) {
  try {
    return Curriculum(spec).total_tokens();
  } catch (const Error&) {
    return 0;  // whoever trains or edits the spec is told what is wrong with it
  }
}

double seconds_left(const RunHistory& history, std::int64_t total_tokens) {
  constexpr std::size_t kLastRows = 65;
  StepPace pace;
  const Series& speed = history.metric(Metric::TokensPerSecond);
  const std::size_t first = history.rows() > kLastRows ? history.rows() - kLastRows : 0;
  auto story = history.story.begin();
  for (std::size_t row = first; row < history.rows(); ++row) {
    for (; story != history.story.end() && story->time <= history.time[row]; ++story) {
      if (row > first) pace.take(*story);
    }
    StepEvent step{.step = history.step[row], .tokens = history.tokens[row]};
    step.tokens_per_second = static_cast<double>(speed.at(row));
    pace.take({0, history.time[row], step});
  }
  return pace.seconds_left(total_tokens);
}

double seconds_left(const std::filesystem::path& log, std::int64_t total_tokens) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(log, error);
  if (error) return kNotMeasured;
  for (std::uint64_t part = 1 << 18;; part *= 4) {
    const bool whole = part >= size;
    EventReader reader(log);
    reader.set_kinds({"step", "state", "resume", "rollback"});
    if (!whole) reader.seek_offset(size - part);
    StepPace pace;
    for (const Event& event : reader.poll()) pace.take(event);
    if (whole || pace.is_full()) return pace.seconds_left(total_tokens);
  }
}

}  // namespace tessera
