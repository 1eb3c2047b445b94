// SPDX-License-Identifier: MIT
// What a request says is the same alone, in pieces, beside others, behind what others have read and
// when it is put back; pages come back; and nothing that goes wrong with one disturbs the others.
#include "core/infer/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <thread>

#include "core/base/threads.h"
#include "core/grammar/json_grammar.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

/// Everything that came of one request.
class Heard final : public ScheduleSink {
 public:
  explicit Heard(std::int64_t cancel_after = -1) : cancel_after_(cancel_after) {}

  void on_prompt(const ScheduledPrompt& told) override { prompt = told; }
  bool on_token(const ScheduledToken& token) override {
    tokens.push_back(token.choice.chosen.id);
    text += token.text;
    if (token.logprobs) logprobs.push_back(*token.logprobs);
    return std::ssize(tokens) != cancel_after_;
  }
  void on_end(const ScheduledEnd& told) override {
    EXPECT_FALSE(ended);
    ended = true;
    end = told;
    text += told.text;
  }

  ScheduledPrompt prompt;
  std::vector<std::int32_t> tokens;
  std::string text;
  std::vector<TokenLogprobs> logprobs;
  ScheduledEnd end;
  bool ended = false;

 private:
  std::int64_t cancel_after_;
};

/// A model with sizes that are no multiples of a vector, in the recipe wanted.
struct Served {
  Model model;

  explicit Served(Recipe recipe = Recipe::Fp32)
      : model(config(), Precision::of(recipe), false, Device::Cpu) {
    model.initialise(7);
    if (recipe == Recipe::Bf16) refresh();
  }
  static ModelConfig config() {
    ModelConfig c = test::tiny_config();
    c.hidden_size = 44;
    c.num_attention_heads = 3;
    c.kv_lora_rank = 20;
    c.qk_nope_head_dim = 12;
    c.intermediate_size = 70;
    c.moe_intermediate_size = 18;
    c.q_lora_rank = 14;
    return c;
  }
  void refresh() {
    Arena scratch(std::size_t{1} << 28);
    Context context{.scratch = &scratch};
    model.parameters().refresh_operands(context);
  }
  Scheduler scheduler(std::int64_t cache_tokens = 1024, SchedulerOptions options = {},
                      std::int64_t chunk = 512) const {
    return Scheduler(model, test::tiny_tokenizer(),
                     {.cache_tokens = cache_tokens, .chunk_tokens = chunk}, options);
  }
};

ScheduledRequest request_for(const std::string& text, std::int64_t tokens = 24,
                             double temperature = 0, std::uint64_t seed = 5) {
  ScheduledRequest r;
  r.prompt = test::tiny_tokenizer()->encode(text);
  r.generate.max_tokens = tokens;
  r.generate.sampling.temperature = temperature;
  r.generate.sampling.seed = seed;
  r.ignore_ends = true;
  return r;
}

const std::string kLong =
    "The quick brown fox jumps over the lazy dog 7 times.\nThen it rests under the old tree and "
    "dreams of rivers.\nThe quick brown fox jumps over the lazy dog 8 times.\n";

std::shared_ptr<Heard> submit(Scheduler& scheduler, ScheduledRequest request,
                              std::int64_t cancel_after = -1) {
  auto heard = std::make_shared<Heard>(cancel_after);
  EXPECT_TRUE(scheduler.submit({{std::move(request), heard}}));
  return heard;
}

void run_to_end(Scheduler& scheduler) {
  for (int steps = 0; scheduler.step(); ++steps) ASSERT_LT(steps, 10000);
}

std::vector<std::int32_t> said(Scheduler scheduler, const ScheduledRequest& request) {
  const auto heard = submit(scheduler, request);
  run_to_end(scheduler);
  EXPECT_TRUE(heard->ended);
  EXPECT_FALSE(heard->end.failure);
  return heard->tokens;
}

class SameText : public ::testing::TestWithParam<std::tuple<Recipe, double>> {
 protected:
  Served served{std::get<0>(GetParam())};
  ScheduledRequest wanted = request_for(kLong, 40, std::get<1>(GetParam()));
  std::vector<std::int32_t> plain = said(served.scheduler(), wanted);
};

TEST_P(SameText, GreedyAndSampledAreNotTrivial) {
  ASSERT_EQ(plain.size(), 40u);
  EXPECT_GT(std::set(plain.begin(), plain.end()).size(), 3u);
}

TEST_P(SameText, InPieces) {
  for (const std::int64_t step : {2, 7, 64}) {
    const SchedulerOptions options{.most_running = 2, .step_tokens = step};
    EXPECT_EQ(said(served.scheduler(1024, options), wanted), plain) << step;
  }
  EXPECT_EQ(said(served.scheduler(1024, {}, 5), wanted), plain);
}

TEST_P(SameText, BesideOthers) {
  Scheduler scheduler = served.scheduler(2048, {.most_running = 6, .step_tokens = 20});
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 9; ++i) {
    submit(scheduler, request_for(std::to_string(i) + kLong.substr(static_cast<std::size_t>(i)), 30,
                                  i % 2 ? 1.0 : 0.0));
    all.push_back(submit(scheduler, wanted));
    for (int step = 0; step < i; ++step) scheduler.step();
  }
  run_to_end(scheduler);
  for (const auto& one : all) EXPECT_EQ(one->tokens, plain);
}

TEST_P(SameText, BehindSharedBeginnings) {
  Scheduler scheduler = served.scheduler();
  std::int64_t length = std::ssize(wanted.prompt);
  for (const std::int64_t shared :
       {length, length - 1, std::int64_t{64}, std::int64_t{65}, std::int64_t{3}}) {
    ScheduledRequest before = wanted;
    before.prompt.resize(static_cast<std::size_t>(std::min(shared, length)));
    before.prompt.push_back(300);
    before.generate.max_tokens = 3;
    scheduler.forget_kept();
    submit(scheduler, before);
    run_to_end(scheduler);
    const auto heard = submit(scheduler, wanted);
    run_to_end(scheduler);
    EXPECT_EQ(heard->tokens, plain) << shared;
    EXPECT_EQ(heard->prompt.reused, std::min(shared, length - 1));
  }
}

TEST_P(SameText, PutBackForWantOfPages) {
  // Three conversations of four pages each in eight.
  Scheduler scheduler = served.scheduler(512, {.most_running = 3, .step_tokens = 50});
  ScheduledRequest longer = wanted;
  longer.generate.max_tokens = 150;
  const std::vector<std::int32_t> alone = said(served.scheduler(512), longer);
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 3; ++i) all.push_back(submit(scheduler, longer));
  for (int i = 0; i < 3; ++i) submit(scheduler, request_for(std::to_string(i) + kLong, 150));
  run_to_end(scheduler);
  EXPECT_GT(scheduler.stats().preemptions, 0);
  for (const auto& one : all) EXPECT_EQ(one->tokens, alone);
  ASSERT_EQ(std::ssize(alone), 150);
  EXPECT_TRUE(std::equal(plain.begin(), plain.end(), alone.begin()));
}

TEST_P(SameText, OnOtherNumbersOfThreads) {
  const int before = omp_get_max_threads();
  for (const int threads : {1, 3}) {
    omp_set_num_threads(threads);
    EXPECT_EQ(said(served.scheduler(), wanted), plain) << threads;
  }
  omp_set_num_threads(before);
}

TEST_P(SameText, AsASessionOfItsOwn) {
  Engine engine(served.model, {.cache_tokens = 512, .chunk_tokens = 16});
  CachedSequence sequence = engine.open();
  GenerateOptions options = wanted.generate;
  options.sampling.vocabulary = test::tiny_tokenizer()->vocab_size();
  EXPECT_EQ(generate(engine, sequence, wanted.prompt, options).tokens, plain);
}

INSTANTIATE_TEST_SUITE_P(All, SameText,
                         ::testing::Combine(::testing::Values(Recipe::Fp32, Recipe::Bf16),
                                            ::testing::Values(0.0, 1.2)),
                         [](const auto& one) {
                           return std::string(std::get<0>(one.param) == Recipe::Fp32 ? "F32"
                                                                                     : "BF16") +
                                  (std::get<1>(one.param) == 0 ? "Greedy" : "Sampled");
                         });

TEST(Scheduler, PagesComeBack) {
  Served served;
  Scheduler scheduler = served.scheduler(1024, {.most_running = 4});
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 8; ++i) {
      submit(scheduler, request_for(std::to_string(i % 3) + kLong, 10), i == 5 ? 2 : -1);
    }
    run_to_end(scheduler);
  }
  EXPECT_GT(scheduler.stats().reused_tokens, 0);
  EXPECT_LT(scheduler.stats().free_pages, scheduler.stats().pages);
  scheduler.forget_kept();
  EXPECT_EQ(scheduler.stats().free_pages, scheduler.stats().pages);
}

TEST(Scheduler, RequestsThatBeginAlikeReadItOnce) {
  Served served;
  Scheduler scheduler = served.scheduler(1024, {.most_running = 4, .step_tokens = 16});
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 4; ++i) all.push_back(submit(scheduler, request_for(kLong, 5)));
  run_to_end(scheduler);
  EXPECT_EQ(all[0]->prompt.reused, 0);
  for (int i = 1; i < 4; ++i) {
    EXPECT_EQ(all[static_cast<std::size_t>(i)]->prompt.reused, all[0]->prompt.tokens - 1);
    EXPECT_EQ(all[static_cast<std::size_t>(i)]->tokens, all[0]->tokens);
  }
}

TEST(Scheduler, EndsAsAskedFor) {
  Served served;
  const auto plain = said(served.scheduler(), request_for(kLong, 20, 1.0));
  ScheduledRequest stops = request_for(kLong, 20, 1.0);
  stops.generate.stop = {plain[7]};
  const auto first = std::find(plain.begin(), plain.end(), plain[7]) - plain.begin();
  Scheduler scheduler = served.scheduler();
  const auto stopped = submit(scheduler, stops);
  const auto limited = submit(scheduler, request_for(kLong, 4));
  const auto nothing = submit(scheduler, request_for(kLong, 0));
  const auto cancelled = submit(scheduler, request_for(kLong, 20), 3);
  run_to_end(scheduler);
  EXPECT_EQ(stopped->end.reason, StopReason::Stop);
  EXPECT_EQ(std::ssize(stopped->tokens), first);
  EXPECT_EQ(limited->end.reason, StopReason::Length);
  EXPECT_EQ(limited->end.tokens, 4);
  EXPECT_EQ(nothing->end.reason, StopReason::Length);
  EXPECT_EQ(nothing->end.tokens, 0);
  EXPECT_EQ(cancelled->end.reason, StopReason::Cancelled);
  EXPECT_EQ(cancelled->tokens.size(), 3u);
}

TEST(Scheduler, StopTextsEndAnswersAndAreNotShown) {
  Served served;
  Scheduler scheduler = served.scheduler();
  const auto whole = submit(scheduler, request_for(kLong, 30, 1.0));
  run_to_end(scheduler);
  const std::string stop = whole->text.substr(whole->text.size() / 2, 3);
  ScheduledRequest request = request_for(kLong, 30, 1.0);
  request.stop_texts = {stop};
  const auto cut = submit(scheduler, request);
  run_to_end(scheduler);
  EXPECT_EQ(cut->end.reason, StopReason::Stop);
  EXPECT_EQ(cut->text, whole->text.substr(0, whole->text.find(stop)));
}

TEST(Scheduler, FullContextEndsTheAnswer) {
  Served served;
  Scheduler scheduler = served.scheduler(128);
  ScheduledRequest request = request_for(kLong, kNoTokenLimit);
  request.prompt.resize(60);
  const auto heard = submit(scheduler, request);
  run_to_end(scheduler);
  EXPECT_EQ(heard->end.reason, StopReason::Full);
  EXPECT_EQ(heard->end.tokens, 128 - 60 + 1);
}

TEST(Scheduler, RefusesWhatCannotRun) {
  Served served;
  Scheduler scheduler = served.scheduler(128, {.most_running = 1, .most_waiting = 2});
  EXPECT_EQ(scheduler.context(), 128);
  const auto sink = std::make_shared<Heard>();
  const auto refused = [&](ScheduledRequest request, const char* word) {
    try {
      scheduler.submit({{std::move(request), sink}});
      ADD_FAILURE() << word;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  ScheduledRequest request = request_for("The");
  request.prompt.clear();
  refused(request, "empty");
  request.prompt.assign(129, 300);
  refused(request, "129");
  request.prompt = {100000};
  EXPECT_THROW(scheduler.submit({{request, sink}}), Error);
  request = request_for("The");
  request.generate.sampling.temperature = -1;
  refused(request, "temperature");
  // All or none of them.
  const ScheduledRequest fine = request_for("The", 2);
  EXPECT_FALSE(scheduler.submit({{fine, sink}, {fine, sink}, {fine, sink}}));
  EXPECT_EQ(scheduler.stats().refused, 3);
  EXPECT_EQ(scheduler.stats().waiting, 0);
  EXPECT_FALSE(scheduler.step());
  EXPECT_FALSE(sink->ended);
  EXPECT_TRUE(scheduler.submit({{fine, std::make_shared<Heard>()}, {fine, sink}}));
  run_to_end(scheduler);
  EXPECT_TRUE(sink->ended);
}

TEST(Scheduler, CancelsWaitingAndRunningRequests) {
  Served served;
  Scheduler scheduler = served.scheduler(1024, {.most_running = 1});
  const auto first = std::make_shared<Heard>(), second = std::make_shared<Heard>();
  const auto a = scheduler.submit({{request_for(kLong, 50), first}});
  const auto b = scheduler.submit({{request_for(kLong, 50), second}});
  scheduler.step();
  scheduler.step();
  scheduler.cancel(b->front());
  scheduler.cancel(12345);
  scheduler.step();
  EXPECT_TRUE(second->ended);
  EXPECT_TRUE(second->tokens.empty());
  EXPECT_EQ(scheduler.stats().waiting, 0);
  scheduler.cancel(a->front());
  EXPECT_FALSE(scheduler.step());
  EXPECT_EQ(first->end.reason, StopReason::Cancelled);
  EXPECT_GT(first->end.tokens, 0);
  EXPECT_EQ(scheduler.stats().running, 0);
}

TEST(Scheduler, DamagedLogitsFailOnlyThoseWhoReadThem) {
  Served served;
  // The embedding of one token is damaged: only who reads the token meets it.
  const Tensor& table = served.model.parameters().find("model.embed_tokens.weight").value;
  table.data<float>()[301 * 44] = std::numeric_limits<float>::quiet_NaN();
  Scheduler scheduler = served.scheduler();
  ScheduledRequest bad = request_for(kLong);
  bad.prompt.push_back(301);
  ScheduledRequest good = request_for("The quick brown fox", 4);
  const auto failed = submit(scheduler, bad);
  const auto fine = submit(scheduler, good);
  run_to_end(scheduler);
  EXPECT_TRUE(failed->end.failure);
  EXPECT_FALSE(fine->end.failure);
  EXPECT_EQ(scheduler.stats().failed, 1);
}

TEST(Scheduler, LogprobsAreTheModels) {
  Served served;
  Scheduler scheduler = served.scheduler();
  ScheduledRequest request = request_for(kLong, 6, 1.3);
  request.logprobs = 3;
  request.prompt_logprobs = true;
  const auto heard = submit(scheduler, request);
  run_to_end(scheduler);
  ASSERT_EQ(heard->logprobs.size(), 6u);
  ASSERT_EQ(heard->prompt.logprobs.size(), request.prompt.size());
  for (const TokenLogprobs& one : heard->logprobs) {
    ASSERT_EQ(one.best.size(), 3u);
    EXPECT_GE(one.best[0].second, one.best[1].second);
    EXPECT_LE(one.logprob, one.best[0].second);
  }
  // What was written, read as a prompt, has the same logarithms.
  ScheduledRequest again = request;
  again.prompt.insert(again.prompt.end(), heard->tokens.begin(), heard->tokens.end());
  again.generate.max_tokens = 0;
  const auto read = submit(scheduler, again);
  run_to_end(scheduler);
  ASSERT_EQ(read->prompt.logprobs.size(), again.prompt.size());
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(read->prompt.logprobs[request.prompt.size() + i].logprob, heard->logprobs[i].logprob);
  }
  for (std::size_t i = 0; i < request.prompt.size(); ++i) {
    EXPECT_EQ(read->prompt.logprobs[i].id, request.prompt[i]);
    EXPECT_EQ(read->prompt.logprobs[i].logprob, heard->prompt.logprobs[i].logprob);
  }
}

TEST(Scheduler, CountsAddUp) {
  Served served;
  Scheduler scheduler = served.scheduler();
  std::int64_t prompt = 0, written = 0, reused = 0;
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 5; ++i) {
    all.push_back(submit(scheduler, request_for(kLong.substr(0, 40), 3 + i)));
    run_to_end(scheduler);
  }
  for (const auto& one : all) {
    prompt += one->prompt.tokens;
    reused += one->prompt.reused;
    written += one->end.tokens;
  }
  const SchedulerStats stats = scheduler.stats();
  EXPECT_EQ(stats.prompt_tokens, prompt);
  EXPECT_EQ(stats.reused_tokens, reused);
  EXPECT_EQ(stats.written_tokens, written);
  EXPECT_EQ(stats.ended[static_cast<std::size_t>(StopReason::Length)], 5);
  EXPECT_EQ(stats.first_token.count, 5);
  EXPECT_EQ(stats.between_tokens.count, written - 5);
  EXPECT_EQ(stats.whole.count, 5);
}

TEST(Scheduler, RunsOnAThreadUntilClosed) {
  Served served;
  Scheduler scheduler = served.scheduler();
  std::thread worker([&] { scheduler.run(); });
  std::vector<std::shared_ptr<Heard>> all;
  for (int i = 0; i < 6; ++i) all.push_back(submit(scheduler, request_for(kLong, 100000)));
  scheduler.close();
  worker.join();
  for (const auto& one : all) {
    EXPECT_TRUE(one->ended);
    EXPECT_EQ(one->end.reason, StopReason::Cancelled);
  }
  EXPECT_THROW(scheduler.submit({{request_for(kLong), all[0]}}), Error);
}

std::shared_ptr<const Constraint> any_object() {
  GrammarBuilder builder;
  const std::int32_t rule = JsonRules(builder).object();
  return std::make_shared<const Constraint>(
      std::move(builder).build(rule), std::make_shared<const TokenTrie>(*test::tiny_tokenizer()));
}

/// Where tokens are chosen on the device those of such an answer are chosen on the host, beside
/// others; and it may be put back into the queue on its way.
TEST(Scheduler, AnswersHeldToAFormAreTheSameBesideOthers) {
  const Served served;
  std::string prompt;
  while (test::tiny_tokenizer()->encode(prompt).size() < 60) prompt += "The fox ";
  ScheduledRequest held = request_for(prompt, 100, 1.0);
  held.constraint = any_object();
  held.ignore_ends = false;
  const ScheduledRequest free = request_for(prompt + "and the lazy dog", 100, 0.9);
  for (const bool on_device : {false, true}) {
    const auto scheduler = [&](std::int64_t cache_tokens) {
      return Scheduler(served.model, test::tiny_tokenizer(),
                       {.cache_tokens = cache_tokens, .steps_of_gpu = on_device}, {});
    };
    const std::vector<std::int32_t> held_alone = said(scheduler(1024), held),
                                    free_alone = said(scheduler(1024), free);
    const std::string text = test::tiny_tokenizer()->decode(held_alone);
    EXPECT_TRUE(text.starts_with("{")) << text;
    // In 320 positions two of them begin, and find no room for both to end.
    for (const std::int64_t room : {1024, 320}) {
      Scheduler both = scheduler(room);
      std::vector<std::shared_ptr<Heard>> heard;
      for (int i = 0; i < 4; ++i) heard.push_back(submit(both, i % 2 == 0 ? held : free));
      run_to_end(both);
      for (int i = 0; i < 4; ++i) {
        EXPECT_EQ(heard[static_cast<std::size_t>(i)]->tokens, i % 2 == 0 ? held_alone : free_alone)
            << on_device << " " << room << " " << i;
      }
      if (room == 320) {
        EXPECT_GT(both.stats().preemptions, 0);
      }
    }
  }
}

TEST(Scheduler, GrammarsAreOfItsVocabulary) {
  const Served served;
  Scheduler scheduler = served.scheduler();
  std::vector<std::string> texts;
  for (const char* word :
       {"river", "mountain", "forest", "winter", "lantern", "harbour", "garden"}) {
    for (const char* verb : {"dreams", "whispers", "shimmers", "wanders", "listens", "remembers"}) {
      texts.push_back(std::string("the ") + word + " " + verb + " behind the old " + word + "\n");
    }
  }
  const auto other = train_tokenizer(texts, {.vocab_size = 540, .progress = {}});
  ASSERT_NE(other->vocab_size(), test::tiny_tokenizer()->vocab_size());
  GrammarBuilder builder;
  const std::int32_t rule = JsonRules(builder).object();
  ScheduledRequest request = request_for("The fox");
  request.constraint = std::make_shared<const Constraint>(
      std::move(builder).build(rule), std::make_shared<const TokenTrie>(*other));
  EXPECT_THROW(scheduler.submit({{request, std::make_shared<Heard>()}}), Error);
}

}  // namespace
}  // namespace tessera
