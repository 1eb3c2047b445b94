// SPDX-License-Identifier: MIT
// Who a rank sums gradients and passes messages with: the groups of a mesh.
#pragma once

#include <memory>

#include "core/base/communicator.h"
#include "core/config/layout.h"
#include "core/model/parameters.h"
#include "core/spec/spec.h"

namespace tessera {

/// The mesh of a run: pipeline and context as the spec has them, and as many ranks of data as the
/// others make. Throws Error where these do not divide the ranks.
Mesh mesh_of(const RunSpec& spec, const Communicator& ranks);

class RankGroups {
 public:
  /// A collective call. `world` must outlive the groups.
  RankGroups(Communicator& world, const Mesh& mesh);

  const Mesh& mesh() const { return mesh_; }
  const MeshPlace& place() const { return place_; }
  Communicator& world() const { return world_; }
  /// All with this rank's place in the pipeline: those of data and of context.
  Communicator& replicas() const { return replicas_ ? *replicas_ : world_; }
  /// Those of replicas() that share this rank's sequences, in the order of their pieces.
  Communicator& context() const { return *context_; }
  ContextPlace context_place() const { return {mesh_.context, place_.context}; }
  /// All that hold this rank's stages, and so sum their gradients: those of replicas(), and with
  /// DualPipe those of the mirrored place.
  Communicator& holders() const { return holders_ ? *holders_ : replicas(); }
  /// Those of replicas() that share this rank's experts among them, in the order of their experts.
  Communicator& expert() const { return *expert_; }
  /// Those that hold the same parameters of a kind, and sum their gradients: of holders(), for
  /// experts those that hold the same ones.
  Communicator& sharing(Sharing sharing) const {
    return sharing == Sharing::Experts && same_experts_ ? *same_experts_ : holders();
  }
  /// The places of the pipeline in their order: those with this rank's sequences.
  Communicator& pipeline() const { return *pipeline_; }
  /// Those of the pipeline that hold the token table in unlike stages: its first and its last rank.
  /// On the others, and where holders() sum all of the table, a group that has nothing to do.
  Communicator& ends() const { return *ends_; }
  /// Whether this rank is the first of the pipeline that holds its stages: what is taken over the
  /// whole model counts these here, and nowhere else.
  bool counts() const;
  /// The same for the token table.
  bool counts_ends() const { return place_.pipeline == 0; }

 private:
  void split_replicas();
  Communicator& world_;
  Mesh mesh_;
  MeshPlace place_;
  std::unique_ptr<Communicator> replicas_, context_, holders_, expert_, same_experts_, pipeline_,
      ends_;
};

}  // namespace tessera
