// SPDX-License-Identifier: MIT
// How many processors this process can use: by its affinity, and by the CPU quota of its control
// groups (docker --cpus, Kubernetes limits, systemd CPUQuota).
#pragma once

#include <filesystem>

namespace tessera {

/// Processors' worth of time that the control groups of this process grant it: the least
/// quota / period of its group and of all groups above it, in cgroup v1 and v2. Infinity: no limit.
/// `root` is where /proc and the mounts are looked for; tests give a folder of their own.
double cpu_quota(const std::filesystem::path& root = "/");

/// Threads that are worth starting: `allowed` processors, or the quota rounded to a whole number
/// where that is less. At least 1.
int usable_threads(int allowed, double quota);

/// The same for this process as it stands now.
int usable_threads();

/// Processors that a process may use by its affinity; 0: this one. A process that cannot be looked
/// at has as many as this one.
int allowed_processors(int process = 0);

/// Threads for one of `local_ranks` ranks of a machine, by its own `allowed` processors, those that
/// whoever started them has for `all` of them, and the quota that they share. Ranks that were bound
/// to processors of their own keep these; the others share what there is. At least 1.
int threads_of_rank(int allowed, int all, double quota, int local_ranks);

}  // namespace tessera
