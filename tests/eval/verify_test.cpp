// SPDX-License-Identifier: MIT
// Every recorded reference case, and that a comparison can fail.
#include "core/eval/verify.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace tessera {
namespace {

namespace fs = std::filesystem;

fs::path reference_folder() {
  return fs::path(TESSERA_SOURCE_DIR) / "../shared/reference";
}

class Reference : public testing::TestWithParam<const char*> {};

VerifyOptions options_for(const fs::path& folder) {
  VerifyOptions options;
  options.model = folder;
  options.reference = folder / "reference.safetensors";
  if (fs::exists(folder / "grads.safetensors")) options.grads = folder / "grads.safetensors";
  if (fs::exists(folder / "train.json")) options.train = folder;
  return options;
}

TEST_P(Reference, WithinTolerances) {
  const fs::path folder = reference_folder() / GetParam();
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const std::vector<VerifyRow> rows = verify(options_for(folder));
  EXPECT_GE(rows.size(), 2u);
  for (const VerifyRow& row : rows) {
    EXPECT_LE(row.error, row.tolerance) << row.what << " (" << row.measure << ")";
  }
}

INSTANTIATE_TEST_SUITE_P(All, Reference, testing::Values("tiny", "tiny-noqlora", "tiny-fp8"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

/// In BF16 logits come close, and not too close: the recipe is really in use.
TEST(Verify, Bf16IsMeasuredNotHidden) {
  const fs::path folder = reference_folder() / "tiny-noqlora";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  VerifyOptions options = options_for(folder);
  options.grads.clear();
  options.recipe = Recipe::Bf16;
  for (const VerifyRow& row : verify(options)) {
    if (row.what != "loss") continue;
    EXPECT_GT(row.error, 1e-6);
    EXPECT_LT(row.error, 5e-3);
  }
}

/// Another model's outputs do not pass.
TEST(Verify, NoticesAnotherModel) {
  const fs::path folder = reference_folder();
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  VerifyOptions options = options_for(folder / "tiny-fp8");
  options.reference = folder / "tiny-noqlora" / "reference.safetensors";
  bool failed = false;
  for (const VerifyRow& row : verify(options)) failed = failed || !row.passed();
  EXPECT_TRUE(failed);
}

}  // namespace
}  // namespace tessera
