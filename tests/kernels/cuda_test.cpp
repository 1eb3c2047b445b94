// SPDX-License-Identifier: MIT
// Every case of every kernel on the GPU, against the CPU in F64.
#include <gtest/gtest.h>

#include "core/base/backend.h"
#include "kernels/cases.h"

namespace tessera::kernels {
namespace {

CaseList tested_cases() {
  CaseList cases = all_cases();
  std::erase_if(cases,
                [](const Case& the_case) { return the_case.benchmark || the_case.timed_only; });
  return cases;
}

class CudaCase : public ::testing::TestWithParam<Case> {};

TEST_P(CudaCase, AgreesWithTheReference) {
  if (devices().empty()) GTEST_SKIP() << "there is no GPU here";
  const CaseResult result = run_case(GetParam(), Device::Cuda);
  if (result.outcome == CaseOutcome::Unsupported) GTEST_SKIP() << result.message;
  EXPECT_EQ(result.outcome, CaseOutcome::Passed)
      << result.op << " " << result.label << " " << short_name(result.dtype) << ": "
      << result.message;
}

INSTANTIATE_TEST_SUITE_P(All, CudaCase, ::testing::ValuesIn(tested_cases()),
                         [](const ::testing::TestParamInfo<Case>& tested) {
                           return fmt::format("{}_{}", tested.param.op, tested.index);
                         });

TEST(CudaOperations, NoneIsMissing) {
  if (devices().empty()) GTEST_SKIP() << "there is no GPU here";
  for (const Case& the_case : all_cases()) {
    if (!the_case.on_cuda) continue;  // refused there, with the key of the spec that asks for it
    EXPECT_NO_THROW(cuda_operation(the_case.op.c_str())) << the_case.op;
  }
}

}  // namespace
}  // namespace tessera::kernels
