// SPDX-License-Identifier: MIT
#include "core/checkpoint/hf_config.h"

#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "core/base/error.h"
#include "core/checkpoint/file_writer.h"
#include "core/checkpoint/internal.h"

namespace tessera {

using kernels::GroupScore;
using kernels::Scoring;
using nlohmann::json;

namespace {
/// The keys of one object: each is asked for, and what nobody asked for is an error.
class Keys {
 public:
  Keys(const json& object, std::string where, std::string prefix = {})
      : object_(object), where_(std::move(where)), prefix_(std::move(prefix)) {
    if (!object_.is_object()) throw Error(where_, prefix_ + " is not an object");
  }

  /// Null when the key is absent or null.
  const json* find(const char* key) {
    asked_.insert(key);
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  const json& need(const char* key) {
    if (const json* value = find(key)) return *value;
    throw Error(where_, fmt::format("has no {}{}", prefix_, key),
                "this is not the config.json of a DeepSeek-V3 or -V2 model, or it is incomplete");
  }

  std::int64_t integer(const char* key) { return as_integer(key, need(key)); }
  std::int64_t integer(const char* key, std::int64_t fallback) {
    const json* value = find(key);
    return value ? as_integer(key, *value) : fallback;
  }
  double number(const char* key, double fallback) {
    const json* value = find(key);
    return value ? as_number(key, *value) : fallback;
  }
  double number(const char* key) { return as_number(key, need(key)); }
  bool flag(const char* key, bool fallback) {
    const json* value = find(key);
    if (!value) return fallback;
    if (!value->is_boolean()) unsupported(key, *value, "true or false");
    return value->get<bool>();
  }
  std::string text(const char* key, const char* fallback) {
    const json* value = find(key);
    if (!value) return fallback;
    if (!value->is_string()) unsupported(key, *value, "a text");
    return value->get<std::string>();
  }

  /// The key is absent, null, or has the one value that we compute.
  void only(const char* key, const json& supported) {
    const json* value = find(key);
    if (value && *value != supported) unsupported(key, *value, supported.dump());
  }
  void ignore(const char* key) { asked_.insert(key); }

  [[noreturn]] void unsupported(const char* key, const json& value,
                                const std::string& expected) const {
    throw Error(where_,
                fmt::format("{}{} is {}, expected {}", prefix_, key, value.dump(), expected));
  }

  void refuse_others() const {
    for (const auto& item : object_.items()) {
      if (asked_.contains(item.key())) continue;
      std::string hint = checkpoint_internal::nearest_hint(item.key(), asked_);
      if (hint.empty()) hint = "where it does not change what the model computes, remove it";
      throw Error(where_, fmt::format("unknown key {}{}", prefix_, item.key()), hint);
    }
  }

  const std::string& where() const { return where_; }

 private:
  std::int64_t as_integer(const char* key, const json& value) const {
    if (!value.is_number_integer()) unsupported(key, value, "a whole number");
    return value.get<std::int64_t>();
  }
  double as_number(const char* key, const json& value) const {
    if (!value.is_number()) unsupported(key, value, "a number");
    return value.get<double>();
  }

  const json& object_;
  std::string where_, prefix_;
  std::set<std::string, std::less<>> asked_;
};

/// What transformers writes besides, and what does not change the results of our computation.
constexpr std::array kIgnored{"_name_or_path",
                              "_attn_implementation",
                              "architectures",
                              "auto_map",
                              "aux_loss_alpha",
                              "ep_size",
                              "head_dim",
                              "id2label",
                              "is_decoder",
                              "is_encoder_decoder",
                              "label2id",
                              "output_attentions",
                              "output_hidden_states",
                              "output_router_logits",
                              "pretraining_tp",
                              "problem_type",
                              "return_dict",
                              "router_aux_loss_coef",
                              "seq_aux",
                              "tokenizer_class",
                              "torchscript",
                              "transformers_version",
                              "use_cache",
                              "chunk_size_feed_forward",
                              "add_cross_attention",
                              "cross_attention_hidden_size",
                              "decoder_start_token_id",
                              "finetuning_task",
                              "prefix",
                              "pruned_heads",
                              "sep_token_id",
                              "task_specific_params",
                              "tie_encoder_decoder",
                              "use_bfloat16",
                              "tf_legacy_loss"};

struct Rope {
  double theta = 10000.0;
  YarnConfig yarn;
  friend bool operator==(const Rope& a, const Rope& b) {
    return a.theta == b.theta && a.yarn.factor == b.yarn.factor &&
           a.yarn.original_length == b.yarn.original_length &&
           a.yarn.beta_fast == b.yarn.beta_fast && a.yarn.beta_slow == b.yarn.beta_slow &&
           a.yarn.mscale == b.yarn.mscale && a.yarn.mscale_all_dim == b.yarn.mscale_all_dim;
  }
};

/// rope_scaling or rope_parameters. Absent mscale keys mean what the released code takes: 1 and 0.
Rope read_rope_object(const json& object, const std::string& where, const std::string& name,
                      double theta, std::int64_t max_length) {
  Keys keys(object, where, name + ".");
  Rope rope{.theta = keys.number("rope_theta", theta), .yarn = {}};
  const std::string type = keys.text("rope_type", keys.text("type", "default").c_str());
  keys.find("type");
  keys.only("partial_rotary_factor", 1.0);
  if (type == "yarn") {
    rope.yarn = {.factor = keys.number("factor"),
                 .original_length = keys.integer("original_max_position_embeddings", max_length),
                 .beta_fast = keys.number("beta_fast", 32.0),
                 .beta_slow = keys.number("beta_slow", 1.0),
                 .mscale = keys.number("mscale", 1.0),
                 .mscale_all_dim = keys.number("mscale_all_dim", 0.0)};
    keys.only("attention_factor", nullptr);
    keys.only("truncate", true);
  } else if (type != "default") {
    keys.unsupported("rope_type", type, "\"default\" or \"yarn\"");
  }
  keys.refuse_others();
  return rope;
}

Rope read_rope(Keys& keys, std::int64_t max_length) {
  const double theta = keys.number("rope_theta", 10000.0);
  const json* scaling = keys.find("rope_scaling");
  const json* parameters = keys.find("rope_parameters");
  const auto read = [&](const json* object, const char* name) {
    return object ? read_rope_object(*object, keys.where(), name, theta, max_length)
                  : Rope{.theta = theta, .yarn = {}};
  };
  if (!parameters) return read(scaling, "rope_scaling");
  const Rope rope = read(parameters, "rope_parameters");
  if (scaling && !(rope == read(scaling, "rope_scaling"))) {
    throw Error(keys.where(), "rope_scaling and rope_parameters say different things",
                "remove the one that is wrong");
  }
  return rope;
}

void read_attention(Keys& keys, ModelConfig& c) {
  c.num_attention_heads = keys.integer("num_attention_heads");
  keys.only("num_key_value_heads", c.num_attention_heads);
  c.q_lora_rank = keys.integer("q_lora_rank", 0);
  c.kv_lora_rank = keys.integer("kv_lora_rank");
  c.qk_nope_head_dim = keys.integer("qk_nope_head_dim");
  c.qk_rope_head_dim = keys.integer("qk_rope_head_dim");
  c.v_head_dim = keys.integer("v_head_dim");
  keys.only("qk_head_dim", c.qk_head_dim());
  keys.only("attention_bias", false);
  keys.only("attention_dropout", 0.0);
  keys.only("rope_interleave", true);
  const Rope rope = read_rope(keys, c.max_position_embeddings);
  c.rope_theta = rope.theta;
  c.yarn = rope.yarn;
}

Scoring read_scoring(Keys& keys, bool v2) {
  const std::string scoring = keys.text("scoring_func", v2 ? "softmax" : "sigmoid");
  if (scoring == "sigmoid") return Scoring::Sigmoid;
  if (scoring == "softmax") return Scoring::Softmax;
  keys.unsupported("scoring_func", scoring, "\"sigmoid\" or \"softmax\"");
}

/// NOTE: the released V2 code scales the weights only where it does not normalise them, and ours
/// does both.
bool scales_normalised_v2(const ModelConfig& c) {
  return c.n_routed_experts > 0 && c.scoring_func == Scoring::Softmax && c.norm_topk_prob &&
         c.routed_scaling_factor != 1.0;
}

void read_gate(Keys& keys, ModelConfig& c, bool v2) {
  c.num_experts_per_tok = keys.integer("num_experts_per_tok");
  c.scoring_func = read_scoring(keys, v2);
  c.norm_topk_prob = keys.flag("norm_topk_prob", !v2);
  c.routed_scaling_factor = keys.number("routed_scaling_factor", v2 ? 1.0 : 2.5);
  c.n_group = keys.integer("n_group", 1);
  c.topk_group = keys.integer("topk_group", 1);
  const std::string method = keys.text("topk_method", v2 ? "greedy" : "noaux_tc");
  c.group_score = method == "noaux_tc" ? GroupScore::TopTwoSum : GroupScore::Max;
  if (method == "greedy") {
    c.n_group = c.topk_group = 1;  // this method looks at no groups, whatever the file says
  } else if (method != "noaux_tc" && method != "group_limited_greedy") {
    keys.unsupported("topk_method", method, "\"noaux_tc\", \"greedy\" or \"group_limited_greedy\"");
  }
}

/// What only we know of, and write where the others' keys cannot say it.
void read_own(Keys& keys, ModelConfig& c) {
  bool scale_normalised = false;
  if (const json* object = keys.find("tessera")) {
    Keys inner(*object, keys.where(), "tessera.");
    c.transformers_group_masking = inner.flag("transformers_group_masking", false);
    scale_normalised = inner.flag("scale_normalised", false);
    inner.refuse_others();
  }
  if (scales_normalised_v2(c) && !scale_normalised) {
    keys.unsupported("routed_scaling_factor", c.routed_scaling_factor,
                     "1 beside norm_topk_prob, which leaves it out in the released V2 code");
  }
}

void read_feed_forward(Keys& keys, ModelConfig& c, bool v2) {
  keys.only("hidden_act", "silu");
  keys.only("mlp_bias", false);
  keys.only("moe_layer_freq", 1);
  c.intermediate_size = keys.integer("intermediate_size");
  c.n_routed_experts = keys.integer("n_routed_experts", 0);
  c.n_shared_experts = keys.integer("n_shared_experts", 0);
  c.first_k_dense_replace = keys.integer("first_k_dense_replace", 0);
  c.moe_intermediate_size = keys.integer("moe_intermediate_size", c.moe_intermediate_size);
  if (c.n_routed_experts > 0) return read_gate(keys, c, v2);
  for (const char* key : {"num_experts_per_tok", "scoring_func", "norm_topk_prob", "topk_method",
                          "routed_scaling_factor", "n_group", "topk_group"}) {
    keys.ignore(key);
  }
}

void read_quantisation(Keys& keys, HfConfig& config) {
  const json* object = keys.find("quantization_config");
  if (!object) return;
  Keys inner(*object, keys.where(), "quantization_config.");
  if (inner.text("quant_method", "") != "fp8") {
    inner.unsupported("quant_method", inner.need("quant_method"), "\"fp8\"");
  }
  inner.only("fmt", "e4m3");
  inner.only("activation_scheme", "dynamic");
  inner.only("weight_block_size", {128, 128});
  if (inner.find("scale_fmt")) inner.only("scale_fmt", "ue8m0");
  inner.ignore("modules_to_not_convert");
  inner.ignore("dequantize");
  inner.need("weight_block_size");
  inner.refuse_others();
  config.fp8 = true;
}

struct DTypeName {
  DType dtype;
  const char* name;
};
constexpr std::array<DTypeName, 3> kDTypeNames{
    {{DType::F32, "float32"}, {DType::BF16, "bfloat16"}, {DType::F16, "float16"}}};

DType read_dtype(Keys& keys) {
  const char* key = keys.find("dtype") ? "dtype" : "torch_dtype";
  keys.find("torch_dtype");
  const std::string name = keys.text(key, "float32");
  for (const DTypeName& row : kDTypeNames) {
    if (name == row.name) return row.dtype;
  }
  keys.unsupported(key, name, "\"float32\", \"bfloat16\" or \"float16\"");
}

std::optional<std::int64_t> read_token(Keys& keys, const char* key) {
  const json* value = keys.find(key);
  if (!value) return std::nullopt;
  const bool list = value->is_array() && !value->empty();  // several ends: the first one counts
  const json& id = list ? value->front() : *value;
  if (!id.is_number_integer()) keys.unsupported(key, *value, "the number of a token");
  return id.get<std::int64_t>();
}

}  // namespace

HfConfig parse_hf_config(const json& object, const std::string& where) {
  Keys keys(object, where, "");
  const json& type = keys.need("model_type");
  const bool v2 = type == "deepseek_v2";
  if (!v2 && type != "deepseek_v3") {
    keys.unsupported("model_type", type, "\"deepseek_v3\" or \"deepseek_v2\"");
  }
  HfConfig config;
  ModelConfig& c = config.model;
  c.vocab_size = keys.integer("vocab_size");
  c.hidden_size = keys.integer("hidden_size");
  c.num_hidden_layers = keys.integer("num_hidden_layers");
  c.max_position_embeddings = keys.integer("max_position_embeddings", 4096);
  c.num_nextn_predict_layers = keys.integer("num_nextn_predict_layers", 0);
  c.rms_norm_eps = keys.number("rms_norm_eps", 1e-6);
  c.initializer_range = keys.number("initializer_range", 0.02);
  c.tie_word_embeddings = keys.flag("tie_word_embeddings", false);
  read_attention(keys, c);
  read_feed_forward(keys, c, v2);
  read_quantisation(keys, config);
  read_own(keys, c);
  config.dtype = read_dtype(keys);
  config.bos_token_id = read_token(keys, "bos_token_id");
  config.eos_token_id = read_token(keys, "eos_token_id");
  config.pad_token_id = read_token(keys, "pad_token_id");
  for (const char* key : kIgnored) keys.ignore(key);
  keys.refuse_others();
  try {
    c.validate();
  } catch (const Error& error) {
    throw Error(where, error.what_failed(), error.hint());
  }
  return config;
}

HfConfig read_hf_config(const std::filesystem::path& path) {
  const std::filesystem::path file =
      std::filesystem::is_directory(path) ? path / "config.json" : path;
  const json object = json::parse(read_text_file(file, 64u << 20), nullptr, false);
  if (object.is_discarded()) {
    throw Error(file.string(), "is not JSON",
                "the file is damaged or incomplete: fetch or copy it again");
  }
  return parse_hf_config(object, file.string());
}

namespace {
const char* method_of(const ModelConfig& c) {
  if (c.group_score == GroupScore::TopTwoSum) return "noaux_tc";
  return c.n_group > 1 ? "group_limited_greedy" : "greedy";
}

json optional_token(const std::optional<std::int64_t>& id) {
  return id ? json(*id) : json(nullptr);
}

json rope_scaling_of(const YarnConfig& yarn) {
  if (yarn.factor <= 1.0) return nullptr;
  return {{"type", "yarn"},
          {"rope_type", "yarn"},  // the newer name of the same
          {"factor", yarn.factor},
          {"original_max_position_embeddings", yarn.original_length},
          {"beta_fast", yarn.beta_fast},
          {"beta_slow", yarn.beta_slow},
          {"mscale", yarn.mscale},
          {"mscale_all_dim", yarn.mscale_all_dim}};
}

void write_experts(const ModelConfig& c, json& out) {
  // NOTE: transformers makes a layer dense by first_k_dense_replace only.
  const bool dense = c.n_routed_experts == 0;
  out["first_k_dense_replace"] = dense ? c.num_hidden_layers : c.first_k_dense_replace;
  out["intermediate_size"] = c.intermediate_size;
  out["moe_intermediate_size"] = c.moe_intermediate_size;
  out["moe_layer_freq"] = 1;
  out["n_routed_experts"] = c.n_routed_experts;
  out["n_shared_experts"] = c.n_shared_experts;
  out["num_experts_per_tok"] = c.num_experts_per_tok;
  out["n_group"] = c.n_group;
  out["topk_group"] = c.topk_group;
  out["scoring_func"] = c.scoring_func == Scoring::Softmax ? "softmax" : "sigmoid";
  out["topk_method"] = method_of(c);
  out["norm_topk_prob"] = c.norm_topk_prob;
  out["routed_scaling_factor"] = c.routed_scaling_factor;
}
}  // namespace

json hf_config_json(const HfConfig& config) {
  const ModelConfig& c = config.model;
  const bool v2 = c.scoring_func == Scoring::Softmax;
  json out = {{"architectures", {v2 ? "DeepseekV2ForCausalLM" : "DeepseekV3ForCausalLM"}},
              {"model_type", v2 ? "deepseek_v2" : "deepseek_v3"},
              {"vocab_size", c.vocab_size},
              {"hidden_size", c.hidden_size},
              {"hidden_act", "silu"},
              {"num_hidden_layers", c.num_hidden_layers},
              {"num_nextn_predict_layers", c.num_nextn_predict_layers},
              {"max_position_embeddings", c.max_position_embeddings},
              {"num_attention_heads", c.num_attention_heads},
              {"num_key_value_heads", c.num_attention_heads},
              {"q_lora_rank", c.q_lora_rank > 0 ? json(c.q_lora_rank) : json(nullptr)},
              {"kv_lora_rank", c.kv_lora_rank},
              {"qk_nope_head_dim", c.qk_nope_head_dim},
              {"qk_rope_head_dim", c.qk_rope_head_dim},
              {"v_head_dim", c.v_head_dim},
              {"attention_bias", false},
              {"attention_dropout", 0.0},
              {"rope_theta", c.rope_theta},
              {"rope_scaling", rope_scaling_of(c.yarn)},
              {"rms_norm_eps", c.rms_norm_eps},
              {"initializer_range", c.initializer_range},
              {"tie_word_embeddings", c.tie_word_embeddings},
              {"use_cache", true},
              {"bos_token_id", optional_token(config.bos_token_id)},
              {"eos_token_id", optional_token(config.eos_token_id)},
              {"pad_token_id", optional_token(config.pad_token_id)}};
  write_experts(c, out);
  for (const DTypeName& row : kDTypeNames) {
    if (row.dtype == config.dtype) out["torch_dtype"] = row.name;
  }
  if (c.transformers_group_masking) out["tessera"]["transformers_group_masking"] = true;
  if (scales_normalised_v2(c)) out["tessera"]["scale_normalised"] = true;
  return out;
}

}  // namespace tessera
