// SPDX-License-Identifier: MIT
#include "core/plan/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/train/optimiser.h"
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

Model measured_model(const ModelConfig& config, const Precision& precision, Device device) {
  return Model(config, precision, /*for_training=*/true, device, /*measuring=*/true);
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
  const Model model = measured_model(config, {}, Device::Cpu);
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
StepMemory step_of(const Model& model, const RunSpec& spec, const CurriculumStage& stage) {
  return measure_step_memory(model, spec.parallel.micro_batch_sequences, stage.sequence_length,
                             stage.balance_alpha > 0);
}

/// The integers of a micro-batch, and the sums and loads of a step.
std::size_t batch_bytes(const RunSpec& spec, const CurriculumStage& stage, const Model& model) {
  const std::int64_t micro = spec.parallel.micro_batch_sequences;
  const std::int64_t tokens = micro * stage.sequence_length;
  const std::int64_t columns = 3 + 2 * spec.model.num_nextn_predict_layers;
  const std::int64_t blocks = model.moe_blocks();
  return static_cast<std::size_t>(columns * tokens + micro + 1) * sizeof(std::int32_t) +
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
  std::size_t keep = 0, scratch = 0, batch = 0;
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
      {"scratch", "scratch, slices of logits included", step.scratch},
      {"batch", "tokens, targets and loads", step.batch},
      {"other", "selection biases and rotary tables", weights.states + rotary_bytes(config)}};
  std::erase_if(plan.terms, [](const MemoryTerm& term) { return term.bytes == 0; });
  plan.total_bytes = 0;
  for (const MemoryTerm& term : plan.terms) plan.total_bytes += term.bytes;
}

/// One rank: the trainer's own model and step.
MemoryPlan plan_one_rank(const RunSpec& spec) {
  MemoryPlan plan;
  const ModelConfig config = run_model(spec);
  const Model model =
      measured_model(config, planned_precision(spec, &plan.exact), spec.host.device);
  const ParameterSet& set = model.parameters();
  const WeightBytes weights{set.value_bytes(), set.gradient_bytes(), set.operand_bytes(),
                            set.state_bytes(), moment_bytes(set, spec.optimiser.moments)};
  StepPart most;
  for (std::size_t i = 0; i < spec.curriculum.size(); ++i) {
    const StepMemory step = step_of(model, spec, spec.curriculum[i]);
    const StepPart part{step.keep_bytes, step.scratch_bytes,
                        batch_bytes(spec, spec.curriculum[i], model)};
    if (i > 0 && part.keep + part.scratch <= most.keep + most.scratch) continue;
    most = part;
    plan.stage = static_cast<int>(i);
  }
  fill_terms(plan, weights, most, spec, config);
  return plan;
}

/// What layers of each kind add to a step, from differences between small models of the same
/// width: what a layer keeps does not depend on how many there are.
struct LayerKeep {
  std::size_t dense = 0, moe = 0, ends = 0, mtp = 0, scratch = 0;
};

LayerKeep measure_layers(const RunSpec& spec, const CurriculumStage& stage) {
  const Precision precision = planned_precision(spec);
  const auto keep_of = [&](std::int64_t dense, std::int64_t moe, bool mtp, std::size_t* scratch) {
    ModelConfig config = run_model(spec);
    config.first_k_dense_replace = dense;
    config.num_hidden_layers = dense + moe;
    config.num_nextn_predict_layers = mtp ? config.num_nextn_predict_layers : 0;
    config.intermediate_size = std::max<std::int64_t>(1, config.intermediate_size);
    RunSpec part = spec;
    part.model.num_nextn_predict_layers = config.num_nextn_predict_layers;
    const StepMemory step =
        step_of(measured_model(config, precision, spec.host.device), part, stage);
    if (scratch) *scratch = std::max(*scratch, step.scratch_bytes);
    return step.keep_bytes;
  };
  LayerKeep keep;
  const bool has_moe = spec.model.n_routed_experts > 0;
  const bool has_dense = spec.model.first_k_dense_replace > 0 || !has_moe;
  const std::size_t one = keep_of(1, 0, false, has_dense ? &keep.scratch : nullptr);
  keep.dense = keep_of(2, 0, false, nullptr) - one;
  keep.ends = one - keep.dense;
  if (has_moe) keep.moe = keep_of(1, 1, false, &keep.scratch) - one;
  keep.mtp = keep_of(1, 1, true, &keep.scratch) - keep_of(1, 1, false, nullptr);
  return keep;
}

/// The layers [first, end) of one part of the pipeline.
struct PipelinePart {
  std::int64_t first = 0, end = 0;
  bool is_first = false, is_last = false;
};

PipelinePart part_of(const RunSpec& spec, std::int64_t index) {
  const std::int64_t layers = spec.model.num_hidden_layers, parts = spec.parallel.pipeline;
  return {index * layers / parts, (index + 1) * layers / parts, index == 0, index + 1 == parts};
}

bool belongs(const Parameter& p, const PipelinePart& part, const ModelConfig& c) {
  const std::int64_t layer = layer_of(p);
  if (layer >= 0 && layer < c.num_hidden_layers) return layer >= part.first && layer < part.end;
  if (layer >= 0) return part.is_last;  // the MTP module
  // NOTE: the MTP module and tied heads read the token table too, so the last part has a copy.
  if (p.name == "model.embed_tokens.weight") {
    return part.is_first ||
           (part.is_last && (c.num_nextn_predict_layers > 0 || c.tie_word_embeddings));
  }
  return part.is_last;
}

WeightBytes weights_of(const Model& model, const RunSpec& spec, const PipelinePart& part) {
  WeightBytes bytes;
  const Precision precision = model.precision();
  for (const Parameter& p : model.parameters().all()) {
    if (!belongs(p, part, spec.model)) continue;
    std::int64_t count = elements(p);
    if (is_routed_expert(p)) count /= spec.parallel.expert;
    const auto n = static_cast<std::size_t>(count);
    if (!p.trained) {
      bytes.states += n * sizeof(float);
      continue;
    }
    bytes.values += n * size_of(precision.activation);
    bytes.gradients += n * size_of(precision.activation);
    bytes.operands += ParameterSet::operand_bytes(p) * n / static_cast<std::size_t>(elements(p));
    bytes.moments += 2 * n * size_of(spec.optimiser.moments);
  }
  return bytes;
}

StepPart step_part(const RunSpec& spec, const CurriculumStage& stage, const LayerKeep& keep,
                   const PipelinePart& part, std::int64_t index) {
  const std::int64_t dense_layers = spec.model.n_routed_experts > 0
                                        ? spec.model.first_k_dense_replace
                                        : spec.model.num_hidden_layers;
  const std::int64_t dense = std::clamp(dense_layers, part.first, part.end) - part.first;
  const std::int64_t moe = part.end - part.first - dense;
  const std::int64_t micro_batches =
      stage.batch_sequences / (spec.parallel.data * spec.parallel.micro_batch_sequences);
  const std::int64_t in_flight =
      std::min(spec.parallel.pipeline - index, std::max<std::int64_t>(1, micro_batches));
  const std::size_t layers =
      static_cast<std::size_t>(dense) * keep.dense + static_cast<std::size_t>(moe) * keep.moe;
  return {layers * static_cast<std::size_t>(in_flight) + (part.is_last ? keep.ends + keep.mtp : 0),
          keep.scratch, 0};
}

/// Several ranks: layers over parts of the pipeline, experts over ranks.
MemoryPlan plan_ranks(const RunSpec& spec) {
  MemoryPlan best;
  const ModelConfig config = run_model(spec);
  const Model model = measured_model(config, planned_precision(spec), spec.host.device);
  for (std::size_t s = 0; s < spec.curriculum.size(); ++s) {
    const CurriculumStage& stage = spec.curriculum[s];
    const LayerKeep keep = measure_layers(spec, stage);
    for (std::int64_t index = 0; index < spec.parallel.pipeline; ++index) {
      const PipelinePart part = part_of(spec, index);
      MemoryPlan plan;
      StepPart step = step_part(spec, stage, keep, part, index);
      step.batch = batch_bytes(spec, stage, model);
      fill_terms(plan, weights_of(model, spec, part), step, spec, config);
      plan.stage = static_cast<int>(s);
      plan.part = static_cast<int>(index);
      if (plan.total_bytes > best.total_bytes) best = std::move(plan);
    }
  }
  best.exact = false;
  best.notes.push_back(fmt::format(
      "part {} of {} of the pipeline, which needs most; each part keeps as many micro-batches as "
      "one-forward-one-backward has in flight; tokens are spread evenly over experts",
      best.part + 1, spec.parallel.pipeline));
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
  const bool alone = spec.parallel.pipeline == 1 && spec.parallel.expert == 1;
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

std::size_t checkpoint_bytes(const RunSpec& spec) {
  const ParameterCount count = count_parameters(spec.model);
  const auto weights = static_cast<std::size_t>(count.total + count.mtp);
  return weights * (sizeof(float) + 2 * size_of(spec.optimiser.moments));
}

}  // namespace tessera
