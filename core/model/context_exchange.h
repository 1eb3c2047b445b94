// SPDX-License-Identifier: MIT
// Context parallelism: sequences that several ranks share, each with some of the tokens. What
// attention needs of the others' tokens are latents and rotary keys, c + r values for each token
// (DeepSeek-V3 report, section 2.1.1), so these are gathered, and keys and values are made of them
// on every rank.
#pragma once

#include "core/base/communicator.h"
#include "core/model/layers.h"
#include "core/model/sequences.h"

namespace tessera {

class ContextExchange {
 public:
  /// `group`: the ranks that share sequences, in the order of their shares; it must outlive this.
  explicit ContextExchange(Communicator& group) : group_(&group), ranks_(group.size()) {}
  /// For dry runs alone: as if there were so many ranks.
  static ContextExchange planned(std::int64_t ranks) { return ContextExchange(nullptr, ranks); }

  /// x (T, w) of this rank's tokens; returns the rows of all keys of the cut (K, w), scratch.
  Tensor gather(Pass& pass, const ContextCut& cut, const Tensor& x) const;
  /// The way back: d (K, w), F32 or F64, holds what this rank's queries give to the keys; returns
  /// what all ranks' queries give to this rank's `tokens` tokens (T, w), scratch.
  Tensor scatter_sum(Pass& pass, const ContextCut& cut, const Tensor& d, std::int64_t tokens) const;

  /// (sequences, experts) I64 for sum_counts(); what a call before has returned is thrown away.
  Tensor counts(const Context& context, std::int64_t sequences, std::int64_t experts) const;
  /// Counts of this rank's tokens become those of whole sequences.
  void sum_counts(Context& context, const Tensor& counts) const;

  /// What gather() and scatter_sum() sent to other ranks since reset_bytes(). A rank sends its
  /// share to each of the others in the one, and each of the others its share in the other.
  std::int64_t bytes() const { return bytes_; }
  void reset_bytes() { bytes_ = 0; }

 private:
  ContextExchange(Communicator* group, std::int64_t ranks) : group_(group), ranks_(ranks) {}
  Communicator& group() const;
  void count(const Context& context, const ContextCut& cut, const Tensor& x) const;

  Communicator* group_;
  std::int64_t ranks_;
  mutable Buffer counts_memory_;
  mutable std::int64_t bytes_ = 0;
};

}  // namespace tessera
