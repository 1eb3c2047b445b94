// SPDX-License-Identifier: MIT
// Small models against what transformers computes with them, in the many forms in which people's
// folders hold a model; and that a comparison can fail.
#include "core/eval/verify.h"

#include <algorithm>

#include "tests/checkpoint/golden_models.h"

#include "tests/build_paths.h"

namespace tessera {
namespace {

using namespace testing;
using nlohmann::json;

VerifyOptions options_for(const fs::path& folder) {
  VerifyOptions options;
  options.model = folder;
  options.reference = folder / "reference.safetensors";
  if (fs::exists(folder / "grads.safetensors")) options.grads = folder / "grads.safetensors";
  if (fs::exists(folder / "train.json")) options.train = folder;
  return options;
}

void expect_within_tolerances(const VerifyOptions& options, std::size_t least_rows) {
  const std::vector<VerifyRow> rows = verify(options);
  EXPECT_GE(rows.size(), least_rows);
  for (const VerifyRow& row : rows) {
    EXPECT_LE(row.error, row.tolerance) << row.what << " (" << row.measure << ")";
  }
}

TEST(Verify, DeepSeekV3WithGradientsAndTraining) {
  expect_within_tolerances(options_for(golden_models() / "v3"), 60);
}

TEST(Verify, MoonlightWithGradients) {
  // rms_norm_eps is 1e-5 and the latents are small: the norms of the latents keep 1e-6.
  expect_within_tolerances(options_for(golden_models() / "moonlight"), 50);
}

TEST(Verify, Fp8) {
  expect_within_tolerances(options_for(golden_models() / "fp8"), 2);
}

/// One of the ways in which folders differ from the released form and hold the same model.
struct Form {
  const char* name;
  const char* base;  ///< golden folder whose recorded outputs hold
  void (*edit)(EditableModel& model);
};

class Forms : public ::testing::TestWithParam<Form> {};

TEST_P(Forms, ComputeTheSame) {
  const TemporaryFolder folder;
  EditableModel model(GetParam().base);
  GetParam().edit(model);
  model.write(folder / "model");
  VerifyOptions options;
  options.model = folder / "model";
  options.reference = golden_models() / GetParam().base / "reference.safetensors";
  expect_within_tolerances(options, 2);
}

void add_rotary_tables(EditableModel& model) {
  for (int layer = 0; layer < 3; ++layer) {
    model.add(fmt::format("model.layers.{}.self_attn.rotary_emb.inv_freq", layer),
              model.memory().numbers({4}, 1));
  }
}

void fuse_all_experts(EditableModel& model) {
  for (int layer : {1, 2}) model.fuse_experts(layer, 8);
}

void write_whole_numbers_as_floats(EditableModel& model) {
  for (const char* key : {"max_position_embeddings", "n_routed_experts", "hidden_size",
                          "num_hidden_layers", "eos_token_id", "moe_layer_freq"}) {
    model.config[key] = model.config[key].get<double>();
  }
}

void tie_in_config_alone(EditableModel& model) {
  model.config["tie_word_embeddings"] = true;
}

void make_half_of_a_picture_model(EditableModel& model) {
  json outer = {{"model_type", "kimi_vl"},
                {"architectures", {"KimiVLForConditionalGeneration"}},
                {"text_config", model.config},
                {"vision_config", {{"hidden_size", 8}}}};
  model.config = outer;
  model.rename([](const std::string& name) { return "language_model." + name; });
  model.add("vision_tower.patch.weight", model.memory().numbers({8, 8}, 1));
}

void make_half_as_transformers5_names_it(EditableModel& model) {
  make_half_of_a_picture_model(model);
  model.rename([](const std::string& name) -> std::string {
    const std::string old = "language_model.model.";
    if (name.starts_with(old)) return "model.language_model." + name.substr(old.size());
    return name == "language_model.lm_head.weight" ? "lm_head.weight" : "model." + name;
  });
}

void mix_types(EditableModel& model) {
  const DType types[] = {DType::F32, DType::F16, DType::BF16, DType::F64};
  std::size_t next = 0;
  const std::vector<NamedTensor> tensors = model.tensors();
  for (const NamedTensor& tensor : tensors) {
    const DType type = types[next++ % 4];
    if (tensor.data.dtype() == DType::BF16 && type != DType::BF16) {
      model.store_as(tensor.name, type);
    }
  }
}

void add_two_mtp_layers_to_config(EditableModel& model) {
  model.config["num_nextn_predict_layers"] = 2;
}

void add_two_mtp_layers(EditableModel& model) {
  add_two_mtp_layers_to_config(model);
  for (const char* layer : {"model.layers.3.", "model.layers.4."}) {
    model.add(std::string(layer) + "eh_proj.weight", model.memory().numbers({32, 64}, 1));
  }
}

void set_fp8_keys(EditableModel& model, const char* keys) {
  model.config["quantization_config"] = json::parse(keys);
}

INSTANTIATE_TEST_SUITE_P(
    All, Forms,
    ::testing::Values(
        Form{"RotaryTablesInTheFile", "moonlight", add_rotary_tables},
        Form{"ExpertsInOneTensor", "moonlight", fuse_all_experts},
        Form{"ExpertsInOneTensorWithGroups", "v3", fuse_all_experts},
        Form{"WholeNumbersAsFloats", "moonlight", write_whole_numbers_as_floats},
        Form{"TiedInConfigOwnHeadInFile", "v3", tie_in_config_alone},
        Form{"HalfOfAPictureModel", "moonlight", make_half_of_a_picture_model},
        Form{"HalfAsTransformers5NamesIt", "moonlight", make_half_as_transformers5_names_it},
        Form{"ManyTypes", "v3", mix_types},
        Form{"TwoMtpLayersInConfigNoneInFile", "v3", add_two_mtp_layers_to_config},
        Form{"TwoMtpLayers", "v3", add_two_mtp_layers},
        Form{"KeysOfFineTuningPrograms", "v3",
             [](EditableModel& m) {
               m.config.update({{"unsloth_fixed", true}, {"unsloth_version", "2026.9.1"}});
             }},
        Form{"FamilyByItsArchitecture", "v3",
             [](EditableModel& m) { m.config["model_type"] = "my_finetune"; }},
        Form{"MarkerWithoutElements", "v3",
             [](EditableModel& m) { m.add("scaled_fp8", m.memory().zeros(DType::F8E4M3, {0})); }},
        Form{"FeedForwardInOneTensor", "v3",
             [](EditableModel& m) {
               const std::string p = "model.layers.0.mlp.";
               const Tensor both = m.stacked({p + "gate_proj.weight", p + "up_proj.weight"});
               m.remove(p + "gate_proj.weight");
               m.remove(p + "up_proj.weight");
               m.add(p + "gate_up_proj.weight", both);
             }},
        Form{"QuantisedInConfigAlone", "v3",
             [](EditableModel& m) {
               set_fp8_keys(m, R"({"quant_method":"fp8","weight_block_size":[128,128]})");
             }},
        Form{"Fp8ByTransformers5", "fp8",
             [](EditableModel& m) {
               set_fp8_keys(m, R"({"quant_method":"fp8","modules_to_not_convert":["lm_head"],
                 "modules_to_convert":null,"activation_scheme":"dynamic",
                 "weight_block_size":[128,128],"dequantize":false,"scale_fmt":"float",
                 "expert_dtype":"fp8"})");
             }},
        Form{"Fp8WithIgnoredLayers", "fp8",
             [](EditableModel& m) {
               set_fp8_keys(m, R"({"quant_method":"fp8","fmt":"e4m3","ignored_layers":["lm_head"],
                 "modules_to_not_convert":null,"activation_scheme":"dynamic",
                 "weight_block_size":[128.0,128.0],"scale_fmt":"float"})");
             }},
        Form{"Fp8OfAnotherNameWithStaticActivations", "fp8",
             [](EditableModel& m) {
               set_fp8_keys(m, R"({"quant_method":"fp8","activation_scheme":"static",
                 "weight_block_size":[128,128]})");
               m.rename([](const std::string& name) {
                 const bool scale = name.ends_with("_scale_inv");
                 return scale ? name.substr(0, name.size() - 4) : name;
               });
               m.add("model.layers.0.self_attn.o_proj.input_scale", m.memory().numbers({1}, 1));
             }},
        Form{"Fp8ByCompressedTensors", "fp8",
             [](EditableModel& m) {
               set_fp8_keys(m, R"({"quant_method":"compressed-tensors","format":"float-quantized",
                 "ignore":["lm_head"],"config_groups":{"group_0":{"targets":["Linear"],
                 "weights":{"num_bits":8,"type":"float","strategy":"block","symmetric":true,
                 "block_structure":[128,128]},"input_activations":{"num_bits":8}}}})");
             }},
        Form{"Fp8NotInConfig", "fp8",
             [](EditableModel& m) { m.config.erase("quantization_config"); }}),
    [](const auto& form) { return std::string(form.param.name); });

/// Configurations with recorded outputs of their own, over the weights of v3.
class Variants : public ::testing::TestWithParam<const char*> {
 protected:
  /// Writes the part of variants.safetensors that is of one variant.
  static void write_reference(const fs::path& file, const std::string& variant) {
    const SafetensorsFile all(golden_models() / "variants.safetensors");
    std::vector<NamedTensor> tensors;
    for (const StoredTensor& tensor : all.tensors()) {
      const std::string prefix = variant + "/";
      if (!tensor.name.starts_with(prefix)) continue;
      tensors.push_back({tensor.name.substr(prefix.size()), tensor.view()});
    }
    write_safetensors(file, tensors);
  }
  static EditableModel model_of(const std::string& variant) {
    EditableModel model("v3");
    model.config.merge_patch(json::parse(read_file(golden_models() / "variants.json")).at(variant));
    const json& config = model.config;
    const bool v2 = config["model_type"] == "deepseek_v2";
    if (v2 && config["topk_method"] != "noaux_tc") {
      model.remove_if(
          [](const std::string& name) { return name.ends_with("e_score_correction_bias"); });
    }
    if (config["tie_word_embeddings"] == true) model.remove("lm_head.weight");
    if (config["n_shared_experts"] == 0) give_shared_experts_no_rows(model);
    return model;
  }
  /// As transformers saves such a model.
  static void give_shared_experts_no_rows(EditableModel& model) {
    model.remove_if([](const std::string& name) { return contains_part(name, "shared_experts"); });
    for (const char* layer : {"model.layers.1.", "model.layers.2."}) {
      const std::string prefix = std::string(layer) + "mlp.shared_experts.";
      const Tensor no_rows = model.memory().zeros(DType::BF16, {0, 32});
      model.add(prefix + "gate_proj.weight", no_rows);
      model.add(prefix + "up_proj.weight", no_rows);
      model.add(prefix + "down_proj.weight", model.memory().zeros(DType::BF16, {32, 0}));
    }
  }
  static bool contains_part(const std::string& name, const std::string& part) {
    return name.find(part) != std::string::npos;
  }
  void expect_recorded(const EditableModel& model, const std::string& variant) {
    model.write(folder_ / "model");
    write_reference(folder_ / "reference.safetensors", variant);
    VerifyOptions options;
    options.model = folder_ / "model";
    options.reference = folder_ / "reference.safetensors";
    expect_within_tolerances(options, 2);
  }
  TemporaryFolder folder_;
};

TEST_P(Variants, AreAsRecorded) {
  expect_recorded(model_of(GetParam()), GetParam());
}

TEST_F(Variants, V2LiteSavedAgainByTransformers5) {
  EditableModel model = model_of("v2-lite");
  model.config["rope_parameters"] = model.config["rope_scaling"];
  model.config["rope_parameters"].update({{"rope_type", "yarn"}, {"rope_theta", 10000}});
  for (const char* key : {"rope_scaling", "rope_theta", "torch_dtype"}) model.config.erase(key);
  model.config.update({{"dtype", "bfloat16"}, {"head_dim", 64}, {"mlp_bias", false}});
  expect_recorded(model, "v2-lite");
}

TEST_F(Variants, Glm4MoeLiteWithAListOfLayers) {
  EditableModel model = model_of("glm4-moe-lite");
  model.config.erase("first_k_dense_replace");
  model.config["mlp_layer_types"] = {"dense", "sparse", "sparse"};
  expect_recorded(model, "glm4-moe-lite");
}

INSTANTIATE_TEST_SUITE_P(All, Variants,
                         ::testing::Values("kimi-k2", "glm4-moe-lite", "tied", "no-shared-experts",
                                           "v2-lite", "v2-by-groups", "v2-greedy-normalised",
                                           "v2-by-groups-normalised", "v2-with-bias",
                                           "v2-with-bias-normalised"),
                         [](const auto& variant) {
                           std::string name = variant.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// In BF16 logits come close, and not too close: the recipe is really in use.
TEST(Verify, Bf16IsMeasuredNotHidden) {
  VerifyOptions options = options_for(golden_models() / "moonlight");
  options.grads.clear();
  options.recipe = Recipe::Bf16;
  bool found = false;
  for (const VerifyRow& row : verify(options)) {
    if (row.what != "loss") continue;
    found = true;
    EXPECT_GT(row.error, 1e-6);
    EXPECT_LT(row.error, 2e-2);
  }
  EXPECT_TRUE(found);
}

/// A model that cannot be opened is told of even where the recording is not there either.
TEST(Verify, ABrokenModelIsToldFirst) {
  const TemporaryFolder folder;
  EditableModel("v3").write_config(folder.path());
  fs::create_symlink("../blobs/gone", folder / "model.safetensors");
  VerifyOptions options;
  options.model = folder.path();
  options.reference = "anything";
  EXPECT_TRUE(contains(error_of([&] { verify(options); }),
                       "model.safetensors] is a link to ../blobs/gone, which is not there"));
}

/// Another model's outputs do not pass.
TEST(Verify, NoticesAnotherModel) {
  VerifyOptions options;
  options.model = golden_models() / "v3";
  options.reference = golden_models() / "moonlight" / "reference.safetensors";
  bool failed = false;
  for (const VerifyRow& row : verify(options)) failed = failed || !row.passed();
  EXPECT_TRUE(failed);
}

/// Recordings that were made with other types and shapes.
class Recordings : public ::testing::Test {
 protected:
  Recordings() : file_(golden_models() / "v3" / "reference.safetensors") {}
  std::int64_t id(std::int64_t row, std::int64_t at) const {
    return file_.at("input_ids").view().data<std::int64_t>()[row * 40 + at];
  }
  Tensor logits_of_rows(std::int64_t rows) { return file_.at("logits").view().slice(0, 0, rows); }
  VerifyOptions options_with(const std::vector<NamedTensor>& tensors) {
    const fs::path path = folder_ / fmt::format("{}.safetensors", ++count_);
    write_safetensors(path, tensors);
    return {.model = golden_models() / "v3", .reference = path, .grads = {}, .train = {}};
  }
  std::string error_with(const std::vector<NamedTensor>& tensors) {
    return error_of([&] { verify(options_with(tensors)); });
  }
  SafetensorsFile file_;
  TemporaryFolder folder_;
  Tensors memory_;
  int count_ = 0;
};

TEST_F(Recordings, IdsMayHave32Bits) {
  const Tensor ids = memory_.zeros(DType::I32, {2, 40});
  for (std::int64_t i = 0; i < 80; ++i) {
    ids.data<std::int32_t>()[i] = static_cast<std::int32_t>(id(i / 40, i % 40));
  }
  const std::vector<VerifyRow> rows =
      verify(options_with({{"input_ids", ids}, {"logits", logits_of_rows(2)}}));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].passed()) << rows[0].error;
}

TEST_F(Recordings, IdsMayBeOneRow) {
  const Tensor ids = memory_.zeros(DType::I64, {40});
  for (std::int64_t i = 0; i < 40; ++i) ids.data<std::int64_t>()[i] = id(0, i);
  const std::vector<VerifyRow> rows =
      verify(options_with({{"input_ids", ids}, {"logits", logits_of_rows(1)}}));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows[0].passed()) << rows[0].error;
}

TEST_F(Recordings, IdsThatCannotBeAreNamedWithTheirFile) {
  const auto error = [&](const Tensor& ids) { return error_with({{"input_ids", ids}}); };
  const Tensor far = memory_.zeros(DType::I64, {1, 4});
  far.data<std::int64_t>()[2] = 96;
  const std::string message = error(far);
  EXPECT_TRUE(contains(message, ".safetensors] input_ids is I64(1, 4)"));
  EXPECT_TRUE(contains(message, "the token 96, where the model has 96"));
  far.data<std::int64_t>()[2] = -1;
  EXPECT_TRUE(contains(error(far), "the token -1"));
  EXPECT_TRUE(contains(error(memory_.numbers({1, 4}, 1)), "expected integers"));
  EXPECT_TRUE(contains(error(memory_.zeros(DType::I64, {2, 3, 4})), "expected the shape"));
  EXPECT_TRUE(contains(error(memory_.zeros(DType::I64, {1, 1})), "two tokens or more"));
  EXPECT_TRUE(contains(error(memory_.zeros(DType::I64, {1, 300})), "room for 256 tokens"));
  EXPECT_TRUE(contains(error_with({{"ids", far}}), "holds no tensor \"input_ids\""));
}

TEST_F(Recordings, WithoutAnythingToCompareIsAnError) {
  const Tensor ids = memory_.zeros(DType::I64, {1, 4});
  EXPECT_TRUE(contains(error_with({{"input_ids", ids}, {"logitz", logits_of_rows(1)}}),
                       "holds nothing that can be compared"));
}

TEST_F(Recordings, ZerosDifferFromWhatIsNotZero) {
  const std::vector<VerifyRow> rows =
      verify(options_with({{"input_ids", file_.at("input_ids").view()},
                           {"logits", memory_.zeros(DType::F32, {2, 40, 96})}}));
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_FALSE(rows[0].passed());
}

}  // namespace
}  // namespace tessera
