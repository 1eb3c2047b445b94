// SPDX-License-Identifier: MIT
#include "core/checkpoint/hf_config.h"

#include <nlohmann/json.hpp>

#include "tests/checkpoint/golden_models.h"

namespace tessera {
namespace {

using namespace testing;
using kernels::GroupScore;
using kernels::Scoring;
using nlohmann::json;

/// The shape of DeepSeek-V3 as its config.json gives it.
json v3() {
  return json::parse(R"({
    "architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "auto_map": {"AutoConfig": "configuration_deepseek.DeepseekV3Config"},
    "bos_token_id": 0, "eos_token_id": 1, "ep_size": 1, "first_k_dense_replace": 3,
    "hidden_act": "silu", "hidden_size": 7168, "initializer_range": 0.02,
    "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 163840,
    "model_type": "deepseek_v3", "moe_intermediate_size": 2048, "moe_layer_freq": 1, "n_group": 8,
    "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
    "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61,
    "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536,
    "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
    "quantization_config": {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
                            "weight_block_size": [128, 128]},
    "rms_norm_eps": 1e-06,
    "rope_scaling": {"beta_fast": 32, "beta_slow": 1, "factor": 40, "mscale": 1.0,
                     "mscale_all_dim": 1.0, "original_max_position_embeddings": 4096,
                     "type": "yarn"},
    "rope_theta": 10000, "routed_scaling_factor": 2.5, "scoring_func": "sigmoid",
    "tie_word_embeddings": false, "topk_group": 4, "topk_method": "noaux_tc",
    "torch_dtype": "bfloat16", "transformers_version": "4.33.1", "use_cache": true,
    "v_head_dim": 128, "vocab_size": 129280})");
}

/// The shape of the 16 B "Lite" relative.
json v2_lite() {
  json out = v3();
  out.update(json::parse(R"({
    "model_type": "deepseek_v2", "num_hidden_layers": 27, "hidden_size": 2048,
    "num_attention_heads": 16, "num_key_value_heads": 16, "n_routed_experts": 64,
    "num_experts_per_tok": 6, "n_shared_experts": 2, "moe_intermediate_size": 1408,
    "intermediate_size": 10944, "q_lora_rank": null, "scoring_func": "softmax",
    "topk_method": "greedy", "n_group": 1, "topk_group": 1, "norm_topk_prob": false,
    "routed_scaling_factor": 1.0, "first_k_dense_replace": 1, "vocab_size": 102400,
    "aux_loss_alpha": 0.001, "seq_aux": true, "pretraining_tp": 1})"));
  out.erase("quantization_config");
  out.erase("num_nextn_predict_layers");
  out["rope_scaling"]["mscale"] = out["rope_scaling"]["mscale_all_dim"] = 0.707;
  return out;
}

HfConfig parse(const json& object) {
  return parse_hf_config(object, "config.json");
}

void expect_same(const ModelConfig& a, const ModelConfig& b) {
#define SAME(field) EXPECT_EQ(a.field, b.field) << #field
  SAME(vocab_size);
  SAME(hidden_size);
  SAME(num_hidden_layers);
  SAME(max_position_embeddings);
  SAME(num_attention_heads);
  SAME(q_lora_rank);
  SAME(kv_lora_rank);
  SAME(qk_nope_head_dim);
  SAME(qk_rope_head_dim);
  SAME(v_head_dim);
  SAME(rope_theta);
  SAME(yarn.factor);
  SAME(yarn.original_length);
  SAME(yarn.beta_fast);
  SAME(yarn.beta_slow);
  SAME(yarn.mscale);
  SAME(yarn.mscale_all_dim);
  SAME(first_k_dense_replace);
  SAME(intermediate_size);
  SAME(moe_intermediate_size);
  SAME(n_routed_experts);
  SAME(n_shared_experts);
  SAME(num_experts_per_tok);
  SAME(n_group);
  SAME(topk_group);
  EXPECT_EQ(static_cast<int>(a.scoring_func), static_cast<int>(b.scoring_func));
  EXPECT_EQ(static_cast<int>(a.group_score), static_cast<int>(b.group_score));
  SAME(norm_topk_prob);
  SAME(routed_scaling_factor);
  SAME(transformers_group_masking);
  SAME(num_nextn_predict_layers);
  SAME(rms_norm_eps);
  SAME(initializer_range);
  SAME(tie_word_embeddings);
#undef SAME
}

TEST(HfConfig, ReadsDeepSeekV3) {
  const HfConfig config = parse(v3());
  const ModelConfig& c = config.model;
  EXPECT_TRUE(config.fp8);
  EXPECT_EQ(config.fp8_block, ScaleBlock{});
  EXPECT_TRUE(config.notes.empty());
  EXPECT_EQ(config.dtype, DType::BF16);
  EXPECT_EQ(config.bos_token_id, 0);
  EXPECT_EQ(config.eos_token_ids, std::vector<std::int64_t>{1});
  EXPECT_FALSE(config.pad_token_id.has_value());
  EXPECT_EQ(c.q_lora_rank, 1536);
  EXPECT_EQ(c.yarn.factor, 40);
  EXPECT_EQ(c.yarn.original_length, 4096);
  EXPECT_EQ(c.scoring_func, Scoring::Sigmoid);
  EXPECT_EQ(c.group_score, GroupScore::TopTwoSum);
  EXPECT_EQ(c.n_group, 8);
  EXPECT_EQ(c.topk_group, 4);
  EXPECT_TRUE(c.norm_topk_prob);
  EXPECT_EQ(c.num_nextn_predict_layers, 1);
  EXPECT_NEAR(static_cast<double>(count_parameters(c).total), 671.03e9, 0.005e9);
}

TEST(HfConfig, ReadsV2Lite) {
  const HfConfig config = parse(v2_lite());
  const ModelConfig& c = config.model;
  EXPECT_FALSE(config.fp8);
  EXPECT_EQ(c.q_lora_rank, 0);
  EXPECT_EQ(c.scoring_func, Scoring::Softmax);
  EXPECT_EQ(c.group_score, GroupScore::Max);
  EXPECT_FALSE(c.norm_topk_prob);
  EXPECT_EQ(c.n_group, 1);
  EXPECT_EQ(c.yarn.mscale, 0.707);
  EXPECT_EQ(c.yarn.mscale_all_dim, 0.707);
  EXPECT_EQ(c.num_nextn_predict_layers, 0);
}

TEST(HfConfig, GroupsOfV2CountByTheMethodOnly) {
  json object = v2_lite();
  object.update({{"n_group", 8}, {"topk_group", 3}});
  EXPECT_EQ(parse(object).model.n_group, 1) << "greedy looks at no groups";
  object["topk_method"] = "group_limited_greedy";
  EXPECT_EQ(parse(object).model.n_group, 8);
  EXPECT_EQ(parse(object).model.topk_group, 3);
  EXPECT_EQ(parse(object).model.group_score, GroupScore::Max);
}

TEST(HfConfig, ReadsTheGoldenModels) {
  const ModelConfig v3_model = read_hf_config(golden_models() / "v3").model;
  EXPECT_EQ(v3_model.q_lora_rank, 16);
  EXPECT_EQ(v3_model.n_group, 4);
  EXPECT_EQ(v3_model.routed_scaling_factor, 2.5);
  EXPECT_EQ(v3_model.scoring_func, Scoring::Sigmoid);
  EXPECT_EQ(v3_model.yarn.factor, 1.0);
  EXPECT_EQ(v3_model.rope_theta, 10000.0);
  EXPECT_EQ(read_hf_config(golden_models() / "moonlight").model.q_lora_rank, 0);
  EXPECT_TRUE(read_hf_config(golden_models() / "fp8").fp8);
}

TEST(HfConfig, RotarySettingsInEitherFormAreTheSame) {
  json newer = v3();
  newer["rope_parameters"] = newer["rope_scaling"];
  newer["rope_parameters"].erase("type");
  newer["rope_parameters"].update({{"rope_type", "yarn"}, {"rope_theta", 20000.0}});
  newer.erase("rope_scaling");
  newer.erase("rope_theta");
  json older = v3();
  older["rope_theta"] = 20000;
  expect_same(parse(newer).model, parse(older).model);
  older["rope_parameters"] = newer["rope_parameters"];
  expect_same(parse(older).model, parse(newer).model);
  older["rope_parameters"]["factor"] = 4;
  EXPECT_TRUE(contains(error_of([&] { parse(older); }), "say different things"));
}

TEST(HfConfig, AbsentMscaleMeansWhatTheReleasedCodeTakes) {
  json object = v3();
  object["rope_scaling"].erase("mscale");
  object["rope_scaling"].erase("mscale_all_dim");
  EXPECT_EQ(parse(object).model.yarn.mscale, 1.0);
  EXPECT_EQ(parse(object).model.yarn.mscale_all_dim, 0.0);
}

TEST(HfConfig, WrittenFormReadsBackTheSame) {
  std::vector<ModelConfig> configs{ModelConfig{}, parse(v3()).model, parse(v2_lite()).model};
  for (Scoring scoring : {Scoring::Sigmoid, Scoring::Softmax}) {
    for (GroupScore score : {GroupScore::TopTwoSum, GroupScore::Max}) {
      for (bool normalise : {false, true}) {
        ModelConfig c;
        c.n_group = 4;
        c.topk_group = 2;
        c.scoring_func = scoring;
        c.group_score = score;
        c.norm_topk_prob = normalise;
        c.routed_scaling_factor = 1.7;
        c.transformers_group_masking = normalise;
        c.tie_word_embeddings = normalise;
        c.q_lora_rank = 24;
        c.yarn = {.factor = 8, .original_length = 512, .mscale = 0.7, .mscale_all_dim = 0.8};
        configs.push_back(c);
      }
    }
  }
  for (const ModelConfig& model : configs) {
    HfConfig config;
    config.model = model;
    config.eos_token_ids = {7, 9};
    config.dtype = DType::BF16;
    const HfConfig read = parse(json::parse(hf_config_json(config).dump()));
    expect_same(read.model, model);
    EXPECT_EQ(read.eos_token_ids, config.eos_token_ids);
    EXPECT_FALSE(read.bos_token_id.has_value());
    EXPECT_EQ(read.dtype, DType::BF16);
    EXPECT_FALSE(read.fp8);
  }
}

TEST(HfConfig, DenseModelsAreDenseForTransformersToo) {
  HfConfig config;
  config.model.n_routed_experts = 0;
  const json written = hf_config_json(config);
  EXPECT_EQ(written["first_k_dense_replace"], config.model.num_hidden_layers);
  EXPECT_EQ(parse(written).model.n_routed_experts, 0);
}

struct BadValue {
  const char* key;
  const char* patch;  ///< merged into the V3 configuration
  const char* message;
};

class BadValues : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadValues, AreErrorsThatNameTheKey) {
  json object = v3();
  object.merge_patch(json::parse(GetParam().patch));
  const std::string message = error_of([&] { parse(object); });
  EXPECT_TRUE(contains(message, "[config.json]"));
  EXPECT_TRUE(contains(message, GetParam().key));
  EXPECT_TRUE(contains(message, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadValues,
    ::testing::Values(
        BadValue{"model_type", R"({"model_type":"llama","architectures":null})",
                 "\"deepseek_v3\", \"deepseek_v2\""},
        BadValue{"model_type", R"({"model_type":null})", "has no model_type"},
        BadValue{"hidden_size", R"({"hidden_size":null})", "has no hidden_size"},
        BadValue{"hidden_size", R"({"hidden_size":"x"})", "expected a whole number"},
        BadValue{"hidden_size", R"({"hidden_size":7168.5})", "expected a whole number"},
        BadValue{"hidden_size", R"({"hidden_size":0})", "expected more than 0"},
        BadValue{"hidden_act", R"({"hidden_act":"gelu"})", "expected \"silu\""},
        BadValue{"attention_bias", R"({"attention_bias":true})", "expected false"},
        BadValue{"qk_layernorm", R"({"qk_layernorm":true})", "norms of queries and keys"},
        BadValue{"sliding_window", R"({"sliding_window":4096})", "attention within a window"},
        BadValue{"layer_types", R"({"layer_types":["full_attention","sliding_attention"]})",
                 "sliding_attention"},
        BadValue{"partial_rotary_factor", R"({"partial_rotary_factor":0.5})", "expected 1.0"},
        BadValue{"mlp_layer_types", R"({"mlp_layer_types":["dense","sparse"]})", "does not agree"},
        BadValue{"use_mla", R"({"use_mla":false})", "attention without latents"},
        BadValue{"num_key_value_heads", R"({"num_key_value_heads":8})", "expected 128"},
        BadValue{"rope_interleave", R"({"rope_interleave":false})", "expected true"},
        BadValue{"moe_layer_freq", R"({"moe_layer_freq":2})", "expected 1"},
        BadValue{"scoring_func", R"({"scoring_func":"tanh"})", "\"sigmoid\" or \"softmax\""},
        BadValue{"topk_method", R"({"topk_method":"best"})", "noaux_tc"},
        BadValue{"norm_topk_prob", R"({"norm_topk_prob":1})", "true or false"},
        BadValue{"rope_scaling.rope_type", R"({"rope_scaling":{"type":"linear"}})", "\"yarn\""},
        BadValue{"rope_scaling.factor", R"({"rope_scaling":{"factor":null}})", "has no"},
        BadValue{"rope_scaling.factor", R"({"rope_scaling":{"factor":"big"}})", "a number"},
        BadValue{"rope_scaling.spin", R"({"rope_scaling":{"spin":1}})", "unknown key"},
        BadValue{"quantization_config.quant_method",
                 R"({"quantization_config":{"quant_method":"gptq"}})", "quantised in a way"},
        BadValue{"quantization_config.quant_method",
                 R"({"quantization_config":{"quant_method":null}})", "has no"},
        BadValue{"quantization_config.weight_block_size",
                 R"({"quantization_config":{"weight_block_size":[128]}})", "two whole numbers"},
        BadValue{"quantization_config.weight_block_size",
                 R"({"quantization_config":{"weight_block_size":[128,0]}})", "two whole numbers"},
        BadValue{"quantization_config.scale_fmt", R"({"quantization_config":{"scale_fmt":"int"}})",
                 "quantised in a way"},
        BadValue{"quantization_config.expert_dtype",
                 R"({"quantization_config":{"expert_dtype":"fp4"}})", "quantised in a way"},
        BadValue{"quantization_config.format",
                 R"({"quantization_config":{"quant_method":"compressed-tensors",
                     "format":"pack-quantized"}})",
                 "quantised in a way"},
        BadValue{"num_nextn_predict_layers", R"({"num_nextn_predict_layers":-1})", "0 or more"},
        BadValue{"n_group", R"({"n_group":7})", "not a multiple"},
        BadValue{"eos_token_id", R"({"eos_token_id":"end"})", "the number of a token"},
        BadValue{"eos_token_id", R"({"eos_token_id":[1,"end"]})", "the numbers of tokens"},
        BadValue{"index_topk", R"({"index_topk":2048})", "sparse attention"},
        BadValue{"hidden_size", R"({"hidden_size":null,"hiden_size":1})",
                 "is \"hiden_size\" a misspelling of it?"},
        BadValue{"qk_head_dim", R"({"qk_head_dim":100})", "expected 192"}));

TEST(HfConfig, V2LeavesOutTheScaleOfNormalisedWeights) {
  json object = v2_lite();
  object.update({{"norm_topk_prob", true}, {"routed_scaling_factor", 16.0}});
  const HfConfig config = parse(object);
  EXPECT_EQ(config.model.routed_scaling_factor, 1.0);
  ASSERT_EQ(config.notes.size(), 1u);
  EXPECT_TRUE(contains(config.notes[0], "routed_scaling_factor 16 has no effect"));
}

TEST(HfConfig, UnknownKeysAreNotedOnce) {
  json object = v3();
  object.update({{"unsloth_fixed", true},
                 {"unsloth_version", "2026.9.1"},
                 {"off", false},
                 {"nothing", nullptr},
                 {"hiden_act", "silu"}});
  const HfConfig config = parse(object);
  ASSERT_EQ(config.notes.size(), 1u);
  EXPECT_EQ(config.notes[0],
            "unknown keys are passed over: hiden_act (a misspelling of hidden_act?), "
            "unsloth_fixed, unsloth_version");
}

TEST(HfConfig, WholeNumbersMayBeWrittenAsFloats) {
  json object = v3();
  for (const char* key : {"hidden_size", "n_routed_experts", "eos_token_id", "n_group"}) {
    object[key] = object[key].get<double>();
  }
  object["rope_scaling"]["original_max_position_embeddings"] = 4096.0;
  expect_same(parse(object).model, parse(v3()).model);
  object["rope_scaling"]["original_max_position_embeddings"] = 4096.5;
  EXPECT_TRUE(contains(error_of([&] { parse(object); }), "is 4096.5, expected a whole number"));
  object["rope_scaling"]["original_max_position_embeddings"] = 1e300;
  EXPECT_TRUE(contains(error_of([&] { parse(object); }), "expected a whole number"));
}

TEST(HfConfig, SeveralEndsAreKept) {
  json object = v3();
  object["eos_token_id"] = {1, 303.0, 1};
  const HfConfig config = parse(object);
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{1, 303}));
  EXPECT_EQ(hf_config_json(config)["eos_token_id"], (json{1, 303}));
  object["eos_token_id"] = nullptr;
  EXPECT_TRUE(parse(object).eos_token_ids.empty());
  EXPECT_TRUE(hf_config_json(parse(object))["eos_token_id"].is_null());
}

TEST(HfConfig, KnowsTheFamilyByOtherNames) {
  json object = v3();
  object["model_type"] = "kimi_k2";
  expect_same(parse(object).model, parse(v3()).model);
  object["model_type"] = "glm4_moe_lite";
  object.erase("routed_scaling_factor");
  EXPECT_EQ(parse(object).model.routed_scaling_factor, 1.8);
  object["model_type"] = "my_finetune";
  const HfConfig config = parse(object);
  EXPECT_EQ(config.model.routed_scaling_factor, 2.5);
  ASSERT_EQ(config.notes.size(), 1u);
  EXPECT_TRUE(contains(config.notes[0], "model_type \"my_finetune\" is read as \"deepseek_v3\""));
}

TEST(HfConfig, AbsentGroupsMeanWhatTheFamilyTakes) {
  json object = v3();
  object.erase("n_group");
  object.erase("topk_group");
  EXPECT_EQ(parse(object).model.n_group, 8);
  EXPECT_EQ(parse(object).model.topk_group, 4);
}

TEST(HfConfig, TheTextHalfOfAPictureModelIsRead) {
  json object = {{"model_type", "kimi_vl"}, {"text_config", v3()}, {"vision_config", {{"a", 1}}}};
  object["text_config"].erase("eos_token_id");
  object["eos_token_id"] = 163585;
  const HfConfig config = parse(object);
  EXPECT_TRUE(config.fp8);
  EXPECT_EQ(config.eos_token_ids, std::vector<std::int64_t>{163585});
  expect_same(config.model, parse(v3()).model);
  object["text_config"]["hidden_act"] = "gelu";
  EXPECT_TRUE(contains(error_of([&] { parse(object); }), "text_config.hidden_act is \"gelu\""));
}

TEST(HfConfig, WindowsThatAreNotUsedChangeNothing) {
  json object = v3();
  object.update({{"use_sliding_window", false}, {"sliding_window", 4096}});
  object["layer_types"] = json::array({"full_attention", "full_attention"});
  EXPECT_TRUE(parse(object).notes.empty());
}

TEST(HfConfig, DropoutAndUnknownTypesOfWeightsChangeNothing) {
  json object = v3();
  object.update({{"attention_dropout", 0.1}, {"torch_dtype", "float8_e4m3fn"}});
  ASSERT_EQ(parse(object).notes.size(), 1u);
  EXPECT_TRUE(contains(parse(object).notes[0], "each tensor's own type counts"));
  object["torch_dtype"] = "torch.float16";
  EXPECT_EQ(parse(object).dtype, DType::F16);
}

TEST(HfConfig, RotarySettingsThatAreOffMayHoldNumbers) {
  json object = v3();
  object["rope_scaling"] = {{"rope_type", "default"}, {"factor", 4.0}, {"mscale", 1.0}};
  EXPECT_EQ(parse(object).model.yarn.factor, 1.0);
}

TEST(HfConfig, Fp8IsReadInItsSpellings) {
  for (const char* keys : {R"({"quant_method":"fp8","weight_block_size":[128,128],
                               "scale_fmt":"ue8m0","fmt":"e4m3"})",
                           R"({"quant_method":"fp8","weight_block_size":[128.0,128.0],
                               "scale_fmt":"float","expert_dtype":"fp8","dequantize":false,
                               "modules_to_convert":null,"modules_to_not_convert":["lm_head"]})",
                           R"({"quant_method":"fp8","activation_scheme":"static",
                               "ignored_layers":["lm_head"],"weight_block_size":null})"}) {
    json object = v3();
    object["quantization_config"] = json::parse(keys);
    EXPECT_TRUE(parse(object).fp8) << keys;
    EXPECT_EQ(parse(object).fp8_block, ScaleBlock{});
    EXPECT_TRUE(parse(object).notes.empty()) << keys;
  }
  json object = v3();
  object["quantization_config"]["weight_block_size"] = {64, 32};
  EXPECT_EQ(parse(object).fp8_block, (ScaleBlock{64, 32}));
}

TEST(HfConfig, FilesThatAreNoConfigurationSaySo) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "does not exist"));
  write_file(folder / "config.json", "{");
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "is not JSON"));
  write_file(folder / "config.json", "[]");
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "is not an object"));
  write_file(folder / "config.json", "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "is a Git LFS pointer"));
  write_file(folder / "config.json", "Entry not found");
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "an error message"));
  fs::remove(folder / "config.json");
  fs::create_symlink("../gone", folder / "config.json");
  EXPECT_TRUE(contains(error_of([&] { read_hf_config(folder.path()); }), "is a link to ../gone"));
}

/// What a chat, and a sample of a run, stops at.
TEST(EndTokens, AreThoseOfBothFiles) {
  const TemporaryFolder folder;
  using Ends = std::vector<std::int32_t>;
  HfConfig config;
  EXPECT_TRUE(end_tokens(folder.path(), config).empty());
  config.eos_token_ids = {1, 303};
  EXPECT_EQ(end_tokens(folder.path(), config), (Ends{1, 303}));
  write_file(folder / "generation_config.json", R"({"eos_token_id": [7.0, 1], "top_p": 0.9})");
  EXPECT_EQ(end_tokens(folder.path(), config), (Ends{1, 303, 7}));
  for (const char* none : {R"({"eos_token_id": null})", R"({"eos_token_id": -1})", "{}"}) {
    write_file(folder / "generation_config.json", none);
    EXPECT_EQ(end_tokens(folder.path(), config), (Ends{1, 303})) << none;
  }
}

TEST(EndTokens, AFileThatIsNoneSaysSo) {
  const TemporaryFolder folder;
  const auto error_for = [&](const char* text) {
    write_file(folder / "generation_config.json", text);
    return error_of([&] { end_tokens(folder.path(), {}); });
  };
  for (const char* wrong :
       {R"({"eos_token_id": "end"})", R"({"eos_token_id": [1, -2]})", R"({"eos_token_id": 1.5})",
        R"({"eos_token_id": {}})", R"({"eos_token_id": 4294967296})"}) {
    EXPECT_TRUE(contains(error_for(wrong), "eos_token_id")) << wrong;
    EXPECT_TRUE(contains(error_for(wrong), "generation_config.json")) << wrong;
  }
  EXPECT_TRUE(contains(error_for("[]"), "is not an object"));
  EXPECT_TRUE(contains(error_for("{"), "is not JSON"));
  EXPECT_TRUE(contains(error_for("<!doctype html>"), "is a web page"));
  EXPECT_TRUE(
      contains(error_for("version https://git-lfs.github.com/spec/v1\n"), "Git LFS pointer"));
  fs::remove(folder / "generation_config.json");
  fs::create_symlink("../gone", folder / "generation_config.json");
  EXPECT_TRUE(contains(error_of([&] { end_tokens(folder.path(), {}); }), "is a link to ../gone"));
}

}  // namespace
}  // namespace tessera
