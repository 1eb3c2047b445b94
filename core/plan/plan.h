// SPDX-License-Identifier: MIT
// The plan of a run: what `tessera plan` prints and the studio's Plan pane shows. Parameters,
// memory, cache, operations, speed, time, cost, and what stands in the way.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/plan/fixes.h"
#include "core/plan/link_plan.h"
#include "core/plan/memory_plan.h"
#include "core/plan/speed_plan.h"
#include "core/spec/spec.h"

namespace tessera {

/// Values that a token leaves in the cache of all layers when text is generated.
struct CachePlan {
  std::int64_t latent = 0;      ///< MLA: (kv_lora_rank + qk_rope_head_dim) a layer
  std::int64_t multi_head = 0;  ///< standard attention: heads * (key + value size)
  std::int64_t grouped = 0;     ///< the same with 8 groups of keys and values
  double share_of_multi_head() const;
  double share_of_grouped() const;
};
CachePlan plan_cache(const ModelConfig& config);

struct PlanProblem {
  Problem problem;
  std::optional<Fix> fix{};
};

/// The run and checkpoint that a run is to be forked from.
struct ForkOf {
  RunSpec parent{};
  std::filesystem::path folder{};  ///< the parent's folder
  std::int64_t step = -1;          ///< last step before the checkpoint; -1: the newest checkpoint
};

struct PlanOptions {
  SpeedOptions speed;
  /// What a rank may use; absent: this machine's memory where the run is local and on the CPU.
  std::optional<std::size_t> memory_bytes;
  bool elsewhere = false;     ///< the run trains on other machines, whatever host.kind says
  bool look_at_files = true;  ///< whether paths of the spec are there
  std::string keep{};         ///< key that was just set; fixes leave it alone where they can
  std::optional<ForkOf> fork{};
};

/// What the stages together read of a source.
struct SourceTokens {
  std::string name;
  double tokens = 0;
};

struct Plan {
  bool counted = false;  ///< the numbers below are there; problems may forbid it
  ParameterPlan parameters;
  MemoryPlan memory;
  std::optional<std::size_t> memory_available;
  CachePlan cache;
  std::optional<LinkPlan> links;  ///< of runs of several ranks
  SpeedPlan speed;
  std::size_t checkpoint_bytes = 0;
  std::vector<SourceTokens> sources;  ///< those that are read; empty where only the shards tell
  /// For a fork: steps trained before it, and steps that its curriculum leaves to it.
  std::int64_t steps_before = 0, steps_left = 0;
  std::vector<PlanProblem> problems;  ///< the problems of the spec first, then those of the plan

  bool ok() const;  ///< no problem of severity Error
};

/// Never throws for what a spec says: that becomes problems. `found` are those of reading it.
Plan make_plan(const RunSpec& spec, const std::vector<Problem>& found, const PlanOptions& options);

/// Problems that only a plan shows: too little memory, files that are not there, what this version
/// does not do.
std::vector<PlanProblem> check_plan(const RunSpec& spec, const Plan& plan,
                                    const PlanOptions& options);

/// What a fork cannot change, because its weights, its order of data and its shards are the
/// parent's, and what it can change without any effect.
std::vector<PlanProblem> check_fork(const RunSpec& spec, const ForkOf& from);

/// The number of steps that a checkpoint of the parent has behind it; 0: there is none.
std::int64_t steps_before_fork(const ForkOf& from);

/// Memory that programs may still have on this machine, limits of the container included; 0:
/// unknown.
std::size_t available_memory();

nlohmann::json to_json(const Plan& plan);

}  // namespace tessera
