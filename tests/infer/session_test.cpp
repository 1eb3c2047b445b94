// SPDX-License-Identifier: MIT
// A session answers the same whatever it has cached, and the experts it reports are the routers'.
#include "core/infer/session.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/infer/chat.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

constexpr Precision kF64{DType::F64, DType::F64};

struct Fixture {
  Model model;
  Session session;

  explicit Fixture(std::int64_t cache_tokens = 512, const ModelConfig& config = test::tiny_config())
      : model(config, kF64, false, Device::Cpu),
        session((model.initialise(7), model), test::tiny_tokenizer(),
                {.cache_tokens = cache_tokens, .chunk_tokens = 16, .cache_dtype = DType::F64}) {}

  static SessionRequest request(const std::string& text, std::int64_t tokens = 24) {
    SessionRequest r;
    r.prompt = encode_prompt(*test::tiny_tokenizer(), text);
    r.generate.max_tokens = tokens;
    r.generate.sampling.temperature = 1.3;
    r.generate.sampling.seed = 11;
    return r;
  }
};

/// Routers' decisions in a plain pass over all tokens.
struct Routed {
  Arena keep{std::size_t{1} << 28}, scratch{std::size_t{1} << 28};
  Context context{.scratch = &scratch};
  ModelStash stash;

  Routed(const Model& model, std::vector<std::int32_t> ids) {
    Pass pass{context, keep, kF64};
    const auto count = static_cast<std::int64_t>(ids.size());
    std::vector<std::int32_t> positions, starts{0, static_cast<std::int32_t>(count)};
    for (std::int32_t i = 0; i < count; ++i) positions.push_back(i);
    model.forward(
        pass,
        {Tensor(ids.data(), DType::I32, {count}), Tensor(positions.data(), DType::I32, {count}),
         Tensor(starts.data(), DType::I32, {2}), count},
        stash);
  }
};

TEST(Session, ExpertsAreTheRouters) {
  Fixture f;
  SessionRequest request = Fixture::request("The quick brown fox jumps over the lazy dog.", 20);
  request.experts = true;
  std::vector<std::int64_t> rows;
  SessionHooks hooks;
  hooks.on_token = [&](const SessionToken& token) {
    rows.push_back(token.record_row);
    return true;
  };
  const SessionAnswer answer = f.session.run(request, hooks);
  std::vector<std::int32_t> ids = request.prompt;
  ids.insert(ids.end(), answer.generated.tokens.begin(), answer.generated.tokens.end());
  const ExpertRecord& record = f.session.experts();
  ASSERT_EQ(record.tokens(), static_cast<std::int64_t>(ids.size()));
  ASSERT_EQ(record.layers(), 2);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(rows[i], static_cast<std::int64_t>(request.prompt.size() + i));
  }
  Routed plain(f.model, ids);
  std::vector<std::int64_t> usage(16);
  for (std::int64_t layer = 0; layer < 2; ++layer) {
    const MoeStash& s = f.model.moe_stash(plain.stash, layer);
    for (std::int64_t t = 0; t < record.tokens(); ++t) {
      for (std::int64_t k = 0; k < 3; ++k) {
        const auto at = static_cast<std::size_t>(k);
        const std::int32_t expert = s.routed.picks.data<std::int32_t>()[t * 3 + k];
        ASSERT_EQ(record.picks(t, layer)[at], expert) << "token " << t << " layer " << layer;
        ASSERT_NEAR(record.weights(t, layer)[at], s.routed.weights.data<double>()[t * 3 + k], 1e-6);
        ++usage[static_cast<std::size_t>(layer * 8 + expert)];
      }
    }
  }
  EXPECT_EQ(record.usage(), usage);
}

TEST(Session, RecordingChangesNothing) {
  Fixture with, without;
  SessionRequest request = Fixture::request("dreams of rivers");
  const SessionAnswer plain = without.session.run(request);
  request.experts = true;
  EXPECT_EQ(with.session.run(request).generated.tokens, plain.generated.tokens);
  EXPECT_EQ(without.session.experts().tokens(), 0);
}

TEST(Session, WhatIsCachedIsReadOnceAndChangesNothing) {
  Fixture warm;
  SessionRequest first = Fixture::request("The quick brown fox rests.");
  first.generate.sampling.repetition_penalty = 1.4;
  warm.session.run(first);
  SessionRequest second = Fixture::request("The quick brown fox dreams under the tree.");
  second.generate.sampling.repetition_penalty = 1.4;
  const SessionAnswer reused = warm.session.run(second);
  EXPECT_GT(reused.reused_tokens, 4);
  Fixture cold;
  const SessionAnswer fresh = cold.session.run(second);
  EXPECT_EQ(fresh.reused_tokens, 0);
  EXPECT_EQ(reused.generated.tokens, fresh.generated.tokens);
}

TEST(Session, RecordsWhatWasCachedWithoutARecord) {
  Fixture f;
  SessionRequest request = Fixture::request("The quick brown fox.");
  f.session.run(request);
  request.experts = true;
  const SessionAnswer answer = f.session.run(request);
  EXPECT_EQ(answer.reused_tokens, 0);
  EXPECT_EQ(f.session.experts().tokens(), answer.context_used);
  EXPECT_GT(f.session.run(request).reused_tokens, 0);
}

TEST(Session, RegrowsFromAPrefix) {
  Fixture f;
  SessionRequest request = Fixture::request("Then it", 30);
  const std::vector<std::int32_t> whole = f.session.run(request).generated.tokens;
  ASSERT_EQ(whole.size(), 30u);
  request.prefix.assign(whole.begin(), whole.begin() + 12);
  request.generate.max_tokens = 18;
  std::string prefix_text;
  SessionHooks hooks;
  hooks.on_start = [&](const SessionAnswer& answer) { prefix_text = answer.prefix_text; };
  const SessionAnswer rest = f.session.run(request, hooks);
  EXPECT_EQ(rest.generated.tokens, std::vector<std::int32_t>(whole.begin() + 12, whole.end()));
  StreamDecoder decoder(test::tiny_tokenizer());
  std::string expected;
  for (const std::int32_t id : request.prefix) expected += decoder.push(id);
  EXPECT_EQ(prefix_text, expected);
}

TEST(Session, TextIsWholeCharacters) {
  Fixture f;
  SessionRequest request = Fixture::request("Ünï", 200);
  request.generate.sampling.temperature = 100;  // nearly uniform: many byte tokens
  std::string text;
  SessionHooks hooks;
  hooks.on_token = [&](const SessionToken& token) {
    text += token.text;
    return true;
  };
  const SessionAnswer answer = f.session.run(request, hooks);
  text += answer.tail_text;
  StreamDecoder decoder(test::tiny_tokenizer());
  std::string expected;
  for (const std::int32_t id : answer.generated.tokens) expected += decoder.push(id);
  expected += decoder.finish();
  EXPECT_EQ(text, expected);
  EXPECT_NE(text.find("\xEF\xBF\xBD"), std::string::npos) << "no ill-formed bytes to try it with";
}

TEST(Session, EndsWhenTheContextIsFull) {
  Fixture f(64);
  SessionRequest request = Fixture::request("The quick", 500);
  request.experts = true;
  const SessionAnswer answer = f.session.run(request);
  EXPECT_EQ(answer.generated.reason, StopReason::Full);
  EXPECT_EQ(answer.context_used, 64);
  EXPECT_EQ(f.session.context(), 64);
  request.prompt.resize(65, request.prompt.back());
  EXPECT_THROW(f.session.run(request), Error);
  EXPECT_EQ(f.session.run(Fixture::request("The quick", 3)).generated.tokens.size(), 3u);
}

TEST(FieldSession, StopsAtEveryEndThatItIsGiven) {
  Fixture plain;
  const SessionRequest request = Fixture::request("The quick", 24);
  const std::vector<std::int32_t> whole = plain.session.run(request).generated.tokens;
  ASSERT_EQ(whole.size(), 24u);
  const auto first = std::find(whole.begin(), whole.end(), whole[9]);
  Model model(test::tiny_config(), kF64, false, Device::Cpu);
  model.initialise(7);
  Session session(model, test::tiny_tokenizer(),
                  {.cache_tokens = 512, .chunk_tokens = 16, .cache_dtype = DType::F64},
                  {100000, whole[9]});
  const SessionAnswer answer = session.run(request);
  EXPECT_EQ(answer.generated.reason, StopReason::Stop);
  EXPECT_EQ(answer.generated.tokens, std::vector<std::int32_t>(whole.begin(), first));
}

TEST(Session, StopTextsEndTheAnswerAndAreNotShown) {
  Fixture f;
  SessionRequest request = Fixture::request("The quick", 60);
  std::string text;
  SessionHooks hooks;
  hooks.on_token = [&](const SessionToken& token) {
    text += token.text;
    return true;
  };
  text += f.session.run(request, hooks).tail_text;
  ASSERT_GT(text.size(), 24u);
  const std::string stop = text.substr(12, 5), expected = text.substr(0, text.find(stop));
  text.clear();
  request.stop_texts = {"never there", stop};
  const SessionAnswer answer = f.session.run(request, hooks);
  EXPECT_EQ(answer.generated.reason, StopReason::Stop);
  EXPECT_EQ(text + answer.tail_text, expected);
  request.stop_texts = {""};
  EXPECT_THROW(f.session.run(request), Error);
}

TEST(Session, WithoutALimitItWritesUntilTheContextIsFull) {
  Fixture f(64);
  const SessionRequest request = Fixture::request("The quick", kNoTokenLimit);
  const SessionAnswer answer = f.session.run(request);
  EXPECT_EQ(answer.generated.reason, StopReason::Full);
  EXPECT_EQ(answer.context_used, 64);
  EXPECT_THROW(f.session.run(Fixture::request("The quick", 0)), Error);
  EXPECT_THROW(f.session.run(Fixture::request("The quick", -5)), Error);
}

TEST(Session, CancelsWhileReadingAndWhileWriting) {
  Fixture f;
  SessionRequest request =
      Fixture::request("The quick brown fox jumps over the lazy dog 12 times, and dreams.");
  ASSERT_GT(request.prompt.size(), 16u);
  SessionHooks hooks;
  hooks.on_read = [](std::int64_t, std::int64_t) { return false; };
  const SessionAnswer reading = f.session.run(request, hooks);
  EXPECT_EQ(reading.generated.reason, StopReason::Cancelled);
  EXPECT_EQ(reading.context_used, 16);
  hooks.on_read = {};
  int heard = 0;
  hooks.on_token = [&](const SessionToken&) { return ++heard < 5; };
  const SessionAnswer writing = f.session.run(request, hooks);
  EXPECT_EQ(writing.generated.reason, StopReason::Cancelled);
  EXPECT_EQ(writing.generated.tokens.size(), 5u);
  EXPECT_EQ(writing.reused_tokens, 16);
  Fixture cold;
  EXPECT_EQ(f.session.run(request).generated.tokens, cold.session.run(request).generated.tokens);
}

TEST(Session, DenseModelsHaveNoExperts) {
  ModelConfig config = test::tiny_config();
  config.n_routed_experts = 0;
  Fixture f(256, config);
  SessionRequest request = Fixture::request("The", 3);
  request.experts = true;
  std::int64_t row = 0;
  SessionHooks hooks;
  hooks.on_token = [&](const SessionToken& token) {
    row = token.record_row;
    return true;
  };
  f.session.run(request, hooks);
  EXPECT_EQ(row, -1);
  EXPECT_EQ(f.session.experts().layers(), 0);
}

}  // namespace
}  // namespace tessera
