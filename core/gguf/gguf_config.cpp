// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_config.h"

#include <cmath>
#include <cstdlib>

#include "core/base/error.h"

namespace tessera {

using kernels::GroupScore;
using kernels::Scoring;

namespace {
constexpr const char* kArchitecture = "deepseek2";
/// Numbers of deepseek2.expert_gating_func.
constexpr std::uint32_t kSoftmaxGate = 1, kSigmoidGate = 2;
constexpr std::int64_t kMostLayers = 512, kMostExperts = 1024;
/// llama.cpp multiplies YaRN's mscale_all_dim by this in the key, and divides by it when it reads.
constexpr double kLogMultiplier = 0.1;

std::string key_of(const char* name) {
  return std::string(kArchitecture) + "." + name;
}

/// Counts of layers with which llama.cpp takes the model for a "Lite" one, without a query latent.
bool counts_as_lite(const ModelConfig& c) {
  constexpr std::int64_t kVocabularyOfLite48 = 128256;
  return c.num_hidden_layers == 26 || c.num_hidden_layers == 27 ||
         (c.num_hidden_layers == 48 && c.vocab_size == kVocabularyOfLite48);
}

bool has_experts(const ModelConfig& c) {
  return c.n_routed_experts > 0 && c.first_k_dense_replace < c.num_hidden_layers;
}

/// Whether experts are picked from some of the groups only.
bool limits_groups(const ModelConfig& c) {
  return has_experts(c) && c.n_group > 1 && c.topk_group < c.n_group;
}

[[noreturn]] void refuse_for_llama(const std::string& where, const std::string& why) {
  throw Error(where, "llama.cpp cannot run this model: " + why,
              "tessera export without --gguf writes the model for other programs");
}

void check_experts_for_llama(const ModelConfig& c, const std::string& where) {
  if (!has_experts(c)) return;
  if (c.n_shared_experts == 0) {
    refuse_for_llama(where,
                     "n_shared_experts is 0, and it loads no layer with experts and without "
                     "a shared one");
  }
  if (c.routed_scaling_factor == 0.0) {
    refuse_for_llama(where, "routed_scaling_factor is 0, and it takes 0 for 1");
  }
  if (c.n_routed_experts > kMostExperts) {
    refuse_for_llama(where, fmt::format("it has {} experts, and llama.cpp allows {}",
                                        c.n_routed_experts, kMostExperts));
  }
  if (!limits_groups(c)) return;
  if (c.n_group == c.n_routed_experts) {
    refuse_for_llama(where,
                     "every expert is a group of its own, and it wants groups of two and "
                     "more");
  }
  if (c.group_score == GroupScore::Max) {
    refuse_for_llama(where,
                     "its gate judges groups by their best expert (topk_method "
                     "group_limited_greedy), and llama.cpp by the sum of the best two");
  }
  if (c.transformers_group_masking) {
    refuse_for_llama(where,
                     "its gate masks experts of dropped groups with 0, as transformers does, "
                     "and llama.cpp with minus infinity");
  }
}

/// A number that was rounded to F32, as the shortest decimal that rounds to the same.
double shortest(double value) {
  return std::strtod(fmt::format("{}", static_cast<float>(value)).c_str(), nullptr);
}

void add_expert_keys(const ModelConfig& c, GgufMetadata& metadata) {
  const bool moe = has_experts(c);
  metadata.add_count(key_of("leading_dense_block_count"),
                     moe ? c.first_k_dense_replace : c.num_hidden_layers);
  metadata.add_count(key_of("expert_feed_forward_length"),
                     moe ? c.moe_intermediate_size : c.intermediate_size);
  metadata.add_count(key_of("expert_shared_count"), moe ? c.n_shared_experts : 0);
  if (!moe) return;
  metadata.add_count(key_of("expert_count"), c.n_routed_experts);
  metadata.add_count(key_of("expert_used_count"), c.num_experts_per_tok);
  metadata.add(key_of("expert_weights_scale"), static_cast<float>(c.routed_scaling_factor));
  metadata.add(key_of("expert_weights_norm"), c.norm_topk_prob);
  metadata.add(key_of("expert_gating_func"),
               c.scoring_func == Scoring::Softmax ? kSoftmaxGate : kSigmoidGate);
  if (!limits_groups(c)) return;  // llama.cpp stops where all groups are used
  metadata.add_count(key_of("expert_group_count"), c.n_group);
  metadata.add_count(key_of("expert_group_used_count"), c.topk_group);
}

void add_yarn_keys(const YarnConfig& yarn, GgufMetadata& metadata) {
  if (yarn.factor <= 1.0) return;
  metadata.add(key_of("rope.scaling.type"), "yarn");
  metadata.add(key_of("rope.scaling.factor"), static_cast<float>(yarn.factor));
  metadata.add_count(key_of("rope.scaling.original_context_length"), yarn.original_length);
  metadata.add(key_of("rope.scaling.yarn_beta_fast"), static_cast<float>(yarn.beta_fast));
  metadata.add(key_of("rope.scaling.yarn_beta_slow"), static_cast<float>(yarn.beta_slow));
  metadata.add(key_of("rope.scaling.yarn_log_multiplier"),
               static_cast<float>(kLogMultiplier * yarn.mscale_all_dim));
}

// ---- Reading ----

std::int64_t count_in(const GgufValues& values, const char* name,
                      std::int64_t largest = std::int64_t{1} << 28) {
  const std::string key = key_of(name);
  const std::int64_t count = values.need_integer(key);
  if (count < 0 || count > largest) {
    values.wrong(key, fmt::format("a whole number from 0 to {}", largest));
  }
  return count;
}

std::int64_t count_or(const GgufValues& values, const char* name, std::int64_t absent) {
  return values.has(key_of(name)) ? count_in(values, name) : absent;
}

/// The query latent is read where llama.cpp does so.
void read_attention_keys(const GgufValues& values, ModelConfig& c) {
  c.num_attention_heads = count_in(values, "attention.head_count");
  c.kv_lora_rank = count_in(values, "attention.kv_lora_rank");
  c.q_lora_rank = counts_as_lite(c) ? 0 : count_or(values, "attention.q_lora_rank", 0);
  c.qk_rope_head_dim = count_in(values, "rope.dimension_count");
  // Files from before the latents were absorbed have the lengths of whole heads in these keys.
  const char* key_length = values.has(key_of("attention.key_length_mla"))
                               ? "attention.key_length_mla"
                               : "attention.key_length";
  const char* value_length = values.has(key_of("attention.value_length_mla"))
                                 ? "attention.value_length_mla"
                                 : "attention.value_length";
  c.qk_nope_head_dim = count_in(values, key_length) - c.qk_rope_head_dim;
  c.v_head_dim = count_in(values, value_length);
  c.rope_theta = shortest(values.number(key_of("rope.freq_base")).value_or(10000.0));
}

void read_yarn_keys(const GgufValues& values, ModelConfig& c) {
  const std::string type_key = key_of("rope.scaling.type");
  const std::string type = values.text(type_key).value_or("none");
  const double factor = values.number(key_of("rope.scaling.factor")).value_or(1.0);
  if (type != "yarn" && type != "none" && !(type == "linear" && factor == 1.0)) {
    values.wrong(type_key, "\"yarn\" or \"none\"");
  }
  if (type != "yarn" || factor == 1.0) return;
  c.yarn.factor = shortest(factor);
  c.yarn.original_length =
      count_or(values, "rope.scaling.original_context_length", c.max_position_embeddings);
  c.yarn.beta_fast = shortest(values.number(key_of("rope.scaling.yarn_beta_fast")).value_or(32.0));
  c.yarn.beta_slow = shortest(values.number(key_of("rope.scaling.yarn_beta_slow")).value_or(1.0));
  const auto multiplier = values.number(key_of("rope.scaling.yarn_log_multiplier"));
  if (!multiplier || *multiplier == 0.0) {
    throw Error(values.where(),
                fmt::format("has no {}: how llama.cpp then scales attention is not computed here",
                            key_of("rope.scaling.yarn_log_multiplier")));
  }
  c.yarn.mscale = c.yarn.mscale_all_dim = shortest(shortest(*multiplier) / kLogMultiplier);
}

void read_expert_keys(const GgufValues& values, bool has_bias, ModelConfig& c) {
  c.first_k_dense_replace = count_or(values, "leading_dense_block_count", 0);
  c.n_routed_experts = count_or(values, "expert_count", 0);
  if (c.n_routed_experts > kMostExperts) {
    values.wrong(key_of("expert_count"), fmt::format("at most {}", kMostExperts));
  }
  if (c.first_k_dense_replace >= c.num_hidden_layers) c.n_routed_experts = 0;
  c.intermediate_size = count_or(values, "feed_forward_length", c.intermediate_size);
  if (c.n_routed_experts == 0) {
    c.first_k_dense_replace = c.num_hidden_layers;
    c.n_shared_experts = 0;
    return;
  }
  c.moe_intermediate_size = count_in(values, "expert_feed_forward_length");
  c.n_shared_experts = count_or(values, "expert_shared_count", 0);
  c.num_experts_per_tok = count_in(values, "expert_used_count");
  const double scale = values.number(key_of("expert_weights_scale")).value_or(0.0);
  c.routed_scaling_factor = scale == 0.0 ? 1.0 : shortest(scale);  // llama.cpp takes 0 for 1
  c.norm_topk_prob = values.flag(key_of("expert_weights_norm")).value_or(false);
  const std::string gate_key = key_of("expert_gating_func");
  const std::int64_t gate = values.integer(gate_key).value_or(kSoftmaxGate);
  if (gate != kSoftmaxGate && gate != kSigmoidGate) values.wrong(gate_key, "1 or 2");
  c.scoring_func = gate == kSoftmaxGate ? Scoring::Softmax : Scoring::Sigmoid;
  c.n_group = std::max<std::int64_t>(count_or(values, "expert_group_count", 1), 1);
  c.topk_group = std::max<std::int64_t>(count_or(values, "expert_group_used_count", 1), 1);
  if (c.n_group == 1) c.topk_group = 1;
  // By groups llama.cpp knows the sum of the best two alone; without groups only a bias matters.
  const bool two = has_bias || c.n_group > 1 || c.scoring_func == Scoring::Sigmoid;
  c.group_score = two ? GroupScore::TopTwoSum : GroupScore::Max;
}
}  // namespace

void refuse_what_llama_cpp_cannot(const ModelConfig& c, const std::string& where) {
  if (counts_as_lite(c) && c.q_lora_rank > 0) {
    refuse_for_llama(where, fmt::format("with {} layers it expects no query latent, and this model "
                                        "has one of {}",
                                        c.num_hidden_layers, c.q_lora_rank));
  }
  if (c.num_hidden_layers > kMostLayers) {
    refuse_for_llama(where, fmt::format("it has {} layers, and llama.cpp allows {}",
                                        c.num_hidden_layers, kMostLayers));
  }
  const YarnConfig& yarn = c.yarn;
  if (yarn.factor > 1.0 && (yarn.mscale != yarn.mscale_all_dim || yarn.mscale_all_dim == 0.0)) {
    refuse_for_llama(where, fmt::format("YaRN's mscale is {} and mscale_all_dim is {}, and it "
                                        "computes with equal ones that are not 0",
                                        yarn.mscale, yarn.mscale_all_dim));
  }
  check_experts_for_llama(c, where);
}

std::vector<std::string> notes_for_llama_cpp(const HfConfig& config) {
  std::vector<std::string> notes;
  constexpr double kLatentEpsilon = 1e-6;
  if (config.model.rms_norm_eps != kLatentEpsilon) {
    notes.push_back(fmt::format(
        "llama.cpp takes rms_norm_eps {} for the norms of the latents too, where the released code "
        "has 1e-06: where latents are small, its results differ a little",
        config.model.rms_norm_eps));
  }
  if (config.mtp_layers > 0) {
    notes.push_back(
        fmt::format("the MTP layer{} left out: llama.cpp's own converter leaves it out for this "
                    "architecture, and its generation does not use it",
                    config.mtp_layers == 1 ? " is" : "s are"));
  }
  return notes;
}

void add_model_keys(const ModelConfig& c, GgufMetadata& metadata) {
  metadata.add("general.architecture", kArchitecture);
  metadata.add_count(key_of("block_count"), c.num_hidden_layers);
  metadata.add_count(key_of("context_length"), c.max_position_embeddings);
  metadata.add_count(key_of("embedding_length"), c.hidden_size);
  metadata.add_count(key_of("feed_forward_length"), c.intermediate_size);
  metadata.add_count(key_of("vocab_size"), c.vocab_size);
  metadata.add_count(key_of("attention.head_count"), c.num_attention_heads);
  // Absorbed attention has one key, the latent with its rotary part, for all heads.
  metadata.add_count(key_of("attention.head_count_kv"), 1);
  metadata.add(key_of("attention.layer_norm_rms_epsilon"), static_cast<float>(c.rms_norm_eps));
  // Also where there is none: llama.cpp asks for the key unless it counts the model as Lite.
  metadata.add_count(key_of("attention.q_lora_rank"), c.q_lora_rank);
  metadata.add_count(key_of("attention.kv_lora_rank"), c.kv_lora_rank);
  metadata.add_count(key_of("attention.key_length"), c.kv_lora_rank + c.qk_rope_head_dim);
  metadata.add_count(key_of("attention.value_length"), c.kv_lora_rank);
  metadata.add_count(key_of("attention.key_length_mla"), c.qk_head_dim());
  metadata.add_count(key_of("attention.value_length_mla"), c.v_head_dim);
  metadata.add_count(key_of("rope.dimension_count"), c.qk_rope_head_dim);
  metadata.add(key_of("rope.freq_base"), static_cast<float>(c.rope_theta));
  add_yarn_keys(c.yarn, metadata);
  add_expert_keys(c, metadata);
}

HfConfig read_model_keys(const GgufValues& values, bool has_bias, bool has_head) {
  const std::string architecture = values.text("general.architecture").value_or("");
  if (architecture != kArchitecture) {
    throw Error(values.where(),
                fmt::format("holds a model of the architecture \"{}\"; {} is read", architecture,
                            kArchitecture),
                "this program computes the models of DeepSeek-V3, V2 and their kin");
  }
  HfConfig config;
  ModelConfig& c = config.model;
  const std::int64_t mtp = count_or(values, "nextn_predict_layers", 0);
  c.num_hidden_layers = count_in(values, "block_count", kMostLayers) - mtp;
  if (mtp > 0) {
    config.notes.push_back(fmt::format("passed over: {} MTP layer{}", mtp, mtp == 1 ? "" : "s"));
  }
  c.max_position_embeddings = count_in(values, "context_length");
  c.hidden_size = count_in(values, "embedding_length");
  const auto tokens = static_cast<std::int64_t>(values.texts("tokenizer.ggml.tokens").size());
  c.vocab_size = count_or(values, "vocab_size", tokens);
  c.rms_norm_eps = shortest(values.need_number(key_of("attention.layer_norm_rms_epsilon")));
  c.tie_word_embeddings = !has_head;
  read_attention_keys(values, c);
  read_yarn_keys(values, c);
  read_expert_keys(values, has_bias, c);
  const auto attention_scale = values.number(key_of("attention.temperature_scale"));
  if (attention_scale && *attention_scale != 0.0) {
    values.wrong(key_of("attention.temperature_scale"), "none: scaled attention is not computed");
  }
  try {
    c.validate();
  } catch (const Error& error) {
    throw Error(values.where(), error.what_failed(), error.hint());
  }
  return config;
}

}  // namespace tessera
