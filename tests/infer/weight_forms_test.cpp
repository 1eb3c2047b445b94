// SPDX-License-Identifier: MIT
// The forms in which inference holds weights: each number once, the same text as before where the
// form computes the same, and in every form the same bits whatever runs beside a sequence.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "core/infer/engine.h"
#include "core/infer/text_model.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

constexpr WeightForm kPackedForms[] = {WeightForm::Q8_0, WeightForm::Q4_0};

/// As tiny_config(), with rows that are whole blocks. `nope` 32: the heads' halves are too.
ModelConfig blocks_config(std::int64_t nope = 16) {
  ModelConfig c = test::tiny_config();
  c.hidden_size = 64;
  c.q_lora_rank = 32;
  c.kv_lora_rank = 32;
  c.qk_nope_head_dim = nope;
  c.v_head_dim = 16;
  c.intermediate_size = 96;
  c.moe_intermediate_size = 32;
  c.n_shared_experts = 1;
  return c;
}

std::vector<std::int32_t> ids_of(const ModelConfig& config, std::int64_t count,
                                 std::uint64_t stream) {
  const Random random(2, stream);
  std::vector<std::int32_t> ids;
  const auto vocabulary = static_cast<std::uint64_t>(config.vocab_size);
  for (std::int64_t i = 0; i < count; ++i) {
    ids.push_back(
        static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(i), vocabulary)));
  }
  return ids;
}

std::vector<float> numbers_of(const Tensor& logits) {
  return {logits.data<float>(), logits.data<float>() + logits.numel()};
}

std::unique_ptr<Model> random_model(const ModelConfig& config, const Precision& precision) {
  auto model = std::make_unique<Model>(config, precision, /*for_training=*/false, Device::Cpu);
  model->initialise(7);
  Arena scratch(std::size_t{1} << 26);
  Context context{.scratch = &scratch};
  model->parameters().refresh_operands(context);
  return model;
}

Precision reading(Recipe recipe, WeightForm form) {
  return Precision::reading(recipe, form, Device::Cpu);
}

/// Logits of all of the tokens, read in one piece.
std::vector<float> all_logits(const Model& model, const std::vector<std::int32_t>& ids) {
  Engine engine(model, {.cache_tokens = 128});
  CachedSequence sequence = engine.open();
  const Append work{&sequence, ids, std::ssize(ids)};
  return numbers_of(engine.append(std::span(&work, 1)));
}

/// The same, token by token, with another sequence beside it in every pass.
std::vector<float> logits_beside(const Model& model, const std::vector<std::int32_t>& ids,
                                 std::uint64_t other) {
  Engine engine(model, {.cache_tokens = 512, .chunk_tokens = 7});
  CachedSequence sequence = engine.open(), beside = engine.open();
  const std::vector<std::int32_t> others = ids_of(model.config(), 3 * std::ssize(ids), other);
  std::vector<float> logits;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::span<const std::int32_t> both[] = {
        std::span<const std::int32_t>(others).subspan(3 * i, 3),
        std::span<const std::int32_t>(ids).subspan(i, 1)};
    const Append work[] = {{&beside, both[0]}, {&sequence, both[1]}};
    const std::vector<float> two = numbers_of(engine.append(work));
    logits.insert(logits.end(), two.begin() + std::ssize(two) / 2, two.end());
  }
  return logits;
}

void expect_same(const std::vector<float>& a, const std::vector<float>& b) {
  ASSERT_EQ(a.size(), b.size());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)), 0);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference += std::pow(static_cast<double>(a[i]) - b[i], 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return std::sqrt(difference / size);
}

struct NamedForm {
  const char* name;
  Recipe recipe;
  WeightForm form;
  bool tied = false;
  std::int64_t nope = 16;
};
constexpr NamedForm kForms[] = {{"fp32", Recipe::Fp32, WeightForm::Masters},
                                {"bf16", Recipe::Bf16, WeightForm::Masters},
                                {"bf16_tied", Recipe::Bf16, WeightForm::Masters, true},
                                {"q8_0", Recipe::Fp32, WeightForm::Q8_0},
                                {"q8_0_tied", Recipe::Fp32, WeightForm::Q8_0, true},
                                {"q8_0_heads", Recipe::Fp32, WeightForm::Q8_0, false, 32},
                                {"q4_0", Recipe::Fp32, WeightForm::Q4_0},
                                {"q4_0_heads", Recipe::Fp32, WeightForm::Q4_0, true, 32}};

class EveryForm : public ::testing::TestWithParam<NamedForm> {
 protected:
  ModelConfig config() const {
    ModelConfig c = blocks_config(GetParam().nope);
    c.tie_word_embeddings = GetParam().tied;
    return c;
  }
};

TEST_P(EveryForm, LogitsDoNotDependOnChunksOrWhatRunsBesideOrThreads) {
  const auto model = random_model(config(), reading(GetParam().recipe, GetParam().form));
  const std::vector<std::int32_t> ids = ids_of(model->config(), 21, 1);
  const std::vector<float> once = all_logits(*model, ids);
  expect_same(logits_beside(*model, ids, 2), once);
  expect_same(logits_beside(*model, ids, 3), once);
  const int before = omp_get_max_threads();
  for (const int threads : {1, 3}) {
    omp_set_num_threads(threads);
    expect_same(all_logits(*model, ids), once);
  }
  omp_set_num_threads(before);
}

TEST_P(EveryForm, AFolderGivesTheModelThatWasMade) {
  const test::ScratchFolder scratch;
  test::write_released_model(scratch.path / "model", 7, config());
  const TextModelOptions options{.recipe = GetParam().recipe, .weights = GetParam().form};
  const LoadedText text = load_text(scratch.path / "model", options);
  const auto made = random_model(config(), reading(GetParam().recipe, GetParam().form));
  const std::vector<std::int32_t> ids = ids_of(made->config(), 9, 4);
  expect_same(all_logits(*text.loaded.model, ids), all_logits(*made, ids));
  EXPECT_EQ(text.loaded.model->weight_bytes(), made->weight_bytes());
  EXPECT_EQ(text.loaded.model->precision().weight_name(),
            std::string(GetParam().name).substr(0, 4));
}

INSTANTIATE_TEST_SUITE_P(All, EveryForm, ::testing::ValuesIn(kForms),
                         [](const auto& tested) { return std::string(tested.param.name); });

TEST(WeightForms, HoldingOperandsOnceComputesTheSame) {
  for (const bool tied : {false, true}) {
    ModelConfig config = blocks_config();
    config.tie_word_embeddings = tied;
    const auto both = random_model(config, Precision::of(Recipe::Bf16));
    const auto once = random_model(config, reading(Recipe::Bf16, WeightForm::Masters));
    const std::vector<std::int32_t> ids = ids_of(config, 13, 5);
    expect_same(all_logits(*once, ids), all_logits(*both, ids));
    EXPECT_LT(once->weight_bytes(), both->weight_bytes());
    if (!tied) {
      EXPECT_EQ(once->parameters().find("lm_head.weight").value.rank(), 0);
    }
  }
}

/// The halves of heads are packed along the numbers that are summed: they are the same blocks where
/// rows are, and blocks of their own where columns are.
TEST(WeightForms, HalvesOfHeadsArePackedAlongTheirSums) {
  const auto model = random_model(blocks_config(32), reading(Recipe::Fp32, WeightForm::Q8_0));
  const auto plain = random_model(blocks_config(32), Precision::of(Recipe::Fp32));
  const std::string name = "model.layers.1.self_attn.kv_b_proj.weight";
  const Parameter& p = model->parameters().find(name);
  const float* wanted = plain->parameters().find(name).value.data<float>();
  ASSERT_TRUE(p.packed_t);
  EXPECT_EQ(p.value.rank(), 0);
  std::vector<float> turned(2 * 32 * 32);
  kernels::unpack_weight(p.packed_t, Tensor(turned.data(), DType::F32, {2, 32, 32}));
  for (std::size_t head = 0; head < 2; ++head) {
    for (std::size_t row = 0; row < 32; ++row) {
      for (std::size_t column = 0; column < 32; ++column) {
        EXPECT_NEAR(turned[(head * 32 + column) * 32 + row],
                    wanted[(head * (32 + 16) + row) * 32 + column], 0.01);
      }
    }
  }
}

/// The numbers of the blocks in F32 give the same logits, but for activations in 16 bits.
TEST(WeightForms, PackedWeightsComputeWithTheNumbersOfTheirBlocks) {
  for (const WeightForm form : kPackedForms) {
    const ModelConfig config = blocks_config();
    const auto packed = random_model(config, reading(Recipe::Fp32, form));
    const auto plain = random_model(config, Precision::of(Recipe::Fp32));
    std::int64_t unpacked = 0;
    for (const Parameter& p : packed->parameters().all()) {
      if (!p.packed) continue;
      const Tensor to = plain->parameters().find(p.name).value;
      kernels::unpack_weight(p.packed, to);
      ++unpacked;
    }
    EXPECT_EQ(unpacked, 3 * 4 + 2 + 2 * 4 + 1);  // attention, dense, experts and shared, head
    // Halves of heads are near the numbers of their rows, and no further than those of the rest.
    const auto by_heads = random_model(blocks_config(32), reading(Recipe::Fp32, form));
    const auto full = random_model(blocks_config(32), Precision::of(Recipe::Fp32));
    const std::vector<std::int32_t> few = ids_of(config, 15, 9);
    EXPECT_LT(distance(all_logits(*by_heads, few), all_logits(*full, few)),
              form == WeightForm::Q8_0 ? 0.12 : 0.8);
    const std::vector<std::int32_t> ids = ids_of(config, 15, 6);
    EXPECT_LT(distance(all_logits(*packed, ids), all_logits(*plain, ids)), 2e-4);
  }
}

TEST(WeightForms, TakeTheMemoryThatTheirNumbersNeed) {
  const ModelConfig config = blocks_config();
  const auto bytes = [&](const Precision& precision) {
    double sum = 0;
    const auto model = random_model(config, precision);
    for (const Parameter& p : model->parameters().all()) {
      if (p.reads != Parameter::Reads::Product) continue;  // norms, gate, table, halves of heads
      sum += static_cast<double>(p.value ? p.value.bytes() : 0) +
             static_cast<double>(ParameterSet::operand_bytes(p));
    }
    return sum;
  };
  const double full = bytes(Precision::of(Recipe::Fp32));
  const auto head = 4.0 * static_cast<double>(config.vocab_size * config.hidden_size);
  EXPECT_DOUBLE_EQ(bytes(Precision::of(Recipe::Bf16)), 1.5 * full);
  EXPECT_DOUBLE_EQ(bytes(reading(Recipe::Bf16, WeightForm::Masters)), full / 2);
  EXPECT_DOUBLE_EQ(bytes(reading(Recipe::Fp32, WeightForm::Q8_0)), full * 34 / 128);
  EXPECT_DOUBLE_EQ(bytes(reading(Recipe::Fp32, WeightForm::Q4_0)),
                   full * 18 / 128 + head * 16 / 128);  // the head has 8 bits
}

/// The words of the error that loading gives.
std::string error_of_loading(const ModelConfig& config, const TextModelOptions& options,
                             float damage = 0.f) {
  const test::ScratchFolder scratch;
  Model model(config, Precision{}, false, Device::Cpu);
  model.initialise(1);
  if (damage != 0.f) {
    const Parameter& experts = model.parameters().find("model.layers.1.mlp.experts.gate_up_proj");
    experts.parts.at(3).value.data<float>()[37] = damage;  // gate and up of two experts
  }
  const test::ScratchFolder vocabulary;
  test::tiny_tokenizer()->save(vocabulary.path);
  HfConfig written;
  written.model = config;
  export_folder(scratch.path / "model", written, released_weights(model),
                {.dtype = DType::F32, .files = {vocabulary.path / "tokenizer.model"}});
  try {
    load_text(scratch.path / "model", options);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(WeightForms, RefusalsNameTheTensor) {
  for (const WeightForm form : kPackedForms) {
    ModelConfig narrow = blocks_config();
    narrow.moe_intermediate_size = 24;
    const std::string shape = error_of_loading(narrow, {.weights = form});
    EXPECT_NE(shape.find("model.layers.1.mlp.experts.0.down_proj.weight has rows of 24 numbers"),
              std::string::npos)
        << shape;
    const std::string number = error_of_loading(blocks_config(), {.weights = form}, std::nanf(""));
    EXPECT_NE(number.find("model.layers.1.mlp.experts.1.up_proj.weight has a number in column 37"),
              std::string::npos)
        << number;
    EXPECT_EQ(error_of_loading(blocks_config(), {.weights = form}), "");
    const std::string recipe =
        error_of_loading(blocks_config(), {.recipe = Recipe::Bf16, .weights = form});
    EXPECT_NE(recipe.find("is computed with at precision fp32, not bf16"), std::string::npos)
        << recipe;
  }
  EXPECT_THROW(Precision::reading(Recipe::Fp32, WeightForm::Q8_0, Device::Cuda), Error);
  EXPECT_THROW(weight_form_from_name("q5_0"), Error);
}

}  // namespace
}  // namespace tessera
