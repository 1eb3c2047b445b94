// SPDX-License-Identifier: MIT
#include "app/ranks.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "core/base/agreement.h"
#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/rank_watch.h"
#include "distributed/mpi/mpi_ranks.h"
#include "distributed/nccl/nccl_ranks.h"
#include "distributed/store/store_world.h"

namespace tessera::app {

namespace fs = std::filesystem;

RunSpec spec_for_ranks(const std::function<RunSpec(const std::vector<std::string>& more)>& load,
                       std::int64_t ranks) {
  RunSpec spec = load({});
  const std::int64_t data = data_for_ranks(spec, ranks);
  if (data == spec.parallel.data) return spec;
  return load({fmt::format("parallel.data={}", data)});
}

void tell_of_other_hosts(const std::string& file_or_preset,
                         const std::vector<std::string>& settings) {
  fs::path file = file_or_preset;
  if (fs::is_directory(file)) file /= "run.toml";
  const SpecReading reading =
      fs::exists(file) ? read_spec(file, settings) : read_preset(file_or_preset, settings);
  const RunSpec::Host& host = reading.spec.host;
  if (host.address.empty()) return;
  std::fprintf(stderr, "tessera: host.address = \"%s\" is not used: this command names the hosts\n",
               host.address.c_str());
}

namespace {
std::chrono::milliseconds hang_limit_of(const RunSpec& spec) {
  using Seconds = std::chrono::duration<double>;
  if (spec.host.hang_limit_s <= 0) return std::chrono::hours(24 * 365);
  return std::chrono::duration_cast<std::chrono::milliseconds>(Seconds(spec.host.hang_limit_s));
}

/// MPI knows where its ranks are; those on GPUs find each other at an address.
std::unique_ptr<Communicator> connect_gpu_ranks(const RunSpec& spec, const RankEnvironment& place) {
  if (place.master_address.empty() || place.master_port == 0) {
    throw Error("ranks",
                "ranks on GPUs find each other at MASTER_ADDR and MASTER_PORT, which are not set",
                "set both for every rank: the first host's name, and a port that is free there");
  }
  see_gpu_of_rank(place.local_rank);
  NcclOptions options;
  options.hang_limit = hang_limit_of(spec);
  return make_nccl_ranks(
      {place.rank, place.size, place.master_address, store_port(place.master_port)}, options);
}
}  // namespace

std::unique_ptr<Communicator> connect_ranks(const RunSpec& spec, const RankEnvironment& place) {
  if (spec.host.device == Device::Cuda) return connect_gpu_ranks(spec, place);
  // Whoever sets these alone has started no MPI, nor has srun without --mpi.
  using Starter = RankEnvironment::Starter;
  const bool no_mpi =
      (place.starter == Starter::Variables && !std::getenv("OMPI_COMM_WORLD_RANK")) ||
      (place.starter == Starter::Slurm && !std::getenv("PMIX_RANK") && !std::getenv("PMI_RANK"));
  if (no_mpi && !place.master_address.empty() && place.master_port > 0) {
    return make_store_ranks({place.rank, place.size, place.master_address,
                             store_port(place.master_port), hang_limit_of(spec)});
  }
  return connect_mpi_ranks();
}

RunFolder folder_of_all(Communicator& ranks, const std::function<RunFolder()>& make) {
  std::string path;
  std::optional<RunFolder> made;
  if (ranks.rank() == 0) {
    try {
      made = make();
      const fs::path records = made->path() / "ranks";
      std::error_code error;
      fs::remove_all(records, error);
      fs::create_directory(records, error);
      if (error) throw Error(records.string(), "cannot be made: " + error.message());
      path = made->path().string();
    } catch (const std::exception& error) {
      ranks.abort(error.what());
      throw;
    }
  }
  const Communicator::LongWait wait(ranks);
  path = text_of_rank(&ranks, path, 0);
  return made ? *made : RunFolder::open(path);
}

RankEnding train_as_rank(const RunFolder& folder, Communicator& ranks,
                         const TrainRunOptions& options) {
  const RunSpec spec = folder.spec();
  const fs::path records = folder.path() / "ranks";
  const auto record =
      std::make_shared<CallRecord>(calls_file(records, ranks.rank()), ranks.rank(), ranks.size());
  ranks.record_calls(record);
  log::set_console_level(log::Level::Error);
  const RankWatch watch(
      record, ranks,
      {.records = records, .hang_limit_s = spec.host.hang_limit_s, .asked_to_end = options.stop});
  try {
    if (ranks.rank() != 0) log::set_file(folder.log_path(ranks.rank()));
    RankEnding ending{.state = train_run(folder, ranks, options)};
    // All wait for all here, while somebody watches.
    Context context;
    std::int64_t signals = options.stop && *options.stop ? 1 : 0;
    ranks.all_reduce(context, Tensor(&signals, DType::I64, {1}));
    ending.by_signal = signals > 0;
    record->ended({});
    return ending;
  } catch (const std::exception& error) {
    ranks.abort(error.what());  // where train_run() has not said it
    throw;
  }
}

}  // namespace tessera::app
