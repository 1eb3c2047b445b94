// SPDX-License-Identifier: MIT
// The latent cache gives what a pass over the whole sequence gives, however the tokens come in.
#include "core/infer/engine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "core/infer/generate.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

constexpr Precision kF64{DType::F64, DType::F64};

struct Fixture {
  Model model;
  std::vector<std::int32_t> ids;

  explicit Fixture(ModelConfig config) : model(with_room(config), kF64, false, Device::Cpu) {
    model.initialise(4);
    const Random random(8);
    for (std::uint64_t i = 0; i < 150; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(i, 37)));
    }
  }
  static ModelConfig with_room(ModelConfig config) {
    config.num_nextn_predict_layers = 0;
    config.max_position_embeddings = 256;
    return config;
  }

  /// Logits of the last of the first `count` tokens by a plain pass.
  std::vector<double> plain(std::int64_t count) {
    Arena keep(std::size_t{1} << 28), scratch(std::size_t{1} << 28);
    Context context{.scratch = &scratch};
    Pass pass{context, keep, kF64};
    std::vector<std::int32_t> positions, starts{0, static_cast<std::int32_t>(count)};
    for (std::int32_t i = 0; i < count; ++i) positions.push_back(i);
    ModelStash stash;
    model.forward(
        pass,
        {Tensor(ids.data(), DType::I32, {count}), Tensor(positions.data(), DType::I32, {count}),
         Tensor(starts.data(), DType::I32, {2}), count},
        stash);
    std::vector<double> logits(37);
    model.logits(pass, stash, count - 1, count, Tensor(logits.data(), DType::F64, {1, 37}));
    return logits;
  }
};

void expect_equal(const Tensor& logits, std::int64_t row, const std::vector<double>& wanted) {
  for (std::size_t v = 0; v < wanted.size(); ++v) {
    ASSERT_NEAR(logits.data<double>()[row * 37 + static_cast<std::int64_t>(v)], wanted[v], 1e-10);
  }
}

std::span<const std::int32_t> part(const Fixture& f, std::size_t from, std::size_t to) {
  return std::span(f.ids).subspan(from, to - from);
}

TEST(Engine, PrefillThenTokenByToken) {
  for (const std::int64_t rank : {0, 7}) {
    ModelConfig c = test::small_config();
    c.q_lora_rank = rank;
    Fixture f(c);
    Engine engine(f.model, {.cache_tokens = 256, .cache_dtype = DType::F64});
    CachedSequence s = engine.open();
    expect_equal(engine.append(s, part(f, 0, 61)), 0, f.plain(61));
    for (std::size_t i = 61; i < 70; ++i) {  // over the end of a page
      expect_equal(engine.append(s, part(f, i, i + 1)), 0, f.plain(static_cast<int>(i) + 1));
    }
  }
}

TEST(Engine, LongPromptsInChunksAndSeveralSequences) {
  Fixture f(test::small_config());
  Engine engine(f.model, {.cache_tokens = 512, .chunk_tokens = 48, .cache_dtype = DType::F64});
  CachedSequence a = engine.open(), b = engine.open();
  const std::vector<Append> both{{&a, part(f, 0, 130)}, {&b, part(f, 0, 5)}};
  const Tensor& logits = engine.append(both);
  expect_equal(logits, 0, f.plain(130));
  expect_equal(logits, 1, f.plain(5));
  const std::vector<Append> next{{&b, part(f, 5, 9)}, {&a, part(f, 130, 131)}};
  const Tensor& more = engine.append(next);
  expect_equal(more, 0, f.plain(9));
  expect_equal(more, 1, f.plain(131));
}

TEST(Engine, TruncateGoesBack) {
  Fixture f(test::small_config());
  Engine engine(f.model, {.cache_tokens = 256, .cache_dtype = DType::F64});
  CachedSequence s = engine.open();
  engine.append(s, part(f, 100, 150));
  const std::int64_t free = engine.free_tokens();
  s.truncate(0);
  EXPECT_EQ(engine.free_tokens(), free + 64);
  engine.append(s, part(f, 0, 100));
  s.truncate(70);
  expect_equal(engine.append(s, part(f, 70, 80)), 0, f.plain(80));
}

TEST(Engine, FullCacheIsAnErrorAndLeavesSequencesAlone) {
  Fixture f(test::small_config());
  Engine engine(f.model, {.cache_tokens = 64, .cache_dtype = DType::F64});
  CachedSequence s = engine.open();
  engine.append(s, part(f, 0, 60));
  EXPECT_THROW(engine.append(s, part(f, 60, 70)), Error);
  EXPECT_EQ(s.length(), 60);
  expect_equal(engine.append(s, part(f, 60, 62)), 0, f.plain(62));
}

TEST(Engine, PagesComeBack) {
  Fixture f(test::small_config());
  Engine engine(f.model, {.cache_tokens = 128, .cache_dtype = DType::F64});
  {
    CachedSequence s = engine.open();
    engine.append(s, part(f, 0, 100));
    EXPECT_EQ(engine.free_tokens(), 0);
  }
  EXPECT_EQ(engine.free_tokens(), 128);
}

TEST(Generate, SameSeedSameTokensAndStops) {
  Fixture f(test::small_config());
  Engine engine(f.model, {.cache_tokens = 512, .cache_dtype = DType::F64});
  GenerateOptions options;
  options.max_tokens = 20;
  options.sampling.seed = 3;
  CachedSequence a = engine.open(), b = engine.open();
  const Generated first = generate(engine, a, part(f, 0, 10), options);
  const Generated second = generate(engine, b, part(f, 0, 10), options);
  EXPECT_EQ(first.tokens, second.tokens);
  EXPECT_EQ(first.reason, StopReason::Length);
  options.stop = {first.tokens[4]};
  CachedSequence c = engine.open();
  const Generated third = generate(engine, c, part(f, 0, 10), options);
  EXPECT_EQ(third.reason, StopReason::Stop);
  EXPECT_LE(third.tokens.size(), 4u);
}

}  // namespace
}  // namespace tessera
