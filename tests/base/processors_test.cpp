// SPDX-License-Identifier: MIT
#include "core/base/processors.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <string>

namespace tessera {
namespace {

namespace fs = std::filesystem;
constexpr double kNone = std::numeric_limits<double>::infinity();

/// A root folder with /proc/self and control groups as a test wants them.
class CpuQuota : public testing::Test {
 protected:
  CpuQuota() {
    std::string name = (fs::temp_directory_path() / "tessera-cgroup-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
  }
  ~CpuQuota() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void mounts(const std::string& lines) const { write("proc/self/mountinfo", lines); }
  void groups(const std::string& lines) const { write("proc/self/cgroup", lines); }
  double quota() const { return cpu_quota(root_); }

  fs::path root_;
};

constexpr const char* kV2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n";
constexpr const char* kV1 =
    "24 18 0:20 / /proc rw - proc proc rw\n"
    "31 23 0:27 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
    "30 23 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

TEST_F(CpuQuota, NoneWithoutGroups) {
  EXPECT_EQ(quota(), kNone);
  mounts("24 18 0:20 / /proc rw - proc proc rw\n");
  groups("0::/\n");
  EXPECT_EQ(quota(), kNone);
}

TEST_F(CpuQuota, OfVersionTwoIsTheLeastOfAllLevels) {
  mounts(kV2);
  groups("0::/a/b\n");
  write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), kNone);
  write("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 1.5);
  write("sys/fs/cgroup/a/b/cpu.max", "400000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 1.5);
  write("sys/fs/cgroup/a/b/cpu.max", "25000 50000\n");
  EXPECT_DOUBLE_EQ(quota(), 0.5);
}

TEST_F(CpuQuota, InAContainerItsOwnGroupIsTheRoot) {
  mounts(kV2);
  groups("0::/\n");
  write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 2);
}

TEST_F(CpuQuota, OfVersionOne) {
  mounts(kV1);
  groups("5:cpuset:/other\n4:cpu,cpuacct:/docker/abc\n0::/\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "-1\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), kNone);
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "300000\n");
  write("sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(quota(), 3);
  write("sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "100000\n");
  EXPECT_DOUBLE_EQ(quota(), 1);
}

/// Docker with version 1: the mount shows the container's group, /proc/self/cgroup the host's path.
TEST_F(CpuQuota, WhereTheMountShowsAGroupOfTheHost) {
  mounts("30 23 0:26 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  groups("4:cpu:/docker/abc/inner\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000\n");
  write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(quota(), 2);
  write("sys/fs/cgroup/cpu/inner/cpu.cfs_quota_us", "50000\n");
  write("sys/fs/cgroup/cpu/inner/cpu.cfs_period_us", "100000\n");
  EXPECT_DOUBLE_EQ(quota(), 0.5);
  groups("4:cpu:/elsewhere\n");  // not below the mount: its own limit is what can be known
  EXPECT_DOUBLE_EQ(quota(), 2);
}

TEST_F(CpuQuota, OfBothVersionsTheLesserCounts) {
  mounts(std::string(kV1) + "40 23 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  groups("4:cpu,cpuacct:/\n0::/x\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "400000\n");
  write("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  write("sys/fs/cgroup/unified/x/cpu.max", "300000 100000\n");
  EXPECT_DOUBLE_EQ(quota(), 3);
}

TEST_F(CpuQuota, NonsenseIsNoLimit) {
  mounts(std::string("torn line\n") + kV2 + "30 23 - \n");
  groups("torn\n0::/a\n");
  for (const char* text : {"", "max", "0 100000", "-5 100000", "100000 0", "words here"}) {
    write("sys/fs/cgroup/a/cpu.max", text);
    EXPECT_EQ(quota(), kNone) << text;
  }
}

TEST(UsableThreads, FollowAffinityAndQuota) {
  EXPECT_EQ(usable_threads(8, kNone), 8);
  EXPECT_EQ(usable_threads(8, 100), 8);
  EXPECT_EQ(usable_threads(8, 1), 1);
  EXPECT_EQ(usable_threads(8, 0.25), 1);
  EXPECT_EQ(usable_threads(8, 1.4), 1);
  EXPECT_EQ(usable_threads(8, 2.5), 3);
  EXPECT_EQ(usable_threads(0, kNone), 1);
  EXPECT_GE(usable_threads(), 1);
}

TEST(ThreadsOfRank, AreItsShareOfWhatTheRanksHaveTogether) {
  EXPECT_EQ(threads_of_rank(16, 16, kNone, 4), 4);
  EXPECT_EQ(threads_of_rank(2, 2, kNone, 4), 1);    // more ranks than processors
  EXPECT_EQ(threads_of_rank(8, 8, kNone, 3), 2);    // the rest stays unused
  EXPECT_EQ(threads_of_rank(1, 2, kNone, 2), 1);    // each bound to one of its own
  EXPECT_EQ(threads_of_rank(8, 32, kNone, 4), 8);   // each bound to eight of its own
  EXPECT_EQ(threads_of_rank(16, 32, kNone, 4), 8);  // two bound to each socket
  EXPECT_EQ(threads_of_rank(16, 4, kNone, 2), 8);   // whoever started them is bound closer
  EXPECT_EQ(threads_of_rank(16, 16, 4, 2), 2);      // a quota that they share
  EXPECT_EQ(threads_of_rank(16, 16, 1, 4), 1);
}

}  // namespace
}  // namespace tessera
