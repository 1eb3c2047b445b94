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

}  // namespace
}  // namespace tessera
