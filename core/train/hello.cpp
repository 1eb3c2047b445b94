// SPDX-License-Identifier: MIT
#include "core/train/hello.h"

#include <omp.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/agreement.h"
#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/processors.h"

namespace tessera {

using nlohmann::json;

namespace {
constexpr double kMostClockOffset_s = 1;
constexpr std::int64_t kLeastFiles = 1024, kSharedOfRank = 32 << 20;

std::int64_t limit_of(int what) {
  rlimit limit{};
  ::getrlimit(static_cast<__rlimit_resource>(what), &limit);
  return limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<std::int64_t>(limit.rlim_cur);
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::string on_host(const RankFacts& rank) {
  return fmt::format("rank {} on host {}", rank.rank, rank.host);
}
}  // namespace

RankFacts local_facts() {
  RankFacts facts;
  facts.host = host_name();
  facts.files = limit_of(RLIMIT_NOFILE);
  facts.memlock = limit_of(RLIMIT_MEMLOCK);
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) == 0) {
    facts.shared =
        static_cast<std::int64_t>(shm.f_bavail) * static_cast<std::int64_t>(shm.f_frsize);
  }
  facts.threads = omp_get_max_threads();
  facts.processors = usable_threads();
  return facts;
}

std::vector<RankFacts> exchange_facts(Communicator& ranks, RankFacts own) {
  own.rank = ranks.rank();
  const json j = {{"host", own.host},       {"build", own.build},          {"spec", own.spec},
                  {"files", own.files},     {"memlock", own.memlock},      {"shared", own.shared},
                  {"threads", own.threads}, {"processors", own.processors}};
  const std::vector<std::string> texts = gather_texts(&ranks, j.dump());
  Context context;
  ranks.barrier(context);  // all leave it at nearly the same moment
  double clock = now_s();
  std::vector<double> clocks(texts.size());
  ranks.all_gather(context, Tensor(&clock, DType::F64, {1}),
                   Tensor(clocks.data(), DType::F64, {ranks.size()}));
  std::vector<RankFacts> all;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const json facts = json::parse(texts[i]);
    all.push_back({.rank = static_cast<int>(i),
                   .host = facts.at("host"),
                   .build = facts.at("build"),
                   .spec = facts.at("spec"),
                   .clock_s = clocks[i],
                   .files = facts.at("files"),
                   .memlock = facts.at("memlock"),
                   .shared = facts.at("shared"),
                   .threads = facts.at("threads"),
                   .processors = facts.at("processors")});
  }
  return all;
}

namespace {
/// The limits of one rank's host, told once for each host.
void add_limits(const RankFacts& rank, std::int64_t ranks_there, std::int64_t threads_there,
                std::vector<HelloProblem>& problems) {
  const auto warn = [&](std::string text) { problems.push_back({false, std::move(text)}); };
  if (rank.files >= 0 && rank.files < kLeastFiles) {
    warn(
        fmt::format("host {}: a process may open {} files, {} are wanted: `ulimit -n {}` before "
                    "the ranks are started",
                    rank.host, rank.files, kLeastFiles, kLeastFiles));
  }
  if (ranks_there > 1 && rank.shared < ranks_there * kSharedOfRank) {
    warn(
        fmt::format("host {}: /dev/shm has {} MB free, {} ranks use up to {} MB: in a container "
                    "--shm-size={}m",
                    rank.host, rank.shared >> 20, ranks_there, (ranks_there * kSharedOfRank) >> 20,
                    (2 * ranks_there * kSharedOfRank) >> 20));
  }
  if (threads_there > std::max(rank.processors, ranks_there) && ranks_there > 1) {
    warn(
        fmt::format("host {}: {} ranks compute with {} threads on {} processors, which is many "
                    "times slower than one thread for each: lower host.threads or OMP_NUM_THREADS",
                    rank.host, ranks_there, threads_there, rank.processors));
  }
}

/// Sums over rows are split among threads, so their order follows the number of threads.
void add_threads(const std::vector<RankFacts>& ranks, std::vector<HelloProblem>& problems) {
  const RankFacts& first = ranks.front();
  for (const RankFacts& rank : ranks) {
    if (rank.threads == first.threads) continue;
    problems.push_back(
        {false, fmt::format("{} computes with {} threads, {} with {}: with parallel.sums = "
                            "\"canonical\" sums have one order only where all have as many; set "
                            "host.threads",
                            on_host(rank), rank.threads, on_host(first), first.threads)});
    return;
  }
}
}  // namespace

std::vector<HelloProblem> compare_facts(const std::vector<RankFacts>& ranks, bool same_sums) {
  std::vector<HelloProblem> problems;
  if (same_sums) add_threads(ranks, problems);
  const RankFacts& first = ranks.front();
  std::vector<std::string> told;
  for (const RankFacts& rank : ranks) {
    if (rank.build != first.build) {
      problems.push_back(
          {true, fmt::format("{} runs tessera {}, {} runs {}: install the same "
                             "build on both",
                             on_host(rank), rank.build, on_host(first), first.build)});
    }
    if (rank.spec != first.spec) {
      problems.push_back(
          {true, fmt::format("{} reads another run.toml than {}: the run's folder must be the same "
                             "one on all hosts, on a file system that they share",
                             on_host(rank), on_host(first))});
    }
    if (std::find(told.begin(), told.end(), rank.host) != told.end()) continue;
    told.push_back(rank.host);
    const double offset = rank.clock_s - first.clock_s;
    if (std::abs(offset) > kMostClockOffset_s) {
      problems.push_back({false, fmt::format("the clock of host {} is {:.1f} s {} the one of {}: "
                                             "times in logs will not fit together; let chrony or "
                                             "systemd-timesyncd set it",
                                             rank.host, std::abs(offset),
                                             offset > 0 ? "before" : "behind", first.host)});
    }
    std::int64_t ranks_there = 0, threads_there = 0;
    for (const RankFacts& other : ranks) {
      if (other.host != rank.host) continue;
      ++ranks_there;
      threads_there += other.threads;
    }
    add_limits(rank, ranks_there, threads_there, problems);
  }
  return problems;
}

std::string hash_text(std::string_view bytes) {
  std::uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211ull;
  return fmt::format("{:016x}", hash);
}

void check_same(Communicator& ranks, const char* what, const std::string& hash, const char* hint) {
  if (ranks.size() == 1) return;
  const std::vector<std::string> all = gather_texts(&ranks, hash + " " + host_name());
  const std::string first = all[0].substr(0, all[0].rfind(' '));
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].starts_with(first + " ")) continue;
    const auto host = [&](std::size_t i) { return all[i].substr(all[i].rfind(' ') + 1); };
    throw Error(what,
                fmt::format("rank {} on host {} has others than rank 0 on host {}", rank,
                            host(rank), host(0)),
                hint);
  }
}

}  // namespace tessera
