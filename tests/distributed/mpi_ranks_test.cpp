// SPDX-License-Identifier: MIT
// The cases of every transport, on ranks that are processes connected by MPI.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <sstream>

#include "distributed/mpi/mpi_ranks.h"
#include "tests/distributed/communicator_cases.h"
#include "tests/distributed/mpirun.h"

namespace tessera {
namespace {

/// The lines "rank R CASE: ok" of a run; everything that it printed in `all`.
int lines_of(int ranks, const std::string& name, std::string& all) {
  const std::string command =
      fmt::format("timeout 60 {} {} {} 2>&1", mpirun(ranks), TESSERA_MPI_SUITE, name);
  FILE* pipe = ::popen(command.c_str(), "r");
  char part[4096];
  while (std::size_t got = std::fread(part, 1, sizeof part, pipe)) all.append(part, got);
  ::pclose(pipe);
  int ok = 0;
  std::istringstream lines(all);
  for (std::string line; std::getline(lines, line);) {
    while (line.ends_with('\r')) line.pop_back();
    ok += line.starts_with("rank ") && line.ends_with(": ok");
  }
  return ok;
}

class MpiRanks : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_mpirun(); !why.empty()) GTEST_SKIP() << why;
  }
};

TEST_P(MpiRanks, DoWhatTransportsDo) {
  int cases = 0;
  for (const CommunicatorCase& one : communicator_cases()) cases += !one.message;
  std::string all;
  EXPECT_EQ(lines_of(GetParam(), "", all), cases * GetParam()) << all;
}

TEST_P(MpiRanks, FailTogether) {
  for (const CommunicatorCase& one : communicator_cases()) {
    if (!one.message) continue;
    std::string all;
    EXPECT_EQ(lines_of(GetParam(), one.name, all), GetParam()) << one.name << "\n" << all;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, MpiRanks, testing::Values(2, 4));

}  // namespace
}  // namespace tessera
