// SPDX-License-Identifier: MIT
#include "core/launch/host_checks.h"

#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/processors.h"
#include "core/launch/reach.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using nlohmann::json;
constexpr std::int64_t kMB = 1'000'000, kGB = 1'000'000'000;
constexpr std::int64_t kLeastDisk = 1 * kGB, kGoodDisk = 20 * kGB;
constexpr std::int64_t kGoodSharedMemory = 1 * kGB;
constexpr std::int64_t kGoodFiles = 4096;
constexpr double kGoodClock_s = 2;

std::int64_t soft_limit(int which) {
  rlimit limit{};
  if (::getrlimit(static_cast<__rlimit_resource_t>(which), &limit) != 0 ||
      limit.rlim_cur == RLIM_INFINITY)
    return -1;
  return static_cast<std::int64_t>(limit.rlim_cur);
}

/// Free bytes of the file system that the path is on, or will be; -1: not known.
std::int64_t free_bytes_at(fs::path path) {
  struct statvfs about {};
  while (::statvfs(path.c_str(), &about) != 0) {
    if (!path.has_relative_path()) return -1;
    path = path.parent_path();
  }
  return static_cast<std::int64_t>(about.f_bavail) * static_cast<std::int64_t>(about.f_frsize);
}

using Level = HostCheck::Level;

HostCheck judge_version(const HostFacts& facts, const std::string& own_build) {
  if (facts.build == own_build) return {Level::Good, "version", facts.build, ""};
  return {Level::Bad, "version", fmt::format("{} there, {} here", facts.build, own_build),
          "--copy sends this one there"};
}

HostCheck judge_gpus(const HostFacts& facts) {
  if (facts.gpus.empty()) {
    // Without the list of places where a plugin was looked for.
    const std::string why = facts.gpu_trouble.substr(0, facts.gpu_trouble.find(" ("));
    return {Level::Good, "GPUs", why.empty() ? "none" : fmt::format("none: {}", why), ""};
  }
  return {Level::Good, "GPUs", fmt::format("{}: {}", facts.gpus.size(), facts.gpus.front()), ""};
}

HostCheck judge_disk(const HostFacts& facts) {
  const std::string text =
      fmt::format("{} free for {}", size_text(facts.disk_free_bytes), facts.folder);
  if (facts.disk_free_bytes < 0) {
    return {Level::Bad, "disk", facts.folder + " cannot be looked at", "name another --folder"};
  }
  if (facts.disk_free_bytes < kLeastDisk) {
    return {Level::Bad, "disk", text, "make room there, or name another --folder"};
  }
  if (facts.disk_free_bytes < kGoodDisk) {
    return {Level::Warning, "disk", text, "checkpoints of a large model may not fit"};
  }
  return {Level::Good, "disk", text, ""};
}

HostCheck judge_shared_memory(const HostFacts& facts) {
  const std::string text = size_text(facts.shared_memory_bytes) + " in /dev/shm";
  if (facts.shared_memory_bytes >= kGoodSharedMemory) return {Level::Good, "memory", text, ""};
  return {Level::Warning, "memory", text,
          "GPUs and ranks of one host exchange data there: `mount -o remount,size=8G /dev/shm`, "
          "or --shm-size for a container"};
}

void judge_limits(const HostFacts& facts, std::vector<HostCheck>& checks) {
  if (facts.open_files_limit >= 0 && facts.open_files_limit < kGoodFiles) {
    checks.push_back({Level::Warning, "limits",
                      fmt::format("{} open files", facts.open_files_limit),
                      "raise \"nofile\" in /etc/security/limits.conf, then log in anew"});
  }
  if (!facts.gpus.empty() && facts.locked_memory_limit >= 0 &&
      facts.locked_memory_limit < 64 * kGB) {
    checks.push_back({Level::Warning, "limits",
                      size_text(facts.locked_memory_limit) + " of locked memory",
                      "InfiniBand needs \"memlock unlimited\" in /etc/security/limits.conf"});
  }
  if (checks.empty() || checks.back().name != "limits") {
    checks.push_back({Level::Good, "limits", "open files and locked memory are enough", ""});
  }
}

HostCheck judge_clock(const HostClock& clock) {
  const auto text = [](double seconds) {
    return std::abs(seconds) < 1 ? fmt::format("{:.2f} ms", seconds * 1e3)
                                 : fmt::format("{:.1f} s", seconds);
  };
  const std::string words = fmt::format(
      "{} {} (within {})", text(std::abs(clock.ahead_s)),
      clock.ahead_s < 0 ? "behind this machine's" : "ahead of this machine's", text(clock.doubt_s));
  if (std::abs(clock.ahead_s) - clock.doubt_s <= kGoodClock_s) {
    return {Level::Good, "clock", words, ""};
  }
  return {Level::Warning, "clock", words, "set both by NTP: `timedatectl set-ntp true`"};
}
}  // namespace

std::string size_text(std::int64_t bytes) {
  if (bytes < 0) return "an unknown size";
  if (bytes < kGB) return fmt::format("{} MB", bytes / kMB);
  return fmt::format("{:.1f} GB", static_cast<double>(bytes) / static_cast<double>(kGB));
}

std::string to_line(const HostFacts& f) {
  const json o{{"build", f.build},
               {"host", f.host},
               {"processors", f.processors},
               {"memory_bytes", f.memory_bytes},
               {"gpus", f.gpus},
               {"gpu_trouble", f.gpu_trouble},
               {"folder", f.folder},
               {"disk_free_bytes", f.disk_free_bytes},
               {"shared_memory_bytes", f.shared_memory_bytes},
               {"locked_memory_limit", f.locked_memory_limit},
               {"open_files_limit", f.open_files_limit},
               {"addresses", f.addresses}};
  return o.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

HostFacts facts_of_line(const std::string& line) {
  try {
    const json o = json::parse(line);
    HostFacts f;
    o.at("build").get_to(f.build);
    o.at("host").get_to(f.host);
    o.at("processors").get_to(f.processors);
    o.at("memory_bytes").get_to(f.memory_bytes);
    o.at("gpus").get_to(f.gpus);
    o.at("gpu_trouble").get_to(f.gpu_trouble);
    o.at("folder").get_to(f.folder);
    o.at("disk_free_bytes").get_to(f.disk_free_bytes);
    o.at("shared_memory_bytes").get_to(f.shared_memory_bytes);
    o.at("locked_memory_limit").get_to(f.locked_memory_limit);
    o.at("open_files_limit").get_to(f.open_files_limit);
    o.at("addresses").get_to(f.addresses);
    return f;
  } catch (const json::exception&) {
    throw Error("hosts", fmt::format("\"{}\" says nothing of a host", line.substr(0, 200)),
                "is an older tessera there? --copy sends this one");
  }
}

HostFacts facts_of_this_host(const std::string& folder) {
  HostFacts f;
  f.host = host_name();
  f.processors = usable_threads();
  f.memory_bytes = static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) *
                   static_cast<std::int64_t>(::sysconf(_SC_PAGESIZE));
  f.folder = folder;
  f.disk_free_bytes = free_bytes_at(folder);
  f.shared_memory_bytes = free_bytes_at("/dev/shm");
  f.locked_memory_limit = soft_limit(RLIMIT_MEMLOCK);
  f.open_files_limit = soft_limit(RLIMIT_NOFILE);
  for (const HostAddress& one : own_addresses()) f.addresses.push_back(one.address);
  return f;
}

HostClock clock_offset(const std::vector<ClockAnswer>& answers) {
  HostClock best{0, 1e9};
  for (const ClockAnswer& one : answers) {
    const double doubt = (one.came - one.asked) / 2;
    if (doubt < 0 || doubt >= best.doubt_s) continue;
    best = {one.there - (one.asked + one.came) / 2, doubt};
  }
  return best;
}

std::vector<HostCheck> judge_host(const HostFacts& facts, const std::string& own_build,
                                  const HostClock& clock) {
  std::vector<HostCheck> checks{judge_version(facts, own_build), judge_gpus(facts),
                                judge_disk(facts), judge_shared_memory(facts)};
  judge_limits(facts, checks);
  checks.push_back(judge_clock(clock));
  return checks;
}

}  // namespace tessera
