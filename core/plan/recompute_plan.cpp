// SPDX-License-Identifier: MIT
#include "core/plan/recompute_plan.h"

namespace tessera {

namespace {
double d(std::int64_t x) {
  return static_cast<double>(x);
}

const char* name_of_choice(const std::string& id) {
  if (id == "norms") return "outputs of norms";
  if (id == "swiglu") return "gate and up of SwiGLU";
  if (id == "up_projections") return "queries, keys and values of MLA";
  return "whole blocks";
}

/// Operations of one layer's forward for one token, by what makes them again.
struct LayerWork {
  double norms = 0, down_projections = 0, query_up = 0, keys_up = 0, scores = 0, gate_up = 0;
};

LayerWork work_of(const ModelConfig& c, std::int64_t layer, std::int64_t length) {
  const double heads = d(c.num_attention_heads), hidden = d(c.hidden_size);
  const double query = heads * d(c.qk_head_dim()), rank = d(c.q_lora_rank);
  LayerWork w;
  w.norms = 4 * (2 * hidden + rank + d(c.kv_lora_rank));
  if (c.q_lora_rank > 0) w.query_up = 2 * rank * query + 3 * heads * d(c.qk_rope_head_dim);
  w.keys_up = 2 * d(c.kv_lora_rank) * heads * d(c.qk_nope_head_dim + c.v_head_dim);
  const double query_down = c.q_lora_rank > 0 ? rank : query;
  w.down_projections = 2 * hidden *
                       (query_down + d(c.kv_lora_rank + c.qk_rope_head_dim) +  //
                        heads * d(c.v_head_dim));
  w.scores = d(length) * heads * d(c.qk_head_dim() + c.v_head_dim);
  const std::int64_t width =
      c.is_moe_layer(layer) ? c.moe_intermediate_size * (c.num_experts_per_tok + c.n_shared_experts)
                            : c.intermediate_size;
  w.gate_up = 4 * hidden * d(width);
  return w;
}
}  // namespace

double recompute_flops_per_token(const ModelConfig& c, const Precision& precision,
                                 const Recompute& r, std::int64_t sequence_length) {
  const bool tiles = precision.fp8_backward();
  double sum = 0;
  for (std::int64_t layer = 0; layer < c.num_hidden_layers; ++layer) {
    const LayerWork w = work_of(c, layer, sequence_length);
    if (r.blocks) sum += w.norms + w.down_projections + w.query_up + w.keys_up + w.scores;
    if (r.blocks || r.swiglu) sum += w.gate_up;
    if (r.up_projections) sum += w.query_up + (tiles ? 0 : w.keys_up);
    if (r.norms && !tiles) sum += w.norms;
  }
  return sum;
}

Recompute with_choice(Recompute chosen, const std::string& id, bool on) {
  recompute_switch(chosen, id) = on;
  return chosen;
}

std::vector<RecomputeChoice> recompute_choices(const ModelConfig& config,
                                               const Precision& precision, const Recompute& chosen,
                                               std::int64_t sequence_length) {
  const double step = training_flops_per_token(config, sequence_length);
  const auto flops = [&](const Recompute& r) {
    return recompute_flops_per_token(config, precision, r, sequence_length);
  };
  std::vector<RecomputeChoice> choices;
  for (const std::string& id : recompute_words()) {
    RecomputeChoice choice{
        .id = id, .name = name_of_choice(id), .chosen = recompute_switch(chosen, id)};
    choice.flops_per_token =
        flops(with_choice(chosen, id, true)) - flops(with_choice(chosen, id, false));
    choice.share_of_step = choice.flops_per_token / step;
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace tessera
