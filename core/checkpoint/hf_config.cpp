// SPDX-License-Identifier: MIT
// Reading config.json.
#include "core/checkpoint/hf_config.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/mistaken_file.h"
#include "core/checkpoint/file_writer.h"
#include "core/checkpoint/hf_read.h"

namespace tessera {

using checkpoint_internal::HfKeys;
using kernels::GroupScore;
using kernels::Scoring;
using nlohmann::json;

namespace {
/// What a key means where the file leaves it out: the defaults of the family's configuration class.
struct Family {
  const char* model_type;
  const char* architecture;
  bool v2 = false;
  double routed_scaling_factor = 2.5;
  std::int64_t n_group = 1, topk_group = 1;
  std::int64_t first_k_dense_replace = 0;
  double rms_norm_eps = 1e-6;
};
constexpr Family kFamilies[] = {
    {.model_type = "deepseek_v3",
     .architecture = "DeepseekV3ForCausalLM",
     .n_group = 8,
     .topk_group = 4,
     .first_k_dense_replace = 3},
    {.model_type = "deepseek_v2",
     .architecture = "DeepseekV2ForCausalLM",
     .v2 = true,
     .routed_scaling_factor = 1.0},
    {.model_type = "kimi_k2",
     .architecture = "KimiK2ForCausalLM",
     .n_group = 8,
     .topk_group = 4,
     .first_k_dense_replace = 3},
    {.model_type = "glm4_moe_lite",
     .architecture = "Glm4MoeLiteForCausalLM",
     .routed_scaling_factor = 1.8,
     .first_k_dense_replace = 1,
     .rms_norm_eps = 1e-5},
};

const Family* family_named(const json& model_type) {
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) return &family;
  }
  return nullptr;
}

/// By model_type; where that is unknown, by architectures, which fine-tuning programs leave alone.
const Family& read_family(HfKeys& keys, HfConfig& config) {
  const json& type = keys.need("model_type");
  if (const Family* family = family_named(type)) return *family;
  const json* architectures = keys.find("architectures");
  for (const Family& family : kFamilies) {
    if (!architectures || !architectures->is_array()) break;
    if (std::find(architectures->begin(), architectures->end(), family.architecture) ==
        architectures->end()) {
      continue;
    }
    config.notes.push_back(
        fmt::format("model_type {} is read as \"{}\", since architectures says "
                    "{}",
                    type.dump(), family.model_type, family.architecture));
    return family;
  }
  keys.unsupported("model_type", type,
                   "\"deepseek_v3\", \"deepseek_v2\", \"kimi_k2\" or \"glm4_moe_lite\"");
}

/// What transformers writes besides, and what does not change the results of our computation:
/// training, dropout, how answers are sampled, names and versions.
constexpr const char* kIgnored[] = {"_attn_implementation",
                                    "_attn_implementation_autoset",
                                    "_name_or_path",
                                    "add_cross_attention",
                                    "architectures",
                                    "attention_dropout",
                                    "attn_implementation",
                                    "auto_map",
                                    "aux_loss_alpha",
                                    "bad_words_ids",
                                    "begin_suppress_tokens",
                                    "chunk_size_feed_forward",
                                    "cross_attention_hidden_size",
                                    "decoder_start_token_id",
                                    "diversity_penalty",
                                    "do_sample",
                                    "early_stopping",
                                    "encoder_no_repeat_ngram_size",
                                    "ep_size",
                                    "exponential_decay_length_penalty",
                                    "finetuning_task",
                                    "forced_bos_token_id",
                                    "forced_eos_token_id",
                                    "head_dim",
                                    "hidden_dropout",
                                    "id2label",
                                    "is_decoder",
                                    "is_encoder_decoder",
                                    "label2id",
                                    "length_penalty",
                                    "max_length",
                                    "min_length",
                                    "mlp_dropout",
                                    "model_max_length",
                                    "name_or_path",
                                    "no_repeat_ngram_size",
                                    "num_beam_groups",
                                    "num_beams",
                                    "num_return_sequences",
                                    "output_attentions",
                                    "output_hidden_states",
                                    "output_router_logits",
                                    "output_scores",
                                    "prefix",
                                    "pretraining_tp",
                                    "problem_type",
                                    "pruned_heads",
                                    "remove_invalid_values",
                                    "repetition_penalty",
                                    "return_dict",
                                    "return_dict_in_generate",
                                    "router_aux_loss_coef",
                                    "sep_token_id",
                                    "seq_aux",
                                    "suppress_tokens",
                                    "task_specific_params",
                                    "temperature",
                                    "tf_legacy_loss",
                                    "tie_encoder_decoder",
                                    "tokenizer_class",
                                    "top_k",
                                    "top_p",
                                    "torchscript",
                                    "transformers_version",
                                    "typical_p",
                                    "use_bfloat16",
                                    "use_cache"};

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

/// Absent mscale keys mean what the released code takes: 1 and 0.
YarnConfig read_yarn(HfKeys& keys, std::int64_t max_length) {
  YarnConfig yarn{.factor = keys.number("factor"),
                  .original_length = keys.integer("original_max_position_embeddings", max_length),
                  .beta_fast = keys.number("beta_fast", 32.0),
                  .beta_slow = keys.number("beta_slow", 1.0),
                  .mscale = keys.number("mscale", 1.0),
                  .mscale_all_dim = keys.number("mscale_all_dim", 0.0)};
  keys.only("attention_factor", nullptr);
  keys.only("truncate", true);
  return yarn;
}

/// rope_scaling or rope_parameters. Every key of them changes the result, so none is passed over.
Rope read_rope_object(const json& object, const std::string& where, const std::string& name,
                      double theta, std::int64_t max_length) {
  HfKeys keys(object, where, name + ".");
  Rope rope{.theta = keys.number("rope_theta", theta), .yarn = {}};
  const std::string type = keys.text("rope_type", keys.text("type", "default").c_str());
  keys.find("type");
  keys.only("partial_rotary_factor", 1.0);
  keys.ignore("finetuned");
  if (type == "yarn") {
    rope.yarn = read_yarn(keys, max_length);
  } else if (type == "default") {
    for (const char* key : {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow",
                            "mscale", "mscale_all_dim"}) {
      keys.ignore(key);
    }
  } else {
    keys.unsupported("rope_type", type, "\"default\" or \"yarn\"");
  }
  keys.refuse_others();
  return rope;
}

Rope read_rope(HfKeys& keys, std::int64_t max_length) {
  const double theta = keys.number("rope_theta", 10000.0);
  const json* scaling = keys.find("rope_scaling");
  const json* parameters = keys.find("rope_parameters");
  const auto read = [&](const json* object, const char* name) {
    return object ? read_rope_object(*object, keys.where(), keys.prefix() + name, theta, max_length)
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

void read_attention(HfKeys& keys, ModelConfig& c) {
  c.num_attention_heads = keys.integer("num_attention_heads");
  keys.only("num_key_value_heads", c.num_attention_heads);
  c.q_lora_rank = keys.integer("q_lora_rank", 0);
  c.kv_lora_rank = keys.integer("kv_lora_rank");
  c.qk_nope_head_dim = keys.integer("qk_nope_head_dim");
  c.qk_rope_head_dim = keys.integer("qk_rope_head_dim");
  c.v_head_dim = keys.integer("v_head_dim");
  keys.only("qk_head_dim", c.qk_head_dim());
  const Rope rope = read_rope(keys, c.max_position_embeddings);
  c.rope_theta = rope.theta;
  c.yarn = rope.yarn;
}

Scoring read_scoring(HfKeys& keys, const Family& family) {
  const std::string scoring = keys.text("scoring_func", family.v2 ? "softmax" : "sigmoid");
  if (scoring == "sigmoid") return Scoring::Sigmoid;
  if (scoring == "softmax") return Scoring::Softmax;
  keys.unsupported("scoring_func", scoring, "\"sigmoid\" or \"softmax\"");
}

void read_gate(HfKeys& keys, ModelConfig& c, const Family& family) {
  c.num_experts_per_tok = keys.integer("num_experts_per_tok");
  c.scoring_func = read_scoring(keys, family);
  c.norm_topk_prob = keys.flag("norm_topk_prob", !family.v2);
  c.routed_scaling_factor = keys.number("routed_scaling_factor", family.routed_scaling_factor);
  c.n_group = keys.integer("n_group", family.n_group);
  c.topk_group = keys.integer("topk_group", family.topk_group);
  const std::string method = keys.text("topk_method", family.v2 ? "greedy" : "noaux_tc");
  c.group_score = method == "noaux_tc" ? GroupScore::TopTwoSum : GroupScore::Max;
  if (method == "greedy") {
    c.n_group = c.topk_group = 1;  // this method looks at no groups, whatever the file says
  } else if (method != "noaux_tc" && method != "group_limited_greedy") {
    keys.unsupported("topk_method", method, "\"noaux_tc\", \"greedy\" or \"group_limited_greedy\"");
  }
}

/// Our own keys, for what the others' keys cannot say.
void read_own(HfKeys& keys, HfConfig& config) {
  ModelConfig& c = config.model;
  bool scale_normalised = false;
  if (const json* object = keys.find("tessera")) {
    HfKeys inner(*object, keys.where(), keys.prefix() + "tessera.");
    c.transformers_group_masking = inner.flag("transformers_group_masking", false);
    scale_normalised = inner.flag("scale_normalised", false);
    inner.refuse_others();
  }
  if (!checkpoint_internal::scales_normalised_v2(c) || scale_normalised) return;
  config.notes.push_back(
      fmt::format("routed_scaling_factor {} has no effect beside "
                  "norm_topk_prob: the released V2 code leaves it out there",
                  c.routed_scaling_factor));
  c.routed_scaling_factor = 1.0;
}

std::int64_t read_expert_count(HfKeys& keys) {
  for (const char* key : {"n_routed_experts", "num_local_experts", "num_experts"}) {
    const std::int64_t count = keys.integer(key, 0);
    if (count > 0) return count;
  }
  return 0;
}

/// Layers before the first one with experts. transformers writes a list of layers for some models
/// instead of this number; that the list is in this order is checked elsewhere.
std::int64_t read_dense_layers(HfKeys& keys, const Family& family) {
  std::int64_t leading = family.first_k_dense_replace;
  const json* layers = keys.find("mlp_layer_types");
  if (layers && layers->is_array()) {
    leading = std::find(layers->begin(), layers->end(), "sparse") - layers->begin();
  }
  return keys.integer("first_k_dense_replace", leading);
}

void read_feed_forward(HfKeys& keys, ModelConfig& c, const Family& family) {
  c.n_routed_experts = read_expert_count(keys);
  c.n_shared_experts = keys.integer("n_shared_experts", 0);
  c.first_k_dense_replace = read_dense_layers(keys, family);
  c.moe_intermediate_size = keys.integer("moe_intermediate_size", c.moe_intermediate_size);
  const bool dense_layers = c.first_k_dense_replace > 0 || c.n_routed_experts == 0;
  c.intermediate_size = dense_layers ? keys.integer("intermediate_size")
                                     : keys.integer("intermediate_size", c.intermediate_size);
  for (const char* key :
       {"num_experts_per_tok", "scoring_func", "norm_topk_prob", "topk_method",
        "routed_scaling_factor", "n_group", "topk_group", "num_local_experts", "num_experts"}) {
    keys.ignore(key);
  }
  if (c.n_routed_experts > 0) read_gate(keys, c, family);
}

DType read_dtype(HfKeys& keys, std::vector<std::string>& notes) {
  const char* key = keys.find("dtype") ? "dtype" : "torch_dtype";
  keys.find("torch_dtype");
  const json* value = keys.find(key);
  if (!value) return DType::F32;
  std::string name = keys.text(key, "");
  if (name.starts_with("torch.")) name = name.substr(6);
  for (const auto& row : checkpoint_internal::kDTypeNames) {
    if (name == row.name) return row.dtype;
  }
  notes.push_back(fmt::format("{} is {}: each tensor's own type counts", key, value->dump()));
  return DType::F32;
}

constexpr const char* kTokenExpected = "the number of a token";

std::optional<std::int64_t> read_token(HfKeys& keys, const char* key) {
  const json* value = keys.find(key);
  if (!value) return std::nullopt;
  return keys.as_integer(key, *value, kTokenExpected);
}

/// One token or a list of them; -1 stands for none.
std::vector<std::int64_t> read_ends(HfKeys& keys) {
  const char* key = "eos_token_id";
  const json* value = keys.find(key);
  if (!value) return {};
  const char* expected = value->is_array() ? "the numbers of tokens" : kTokenExpected;
  const json list = value->is_array() ? *value : json::array({*value});
  std::vector<std::int64_t> ends;
  for (const json& id : list) {
    const std::int64_t end = keys.as_integer(key, id, expected);
    if (end < -1 || end > std::numeric_limits<std::int32_t>::max()) {
      keys.unsupported(key, *value, expected);
    }
    if (end >= 0 && std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }
  return ends;
}

std::int64_t read_mtp_layers(HfKeys& keys) {
  const char* key =
      keys.find("num_nextn_predict_layers") ? "num_nextn_predict_layers" : "num_mtp_layers";
  keys.ignore("num_mtp_layers");
  const std::int64_t layers = keys.integer(key, 0);
  if (layers < 0) keys.unsupported(key, layers, "0 or more");
  return layers;
}

void note_unknown_keys(const HfKeys& keys, HfConfig& config) {
  std::vector<std::string> unknown = keys.others();
  if (unknown.empty()) return;
  for (std::string& key : unknown) key = keys.described(key);
  config.notes.push_back(fmt::format("unknown keys are passed over: {}", fmt::join(unknown, ", ")));
}

/// The object that describes the text model: the file's own, or one inside where a model reads
/// pictures too.
struct TextConfig {
  const json* object;
  std::string prefix;
};
TextConfig text_config(const json& object) {
  if (!object.is_object() || family_named(object.value("model_type", json()))) {
    return {&object, ""};
  }
  for (const char* key : {"text_config", "language_config", "llm_config"}) {
    const auto found = object.find(key);
    if (found != object.end() && found->is_object()) return {&*found, std::string(key) + "."};
  }
  return {&object, ""};
}

/// Keys outside of the text half that say something of it.
void read_outer(const json& object, const std::string& where, HfConfig& config) {
  HfKeys outer(object, where);
  if (!config.fp8) checkpoint_internal::read_quantisation(outer, config);
  if (config.eos_token_ids.empty()) config.eos_token_ids = read_ends(outer);
  if (!config.bos_token_id) config.bos_token_id = read_token(outer, "bos_token_id");
  if (!config.pad_token_id) config.pad_token_id = read_token(outer, "pad_token_id");
  config.model.tie_word_embeddings =
      outer.flag("tie_word_embeddings", config.model.tie_word_embeddings);
}
}  // namespace

HfConfig parse_hf_config(const json& object, const std::string& where) {
  const TextConfig text = text_config(object);
  HfKeys keys(*text.object, where, text.prefix);
  HfConfig config;
  const Family& family = read_family(keys, config);
  checkpoint_internal::refuse_other_architectures(keys);
  ModelConfig& c = config.model;
  c.vocab_size = keys.integer("vocab_size");
  c.hidden_size = keys.integer("hidden_size");
  c.num_hidden_layers = keys.integer("num_hidden_layers");
  c.max_position_embeddings = keys.integer("max_position_embeddings", 4096);
  config.mtp_layers = read_mtp_layers(keys);
  c.num_nextn_predict_layers = std::min<std::int64_t>(config.mtp_layers, 1);
  c.rms_norm_eps = keys.number("rms_norm_eps", family.rms_norm_eps);
  c.initializer_range = keys.number("initializer_range", 0.02);
  c.tie_word_embeddings = keys.flag("tie_word_embeddings", false);
  read_attention(keys, c);
  read_feed_forward(keys, c, family);
  checkpoint_internal::check_layer_list(keys, c);
  checkpoint_internal::read_quantisation(keys, config);
  read_own(keys, config);
  config.dtype = read_dtype(keys, config.notes);
  config.bos_token_id = read_token(keys, "bos_token_id");
  config.eos_token_ids = read_ends(keys);
  config.pad_token_id = read_token(keys, "pad_token_id");
  for (const char* key : kIgnored) keys.ignore(key);
  note_unknown_keys(keys, config);
  if (!text.prefix.empty()) read_outer(object, where, config);
  try {
    c.validate();
  } catch (const Error& error) {
    throw Error(where, error.what_failed(), error.hint());
  }
  return config;
}

namespace {
json read_json(const std::filesystem::path& file) {
  refuse_dangling_link(file);
  const std::string text = read_file(file, 64u << 20);
  refuse_mistaken_content(file, text);
  json object = json::parse(text, nullptr, false);
  if (object.is_discarded()) {
    throw Error(file.string(), "is not JSON",
                "the file is damaged or incomplete: fetch or copy it again");
  }
  return object;
}
}  // namespace

HfConfig read_hf_config(const std::filesystem::path& path) {
  const std::filesystem::path file =
      std::filesystem::is_directory(path) ? path / "config.json" : path;
  return parse_hf_config(read_json(file), file.string());
}

std::vector<std::int32_t> end_tokens(const std::filesystem::path& folder, const HfConfig& config) {
  std::vector<std::int64_t> all = config.eos_token_ids;
  const std::filesystem::path file = folder / "generation_config.json";
  if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
    const json object = read_json(file);
    HfKeys keys(object, file.string());
    const std::vector<std::int64_t> more = read_ends(keys);
    all.insert(all.end(), more.begin(), more.end());
  }
  std::vector<std::int32_t> ends;
  for (const std::int64_t id : all) {
    const auto end = static_cast<std::int32_t>(id);
    if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }
  return ends;
}

}  // namespace tessera
