// SPDX-License-Identifier: MIT
// Who a rank sums gradients and passes messages with: the groups of a mesh.
#pragma once

#include <memory>

#include "core/base/communicator.h"
#include "core/config/layout.h"
#include "core/spec/spec.h"

namespace tessera {

/// The mesh of a run: stages of the pipeline as the spec has them, and as many ranks of data as the
/// others make. Throws Error where the stages do not divide the ranks.
Mesh mesh_of(const RunSpec& spec, const Communicator& ranks);

class RankGroups {
 public:
  /// A collective call. `world` must outlive the groups.
  RankGroups(Communicator& world, const Mesh& mesh);

  const Mesh& mesh() const { return mesh_; }
  const MeshPlace& place() const { return place_; }
  Communicator& world() const { return world_; }
  /// All that hold this rank's stage: they train on different sequences.
  Communicator& data() const { return data_ ? *data_ : world_; }
  /// Those of data() that share this rank's experts among them, in the order of their experts.
  Communicator& expert() const { return *expert_; }
  /// Those of data() that hold the same experts as this rank.
  Communicator& same_experts() const { return same_experts_ ? *same_experts_ : data(); }
  /// One rank of each stage, in their order: those with this rank's sequences.
  Communicator& pipeline() const { return *pipeline_; }
  /// Those of the pipeline that hold the token table: its first and its last rank. On the others a
  /// group that nobody asks for anything.
  Communicator& ends() const { return *ends_; }

 private:
  Communicator& world_;
  Mesh mesh_;
  MeshPlace place_;
  std::unique_ptr<Communicator> data_, expert_, same_experts_, pipeline_, ends_;
};

}  // namespace tessera
