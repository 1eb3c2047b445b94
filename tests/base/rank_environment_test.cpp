// SPDX-License-Identifier: MIT
#include "core/base/rank_environment.h"

#include <gtest/gtest.h>

#include <map>

#include "core/base/error.h"

namespace tessera {
namespace {

std::optional<RankEnvironment> of(const std::map<std::string, std::string>& variables) {
  return rank_environment([&](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

std::string error_of(const std::map<std::string, std::string>& variables) {
  try {
    of(variables);
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST(RankEnvironment, IsNothingForAProgramStartedAlone) {
  EXPECT_FALSE(of({}));
  EXPECT_FALSE(of({{"RANK", "3"}}));  // somebody's own variable
  // A batch script and a shell in an allocation were not started as one of many.
  EXPECT_FALSE(of({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "0"}}));
}

TEST(RankEnvironment, ReadsTheVariablesOfTorchrun) {
  const auto e = of({{"RANK", "5"},
                     {"WORLD_SIZE", "8"},
                     {"LOCAL_RANK", "1"},
                     {"LOCAL_WORLD_SIZE", "4"},
                     {"MASTER_ADDR", "node0"},
                     {"MASTER_PORT", "29500"}});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->starter, RankEnvironment::Starter::Variables);
  EXPECT_EQ(e->rank, 5);
  EXPECT_EQ(e->size, 8);
  EXPECT_EQ(e->local_rank, 1);
  EXPECT_EQ(e->local_size, 4);
  EXPECT_EQ(e->master_address, "node0");
  EXPECT_EQ(e->master_port, 29500);
  // One host where nothing else is said.
  const auto one = of({{"RANK", "1"}, {"WORLD_SIZE", "2"}});
  ASSERT_TRUE(one);
  EXPECT_EQ(one->local_rank, 1);
  EXPECT_EQ(one->local_size, 2);
  EXPECT_EQ(one->master_port, 0);
}

TEST(RankEnvironment, ReadsTheVariablesOfOpenMpi) {
  const auto e = of({{"OMPI_COMM_WORLD_RANK", "2"},
                     {"OMPI_COMM_WORLD_SIZE", "4"},
                     {"OMPI_COMM_WORLD_LOCAL_RANK", "0"},
                     {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                     {"SLURM_PROCID", "0"},  // mpirun inside an allocation
                     {"SLURM_STEP_NUM_TASKS", "1"}});
  ASSERT_TRUE(e);
  EXPECT_EQ(e->starter, RankEnvironment::Starter::OpenMpi);
  EXPECT_EQ(e->rank, 2);
  EXPECT_EQ(e->local_rank, 0);
  EXPECT_EQ(e->local_size, 2);
}

TEST(RankEnvironment, ReadsTheVariablesOfSlurm) {
  const auto e = of({{"SLURM_PROCID", "6"},
                     {"SLURM_STEP_NUM_TASKS", "7"},
                     {"SLURM_LOCALID", "0"},
                     {"SLURM_NODEID", "3"},
                     {"SLURM_STEP_TASKS_PER_NODE", "2(x3),1"},
                     {"SLURM_STEP_NODELIST", "gpu[03-05,9]"},
                     {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1"}});  // of the host that submitted
  ASSERT_TRUE(e);
  EXPECT_EQ(e->starter, RankEnvironment::Starter::Slurm);
  EXPECT_EQ(e->rank, 6);
  EXPECT_EQ(e->size, 7);
  EXPECT_EQ(e->local_size, 1);
  EXPECT_EQ(e->master_address, "gpu03");
}

TEST(RankEnvironment, NamesTheVariableThatIsWrong) {
  EXPECT_NE(error_of({{"RANK", "x"}, {"WORLD_SIZE", "2"}}).find("[RANK] is \"x\""),
            std::string::npos);
  EXPECT_NE(error_of({{"RANK", "2"}, {"WORLD_SIZE", "2"}}).find("from 0 to 1"), std::string::npos);
  EXPECT_NE(error_of({{"RANK", "0"}, {"WORLD_SIZE", "0"}}).find("[WORLD_SIZE]"), std::string::npos);
  EXPECT_NE(
      error_of({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_PORT", "99999"}}).find("MASTER_PORT"),
      std::string::npos);
  const std::string both = error_of({{"RANK", "0"},
                                     {"WORLD_SIZE", "2"},
                                     {"OMPI_COMM_WORLD_RANK", "1"},
                                     {"OMPI_COMM_WORLD_SIZE", "2"}});
  EXPECT_NE(both.find("[RANK] is 0, but OMPI_COMM_WORLD_RANK is 1"), std::string::npos) << both;
  EXPECT_EQ(error_of({{"RANK", "1"},
                      {"WORLD_SIZE", "2"},
                      {"OMPI_COMM_WORLD_RANK", "1"},
                      {"OMPI_COMM_WORLD_SIZE", "2"}}),
            "none");
}

TEST(RankEnvironment, ReadsListsOfSlurm) {
  EXPECT_EQ(first_host("gpu[03-05,9],login"), "gpu03");
  EXPECT_EQ(first_host("login,gpu[1-2]"), "login");
  EXPECT_EQ(first_host("one"), "one");
  EXPECT_EQ(first_host("n[7]"), "n7");
  EXPECT_EQ(first_host(""), "");
  EXPECT_EQ(tasks_on_node("2(x3),1", 2), 2);
  EXPECT_EQ(tasks_on_node("2(x3),1", 3), 1);
  EXPECT_EQ(tasks_on_node("2(x3),1", 4), 0);
  EXPECT_EQ(tasks_on_node("8", 0), 8);
  EXPECT_EQ(tasks_on_node("", 0), 0);
}

}  // namespace
}  // namespace tessera
