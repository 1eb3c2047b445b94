// SPDX-License-Identifier: MIT
// What the ranks that share parameters tell each other of them in a step: gradients before the
// update, weights after it.
#pragma once

#include <vector>

#include "core/train/rank_groups.h"
#include "core/train/shards.h"

namespace tessera {

/// How many share the parameters of each kind.
SharingRanks sharing_ranks(const RankGroups& groups);

class WeightExchange {
 public:
  /// `sharded`: each rank updates its own share (ZeRO-1); else every rank updates everything.
  WeightExchange(ParameterSet& parameters, const RankGroups& groups, bool sharded);

  /// Whether no rank shares anything with this one.
  bool is_alone() const { return ranks_.is_alone(); }
  bool is_sharded() const { return sharded_; }
  /// What this rank updates.
  const std::vector<Piece>& pieces() const { return pieces_; }

  /// Sums gradients over the ranks that share them: where weights are sharded those of the own
  /// shares and the rests, and what is in the others' shares is then worth nothing.
  void reduce(Context& context) const;
  /// (1) F64: the squares of the summed gradients of the whole model. Each rank adds up the squares
  /// of its own shares, whether weights are sharded or not, so that the sum has the same bits in
  /// both. Throws away what a call before has returned.
  Tensor sum_of_squares(Context& context) const;
  /// After the update: the weights of the others' shares, and the copies that products read.
  void gather(Context& context) const;

 private:
  Tensor own_share(const Tensor& flat, const Bucket& bucket) const;

  ParameterSet& parameters_;
  const RankGroups& groups_;
  SharingRanks ranks_;
  bool sharded_ = false;
  bool both_ends_ = false;  ///< the last stage has a token table as the first one has
  std::vector<Bucket> buckets_;
  std::vector<Piece> pieces_;
  Buffer squares_;
};

}  // namespace tessera
