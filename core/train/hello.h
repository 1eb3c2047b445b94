// SPDX-License-Identifier: MIT
// What ranks tell each other before the first step, so that machines that do not fit together are
// named before they waste time: build, spec, data, clock, limits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/communicator.h"

namespace tessera {

/// What one rank says of itself.
struct RankFacts {
  int rank = 0;
  std::string host{};
  std::string build{};          ///< version and commit
  std::string spec{};           ///< a hash of run.toml as this rank reads it
  double clock_s = 0;           ///< seconds since 1970, at one moment for all ranks
  std::int64_t files = 0;       ///< limit of open files; -1: none
  std::int64_t memlock = 0;     ///< limit of locked memory in bytes; -1: none
  std::int64_t shared = 0;      ///< free bytes in /dev/shm
  std::int64_t threads = 0;     ///< that this rank computes with
  std::int64_t processors = 0;  ///< that this process may use
};

struct HelloProblem {
  bool fatal = false;  ///< the ranks cannot train together
  std::string text{};  ///< names the host, and what is to be done
};

/// The facts of every rank. A collective call; clocks are read at its end.
std::vector<RankFacts> exchange_facts(Communicator& ranks, RankFacts own);

/// What does not fit together, each with the host that differs from rank 0's. `same_sums`: the run
/// asks for sums that no layout changes, so that all must compute with as many threads.
std::vector<HelloProblem> compare_facts(const std::vector<RankFacts>& ranks, bool same_sums);

/// What of this process and machine belongs to them.
RankFacts local_facts();

/// A short text that differs where the bytes differ.
std::string hash_text(std::string_view bytes);

/// Throws Error naming the host of the first rank whose `hash` of `what` is another than rank 0's.
/// A collective call.
void check_same(Communicator& ranks, const char* what, const std::string& hash, const char* hint);

}  // namespace tessera
