// SPDX-License-Identifier: MIT
// The capability table: whole, and with a reason wherever the fast kernel is not taken.
#include "kernels/capability.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

namespace tessera::kernels {
namespace {

constexpr Generation kAll[] = {Generation::Ampere, Generation::Ada, Generation::Hopper,
                               Generation::BlackwellConsumer, Generation::Other};

class PlainAskedFor {
 public:
  PlainAskedFor() { ::setenv("TESSERA_CUDA_PLAIN", "1", 1); }
  ~PlainAskedFor() { ::unsetenv("TESSERA_CUDA_PLAIN"); }
  PlainAskedFor(const PlainAskedFor&) = delete;
  PlainAskedFor& operator=(const PlainAskedFor&) = delete;
};

TEST(Capability, GenerationsByComputeCapability) {
  EXPECT_EQ(generation_of(8, 0), Generation::Ampere);
  EXPECT_EQ(generation_of(8, 6), Generation::Ampere);
  EXPECT_EQ(generation_of(8, 9), Generation::Ada);
  EXPECT_EQ(generation_of(9, 0), Generation::Hopper);
  EXPECT_EQ(generation_of(10, 0), Generation::Other);
  EXPECT_EQ(generation_of(12, 0), Generation::BlackwellConsumer);
  EXPECT_EQ(generation_of(7, 5), Generation::Other);
  EXPECT_FALSE(is_supported(7, 5));
  EXPECT_TRUE(is_supported(8, 0));
}

TEST(Capability, EveryFeatureHasARowOfItsOwn) {
  std::set<std::string_view> names, uses;
  for (const Feature feature : kFeatures) {
    names.insert(name_of(feature));
    uses.insert(capability(feature, Generation::Hopper).uses);
  }
  EXPECT_EQ(names.size(), std::size(kFeatures));
  EXPECT_EQ(uses.size(), std::size(kFeatures));
}

TEST(Capability, HopperIsFastAndTheOthersSayWhyNot) {
  for (const Feature feature : kFeatures) {
    for (const Generation generation : kAll) {
      const Capability c = capability(feature, generation);
      EXPECT_EQ(c.fast, generation == Generation::Hopper) << name_of(feature);
      EXPECT_EQ(c.why.empty(), c.fast) << name_of(feature) << ", " << name_of(generation);
      EXPECT_FALSE(c.uses.empty());
    }
  }
}

TEST(Capability, RecipesThatAreSlowSayWhatToChoose) {
  for (const Generation generation : kAll) {
    EXPECT_EQ(recipe_advice("fp32", generation), "");
    for (const char* recipe : {"tensorwise", "blockwise"}) {
      const std::string advice = recipe_advice(recipe, generation);
      EXPECT_EQ(advice.empty(), generation == Generation::Hopper);
      EXPECT_EQ(advice.find("choose bf16") != std::string::npos, !advice.empty()) << advice;
    }
  }
  EXPECT_NE(recipe_advice("blockwise", Generation::Ampere).find("no FP8 tensor cores"),
            std::string::npos);
  EXPECT_NE(recipe_advice("bf16", Generation::Ada).find("plain tiles"), std::string::npos);
}

TEST(Capability, PlainKernelsCanBeAskedFor) {
  const PlainAskedFor asked;
  for (const Feature feature : kFeatures) {
    const Capability c = capability(feature, Generation::Hopper);
    EXPECT_FALSE(c.fast);
    EXPECT_NE(c.why.find("TESSERA_CUDA_PLAIN"), std::string_view::npos);
    EXPECT_EQ(c.uses, capability(feature, Generation::Ampere).uses);
  }
}

TEST(Capability, TheTableHasALinePerFeatureAndRecipe) {
  for (const Generation generation : kAll) {
    EXPECT_EQ(describe_capabilities(generation).size(), std::size(kFeatures) + 4);
  }
}

}  // namespace
}  // namespace tessera::kernels
