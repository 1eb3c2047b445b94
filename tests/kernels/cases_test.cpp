// SPDX-License-Identifier: MIT
// Every case of every kernel on the CPU: values against F64, guard bands, untouched inputs,
// gradients against finite differences, equal bits for any number of threads.
#include "kernels/cases.h"
#include "core/base/error.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>

#include "tests/build_paths.h"

namespace tessera::kernels {
namespace {

CaseList tested_cases() {
  CaseList cases = all_cases();
  std::erase_if(cases, [](const Case& the_case) { return the_case.benchmark; });
  return cases;
}

class KernelCase : public ::testing::TestWithParam<Case> {};

TEST_P(KernelCase, AgreesWithTheReference) {
  const CaseResult result = run_case(GetParam(), Device::Cpu);
  if (result.outcome == CaseOutcome::Unsupported) GTEST_SKIP() << result.message;
  EXPECT_EQ(result.outcome, CaseOutcome::Passed)
      << result.op << " " << result.label << " " << short_name(result.dtype) << ": "
      << result.message;
}

INSTANTIATE_TEST_SUITE_P(All, KernelCase, ::testing::ValuesIn(tested_cases()),
                         [](const ::testing::TestParamInfo<Case>& tested) {
                           return fmt::format("{}_{}", tested.param.op, tested.index);
                         });

/// The names of the operations that the contracts declare.
std::set<std::string> declared_operations() {
  const std::regex declaration(R"(inline const Op<[^>]*> \w+\{\s*"(\w+)\")");
  std::set<std::string> names;
  const std::filesystem::path kernels = std::filesystem::path(TESSERA_SOURCE_DIR) / "kernels";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kernels)) {
    if (entry.path().extension() != ".h") continue;
    std::ifstream file(entry.path());
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    for (std::sregex_iterator at(text.begin(), text.end(), declaration), end; at != end; ++at) {
      names.insert((*at)[1]);
    }
  }
  return names;
}

TEST(AllCases, EveryOperationHasATestCase) {
  std::set<std::string> covered;
  for (const Case& the_case : tested_cases()) covered.insert(the_case.op);
  const std::set<std::string> declared = declared_operations();
  EXPECT_GE(declared.size(), 20u) << "the contracts were not found";
  for (const std::string& op : declared) EXPECT_TRUE(covered.contains(op)) << op << " has no case";
}

TEST(AllCases, BenchmarksSayWhatTheyMove) {
  for (const Case& the_case : all_cases()) {
    if (!the_case.benchmark) continue;
    EXPECT_GT(the_case.bytes + the_case.flops, 0) << the_case.op << " " << the_case.label;
  }
}

}  // namespace

/// For messages of GoogleTest.
void PrintTo(const Case& the_case, std::ostream* out) {
  *out << the_case.op << " " << the_case.label;
}

}  // namespace tessera::kernels
