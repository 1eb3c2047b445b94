// SPDX-License-Identifier: MIT
// Room for micro-batches between their forward and the end of their backward. A rank's stages
// differ in size: those of about one size share their room.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <vector>

#include "core/schedule/schedule.h"

namespace tessera {

class SlotPool {
 public:
  SlotPool() = default;
  /// What the actions of a rank need, if `bytes_of` gives what a micro-batch keeps of a stage.
  /// Where all stages are of one size: as many slots as micro-batches are in flight.
  SlotPool(const std::vector<PipelineAction>& actions,
           const std::function<std::size_t(std::int32_t stage)>& bytes_of);

  /// A free slot for a micro-batch in a stage; one is added where none is free.
  std::size_t take(std::int32_t stage);
  void release(std::size_t slot) { slots_[slot].taken = false; }
  void release_all();

  std::size_t count() const { return slots_.size(); }
  std::size_t bytes(std::size_t slot) const { return slots_[slot].bytes; }
  std::size_t total_bytes() const;

 private:
  struct Slot {
    std::size_t room = 0, bytes = 0;
    bool taken = false;
  };
  /// Stages that share slots.
  struct Room {
    std::size_t bytes = 0;
  };
  std::vector<Room> rooms_;
  std::map<std::int32_t, std::size_t> room_of_stage_;
  std::vector<Slot> slots_;
};

}  // namespace tessera
