// SPDX-License-Identifier: MIT
#include "core/base/processors.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr double kNoLimit = std::numeric_limits<double>::infinity();

/// A hierarchy of control groups that can limit processor time.
struct Hierarchy {
  bool v2 = false;
  std::string mounted_group;  ///< the group that is seen at the mount point
  std::string mount_point;
  std::string group;  ///< this process's group
};

bool has_word(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string one; std::getline(words, one, ',');) {
    if (one == word) return true;
  }
  return false;
}

/// Lines of /proc/self/mountinfo: "36 35 98:0 /group /mount/point options - type source options".
std::vector<Hierarchy> mounted_hierarchies(const fs::path& root) {
  std::vector<Hierarchy> found;
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    const auto split = line.find(" - ");
    if (split == line.npos) continue;
    std::istringstream before(line.substr(0, split)), after(line.substr(split + 3));
    std::string skipped, group, point, type, source, options;
    before >> skipped >> skipped >> skipped >> group >> point;
    after >> type >> source >> options;
    const bool v1 = type == "cgroup" && has_word(options, "cpu");
    if (v1 || type == "cgroup2") found.push_back({type == "cgroup2", group, point, {}});
  }
  return found;
}

/// Lines of /proc/self/cgroup: "0::/group" is v2's, "4:cpu,cpuacct:/group" a hierarchy of v1.
std::string group_of_this_process(const fs::path& root, bool v2) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (v2 ? controllers.empty() : has_word(controllers, "cpu")) return line.substr(second + 1);
  }
  return {};
}

std::optional<double> number_in(const fs::path& path) {
  std::ifstream file(path);
  double value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

/// What one group grants, apart from those above it.
double quota_of(const fs::path& group, bool v2) {
  if (!v2) {
    const auto quota = number_in(group / "cpu.cfs_quota_us");
    const auto period = number_in(group / "cpu.cfs_period_us");
    return quota && period && *quota > 0 && *period > 0 ? *quota / *period : kNoLimit;
  }
  std::ifstream file(group / "cpu.max");  // "max 100000" or "150000 100000"
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return kNoLimit;
  const double value = std::strtod(quota.c_str(), nullptr);
  return value > 0 ? value / period : kNoLimit;
}

/// The group's path below the mount point. In a container without a namespace of groups, the
/// process's path is the host's and the mount shows its own group: the result is then empty.
std::string below_mount(const Hierarchy& hierarchy) {
  const std::string& top = hierarchy.mounted_group;
  if (top == "/") return hierarchy.group;
  const bool inside = hierarchy.group == top || hierarchy.group.starts_with(top + "/");
  return inside ? hierarchy.group.substr(top.size()) : std::string();
}

double least_quota(const fs::path& root, const Hierarchy& hierarchy) {
  const fs::path mount = root / fs::path(hierarchy.mount_point).relative_path();
  fs::path group = fs::path(below_mount(hierarchy)).relative_path();
  double least = quota_of(mount, hierarchy.v2);
  for (; !group.empty(); group = group.parent_path()) {
    least = std::min(least, quota_of(mount / group, hierarchy.v2));
  }
  return least;
}
}  // namespace

double cpu_quota(const fs::path& root) {
  double least = kNoLimit;
  for (Hierarchy& hierarchy : mounted_hierarchies(root)) {
    hierarchy.group = group_of_this_process(root, hierarchy.v2);
    least = std::min(least, least_quota(root, hierarchy));
  }
  return least;
}

int usable_threads(int allowed, double quota) {
  const double rounded = std::max(1.0, std::round(quota));
  return rounded < allowed ? static_cast<int>(rounded) : std::max(1, allowed);
}

int allowed_processors(int process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(process, sizeof set, &set) == 0) return CPU_COUNT(&set);
  if (process != 0) return allowed_processors();
  // More processors than the set holds.
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

int threads_of_rank(int allowed, int all, double quota, int local_ranks) {
  const double part = static_cast<double>(allowed) / std::max(allowed, all);
  const double sharing = std::max(1.0, std::round(part * local_ranks));
  return usable_threads(static_cast<int>(allowed / sharing), quota / local_ranks);
}

int usable_threads() {
  return usable_threads(allowed_processors(), cpu_quota());
}

}  // namespace tessera
