// SPDX-License-Identifier: MIT
// Sums over the micro-batches of a step in one order, however many ranks share the batch.
//
// A micro-batch is a leaf of a binary tree: the node (level, index) is the sum of the leaves
// [index * 2^level, (index + 1) * 2^level), made of its two halves; a half behind the last leaf is
// left out. A rank's leaves follow one another, so that it adds what it can on the way and keeps
// few nodes; what is left to add after the step's last micro-batch, ranks add together.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "core/base/communicator.h"
#include "core/base/memory.h"

namespace tessera {

struct TreeNode {
  std::int64_t level = 0, index = 0;
  bool operator==(const TreeNode&) const = default;
};

/// The sum of the leaves of one rank, as far as it can be made there.
class LeafSums {
 public:
  /// `runs`: contiguous F32 arrays which hold a leaf when add() is called; their elements, one run
  /// after the other, are those of the sum.
  explicit LeafSums(std::vector<Tensor> runs);

  /// Forgets all leaves.
  void clear();
  /// Adds what the runs hold as leaf `leaf`. Leaves come in their order, none is left out.
  void add(Context& context, std::int64_t leaf);

  std::int64_t elements() const { return elements_; }
  const std::vector<Tensor>& runs() const { return runs_; }
  struct Part {
    TreeNode node;
    Buffer memory;
  };
  const std::vector<Part>& parts() const { return parts_; }
  std::size_t bytes() const;

 private:
  Tensor view(const Buffer& memory) const { return memory.view(DType::F32, {elements_}); }
  Buffer take();

  std::vector<Tensor> runs_;
  std::int64_t elements_ = 0;
  std::vector<Part> parts_;    ///< in the order of their leaves
  std::vector<Buffer> spare_;  ///< of parts that were added to others
};

/// Writes the sum of all `leaves` leaves to the runs of the first of `sums`. These have the same
/// elements and different leaves, as have those of the other ranks of `group`. A collective call.
/// Throws Error where a leaf is nowhere.
void sum_leaves(Context& context, Communicator& group, const std::vector<LeafSums*>& sums,
                std::int64_t leaves);

}  // namespace tessera
