// SPDX-License-Identifier: MIT
#include "core/base/memory.h"

#include <gtest/gtest.h>

#include <cstring>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"

namespace tessera {
namespace {

constexpr std::size_t kMiB = 1 << 20;

std::uintptr_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

TEST(Buffer, IsZeroedAndAligned) {
  const Buffer buffer(1000);
  EXPECT_EQ(address(buffer.data()) % 64, 0u);
  for (std::size_t i = 0; i < buffer.bytes(); ++i) {
    ASSERT_EQ(static_cast<const unsigned char*>(buffer.data())[i], 0);
  }
}

TEST(Buffer, MovesAndLeavesNothingBehind) {
  Buffer a(64);
  void* data = a.data();
  Buffer b(std::move(a));
  EXPECT_EQ(b.data(), data);
  EXPECT_EQ(a.data(), nullptr);  // NOLINT(bugprone-use-after-move): what is left is promised
  Buffer c(128);
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(c.bytes(), 64u);
}

TEST(Buffer, ViewsMustFit) {
  const Buffer buffer(64);
  EXPECT_EQ(buffer.view(DType::F32, {4, 4}).numel(), 16);
  EXPECT_THROW(buffer.view(DType::F32, {4, 5}), Error);
  EXPECT_EQ(Buffer().view(DType::F32, {0, 5}).numel(), 0);
}

TEST(Buffer, TooLargeIsAnErrorWithTheSize) {
  try {
    const Buffer buffer(std::size_t{1} << 60);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "memory");
    EXPECT_NE(std::string(error.what()).find("MiB"), std::string::npos);
  }
}

TEST(Buffer, NoCudaBackendIsAnError) {
  if (!devices().empty()) GTEST_SKIP() << "there is a GPU";
  EXPECT_THROW(Buffer(16, Device::Cuda), Error);
}

TEST(Arena, HandsOutAlignedSeparateMemory) {
  Arena arena(kMiB);
  const Tensor a = arena.take(DType::F32, {3}), b = arena.take(DType::F64, {5});
  EXPECT_EQ(address(a.raw()) % 256, 0u);
  EXPECT_EQ(address(b.raw()) % 256, 0u);
  EXPECT_GE(address(b.raw()) - address(a.raw()), 12u);
  std::memset(a.raw(), 1, a.bytes());
  std::memset(b.raw(), 2, b.bytes());
  EXPECT_EQ(static_cast<const unsigned char*>(a.raw())[11], 1);
}

TEST(Arena, AFrameGivesBackWhatWasTakenInIt) {
  Arena arena(kMiB);
  arena.take(DType::U8, {256});
  const void* inner = nullptr;
  {
    Arena::Frame frame(arena);
    inner = arena.take(DType::U8, {1000}).raw();
    {
      Arena::Frame nested(arena);
      arena.take(DType::U8, {10});
      EXPECT_EQ(arena.used_bytes(), 256u + 1024u + 256u);
    }
    EXPECT_EQ(arena.used_bytes(), 256u + 1024u);
  }
  EXPECT_EQ(arena.used_bytes(), 256u);
  EXPECT_EQ(arena.peak_bytes(), 256u + 1024u + 256u);
  EXPECT_EQ(arena.take(DType::U8, {1}).raw(), inner);
}

TEST(Arena, AFrameGivesBackAfterAnException) {
  Arena arena(kMiB);
  try {
    Arena::Frame frame(arena);
    arena.take(DType::U8, {1000});
    throw Error("test", "on purpose");
  } catch (const Error&) {
  }
  EXPECT_EQ(arena.used_bytes(), 0u);
}

TEST(Arena, FullIsAnErrorThatNamesTheTensor) {
  Arena arena(kMiB);
  arena.take(DType::U8, {static_cast<std::int64_t>(kMiB)});
  try {
    arena.take(DType::F32, {7, 9});
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("F32(7, 9)"), std::string::npos) << error.what();
  }
  EXPECT_EQ(arena.used_bytes(), kMiB);
  arena.reset();
  EXPECT_NO_THROW(arena.take(DType::F32, {7, 9}));
}

TEST(Arena, EmptyTensorsTakeNothing) {
  Arena arena(kMiB);
  EXPECT_TRUE(arena.take(DType::F32, {0, 9}));
  EXPECT_EQ(arena.used_bytes(), 0u);
}

TEST(Arena, MovesWithItsMemory) {
  Arena a(kMiB);
  const Tensor before = a.take(DType::I32, {4});
  before.data<std::int32_t>()[3] = 7;
  Arena b(std::move(a));
  EXPECT_EQ(before.data<std::int32_t>()[3], 7);
  EXPECT_EQ(b.used_bytes(), 256u);
  Arena c(kMiB);
  c = std::move(b);
  EXPECT_EQ(before.data<std::int32_t>()[3], 7);
}

/// The same takes as a step would make.
void take_some(Arena& arena) {
  arena.take(DType::F32, {100, 30});
  Arena::Frame frame(arena);
  arena.take(DType::BF16, {7});
  arena.take(DType::F64, {123});
}

TEST(Arena, AMeasuringArenaCountsLikeARealOne) {
  Arena real(kMiB), plan = Arena::measuring();
  take_some(real);
  take_some(plan);
  EXPECT_TRUE(plan.is_measuring());
  EXPECT_FALSE(real.is_measuring());
  EXPECT_EQ(plan.used_bytes(), real.used_bytes());
  EXPECT_EQ(plan.peak_bytes(), real.peak_bytes());
}

TEST(Arena, AMeasuringArenaHasNoEnd) {
  Arena plan = Arena::measuring();
  EXPECT_TRUE(plan.take(DType::F32, {std::int64_t{1} << 40}));
  EXPECT_GE(plan.peak_bytes(), std::size_t{4} << 40);
}

}  // namespace
}  // namespace tessera
