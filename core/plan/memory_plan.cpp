// SPDX-License-Identifier: MIT
#include "core/plan/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/config/layout.h"
#include "core/model/model.h"
#include "core/schedule/slots.h"
#include "core/spec/batch_unit.h"
#include "core/train/optimiser.h"
#include "core/train/shards.h"
#include "core/train/step_memory.h"

namespace tessera {

std::size_t MemoryPlan::bytes_of(const std::string& id) const {
  for (const MemoryTerm& term : terms) {
    if (term.id == id) return term.bytes;
  }
  return 0;
}

bool can_be_counted(const ModelConfig& c) {
  const auto d = [](std::int64_t x) { return static_cast<double>(x); };
  const double layers = d(c.num_hidden_layers + c.num_nextn_predict_layers);
  const double attention = d(c.num_attention_heads) * d(c.qk_head_dim() + c.v_head_dim) *
                           (d(c.hidden_size) + d(c.q_lora_rank) + d(c.kv_lora_rank));
  const double experts = 3.0 * d(c.n_routed_experts + c.n_shared_experts) *
                         d(c.moe_intermediate_size) * d(c.hidden_size);
  const double dense = 3.0 * d(c.intermediate_size) * d(c.hidden_size);
  const double tables = 2.0 * d(c.vocab_size) * d(c.hidden_size);
  return layers * (attention + experts + dense) + tables < 1e15;
}

std::optional<std::string> odd_fp8_weight(const ModelConfig& c) {
  const std::int64_t heads = c.num_attention_heads;
  std::vector<std::pair<const char*, std::int64_t>> sizes = {
      {"hidden_size", c.hidden_size},
      {"q_lora_rank", c.q_lora_rank},
      {"kv_lora_rank", c.kv_lora_rank},
      {"kv_lora_rank + qk_rope_head_dim", c.kv_lora_rank + c.qk_rope_head_dim},
      {"num_attention_heads * (qk_nope_head_dim + qk_rope_head_dim)", heads * c.qk_head_dim()},
      {"num_attention_heads * (qk_nope_head_dim + v_head_dim)",
       heads * (c.qk_nope_head_dim + c.v_head_dim)},
      {"num_attention_heads * v_head_dim", heads * c.v_head_dim}};
  if (c.first_k_dense_replace > 0 || c.n_routed_experts == 0) {
    sizes.emplace_back("intermediate_size", c.intermediate_size);
  }
  if (c.n_routed_experts > 0) sizes.emplace_back("moe_intermediate_size", c.moe_intermediate_size);
  for (const auto& [name, size] : sizes) {
    if (size % 16 != 0) return fmt::format("{} is {}", name, size);
  }
  return {};
}

namespace {
std::int64_t elements(const Parameter& p) {
  return std::accumulate(p.shape.begin(), p.shape.end(), std::int64_t{1}, std::multiplies<>());
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

bool is_routed_expert(const Parameter& p) {
  return contains(p.name, ".mlp.experts.");
}

/// Layer of a parameter; -1: before the first, or after the last where `after` is set.
std::int64_t layer_of(const Parameter& p) {
  constexpr std::string_view kLayers = "model.layers.";
  return p.name.starts_with(kLayers) ? std::stoll(p.name.substr(kLayers.size())) : -1;
}

const char* group_of(const Parameter& p, const ModelConfig& c) {
  if (layer_of(p) >= c.num_hidden_layers) return "mtp";
  if (p.name == "model.embed_tokens.weight") return "embedding";
  if (p.name == "lm_head.weight") return "head";
  if (contains(p.name, "norm")) return "norms";
  if (contains(p.name, ".self_attn.")) return "attention";
  if (is_routed_expert(p)) return "routed_experts";
  if (contains(p.name, ".shared_experts.")) return "shared_experts";
  if (contains(p.name, ".mlp.gate.")) return "gate";
  return "dense";
}

}  // namespace

ParameterPlan plan_parameters(const ModelConfig& config) {
  require(can_be_counted(config), "plan", "the model is too large to be counted");
  ParameterPlan plan;
  plan.groups = {{"embedding", "token table"},
                 {"attention", "attention (MLA)"},
                 {"dense", "dense feed-forward"},
                 {"routed_experts", "routed experts"},
                 {"shared_experts", "shared experts"},
                 {"gate", "gates and selection biases"},
                 {"norms", "norms"},
                 {"head", "output head"}};
  const Model model(config, {}, /*for_training=*/true, Device::Cpu, /*measuring=*/true);
  for (const Parameter& p : model.parameters().all()) {
    const std::string id = group_of(p, config);
    const std::int64_t count = elements(p);
    if (id == "mtp") {
      plan.mtp += count;
      continue;
    }
    for (ParameterGroup& group : plan.groups) {
      if (group.id != id) continue;
      group.total += count;
      group.active += is_routed_expert(p)
                          ? count / config.n_routed_experts * config.num_experts_per_tok
                          : count;
    }
  }
  std::erase_if(plan.groups, [](const ParameterGroup& g) { return g.total == 0; });
  for (const ParameterGroup& group : plan.groups) {
    plan.total += group.total;
    plan.active += group.active;
  }
  return plan;
}

Precision planned_precision(const RunSpec& spec, bool* fits) {
  const Precision wanted = Precision::of(spec.precision.recipe);
  const bool allowed = !wanted.fp8_forward() || !odd_fp8_weight(spec.model);
  if (fits) *fits = allowed;
  return allowed ? wanted : Precision::of(Recipe::Bf16);
}

namespace {
/// NOTE: of the ranks that share sequences the first one needs most, as it has their last tokens,
/// which see all keys.
StepMemory step_of(const Model& model, const RunSpec& spec, const CurriculumStage& stage) {
  return measure_step_memory(model, spec.parallel.micro_batch_sequences, stage.sequence_length,
                             stage.balance_alpha > 0,
                             weight_gradients_of(pipeline_shape(spec.parallel)),
                             {.ranks = spec.parallel.context, .index = 0});
}

/// What a rank keeps of all micro-batches that its schedule has in flight. More of them than four
/// for each rank change nothing: a schedule is then in its steady part.
std::size_t kept_bytes(const Model& model, const StepMemory& step, const RunSpec& spec,
                       const CurriculumStage& stage, std::int64_t place) {
  const PipelineShape shape = pipeline_shape(spec.parallel);
  const std::int64_t micro_batches =
      stage.batch_sequences / (spec.parallel.data * spec.parallel.micro_batch_sequences);
  const Schedule schedule =
      make_schedule(shape, shape.allowed(std::min(micro_batches, 4 * shape.ranks)));
  const auto bytes_of = [&](std::int32_t index) {
    const std::vector<PipelineStage>& held = model.layout().stages;
    const auto at = std::find_if(held.begin(), held.end(),
                                 [&](const PipelineStage& s) { return s.index == index; });
    return step.keep_bytes_of_parts.at(static_cast<std::size_t>(at - held.begin()));
  };
  return SlotPool(schedule.actions[static_cast<std::size_t>(place)], bytes_of).total_bytes();
}

/// The integers of a micro-batch, and the sums and loads of a step.
std::size_t batch_bytes(const RunSpec& spec, const CurriculumStage& stage, const Model& model) {
  const std::int64_t micro = spec.parallel.micro_batch_sequences;
  const std::int64_t tokens = micro * stage.sequence_length / spec.parallel.context;
  const std::int64_t columns = 3 + 2 * spec.model.num_nextn_predict_layers;
  const std::int64_t blocks = model.moe_blocks();
  // Where the keys of a sequence are, two ranges of queries, and its length.
  const std::int64_t cut =
      spec.parallel.context > 1 ? micro * (stage.sequence_length + 2 * 4 + 1) : 0;
  return static_cast<std::size_t>(columns * tokens + micro + 1 + cut) * sizeof(std::int32_t) +
         static_cast<std::size_t>(3 + blocks) * sizeof(double) +
         static_cast<std::size_t>(blocks * std::max<std::int64_t>(1, spec.model.n_routed_experts)) *
             sizeof(std::int64_t);
}

std::size_t rotary_bytes(const ModelConfig& config) {
  return static_cast<std::size_t>(config.max_position_embeddings * config.qk_rope_head_dim) *
         sizeof(float);
}

/// Weights and what goes with each of them.
struct WeightBytes {
  std::size_t values = 0, gradients = 0, operands = 0, states = 0, moments = 0;
};

struct StepPart {
  std::size_t keep = 0, again = 0, scratch = 0, batch = 0;
  std::size_t arenas() const { return keep + again + scratch; }
};

void fill_terms(MemoryPlan& plan, const WeightBytes& weights, const StepPart& step,
                const RunSpec& spec, const ModelConfig& config) {
  const bool master = weights.operands > 0;
  plan.terms = {
      {"weights", master ? "master weights (FP32)" : "weights (FP32)", weights.values},
      {"operands",
       spec.precision.recipe == Recipe::Bf16 ? "copies that products read (BF16)"
                                             : "copies that products read (FP8, BF16)",
       weights.operands},
      {"gradients", "gradients (FP32)", weights.gradients},
      {"moments",
       spec.optimiser.moments == DType::BF16 ? "AdamW moments (BF16)" : "AdamW moments (FP32)",
       weights.moments},
      {"stash", "kept for backward, with logits' losses", step.keep},
      {"again", "a block that backward makes again", step.again},
      {"scratch", "scratch, slices of logits included", step.scratch},
      {"batch", "tokens, targets and loads", step.batch},
      {"other", "selection biases and rotary tables", weights.states + rotary_bytes(config)}};
  std::erase_if(plan.terms, [](const MemoryTerm& term) { return term.bytes == 0; });
  plan.total_bytes = 0;
  for (const MemoryTerm& term : plan.terms) plan.total_bytes += term.bytes;
}

/// What the plan of a rank is for.
struct RankPlan {
  const RunSpec& spec;
  const ModelConfig& config;
  Model& model;            ///< what the rank holds
  SharingRanks sharing;    ///< with whom
  std::int64_t place = 0;  ///< in the pipeline
};

/// The memory of a step in a stage of the curriculum, by the trainer's own step.
StepPart step_part(const RankPlan& rank, const Recompute& recompute, const CurriculumStage& stage) {
  rank.model.set_recompute(recompute);
  const StepMemory step = step_of(rank.model, rank.spec, stage);
  return {kept_bytes(rank.model, step, rank.spec, stage, rank.place), step.again_bytes,
          step.scratch_bytes, batch_bytes(rank.spec, stage, rank.model)};
}

/// `now`: the step with what the spec has chosen.
std::vector<RecomputeChoice> plan_recompute(const RankPlan& rank, const CurriculumStage& stage,
                                            const StepPart& now) {
  const Recompute& chosen = rank.spec.parallel.recompute;
  std::vector<RecomputeChoice> choices =
      recompute_choices(rank.config, rank.model.precision(), chosen, stage.sequence_length);
  const auto used = static_cast<std::int64_t>(now.arenas());
  for (RecomputeChoice& choice : choices) {
    const Recompute other = with_choice(chosen, choice.id, !choice.chosen);
    const auto bytes = static_cast<std::int64_t>(step_part(rank, other, stage).arenas());
    choice.saved_bytes = choice.chosen ? bytes - used : used - bytes;
  }
  return choices;
}

/// The stage of the curriculum that needs most.
MemoryPlan plan_rank(const RankPlan& rank) {
  const RunSpec& spec = rank.spec;
  const ParameterSet& set = rank.model.parameters();
  const std::vector<Piece> updated =
      spec.parallel.zero > 0 ? own_pieces(set, buckets_of(set, rank.sharing), rank.sharing)
                             : all_pieces(set);
  const WeightBytes weights{set.value_bytes(), set.gradient_bytes(), set.operand_bytes(),
                            set.state_bytes(), moment_bytes(updated, spec.optimiser.moments)};
  MemoryPlan plan;
  StepPart most;
  for (std::size_t i = 0; i < spec.curriculum.size(); ++i) {
    const StepPart part = step_part(rank, spec.parallel.recompute, spec.curriculum[i]);
    if (i > 0 && part.arenas() <= most.arenas()) continue;
    most = part;
    plan.stage = static_cast<int>(i);
  }
  fill_terms(plan, weights, most, spec, rank.config);
  plan.recompute =
      plan_recompute(rank, spec.curriculum[static_cast<std::size_t>(plan.stage)], most);
  return plan;
}

MemoryPlan plan_one_rank(const RunSpec& spec) {
  bool exact = true;
  const ModelConfig config = run_model(spec);
  Model model(config, planned_precision(spec, &exact), /*for_training=*/true, spec.host.device,
              /*measuring=*/true);
  const Mesh mesh{.data = spec.parallel.data};
  MemoryPlan plan = plan_rank({spec, config, model, sharing_ranks(mesh, {})});
  plan.exact = exact;
  return plan;
}

/// NOTE: experts may be planned to be shared by more ranks than train; then it is that many.
Mesh planned_mesh(const RunSpec& spec) {
  Mesh mesh = mesh_of(spec.parallel);
  if (mesh.replicas() % mesh.expert != 0) mesh.data = mesh.expert;
  return mesh;
}

/// What is to be known of the plan of a rank among several.
std::vector<std::string> rank_notes(const RunSpec& spec, int part) {
  const auto& p = spec.parallel;
  std::vector<std::string> notes;
  if (p.pipeline > 1 || p.expert > 1) {
    notes.push_back(fmt::format(
        "rank {} of {} of the pipeline, which needs most; each rank keeps as many micro-batches as "
        "the schedule {} has in flight; tokens are spread evenly over experts",
        part + 1, p.pipeline, name_of(p.schedule)));
  }
  if (p.context > 1) {
    notes.push_back(fmt::format(
        "rank 1 of {} that share each sequence, which needs most: its tokens see all keys",
        p.context));
    notes.push_back("keys and values are made again in backward, as sequences are shared");
  }
  if (p.recompute.blocks && p.expert > 1) {
    notes.push_back(
        "a block that is made again sends its tokens to the experts of other ranks again");
  }
  return notes;
}

/// Several ranks: the one that needs most, by what its layout says that it holds.
MemoryPlan plan_ranks(const RunSpec& spec) {
  MemoryPlan best;
  const ModelConfig config = run_model(spec);
  const Precision precision = planned_precision(spec);
  const Mesh mesh = planned_mesh(spec);
  const ContextExchange context = ContextExchange::planned(mesh.context);
  for (int place = 0; place < mesh.pipeline; ++place) {
    const std::int64_t rank = place * mesh.replicas();
    Model model(config, precision, layout_of(config, mesh, rank), /*for_training=*/true,
                spec.host.device, /*measuring=*/true);
    model.set_context(context);
    const SharingRanks sharing = sharing_ranks(mesh, place_of(mesh, rank));
    MemoryPlan plan = plan_rank({spec, config, model, sharing, place});
    plan.part = place;
    if (plan.total_bytes > best.total_bytes) best = std::move(plan);
  }
  best.exact = spec.parallel.pipeline == 1 && spec.parallel.expert == 1;
  best.notes = rank_notes(spec, best.part);
  best.context_bytes = context_bytes(spec, spec.curriculum[static_cast<std::size_t>(best.stage)]);
  return best;
}
}  // namespace

MemoryPlan plan_memory(const RunSpec& spec) {
  require(can_be_counted(spec.model), "plan", "the model is too large to be counted");
  require(!spec.curriculum.empty(), "plan", "the curriculum has no stages");
  double tokens = 0;
  for (const CurriculumStage& stage : spec.curriculum) {
    tokens = std::max(tokens, static_cast<double>(stage.sequence_length) *
                                  static_cast<double>(spec.parallel.micro_batch_sequences));
  }
  require(tokens < 1e9, "plan", "a micro-batch of {:.3g} tokens is too large to be counted",
          tokens);
  const bool alone =
      spec.parallel.pipeline == 1 && spec.parallel.expert == 1 && spec.parallel.context == 1;
  MemoryPlan plan = alone ? plan_one_rank(spec) : plan_ranks(spec);
  bool fits = true;
  planned_precision(spec, &fits);
  if (!fits) {
    plan.exact = false;
    plan.notes.push_back(fmt::format("{} is counted as bf16: the sizes of the model are not for it",
                                     name_of(spec.precision.recipe)));
  }
  return plan;
}

std::int64_t context_bytes(const RunSpec& spec, const CurriculumStage& stage) {
  const ModelConfig& m = spec.model;
  // Forward and backward gather the latents, and backward sums their gradients.
  const std::int64_t calls = spec.parallel.recompute.blocks ? 4 : 3;
  const std::int64_t mtp = m.num_nextn_predict_layers > 0 ? (stage.mtp_lambda > 0 ? calls : 1) : 0;
  const auto value = static_cast<std::int64_t>(size_of(planned_precision(spec).activation));
  return (m.num_hidden_layers * calls + mtp) * (spec.parallel.context - 1) * stage.batch_sequences *
         stage.sequence_length * (m.kv_lora_rank + m.qk_rope_head_dim) * value;
}

std::size_t checkpoint_bytes(const RunSpec& spec) {
  const ParameterCount count = count_parameters(spec.model);
  const auto weights = static_cast<std::size_t>(count.total + count.mtp);
  return weights * (sizeof(float) + 2 * size_of(spec.optimiser.moments));
}

}  // namespace tessera
