// SPDX-License-Identifier: MIT
// Ranks that are threads of one process: the transport of tests, which need no other program. Sums
// are taken in the order of ranks, so every rank has the same bits, in every run.
#pragma once

#include <memory>
#include <vector>

#include "core/base/collective.h"

namespace tessera {

class ThreadRanks {
 public:
  /// `size` ranks, 1 or more.
  explicit ThreadRanks(int size);
  ~ThreadRanks();
  int size() const { return static_cast<int>(ranks_.size()); }
  /// To be used by one thread, another one for each rank. Tensors lie on the CPU. Every call that
  /// involves other ranks throws Error where their tensors differ in type or number of elements.
  Collective& rank(int index) { return *ranks_[static_cast<std::size_t>(index)]; }

 private:
  class Meeting;
  class Rank;
  std::unique_ptr<Meeting> meeting_;
  std::vector<std::unique_ptr<Collective>> ranks_;
};

}  // namespace tessera
