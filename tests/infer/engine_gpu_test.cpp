// SPDX-License-Identifier: MIT
// Decoding on a GPU: graphs change no bit, and where rows are to be alone neither does what runs
// beside them. Without a GPU the tests are skipped with a message.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "core/base/backend.h"
#include "core/base/random.h"
#include "core/infer/generate.h"

namespace tessera {
namespace {

ModelConfig gpu_config() {
  ModelConfig c;
  c.vocab_size = 1000;
  c.hidden_size = 256;
  c.num_hidden_layers = 3;
  c.max_position_embeddings = 4096;
  c.num_attention_heads = 4;
  c.q_lora_rank = 128;
  c.kv_lora_rank = 256;
  c.qk_nope_head_dim = 64;
  c.qk_rope_head_dim = 64;
  c.v_head_dim = 64;
  c.first_k_dense_replace = 1;
  c.intermediate_size = 512;
  c.moe_intermediate_size = 128;
  c.n_routed_experts = 16;
  c.n_shared_experts = 2;
  c.num_experts_per_tok = 4;
  c.n_group = 4;
  c.topk_group = 2;
  c.num_nextn_predict_layers = 0;
  c.initializer_range = 0.05;
  return c;
}

class EngineOnGpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (devices().empty()) GTEST_SKIP() << "there is no GPU here";
    load_cuda_backend();
    model = std::make_unique<Model>(gpu_config(), Precision::of(Recipe::Bf16), false, Device::Cuda);
    model->initialise(5);
    Arena scratch(std::size_t{1} << 28, Device::Cuda);
    Context context{.device = Device::Cuda, .scratch = &scratch};
    model->parameters().refresh_operands(context);
    const Random random(6);
    for (std::uint64_t i = 0; i < 4000; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(i, 1000)));
    }
  }
  std::span<const std::int32_t> part(std::size_t from, std::size_t count) const {
    return std::span(ids).subspan(from, count);
  }
  std::unique_ptr<Model> model;
  std::vector<std::int32_t> ids;
};

/// Logits of `steps` tokens of `count` sequences behind prompts of several lengths, row by row.
std::vector<std::vector<float>> decode(Engine& engine, std::span<const std::int32_t> ids,
                                       std::size_t count, std::size_t steps) {
  std::vector<CachedSequence> sequences;
  std::vector<std::vector<float>> rows;
  for (std::size_t i = 0; i < count; ++i) {
    sequences.push_back(engine.open());
    engine.append(sequences.back(), ids.subspan(i * 37, 20 + i * 61));
  }
  for (std::size_t step = 0; step < steps; ++step) {
    std::vector<Append> work;
    for (std::size_t i = 0; i < count; ++i) {
      work.push_back({&sequences[i], ids.subspan(i * 11 + step, 1)});
    }
    const Tensor& logits = engine.append(work);
    for (std::size_t i = 0; i < count; ++i) {
      rows.push_back(logits_row(logits, static_cast<std::int64_t>(i)));
    }
  }
  return rows;
}

TEST_F(EngineOnGpu, GraphsChangeNoBit) {
  for (const std::size_t count : {1, 3, 8, 13}) {
    Engine plain(*model, {.cache_tokens = 16384, .graphs = false});
    Engine graphs(*model, {.cache_tokens = 16384});
    EXPECT_EQ(decode(graphs, ids, count, 6), decode(plain, ids, count, 6)) << count;
    EXPECT_EQ(plain.step_launches().replayed, 0);
    EXPECT_GE(graphs.step_launches().replayed, 4);
    EXPECT_EQ(graphs.step_launches().refused, 0);
  }
}

TEST_F(EngineOnGpu, FewRowsAgreeWithManyAndWithTheCpu) {
  Model on_cpu(gpu_config(), Precision{}, false, Device::Cpu);
  on_cpu.initialise(5);
  Engine reference(on_cpu, {.cache_tokens = 16384});
  Engine engine(*model, {.cache_tokens = 16384});
  const auto wanted = decode(reference, ids, 10, 1);
  for (const std::size_t count : {10, 4}) {
    const auto got = decode(engine, ids, count, 1);
    std::size_t far = 0;
    for (std::size_t row = 0; row < got.size(); ++row) {
      double difference = 0, size = 0;
      for (std::size_t i = 0; i < wanted[row].size(); ++i) {
        difference += std::pow(got[row][i] - wanted[row][i], 2);
        size += std::pow(wanted[row][i], 2);
      }
      // BF16 in every product, over three layers; a pick of experts that flips costs more.
      far += std::sqrt(difference / size) < 0.03 ? 0 : 1;
    }
    EXPECT_LE(far, count / 4) << count;
  }
}

TEST_F(EngineOnGpu, RowsAloneHaveTheSameBitsWhateverRunsBeside) {
  const EngineOptions options{
      .cache_tokens = 16384, .chunk_tokens = 512, .rows_alone_on_gpu = true};
  Engine engine(*model, options);
  std::vector<std::vector<float>> alone;
  for (std::size_t i = 0; i < 11; ++i) {
    CachedSequence s = engine.open();
    engine.append(s, part(i * 37, 20 + i * 61));
    alone.push_back(logits_row(engine.append(s, part(i * 11, 1)), 0));
  }
  for (const std::size_t count : {1, 2, 5, 8, 9, 11}) {
    const auto beside = decode(engine, ids, count, 1);
    for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(beside[i], alone[i]) << count << " " << i;
  }
  // In one piece, in pieces, and token by token.
  Engine pieces(*model, {.cache_tokens = 16384, .chunk_tokens = 17, .rows_alone_on_gpu = true});
  CachedSequence whole = engine.open(), cut = pieces.open(), single = engine.open();
  const std::vector<float> wanted = logits_row(engine.append(whole, part(100, 90)), 0);
  EXPECT_EQ(logits_row(pieces.append(cut, part(100, 90)), 0), wanted);
  engine.append(single, part(100, 1));
  for (std::size_t i = 1; i < 89; ++i) engine.append(single, part(100 + i, 1));
  EXPECT_EQ(logits_row(engine.append(single, part(189, 1)), 0), wanted);
}

TEST_F(EngineOnGpu, ChoosesAsTheSamplerFromTheSameLogits) {
  Engine engine(*model, {.cache_tokens = 16384});
  std::vector<CachedSequence> sequences;
  for (std::size_t i = 0; i < 12; ++i) {
    sequences.push_back(engine.open());
    engine.append(sequences.back(), part(i, 30));
  }
  for (std::uint64_t step = 0; step < 50; ++step) {
    std::vector<Append> work;
    std::vector<SamplingOptions> options;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      SamplingOptions o{.temperature = 0.3 * static_cast<double>(i % 5), .seed = i};
      if (i % 3 == 1) o.top_k = 20;
      if (i % 4 == 2) o.min_p = 0.05;
      o.top_p = i % 2 == 0 ? 1 : 0.9;
      options.push_back(o);
      work.push_back({&sequences[i], part(i + 30 + step, 1)});
      work.back().draw = device_draw(o, step);
    }
    const Tensor& logits = engine.append(work);
    for (std::size_t i = 0; i < work.size(); ++i) {
      ASSERT_TRUE(engine.chosen(i));
      const Choice wanted =
          sample(logits_row(logits, static_cast<std::int64_t>(i)), options[i], step);
      EXPECT_EQ(engine.chosen(i)->id, wanted.chosen.id) << step << " " << i;
      EXPECT_NEAR(engine.chosen(i)->probability, wanted.chosen.probability, 1e-6);
    }
  }
  EXPECT_GT(engine.step_launches().replayed, 40);
}

TEST_F(EngineOnGpu, GraphsFollowMemoryThatMoves) {
  Engine engine(*model, {.cache_tokens = 65536});
  Engine plain(*model, {.cache_tokens = 65536, .graphs = false});
  for (const std::size_t count : {2, 40, 2, 3}) {  // logits and inputs grow in between
    EXPECT_EQ(decode(engine, ids, count, 3), decode(plain, ids, count, 3)) << count;
  }
}

}  // namespace
}  // namespace tessera
