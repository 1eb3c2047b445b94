// SPDX-License-Identifier: MIT
#include "core/base/op.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace tessera {
namespace {

void count_call(Context&, int& calls) {
  ++calls;
}
const Op<decltype(count_call)> kCount{"count_call", count_call};

TEST(Op, CallsTheFunctionOfTheCpuAndTimesIt) {
  Profile profile;
  Context context;
  context.profile = &profile;
  int calls = 0;
  kCount(context, calls);
  kCount(context, calls);
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(profile.entries().at("count_call").calls, 2);
  EXPECT_GE(profile.entries().at("count_call").seconds, 0);
}

TEST(Op, DoesNothingInADryRun) {
  Context context;
  context.dry_run = true;
  int calls = 0;
  kCount(context, calls);
  EXPECT_EQ(calls, 0);
}

TEST(Op, SaysThatThereIsNoCudaBackend) {
  set_cuda_operations(nullptr);  // where there is a GPU, another test has loaded its backend
  Context context;
  context.device = Device::Cuda;
  int calls = 0;
  try {
    kCount(context, calls);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "count_call");
    EXPECT_FALSE(error.hint().empty());
  }
}

TEST(Op, TakesTheFunctionOfALoadedBackend) {
  set_cuda_operations([](const char* name) -> void* {
    if (std::string_view(name) != "other") return nullptr;
    return reinterpret_cast<void*>(+[](Context&, int& calls) { calls += 100; });
  });
  const Op<decltype(count_call)> other{"other", count_call};
  Context context;
  context.device = Device::Cuda;
  int calls = 0;
  other(context, calls);
  EXPECT_EQ(calls, 100);
  EXPECT_THROW(kCount(context, calls), Error);
  set_cuda_operations(nullptr);
}

void take_tensors(Context&, const Tensor&, double, const Tensor&, const Tensor&) {}

Error failure_of(void (*cuda)(Context&, const Tensor&, double, const Tensor&, const Tensor&)) {
  static void* function = nullptr;
  function = reinterpret_cast<void*>(cuda);
  set_cuda_operations([](const char*) { return function; });
  const Op<decltype(take_tensors)> op{"take_tensors", take_tensors};
  Context context;
  context.device = Device::Cuda;
  float values[6] = {};
  try {
    op(context, Tensor(values, DType::F32, {2, 3}), 1.0, {}, Tensor(values, DType::I32, {5}));
  } catch (const Error& error) {
    set_cuda_operations(nullptr);
    return error;
  }
  set_cuda_operations(nullptr);
  throw std::logic_error("did not fail");
}

TEST(Op, FailuresOfCudaNameTheOperationAndItsOperands) {
  const Error error = failure_of([](Context&, const Tensor&, double, const Tensor&, const Tensor&) {
    throw Error("part", "CUDA: unspecified launch failure (cudaErrorLaunchFailure)", "look there");
  });
  EXPECT_EQ(std::string(error.what()),
            "[take_tensors] CUDA: unspecified launch failure (cudaErrorLaunchFailure); operands: "
            "F32(2, 3), I32(5); hint: look there");
}

TEST(Op, TooLittleMemoryNamesThemToo) {
  const Error error = failure_of([](Context&, const Tensor&, double, const Tensor&, const Tensor&) {
    throw Error("memory", "cannot have 5.0 MiB of GPU memory", "use less");
  });
  EXPECT_EQ(error.where(), "take_tensors");
  EXPECT_EQ(error.what_failed(),
            "[memory] cannot have 5.0 MiB of GPU memory; operands: F32(2, 3), I32(5)");
}

TEST(Op, OtherFailuresAreLeftAsTheyAre) {
  const Error error = failure_of([](Context&, const Tensor&, double, const Tensor&, const Tensor&) {
    throw Error("take_tensors", "expected x (4), got F32(2, 3)");
  });
  EXPECT_EQ(error.what_failed(), "expected x (4), got F32(2, 3)");
}

}  // namespace
}  // namespace tessera
