// SPDX-License-Identifier: MIT
#include "app/threads.h"

#include <gtest/gtest.h>
#include <omp.h>

namespace tessera::app {
namespace {

TEST(Threads, AreAsManyAsTheSpecSays) {
  const int before = omp_get_max_threads();
  RunSpec spec;
  spec.host.threads = before + 3;
  use_threads(spec);
  EXPECT_EQ(omp_get_max_threads(), before + 3);
  spec.host.threads = 0;  // as many as there are
  use_threads(spec);
  EXPECT_EQ(omp_get_max_threads(), before + 3);
  omp_set_num_threads(before);
}

}  // namespace
}  // namespace tessera::app
