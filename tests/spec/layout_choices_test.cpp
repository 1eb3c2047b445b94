// SPDX-License-Identifier: MIT
// Which numbers of ranks can be chosen, and what the others would make wrong.
#include "core/spec/layout_choices.h"

#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"

namespace tessera {
namespace {

RunSpec spec_of(std::int64_t layers, std::int64_t experts, std::int64_t batch) {
  RunSpec spec;
  spec.run.name = "x";
  spec.model.num_hidden_layers = layers;
  spec.model.first_k_dense_replace = 1;
  spec.model.n_routed_experts = experts;
  spec.model.n_group = spec.model.topk_group = 1;
  spec.curriculum.resize(1);
  spec.curriculum[0].batch_sequences = batch;
  spec.parallel.micro_batch_sequences = 1;
  return spec;
}

std::map<std::int64_t, std::string> refusals(const RunSpec& spec, const char* key) {
  std::map<std::int64_t, std::string> all;
  for (const LayoutChoice& choice : layout_choices(spec, key)) {
    all[choice.value] = choice.refusal ? choice.refusal->key : "";
  }
  return all;
}

TEST(LayoutChoices, WhatDividesCanBeChosen) {
  RunSpec spec = spec_of(4, 12, 16);
  auto data = refusals(spec, "parallel.data");
  for (const std::int64_t value : {1, 2, 4, 8, 16}) EXPECT_EQ(data.at(value), "") << value;
  EXPECT_EQ(data.at(32), "curriculum[0].batch_sequences");
  auto pipeline = refusals(spec, "parallel.pipeline");
  EXPECT_EQ(pipeline.at(4), "");
  EXPECT_EQ(pipeline.at(8), "parallel.pipeline");
  spec.parallel.data = 8;
  auto expert = refusals(spec, "parallel.expert");
  EXPECT_EQ(expert.at(4), "");
  EXPECT_EQ(expert.at(8), "parallel.expert");  // does not divide 12 experts
  for (const int ranks : {1, 2}) {
    spec.parallel.data = ranks;
    expert = refusals(spec, "parallel.expert");
    EXPECT_EQ(expert.at(ranks), "");
    EXPECT_EQ(expert.at(4), "parallel.expert");  // more than the ranks that could share them
  }
  spec.parallel.data = spec.parallel.expert = 4;
  data = refusals(spec, "parallel.data");
  EXPECT_EQ(data.at(1), "parallel.expert");
  EXPECT_EQ(data.at(8), "");
}

TEST(LayoutChoices, WhatIsSetIsAmongThemWhateverItIs) {
  RunSpec spec = spec_of(6, 12, 12);
  spec.parallel.data = 3;
  const auto data = refusals(spec, "parallel.data");
  EXPECT_EQ(data.at(3), "");
  EXPECT_EQ(data.at(2), "");
  EXPECT_EQ(data.at(8), "curriculum[0].batch_sequences");
}

/// What is wrong already cannot be mended by another number, and refuses none.
TEST(LayoutChoices, OldProblemsRefuseNothing) {
  RunSpec spec = spec_of(4, 12, 16);
  spec.optimiser.beta1 = 7;
  ASSERT_FALSE(check_spec(spec).empty());
  EXPECT_EQ(refusals(spec, "parallel.data").at(2), "");
}

TEST(LayoutChoices, OtherKeysAreNone) {
  EXPECT_THROW(layout_choices(spec_of(4, 12, 16), "parallel.zero"), Error);
}

}  // namespace
}  // namespace tessera
