// SPDX-License-Identifier: MIT
// Decoding steps as the GPU has them, on the CPU: the same logits and the same tokens as without
// them, whatever runs together and however it is padded.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "core/infer/generate.h"
#include "core/infer/scheduler.h"
#include "core/infer/text_model.h"
#include "core/model/router_observer.h"
#include "kernels/choose/choose.h"
#include "tests/infer/tiny_model.h"
#include "tests/model/small_model.h"

namespace tessera {
namespace {

constexpr Precision kExact{DType::F64, DType::F64};

/// A small model in F64, with two engines that differ in the form of their steps.
struct TwoForms {
  Model model;
  std::vector<std::int32_t> ids;
  Engine plain, steps;

  explicit TwoForms(ModelConfig config = test::small_config(), std::int64_t chunk = 48)
      : model(roomy(config), kExact, false, Device::Cpu),
        plain(made(), {.cache_tokens = 1024, .chunk_tokens = chunk, .cache_dtype = DType::F64}),
        steps(model, {.cache_tokens = 1024,
                      .chunk_tokens = chunk,
                      .cache_dtype = DType::F64,
                      .steps_of_gpu = true}) {
    const Random random(8);
    for (std::uint64_t i = 0; i < 400; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(i, 37)));
    }
  }
  static ModelConfig roomy(ModelConfig config) {
    config.num_nextn_predict_layers = 0;
    config.max_position_embeddings = 256;
    return config;
  }
  const Model& made() {
    model.initialise(4);
    return model;
  }
  std::span<const std::int32_t> part(std::size_t from, std::size_t count) const {
    return std::span(ids).subspan(from, count);
  }
};

void expect_alike(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.size(0), b.size(0));
  for (std::int64_t i = 0; i < a.numel(); ++i) {
    ASSERT_NEAR(a.data<double>()[i], b.data<double>()[i], 1e-10) << i;
  }
}

/// The same work to both engines.
void expect_both(TwoForms& f, std::vector<CachedSequence>& plain,
                 std::vector<CachedSequence>& steps, const std::vector<Append>& work) {
  std::vector<Append> other = work;
  for (Append& item : other) {
    const auto at = std::find_if(plain.begin(), plain.end(),
                                 [&](const CachedSequence& s) { return &s == item.sequence; });
    item.sequence = &steps[static_cast<std::size_t>(at - plain.begin())];
  }
  expect_alike(f.plain.append(work), f.steps.append(other));
}

TEST(EngineSteps, HaveTheLogitsOfPlainPasses) {
  for (const std::int64_t rank : {0, 7}) {
    ModelConfig config = test::small_config();
    config.q_lora_rank = rank;
    if (rank == 0) config.n_shared_experts = 0;
    TwoForms f(config);
    std::vector<CachedSequence> plain, steps;
    for (int i = 0; i < 11; ++i) {  // more than kFewRows
      plain.push_back(f.plain.open());
      steps.push_back(f.steps.open());
    }
    const auto all = [&](std::size_t count, auto tokens) {
      std::vector<Append> work;
      for (std::size_t i = 0; i < count; ++i) work.push_back({&plain[i], f.part(i * 7, tokens(i))});
      return work;
    };
    expect_both(f, plain, steps, all(11, [](std::size_t i) { return 1 + i * 9; }));
    for (const std::size_t count : {1, 2, 3, 5, 8, 9, 11}) {
      expect_both(f, plain, steps, all(count, [](std::size_t) { return 1; }));
    }
  }
}

TEST(EngineSteps, StandBesidePrompts) {
  TwoForms f;
  std::vector<CachedSequence> plain, steps;
  for (int i = 0; i < 5; ++i) {
    plain.push_back(f.plain.open());
    steps.push_back(f.steps.open());
  }
  expect_both(f, plain, steps, {{&plain[0], f.part(0, 60)}, {&plain[1], f.part(9, 3)}});
  // Steps, a prompt that begins and one that goes on, logits of several tokens or of none.
  expect_both(f, plain, steps,
              {{&plain[0], f.part(1, 1)},
               {&plain[1], f.part(2, 1)},
               {&plain[2], f.part(50, 100), 3},
               {&plain[1], f.part(90, 2)},
               {&plain[3], f.part(20, 30), 0},
               {&plain[4], f.part(7, 1)}});
  expect_both(f, plain, steps, {{&plain[3], f.part(30, 1), 0}, {&plain[2], f.part(31, 1)}});
}

TEST(EngineSteps, AreAsManyAsAChunkHolds) {
  TwoForms f(test::small_config(), 4);
  std::vector<CachedSequence> plain, steps;
  std::vector<Append> prompts, tokens;
  for (int i = 0; i < 6; ++i) {
    plain.push_back(f.plain.open());
    steps.push_back(f.steps.open());
  }
  for (std::size_t i = 0; i < plain.size(); ++i) {
    prompts.push_back({&plain[i], f.part(i * 20, 5)});
    tokens.push_back({&plain[i], f.part(i, 1)});
  }
  expect_both(f, plain, steps, prompts);
  expect_both(f, plain, steps, tokens);
  EXPECT_EQ(f.steps.step_launches().plain, 2);  // of four rows and of two
}

TEST(EngineSteps, GiveAllPagesBack) {
  TwoForms f;
  EXPECT_EQ(f.steps.pages(), f.plain.pages());
  EXPECT_EQ(f.steps.free_pages(), f.plain.pages());
  {
    CachedSequence a = f.steps.open();
    f.steps.append(a, f.part(0, 100));
    CachedSequence b = f.steps.fork(a, 70);
    const std::vector<Append> work{{&a, f.part(3, 1)}, {&b, f.part(4, 1)}};
    f.steps.append(work);
    EXPECT_EQ(f.steps.free_pages(), f.plain.pages() - 3);
  }
  EXPECT_EQ(f.steps.free_pages(), f.plain.pages());
}

/// What each sequence would get by itself, in an engine without steps.
std::int32_t alone(TwoForms& f, std::span<const std::int32_t> ids, const SamplingOptions& options,
                   std::uint64_t draw) {
  CachedSequence s = f.plain.open();
  const Tensor& logits = f.plain.append(s, ids);
  return sample(logits_row(logits, 0), options, draw).chosen.id;
}

TEST(EngineSteps, ChooseWhatTheSamplerWould) {
  const SamplingOptions kinds[] = {{.temperature = 0},
                                   {.temperature = 1, .top_p = 1, .seed = 1},
                                   {.temperature = 0.7, .top_k = 5, .top_p = 0.9, .seed = 2},
                                   {.temperature = 1.3, .top_p = 1, .min_p = 0.2, .seed = 3}};
  TwoForms f;
  EXPECT_TRUE(f.steps.chooses());
  EXPECT_FALSE(f.plain.chooses());
  for (std::size_t begin = 0; begin < 40; ++begin) {
    std::vector<CachedSequence> sequences;
    std::vector<Append> work, next;
    for (std::size_t i = 0; i < 4; ++i) sequences.push_back(f.steps.open());
    for (std::size_t i = 0; i < 4; ++i) {
      work.push_back({&sequences[i], f.part(begin + i, 3 + i)});
      work.back().draw = device_draw(kinds[i], begin);
      next.push_back({&sequences[i], f.part(begin + 2 * i, 1)});
      next.back().draw = device_draw(kinds[i], begin + 1);
    }
    next[2].draw.reset();
    f.steps.append(work);
    for (std::size_t i = 0; i < 4; ++i) {
      ASSERT_TRUE(f.steps.chosen(i));
      EXPECT_EQ(f.steps.chosen(i)->id, alone(f, f.part(begin + i, 3 + i), kinds[i], begin)) << i;
    }
    f.steps.append(next);
    for (std::size_t i = 0; i < 4; ++i) {
      ASSERT_EQ(f.steps.chosen(i).has_value(), i != 2);
      if (i == 2) continue;
      std::vector<std::int32_t> ids(work[i].tokens.begin(), work[i].tokens.end());
      ids.push_back(next[i].tokens.front());
      EXPECT_EQ(f.steps.chosen(i)->id, alone(f, ids, kinds[i], begin + 1)) << i;
    }
  }
}

TEST(EngineSteps, ChooseNothingFromBrokenLogits) {
  TwoForms f;
  Tensor& norm = f.model.parameters().find("model.norm.weight").value;
  norm.data<double>()[0] = std::numeric_limits<double>::quiet_NaN();
  CachedSequence s = f.steps.open();
  Append one{&s, f.part(0, 1)};
  one.draw = DeviceDraw{};
  const Tensor& logits = f.steps.append(std::span(&one, 1));
  EXPECT_FALSE(f.steps.chosen(0));
  EXPECT_THROW(sample(logits_row(logits, 0), {}, 0), Error);
}

struct CountingObserver final : RouterObserver {
  std::int64_t tokens = 0;
  void routed(const Tensor& picks, const Tensor&) override { tokens += picks.size(0); }
};

TEST(EngineSteps, AnObserverHearsOfNoPadding) {
  TwoForms f;
  std::vector<CachedSequence> sequences;
  std::vector<Append> work;
  for (int i = 0; i < 5; ++i) sequences.push_back(f.steps.open());
  for (CachedSequence& s : sequences) work.push_back({&s, f.part(0, 1)});
  CountingObserver observer;
  f.steps.observe(&observer);
  EXPECT_FALSE(f.steps.chooses());
  f.steps.append(work);
  EXPECT_EQ(observer.tokens, 5 * f.model.moe_blocks());
  work.front().draw = DeviceDraw{};
  EXPECT_THROW(f.steps.append(work), Error);
}

TEST(EngineSteps, ComeInFewSizes) {
  std::int64_t last = 0;
  int sizes = 0;
  for (std::int64_t count = 1; count <= 256; ++count) {
    const std::int64_t rows = step_rows(count, 200);
    EXPECT_GE(rows, std::min<std::int64_t>(count, 200));
    EXPECT_LE(2 * rows, 3 * count + 1) << count;
    sizes += rows != std::exchange(last, rows) ? 1 : 0;
  }
  EXPECT_LE(sizes, 16);
  EXPECT_EQ(step_pages(1, 100), 4);
  EXPECT_EQ(step_pages(5, 100), 8);
  EXPECT_EQ(step_pages(70, 100), 100);
}

/// Texts of a scheduler over the tiny model in FP32.
std::vector<std::vector<std::int32_t>> texts(bool steps_of_gpu, std::int64_t running) {
  class Tokens final : public ScheduleSink {
   public:
    void on_prompt(const ScheduledPrompt&) override {}
    bool on_token(const ScheduledToken& token) override {
      ids.push_back(token.choice.chosen.id);
      return true;
    }
    void on_end(const ScheduledEnd& end) override { EXPECT_FALSE(end.failure); }
    std::vector<std::int32_t> ids;
  };
  Model model(test::tiny_config(), Precision{}, false, Device::Cpu);
  model.initialise(3);
  Scheduler scheduler(model, test::tiny_tokenizer(),
                      {.cache_tokens = 1024, .steps_of_gpu = steps_of_gpu},
                      {.most_running = running});
  std::vector<std::shared_ptr<Tokens>> sinks;
  for (int i = 0; i < 9; ++i) {
    ScheduledRequest r;
    r.prompt = test::tiny_tokenizer()->encode("The quick brown fox " + std::to_string(i * i));
    r.generate.max_tokens = 10 + i;
    r.generate.sampling = {.temperature = i % 3 == 0 ? 0.0 : 0.9, .seed = 40u + unsigned(i)};
    if (i == 4) r.generate.sampling.repetition_penalty = 1.3;  // needs the text
    if (i == 5) r.logprobs = 2;
    r.ignore_ends = true;
    sinks.push_back(std::make_shared<Tokens>());
    EXPECT_TRUE(scheduler.submit({{r, sinks.back()}}));
  }
  while (scheduler.step()) {
  }
  scheduler.forget_kept();
  EXPECT_EQ(scheduler.stats().free_pages, scheduler.stats().pages);
  std::vector<std::vector<std::int32_t>> all;
  for (const auto& sink : sinks) all.push_back(sink->ids);
  return all;
}

TEST(EngineSteps, SayTheSameThroughTheScheduler) {
  const auto plain = texts(false, 1);
  for (const auto& ids : plain) EXPECT_GE(ids.size(), 10u);
  EXPECT_EQ(texts(true, 9), plain);
  EXPECT_EQ(texts(true, 2), plain);
}

TEST(EngineSteps, PromptsJoinAStepWhole) {
  class Nobody final : public ScheduleSink {
   public:
    void on_prompt(const ScheduledPrompt& prompt) override { EXPECT_EQ(prompt.reused, 0); }
    bool on_token(const ScheduledToken&) override { return true; }
    void on_end(const ScheduledEnd& end) override { EXPECT_FALSE(end.failure); }
  };
  Model model(test::tiny_config(), Precision{}, false, Device::Cpu);
  model.initialise(3);
  const auto steps = [&](bool apart, std::int64_t length) {
    Scheduler scheduler(model, test::tiny_tokenizer(),
                        {.cache_tokens = 1024, .chunk_tokens = 32, .steps_of_gpu = apart},
                        {.most_running = 4, .step_tokens = 32});
    for (std::int32_t i = 0; i < 4; ++i) {
      ScheduledRequest r;
      for (std::int32_t at = 0; at < length; ++at) r.prompt.push_back(300 + (at + 50 * i) % 200);
      r.generate.max_tokens = 5;
      r.generate.sampling.temperature = 0;
      r.ignore_ends = true;
      EXPECT_TRUE(scheduler.submit({{r, std::make_shared<Nobody>()}}));
    }
    while (scheduler.step()) {
    }
    return scheduler.stats().steps;
  };
  EXPECT_EQ(steps(false, 20), 3 + 4);  // 80 tokens in three steps; four more tokens of the last
  EXPECT_EQ(steps(true, 20), 4 + 4);   // a prompt a step
  EXPECT_EQ(steps(true, 16), 2 + 4);   // two
  EXPECT_EQ(steps(true, 32), 4 + 4);   // answers take no room from them
  EXPECT_EQ(steps(true, 33), 5 + 4);   // what is left of one is beside the next
}

/// Where what begins a prompt is read faster, a short beginning in the cache is left there.
TEST(EngineSteps, ShareBeginningsThatAreWorthIt) {
  class Heard final : public ScheduleSink {
   public:
    void on_prompt(const ScheduledPrompt& prompt) override { reused = prompt.reused; }
    bool on_token(const ScheduledToken&) override { return true; }
    void on_end(const ScheduledEnd& end) override { EXPECT_FALSE(end.failure); }
    std::int64_t reused = -1;
  };
  Model model(test::tiny_config(), Precision{}, false, Device::Cpu);
  model.initialise(3);
  const auto reused = [&](bool steps_of_gpu, bool rows_alone, std::int32_t alike) {
    Scheduler scheduler(
        model, test::tiny_tokenizer(),
        {.cache_tokens = 1024, .rows_alone = rows_alone, .steps_of_gpu = steps_of_gpu},
        {.most_running = 1});
    std::shared_ptr<Heard> sink;
    for (std::int32_t i = 0; i < 2; ++i) {
      ScheduledRequest r;
      for (std::int32_t at = 0; at < 40; ++at) {
        r.prompt.push_back(300 + (at < alike ? at : at + 50 * (1 + i)));
      }
      r.generate.max_tokens = 2;
      r.ignore_ends = true;
      sink = std::make_shared<Heard>();
      EXPECT_TRUE(scheduler.submit({{r, sink}}));
    }
    while (scheduler.step()) {
    }
    return sink->reused;
  };
  EXPECT_EQ(reused(true, false, 1), 0);
  EXPECT_EQ(reused(true, false, 19), 0);
  EXPECT_EQ(reused(true, false, 20), 20);
  EXPECT_EQ(reused(true, false, 39), 39);
  EXPECT_EQ(reused(true, true, 1), 1);    // one form of attention for all
  EXPECT_EQ(reused(false, false, 1), 1);  // steps as on the CPU
}

TEST(EngineSteps, WarmUpLeavesNothingBehind) {
  Model model(test::tiny_config(), Precision{}, false, Device::Cpu);
  model.initialise(3);
  const std::vector<std::int32_t> prompt{5, 6, 7, 8, 9};
  const auto logits = [&](bool warm, bool steps_of_gpu, std::int64_t cache_tokens) {
    Engine engine(model, {.cache_tokens = cache_tokens, .steps_of_gpu = steps_of_gpu});
    if (warm) engine.warm_up();
    EXPECT_EQ(engine.free_pages(), engine.pages());
    CachedSequence sequence = engine.open();
    return host_values<float>(engine.append(sequence, prompt));
  };
  for (const bool steps_of_gpu : {false, true}) {
    EXPECT_EQ(logits(true, steps_of_gpu, 1024), logits(false, steps_of_gpu, 1024));
    EXPECT_EQ(logits(true, steps_of_gpu, 64), logits(false, steps_of_gpu, 64));  // no room for it
  }
}

TEST(EngineSteps, SayTheSameThroughGenerate) {
  TwoForms f;
  const auto said = [&](Engine& engine, bool told_later) {
    CachedSequence s = engine.open();
    GenerateOptions options;
    options.sampling = {.temperature = 0.8, .seed = 9};
    options.max_tokens = 30;
    options.first_draw = 2;
    options.read_before_telling = told_later;
    return generate(engine, s, f.part(5, 20), options).tokens;
  };
  EXPECT_EQ(said(f.steps, false), said(f.plain, false));
  EXPECT_EQ(said(f.steps, true), said(f.plain, false));
}

/// The device's rules against the sampler's, on the same logits.
TEST(DeviceDraws, AreTheSamplers) {
  const Random random(77);
  std::uint64_t at = 0;
  for (int trial = 0; trial < 600; ++trial) {
    const auto width = static_cast<std::int64_t>(1 + random.below(at++, 900));
    const double spread = std::pow(10.0, 3 * random.uniform(at++) - 1);
    std::vector<float> logits;
    for (std::int64_t i = 0; i < width; ++i) {
      logits.push_back(static_cast<float>(spread * random.normal(at++)));
    }
    if (trial % 7 == 0) std::fill(logits.begin(), logits.begin() + width / 2, logits.back());
    SamplingOptions options{.temperature = trial % 5 == 0 ? 0 : 2 * random.uniform(at++) + 0.01,
                            .seed = random.bits(at++)};
    if (trial % 2 == 0) options.top_k = static_cast<std::int64_t>(random.below(at++, 40));
    options.top_p = trial % 3 == 0 ? 1 : std::max(1e-6, random.uniform(at++));
    if (trial % 4 == 0) options.min_p = random.uniform(at++);
    if (trial % 6 == 0) options.vocabulary = static_cast<std::int32_t>(width / 2 + 1);
    const auto draw = static_cast<std::uint64_t>(trial);
    const std::optional<DeviceDraw> device = device_draw(options, draw);
    ASSERT_TRUE(device);
    double values[kernels::kDrawColumns] = {device->scale, device->top_k,   device->top_p,
                                            device->min_p, device->uniform, device->vocabulary};
    std::int32_t chosen[kernels::kChosenColumns];
    Context context;
    kernels::choose(context, Tensor(logits.data(), DType::F32, {1, width}),
                    Tensor(values, DType::F64, {1, kernels::kDrawColumns}),
                    Tensor(chosen, DType::I32, {1, kernels::kChosenColumns}));
    const Choice wanted = sample(logits, options, draw);
    ASSERT_EQ(chosen[kernels::kChosenId], wanted.chosen.id) << trial;
    ASSERT_EQ(std::bit_cast<float>(chosen[kernels::kChosenProbability]), wanted.chosen.probability);
  }
}

TEST(DeviceDraws, AreForOptionsThatNeedNoText) {
  EXPECT_TRUE(device_draw({}, 0));
  EXPECT_FALSE(device_draw({.repetition_penalty = 1.1}, 0));
  EXPECT_FALSE(device_draw({.presence_penalty = 0.1}, 0));
  EXPECT_FALSE(device_draw({.frequency_penalty = -0.1}, 0));
  EXPECT_FALSE(device_draw({.logit_bias = {{3, 1.f}}}, 0));
}

TEST(ReadingRecipe, IsBf16OnAGpuUnlessNamed) {
  EXPECT_EQ(reading_recipe("", Device::Cpu), Recipe::Fp32);
  EXPECT_EQ(reading_recipe("", Device::Cuda), Recipe::Bf16);
  EXPECT_EQ(reading_recipe("fp32", Device::Cuda), Recipe::Fp32);
  EXPECT_EQ(reading_recipe("bf16", Device::Cpu), Recipe::Bf16);
  EXPECT_THROW(reading_recipe("fp9", Device::Cuda), Error);
}

TEST(EngineSteps, RowsAloneOnAGpuAreNoMatterOnACpu) {
  Model model(test::tiny_config(), Precision{}, false, Device::Cpu);
  Engine engine(model, {.cache_tokens = 128, .rows_alone_on_gpu = true});
  EXPECT_FALSE(engine.chooses());
}

}  // namespace
}  // namespace tessera
