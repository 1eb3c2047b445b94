// SPDX-License-Identifier: MIT
#include "core/base/error.h"

#include <gtest/gtest.h>

namespace tessera {
namespace {

TEST(Error, SaysWhereWhatAndHint) {
  const Error error("router", "a logit is not finite", "lower the learning rate");
  EXPECT_STREQ(error.what(), "[router] a logit is not finite; hint: lower the learning rate");
  EXPECT_EQ(error.where(), "router");
  EXPECT_EQ(error.what_failed(), "a logit is not finite");
  EXPECT_STREQ(Error("a", "b").what(), "[a] b");
}

TEST(Error, RequireThrowsOnlyWhenTheConditionFails) {
  EXPECT_NO_THROW(require(true, "a", "{}", 1));
  try {
    require(false, "file", "{} of {} bytes", 3, 4);
    FAIL() << "did not throw";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "[file] 3 of 4 bytes");
  }
}

}  // namespace
}  // namespace tessera
