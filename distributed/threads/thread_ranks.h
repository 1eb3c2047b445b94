// SPDX-License-Identifier: MIT
// Ranks that are threads of one process: the transport of tests, which need no other program. Sums
// are taken in the order of ranks, so every rank has the same bits, in every run.
#pragma once

#include <memory>
#include <vector>

#include "core/base/communicator.h"

namespace tessera {

class ThreadRanks {
 public:
  /// `size` ranks, 1 or more.
  explicit ThreadRanks(int size);
  ~ThreadRanks();
  int size() const { return static_cast<int>(ranks_.size()); }
  /// To be used by one thread, another one for each rank. Tensors lie on the CPU. A collective call
  /// throws Error on every rank where they call for different things, or with tensors that do not
  /// fit together; a receive throws Error where the sent tensor does not fit.
  Communicator& rank(int index) { return *ranks_[static_cast<std::size_t>(index)]; }

 private:
  std::vector<std::unique_ptr<Communicator>> ranks_;
};

}  // namespace tessera
