// SPDX-License-Identifier: MIT
#include "core/schedule/slots.h"

#include <algorithm>
#include <limits>
#include <set>

#include "core/base/error.h"

namespace tessera {

using Kind = PipelineAction::Kind;

namespace {
struct SizedStage {
  std::size_t bytes = 0;
  std::int32_t stage = 0;
  auto operator<=>(const SizedStage&) const = default;
};

std::vector<SizedStage> stages_by_size(
    const std::vector<PipelineAction>& actions,
    const std::function<std::size_t(std::int32_t stage)>& bytes_of) {
  std::set<std::int32_t> stages;
  for (const PipelineAction& action : actions) stages.insert(action.stage);
  std::vector<SizedStage> sized;
  for (const std::int32_t stage : stages) sized.push_back({bytes_of(stage), stage});
  std::sort(sized.begin(), sized.end());
  return sized;
}

/// Most micro-batches that are in flight at once in these stages together.
std::size_t most_in_flight(const std::vector<PipelineAction>& actions, const SizedStage* first,
                           const SizedStage* end) {
  std::size_t now = 0, most = 0;
  for (const PipelineAction& action : actions) {
    const bool is_here =
        std::any_of(first, end, [&](const SizedStage& s) { return s.stage == action.stage; });
    if (!is_here) continue;
    if (action.kind == Kind::Forward) most = std::max(most, ++now);
    if (action.kind != Kind::Backward && action.kind != Kind::WeightBackward) continue;
    require(now > 0, "schedule", "{} has no forward before it", describe(action));
    --now;
  }
  return most;
}
}  // namespace

/// Stages in the order of their size are cut into runs that share slots, so that all slots together
/// are as small as can be: one room for all saves slots, and makes small stages take large ones.
SlotPool::SlotPool(const std::vector<PipelineAction>& actions,
                   const std::function<std::size_t(std::int32_t stage)>& bytes_of) {
  const std::vector<SizedStage> stages = stages_by_size(actions, bytes_of);
  struct Best {
    std::size_t bytes = std::numeric_limits<std::size_t>::max(), first = 0, count = 0;
  };
  std::vector<Best> best(stages.size() + 1);  // of the first so many stages
  best[0].bytes = 0;
  for (std::size_t end = 1; end <= stages.size(); ++end) {
    for (std::size_t first = 0; first < end; ++first) {
      const std::size_t count = most_in_flight(actions, stages.data() + first, stages.data() + end);
      const std::size_t bytes = best[first].bytes + count * stages[end - 1].bytes;
      if (bytes < best[end].bytes) best[end] = {bytes, first, count};
    }
  }
  for (std::size_t end = stages.size(); end > 0; end = best[end].first) {
    const Best& room = best[end];
    for (std::size_t i = room.first; i < end; ++i) room_of_stage_[stages[i].stage] = rooms_.size();
    for (std::size_t i = 0; i < room.count; ++i) {
      slots_.push_back({rooms_.size(), stages[end - 1].bytes});
    }
    rooms_.push_back({stages[end - 1].bytes});
  }
}

std::size_t SlotPool::take(std::int32_t stage) {
  const auto known = room_of_stage_.find(stage);
  require(known != room_of_stage_.end(), "schedule", "there is no room for stage {}", stage);
  const std::size_t room = known->second;
  auto at = std::find_if(slots_.begin(), slots_.end(),
                         [&](const Slot& slot) { return slot.room == room && !slot.taken; });
  if (at == slots_.end()) at = slots_.insert(at, {room, rooms_[room].bytes});
  at->taken = true;
  return static_cast<std::size_t>(at - slots_.begin());
}

void SlotPool::release_all() {
  for (Slot& slot : slots_) slot.taken = false;
}

std::size_t SlotPool::total_bytes() const {
  std::size_t total = 0;
  for (const Slot& slot : slots_) total += slot.bytes;
  return total;
}

}  // namespace tessera
