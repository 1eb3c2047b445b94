// SPDX-License-Identifier: MIT
#include "core/history/recent_steps.h"

#include "core/events/step_fold.h"

namespace tessera {

namespace {
std::vector<StepEvent> steps_from(const std::filesystem::path& log, std::uint64_t offset) {
  EventReader reader(log);
  reader.set_kinds({"step", "resume", "rollback"});
  if (offset > 0) reader.seek_offset(offset);
  std::vector<StepEvent> steps;
  StepFold fold;
  for (Event& event : reader.poll()) {
    if (const auto last = fold.take(event)) {
      while (!steps.empty() && steps.back().step > *last) steps.pop_back();
    }
    if (auto* step = std::get_if<StepEvent>(&event.body)) steps.push_back(std::move(*step));
  }
  return steps;
}
}  // namespace

std::vector<StepEvent> recent_steps(const std::filesystem::path& log, std::size_t most) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(log, error);
  if (error) return {};
  for (std::uint64_t part = 1 << 16;; part *= 4) {
    const bool whole = part >= size;
    std::vector<StepEvent> steps = steps_from(log, whole ? 0 : size - part);
    // One more than is wanted: a resume further back than this part may have undone the first ones.
    if (!whole && steps.size() <= most) continue;
    if (steps.size() > most) steps.erase(steps.begin(), steps.end() - static_cast<long>(most));
    return steps;
  }
}

}  // namespace tessera
