// SPDX-License-Identifier: MIT
// Every fix must take its problem away.
#include "core/plan/fixes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/spec/spec_table.h"

namespace tessera {
namespace {

struct Broken {
  const char* name;
  std::vector<std::string> overrides;
  std::string key;  ///< the key that the problem names
  std::string set;  ///< what the fix sets, "key=value"
};

class Fixes : public testing::TestWithParam<Broken> {};

TEST_P(Fixes, TakeTheirProblemAway) {
  const Broken& broken = GetParam();
  const SpecReading reading = read_preset("demo", broken.overrides);
  const auto problem = std::find_if(reading.problems.begin(), reading.problems.end(),
                                    [&](const Problem& p) { return p.key == broken.key; });
  ASSERT_NE(problem, reading.problems.end());
  const std::optional<Fix> fix = find_fix(reading.spec, *problem);
  ASSERT_TRUE(fix) << problem->text();
  ASSERT_FALSE(fix->settings.empty());
  EXPECT_EQ(fix->settings[0].first + "=" + fix->settings[0].second, broken.set);
  EXPECT_EQ(fix->text(), "Set " + fix->settings[0].first + " to " + fix->settings[0].second);
  for (const Problem& p : check_spec(with_fix(reading.spec, *fix))) {
    EXPECT_FALSE(p.key == problem->key && p.message == problem->message) << p.text();
  }
}

INSTANTIATE_TEST_SUITE_P(
    Problems, Fixes,
    testing::Values(
        Broken{"batch",
               {"curriculum[0].batch_sequences=9"},
               "curriculum[0].batch_sequences",
               "parallel.micro_batch_sequences=3"},
        Broken{"small_batch",
               {"curriculum[0].batch_sequences=4"},
               "curriculum[0].batch_sequences",
               "parallel.micro_batch_sequences=4"},
        // No divisor but 1 would do, and micro-batches of one sequence are slow.
        Broken{"prime_batch",
               {"curriculum[0].batch_sequences=13"},
               "curriculum[0].batch_sequences",
               "curriculum[0].batch_sequences=16"},
        Broken{"groups", {"model.n_group=3"}, "model.n_group", "model.n_group=2"},
        Broken{"kept_groups", {"model.topk_group=5"}, "model.topk_group", "model.topk_group=4"},
        Broken{"top_k",
               {"model.num_experts_per_tok=9"},
               "model.num_experts_per_tok",
               "model.num_experts_per_tok=8"},
        Broken{"rope",
               {"model.qk_rope_head_dim=15"},
               "model.qk_rope_head_dim",
               "model.qk_rope_head_dim=16"},
        Broken{"dense",
               {"model.intermediate_size=0"},
               "model.intermediate_size",
               "model.intermediate_size=512"},
        Broken{"length",
               {"curriculum[0].sequence_length=512"},
               "curriculum[0].sequence_length",
               "model.max_position_embeddings=512"},
        Broken{"two_lengths",
               {"curriculum[0].tokens=1000"},
               "curriculum[0].steps",
               "curriculum[0].steps=0"},
        Broken{"ramp",
               {"curriculum[0].batch_ramp_from=4"},
               "curriculum[0].batch_ramp_tokens",
               "curriculum[0].batch_ramp_from=0"},
        Broken{"vocabulary",
               {"tokenizer.vocab_size=5000"},
               "tokenizer.vocab_size",
               "tokenizer.vocab_size=4096"},
        Broken{"pipeline", {"parallel.pipeline=9"}, "parallel.pipeline", "parallel.pipeline=1"},
        Broken{"context", {"parallel.context=3"}, "parallel.context", "parallel.context=1"},
        Broken{"sums",
               {"parallel.context=2", "parallel.sums=canonical"},
               "parallel.sums",
               "parallel.sums=\"quick\""},
        Broken{"experts", {"parallel.expert=3"}, "parallel.expert", "parallel.expert=1"},
        Broken{"cluster", {"host.kind=slurm"}, "host.kind", "host.kind=\"local\""},
        Broken{"bytes",
               {"tokenizer.byte_fallback=false"},
               "tokenizer.byte_fallback",
               "tokenizer.byte_fallback=true"},
        Broken{"range", {"model.yarn.factor=0.5"}, "model.yarn.factor", "model.yarn.factor=1.0"},
        Broken{"word", {"precision.recipe=bf15"}, "precision.recipe", "precision.recipe=\"bf16\""}),
    [](const auto& instance) { return instance.param.name; });

TEST(Fix, OfASlipRenamesTheKey) {
  const SpecReading reading = read_spec_text("preset = \"demo\"\n[model]\nhiden_size = 64\n", "x");
  ASSERT_EQ(reading.problems.size(), 1u);
  const auto fix = find_fix(reading.spec, reading.problems[0]);
  ASSERT_TRUE(fix);
  EXPECT_EQ(fix->rename_to, "hidden_size");
}

TEST(Fix, IsNotInventedWhereNobodyKnowsOne) {
  const SpecReading reading = read_preset("demo", {"data.sources[0].paths=[]"});
  ASSERT_FALSE(reading.problems.empty());
  EXPECT_FALSE(find_fix(reading.spec, reading.problems[0]));
}

}  // namespace
}  // namespace tessera
