// SPDX-License-Identifier: MIT
#include "core/base/rank_environment.h"

#include <charconv>
#include <cstdlib>

#include "core/base/error.h"

namespace tessera {

namespace {
using Starter = RankEnvironment::Starter;

std::string_view text_of(const GetVariable& get, const char* name) {
  const char* value = get(name);
  return value ? std::string_view(value) : std::string_view();
}

bool has(const GetVariable& get, const char* name) {
  return !text_of(get, name).empty();
}

/// A whole number from `least` to `most`.
int number(const GetVariable& get, const char* name, int least, int most) {
  const std::string_view text = text_of(get, name);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (whole && value >= least && value <= most) return value;
  throw Error(name,
              fmt::format("is \"{}\", expected a whole number from {} to {}", text, least, most),
              "whatever starts the ranks sets this variable for each of them");
}

int number_or(const GetVariable& get, const char* name, int least, int most, int otherwise) {
  return has(get, name) ? number(get, name, least, most) : otherwise;
}

constexpr int kMostRanks = 1 << 24, kMostPort = 65535;

void take_master(const GetVariable& get, RankEnvironment& e) {
  if (has(get, "MASTER_ADDR")) e.master_address = text_of(get, "MASTER_ADDR");
  if (has(get, "MASTER_PORT")) e.master_port = number(get, "MASTER_PORT", 1, kMostPort);
}

RankEnvironment from_variables(const GetVariable& get) {
  RankEnvironment e{.starter = Starter::Variables};
  e.size = number(get, "WORLD_SIZE", 1, kMostRanks);
  e.rank = number(get, "RANK", 0, e.size - 1);
  e.local_size = number_or(get, "LOCAL_WORLD_SIZE", 1, e.size, e.size);
  e.local_rank = number_or(get, "LOCAL_RANK", 0, e.local_size - 1, e.rank % e.local_size);
  take_master(get, e);
  return e;
}

RankEnvironment from_open_mpi(const GetVariable& get) {
  RankEnvironment e{.starter = Starter::OpenMpi};
  e.size = number(get, "OMPI_COMM_WORLD_SIZE", 1, kMostRanks);
  e.rank = number(get, "OMPI_COMM_WORLD_RANK", 0, e.size - 1);
  e.local_size = number_or(get, "OMPI_COMM_WORLD_LOCAL_SIZE", 1, e.size, e.size);
  e.local_rank =
      number_or(get, "OMPI_COMM_WORLD_LOCAL_RANK", 0, e.local_size - 1, e.rank % e.local_size);
  take_master(get, e);
  return e;
}

/// NOTE: a batch script and a shell inside an allocation have SLURM_PROCID and SLURM_NTASKS too,
/// though nobody started them as one of many. A task of `srun` has the size of its step.
RankEnvironment from_slurm(const GetVariable& get) {
  RankEnvironment e{.starter = Starter::Slurm};
  e.size = number(get, "SLURM_STEP_NUM_TASKS", 1, kMostRanks);
  e.rank = number(get, "SLURM_PROCID", 0, e.size - 1);
  const int node = number_or(get, "SLURM_NODEID", 0, kMostRanks, 0);
  const int listed = tasks_on_node(text_of(get, "SLURM_STEP_TASKS_PER_NODE"), node);
  e.local_size = listed > 0 ? listed : e.size;
  e.local_rank = number_or(get, "SLURM_LOCALID", 0, e.local_size - 1, e.rank % e.local_size);
  e.master_address = first_host(text_of(get, "SLURM_STEP_NODELIST"));
  take_master(get, e);
  return e;
}

/// A wrapper may hand on the numbers of the starter that it was started by, but not others.
void check_agree(const GetVariable& get, const char* rank, const char* size) {
  if (!has(get, rank) || !has(get, size)) return;
  for (const auto& [own, other] : {std::pair("RANK", rank), std::pair("WORLD_SIZE", size)}) {
    if (text_of(get, own) == text_of(get, other)) continue;
    throw Error(own,
                fmt::format("is {}, but {} is {}", text_of(get, own), other, text_of(get, other)),
                fmt::format("unset {}, which is left from another start, or {}", own, other));
  }
}
}  // namespace

std::optional<RankEnvironment> rank_environment(const GetVariable& get) {
  if (has(get, "RANK") && has(get, "WORLD_SIZE")) {
    check_agree(get, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE");
    return from_variables(get);
  }
  if (has(get, "OMPI_COMM_WORLD_RANK") && has(get, "OMPI_COMM_WORLD_SIZE")) {
    return from_open_mpi(get);
  }
  if (has(get, "SLURM_PROCID") && has(get, "SLURM_STEP_NUM_TASKS")) return from_slurm(get);
  return {};
}

std::optional<RankEnvironment> rank_environment() {
  return rank_environment([](const char* name) { return std::getenv(name); });
}

std::string first_host(std::string_view list) {
  const std::size_t bracket = list.find('['), comma = list.find(',');
  if (bracket == list.npos || comma < bracket) return std::string(list.substr(0, comma));
  const std::string_view numbers = list.substr(bracket + 1);
  const std::string_view first = numbers.substr(0, numbers.find_first_of(",-]"));
  return std::string(list.substr(0, bracket)) + std::string(first);
}

int tasks_on_node(std::string_view list, int node) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view one = list.substr(0, comma);
    int tasks = 0, times = 1;
    const auto [end, error] = std::from_chars(one.data(), one.data() + one.size(), tasks);
    if (error != std::errc{}) return 0;
    const std::string_view rest = one.substr(static_cast<std::size_t>(end - one.data()));
    if (rest.starts_with("(x")) std::from_chars(rest.data() + 2, rest.data() + rest.size(), times);
    if (node < times) return tasks;
    node -= times;
    if (comma == list.npos) break;
    list.remove_prefix(comma + 1);
  }
  return 0;
}

}  // namespace tessera
