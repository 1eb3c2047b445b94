// SPDX-License-Identifier: MIT
// The harness itself: it must fail operations that are wrong, each in its own way.
#include <gtest/gtest.h>

#include <omp.h>

#include "core/base/error.h"
#include "kernels/cases.h"

namespace tessera::kernels {
namespace {

/// y = 2 x, with a way to go wrong.
using Doubler = std::function<void(const Tensor& x, const Tensor& y)>;

template <class T>
void each(const Tensor& x, const Tensor& y, T factor) {
  for (std::int64_t row = 0; row < x.size(0); ++row) {
    for (std::int64_t i = 0; i < x.size(1); ++i) {
      y.data<T>()[row * y.stride(0) + i] = factor * x.data<T>()[row * x.stride(0) + i];
    }
  }
}
void doubled(const Tensor& x, const Tensor& y) {
  if (x.dtype() == DType::F64) {
    each(x, y, 2.0);
  } else {
    each(x, y, 2.f);
  }
}

CaseResult run_doubler(const Doubler& op) {
  return run_case({.op = "double",
                   .label = "(3, 5)",
                   .body =
                       [&](CaseRun& run) {
                         const Tensor x = run.normal({3, 5}, {.pad = 2});
                         const Tensor y = run.output("y", {3, 5}, {.pad = 1});
                         run.execute([&](Context&) { op(x, y); });
                       }},
                  Device::Cpu);
}

void expect_failure(const CaseResult& result, const char* part_of_message) {
  EXPECT_EQ(result.outcome, CaseOutcome::Failed);
  EXPECT_NE(result.message.find(part_of_message), std::string::npos) << result.message;
}

TEST(Harness, PassesACorrectOperation) {
  const CaseResult result = run_doubler(doubled);
  EXPECT_EQ(result.outcome, CaseOutcome::Passed) << result.message;
  EXPECT_EQ(result.error, 0);
}

TEST(Harness, SeesAWrongElement) {
  expect_failure(run_doubler([](const Tensor& x, const Tensor& y) {
                   doubled(x, y);
                   if (y.dtype() == DType::F32) y.data<float>()[7] += 1e-3f;
                 }),
                 "relative error");
}

TEST(Harness, SeesAnElementThatWasNotWritten) {
  expect_failure(run_doubler([](const Tensor& x, const Tensor& y) {
                   if (x.size(0) > 1) doubled(x.slice(0, 0, 2), y.slice(0, 0, 2));
                 }),
                 "not written");
}

TEST(Harness, SeesAWriteBetweenRows) {
  expect_failure(run_doubler([](const Tensor& x, const Tensor& y) {
                   doubled(x, y);
                   static_cast<char*>(y.raw())[5 * size_of(y.dtype())] = 0;
                 }),
                 "outside");
}

TEST(Harness, SeesAWriteBeforeAndAfterATensor) {
  for (std::ptrdiff_t at : {-1, 3 * 6 * 8}) {  // past the end of the F64 reference's rows too
    expect_failure(run_doubler([at](const Tensor& x, const Tensor& y) {
                     doubled(x, y);
                     static_cast<char*>(y.raw())[at] = 0;
                   }),
                   "outside");
  }
}

TEST(Harness, SeesAChangedInput) {
  expect_failure(run_doubler([](const Tensor& x, const Tensor& y) {
                   doubled(x, y);
                   static_cast<char*>(x.raw())[1] ^= 1;
                 }),
                 "input");
}

TEST(Harness, ReportsAnErrorThatIsThrown) {
  expect_failure(run_doubler([](const Tensor&, const Tensor&) { throw Error("double", "broken"); }),
                 "[double] broken");
}

TEST(Harness, SeesACaseThatExecutesNothing) {
  expect_failure(run_case({.op = "nothing", .label = "", .body = [](CaseRun&) {}}, Device::Cpu),
                 "executed nothing");
}

CaseResult run_gradient(double wrong_by, bool added) {
  return run_case(
      {.op = "double_backward",
       .label = "(4, 4)",
       .tolerance = 1,
       .body =
           [=](CaseRun& run) {
             const Tensor x = run.normal({4, 4}), dy = run.normal({4, 4});
             const Tensor dx = run.in_out("dx", added ? run.normal({4, 4}) : run.zeros({4, 4}));
             const Tensor y = run.temporary({4, 4});
             run.execute([&](Context&) {
               if (dx.dtype() != DType::F64) return;
               for (int i = 0; i < 16; ++i) {
                 dx.data<double>()[i] += (2 + wrong_by) * dy.data<double>()[i];
               }
             });
             run.check_gradient({{x, dx, added}}, [&](Context&) { doubled(x, y); }, {{y, dy}});
           }},
      Device::Cpu);
}

TEST(Harness, ChecksGradients) {
  for (bool added : {false, true}) {
    const CaseResult right = run_gradient(0, added);
    EXPECT_EQ(right.message.find("finite differences"), std::string::npos) << right.message;
    EXPECT_LT(right.gradient_error, 1e-8);
    expect_failure(run_gradient(1e-3, added), "finite differences");
  }
}

TEST(Harness, ComparesIntegersExactly) {
  const auto run_with = [](std::int32_t wrong) {
    int run_number = 0;
    return run_case({.op = "count",
                     .label = "",
                     .body =
                         [&](CaseRun& run) {
                           const Tensor n = run.output("n", {3}, {.dtype = DType::I32});
                           const std::int32_t extra = run_number++ == 0 ? wrong : 0;
                           run.execute([&](Context&) {
                             for (int i = 0; i < 3; ++i) n.data<std::int32_t>()[i] = i;
                             n.data<std::int32_t>()[2] += extra;
                           });
                         }},
                    Device::Cpu);
  };
  EXPECT_EQ(run_with(0).outcome, CaseOutcome::Passed);
  expect_failure(run_with(1), "element 2 is 3, reference 2");
}

TEST(Harness, SeesResultsThatDependOnThreads) {
  expect_failure(run_case({.op = "threads",
                           .label = "",
                           .tolerance = 1e3,
                           .same_for_any_threads = true,
                           .body =
                               [](CaseRun& run) {
                                 const Tensor y = run.output("y", {1}, {.dtype = DType::F32});
                                 run.execute([&](Context&) {
                                   const int threads = omp_get_max_threads();
                                   if (y.dtype() == DType::F32) {
                                     *y.data<float>() = static_cast<float>(threads);
                                   } else {
                                     *y.data<double>() = threads;
                                   }
                                 });
                               }},
                          Device::Cpu),
                 "different bits");
}

TEST(Harness, RowsMayHaveToStayUntouched) {
  const auto run_rows = [](std::int64_t written) {
    return run_case({.op = "rows",
                     .label = "",
                     .body =
                         [=](CaseRun& run) {
                           const Tensor x = run.normal({4, 2}), y = run.output("y", {4, 2});
                           run.untouched_from(y, 3);
                           run.execute([&](Context&) {
                             doubled(x.slice(0, 0, written), y.slice(0, 0, written));
                           });
                         }},
                    Device::Cpu);
  };
  EXPECT_EQ(run_rows(3).outcome, CaseOutcome::Passed);
  expect_failure(run_rows(4), "outside");
  expect_failure(run_rows(2), "not written");
}

TEST(Harness, TheReferenceSeesRoundedInputs) {
  const CaseResult result =
      run_case({.op = "widen",
                .label = "",
                .dtype = DType::BF16,
                .tolerance = 0,
                .body =
                    [](CaseRun& run) {
                      const Tensor x = run.normal({1, 9});
                      const Tensor y = run.output("y", {1, 9}, {.dtype = DType::F32});
                      run.execute([&](Context&) {
                        for (int i = 0; i < 9; ++i) {
                          if (x.dtype() == DType::BF16) {
                            y.data<float>()[i] = static_cast<float>(x.data<bf16>()[i]);
                          } else {
                            y.data<double>()[i] = x.data<double>()[i];
                          }
                        }
                      });
                    }},
               Device::Cpu);
  EXPECT_EQ(result.outcome, CaseOutcome::Passed) << result.message;
}

TEST(Harness, NamesWhatADeviceCannotDo) {
  const Case cpu_only{.op = "double", .label = "", .body = [](CaseRun&) {}};
  const CaseResult result = run_case(cpu_only, Device::Cuda);
  EXPECT_EQ(result.outcome, CaseOutcome::Unsupported);
  EXPECT_FALSE(result.message.empty());
}

TEST(Harness, TimesACase) {
  int calls = 0;
  Case timed{.op = "double", .label = "", .flops = 1e6, .bytes = 2e6};
  timed.body = [&](CaseRun& run) {
    const Tensor x = run.normal({30, 50}), y = run.output("y", {30, 50});
    run.execute([&](Context&) {
      doubled(x, y);
      ++calls;
    });
  };
  const CaseTiming timing = time_case(timed, Device::Cpu, 0.01);
  EXPECT_EQ(timing.message, "");
  EXPECT_GT(timing.seconds, 0);
  EXPECT_GT(calls, 5);
  EXPECT_NEAR(timing.gbytes_per_s, 2 * timing.gflops_per_s, 1e-6 * timing.gbytes_per_s);
}

TEST(Harness, RunsTheCasesOfOneOperation) {
  CaseList cases;
  for (const char* op : {"a", "b", "a"}) {
    cases.push_back(
        {.op = op, .label = "", .body = [](CaseRun& run) { run.execute([](Context&) {}); }});
  }
  int reported = 0;
  const auto report = [&](const CaseResult&) { ++reported; };
  EXPECT_EQ(run_cases(cases, Device::Cpu, "a", report).size(), 2u);
  EXPECT_EQ(reported, 2);
  EXPECT_EQ(run_cases(cases, Device::Cpu, "", nullptr).size(), 3u);
}

}  // namespace
}  // namespace tessera::kernels
