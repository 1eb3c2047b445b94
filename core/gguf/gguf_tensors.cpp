// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_tensors.h"

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr const char* kTokenTable = "token_embd.weight";
constexpr const char* kOutput = "output.weight";

class PlaceList {
 public:
  PlaceList(const ModelConfig& model, bool has_bias) : c_(model), has_bias_(has_bias) {}

  std::vector<GgufPlace> run() {
    add(kTokenTable, "model.embed_tokens.weight", {c_.vocab_size, c_.hidden_size});
    add("output_norm.weight", "model.norm.weight", {c_.hidden_size});
    if (!c_.tie_word_embeddings) add(kOutput, "lm_head.weight", {c_.vocab_size, c_.hidden_size});
    for (std::int64_t layer = 0; layer < c_.num_hidden_layers; ++layer) {
      block_ = fmt::format("blk.{}.", layer);
      layer_ = fmt::format("model.layers.{}.", layer);
      add_attention();
      add(block_ + "ffn_norm.weight", layer_ + "post_attention_layernorm.weight", {c_.hidden_size});
      if (c_.is_moe_layer(layer)) {
        add_experts();
      } else {
        add_dense();
      }
    }
    return std::move(places_);
  }

 private:
  using Shape = std::vector<std::int64_t>;

  GgufPlace& add(const std::string& name, const std::string& released, Shape shape) {
    GgufPlace place;
    place.name = name;
    place.always_f32 = shape.size() == 1;
    place.shape = std::move(shape);
    place.released = {released};
    places_.push_back(std::move(place));
    return places_.back();
  }

  void add_attention() {
    const std::string from = layer_ + "self_attn.";
    const std::int64_t heads = c_.num_attention_heads, hidden = c_.hidden_size;
    add(block_ + "attn_norm.weight", layer_ + "input_layernorm.weight", {hidden});
    if (c_.q_lora_rank > 0) {
      add(block_ + "attn_q_a.weight", from + "q_a_proj.weight", {c_.q_lora_rank, hidden});
      add(block_ + "attn_q_a_norm.weight", from + "q_a_layernorm.weight", {c_.q_lora_rank});
      add(block_ + "attn_q_b.weight", from + "q_b_proj.weight",
          {heads * c_.qk_head_dim(), c_.q_lora_rank});
    } else {
      add(block_ + "attn_q.weight", from + "q_proj.weight", {heads * c_.qk_head_dim(), hidden});
    }
    add(block_ + "attn_kv_a_mqa.weight", from + "kv_a_proj_with_mqa.weight",
        {c_.kv_lora_rank + c_.qk_rope_head_dim, hidden});
    add(block_ + "attn_kv_a_norm.weight", from + "kv_a_layernorm.weight", {c_.kv_lora_rank});
    const std::string up = from + "kv_b_proj.weight";
    add(block_ + "attn_k_b.weight", up, {heads, c_.kv_lora_rank, c_.qk_nope_head_dim}).layout =
        GgufPlace::Layout::KeyUp;
    add(block_ + "attn_v_b.weight", up, {heads, c_.v_head_dim, c_.kv_lora_rank}).layout =
        GgufPlace::Layout::ValueUp;
    add(block_ + "attn_output.weight", from + "o_proj.weight", {hidden, heads * c_.v_head_dim});
  }

  void add_gated(const std::string& ending, const std::string& from, std::int64_t width) {
    const std::int64_t hidden = c_.hidden_size;
    add(block_ + "ffn_gate" + ending, from + "gate_proj.weight", {width, hidden});
    add(block_ + "ffn_up" + ending, from + "up_proj.weight", {width, hidden});
    add(block_ + "ffn_down" + ending, from + "down_proj.weight", {hidden, width});
  }

  void add_dense() { add_gated(".weight", layer_ + "mlp.", c_.intermediate_size); }

  void add_stack(const char* name, const char* projection, std::int64_t rows,
                 std::int64_t columns) {
    GgufPlace& place = add(block_ + name, "", {c_.n_routed_experts, rows, columns});
    place.released.clear();
    for (std::int64_t expert = 0; expert < c_.n_routed_experts; ++expert) {
      place.released.push_back(
          fmt::format("{}mlp.experts.{}.{}.weight", layer_, expert, projection));
    }
  }

  void add_experts() {
    const std::int64_t width = c_.moe_intermediate_size, hidden = c_.hidden_size;
    add(block_ + "ffn_gate_inp.weight", layer_ + "mlp.gate.weight", {c_.n_routed_experts, hidden})
        .always_f32 = true;
    if (has_bias_) {
      add(block_ + "exp_probs_b.bias", layer_ + "mlp.gate.e_score_correction_bias",
          {c_.n_routed_experts});
    }
    add_stack("ffn_gate_exps.weight", "gate_proj", width, hidden);
    add_stack("ffn_up_exps.weight", "up_proj", width, hidden);
    add_stack("ffn_down_exps.weight", "down_proj", hidden, width);
    if (c_.n_shared_experts > 0) {
      add_gated("_shexp.weight", layer_ + "mlp.shared_experts.", width * c_.n_shared_experts);
    }
  }

  const ModelConfig& c_;
  const bool has_bias_;
  std::string block_, layer_;
  std::vector<GgufPlace> places_;
};
}  // namespace

std::vector<GgufPlace> gguf_places(const ModelConfig& model, bool has_bias) {
  return PlaceList(model, has_bias).run();
}

std::vector<std::string> selection_biases(const ModelConfig& model) {
  std::vector<std::string> names;
  for (std::int64_t layer = 0; layer < model.num_hidden_layers; ++layer) {
    if (!model.is_moe_layer(layer)) continue;
    names.push_back(fmt::format("model.layers.{}.mlp.gate.e_score_correction_bias", layer));
  }
  return names;
}

GgufType stored_type(const GgufPlace& place, GgufType wanted) {
  if (place.always_f32) return GgufType::F32;
  const std::int64_t columns = place.shape.back();
  const bool four_bits = wanted == GgufType::Q4_0 || wanted == GgufType::Q4_K;
  const bool outer = place.name == kTokenTable || place.name == kOutput;
  const GgufType type = four_bits && outer ? GgufType::Q8_0 : wanted;
  if (columns % info_of(type).block == 0) return type;
  return type == GgufType::Q4_K && columns % info_of(GgufType::Q5_0).block == 0 ? GgufType::Q5_0
                                                                                : GgufType::F16;
}

std::uint32_t gguf_file_type(GgufType wanted) {
  switch (wanted) {
    case GgufType::F32:
      return 0;
    case GgufType::F16:
      return 1;
    case GgufType::Q4_0:
      return 2;
    case GgufType::Q8_0:
      return 7;
    case GgufType::Q4_K:
      return 14;  // "Q4_K - Small": nearly all tensors are Q4_K
    case GgufType::BF16:
      return 32;
    default:
      throw Error("gguf", fmt::format("there are no files of the type {}", info_of(wanted).name));
  }
}

}  // namespace tessera
