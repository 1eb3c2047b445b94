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

namespace {
/// Ranks that work on the same sequences.
std::int64_t ranks_of_data_place(const RunSpec& spec) {
  return spec.parallel.pipeline * spec.parallel.context;
}
}  // namespace

std::int64_t ranks_of(const RunSpec& spec) {
  return spec.parallel.data * ranks_of_data_place(spec);
}

namespace {
void check_experts(const RunSpec& spec, std::int64_t ranks) {
  const std::int64_t replicas = ranks / spec.parallel.pipeline;
  if (replicas % spec.parallel.expert == 0) return;
  throw Error("parallel.expert",
              fmt::format("{} does not divide the number of replicas that share experts, {}",
                          spec.parallel.expert, replicas),
              fmt::format("parallel.data, or ranks for each stage, as a multiple of {}",
                          spec.parallel.expert));
}

/// Throws Error unless the ranks make pipelines, and these share sequences.
void check_data_places(const RunSpec& spec, std::int64_t ranks) {
  const std::int64_t stages = spec.parallel.pipeline, context = spec.parallel.context;
  if (ranks % stages != 0) {
    throw Error("ranks",
                fmt::format("{} ranks cannot be split into pipelines of {} stages", ranks, stages),
                fmt::format("a multiple of parallel.pipeline, {}", stages));
  }
  if (ranks / stages % context != 0) {
    throw Error(
        "ranks",
        fmt::format("{} ranks for each stage cannot be split into groups of {} that share "
                    "a sequence",
                    ranks / stages, context),
        fmt::format("a multiple of parallel.pipeline * parallel.context, {}", stages * context));
  }
}
}  // namespace

namespace {
bool share_batches(const RunSpec& spec, std::int64_t replicas, std::int64_t micro) {
  return std::all_of(spec.curriculum.begin(), spec.curriculum.end(),
                     [&](const CurriculumStage& stage) {
                       return stage.batch_sequences % (replicas * micro) == 0;
                     });
}

/// Throws Error where replicas could share the batches if only they took fewer sequences at a time.
void check_micro_batches(const RunSpec& spec, std::int64_t replicas) {
  const std::int64_t micro = spec.parallel.micro_batch_sequences;
  for (std::int64_t smaller = micro; smaller > 0; --smaller) {
    if (!share_batches(spec, replicas, smaller)) continue;
    if (smaller == micro) return;
    throw Error("ranks",
                fmt::format("{} replicas that take {} sequences at a time cannot share the batches",
                            replicas, micro),
                fmt::format("add --set parallel.micro_batch_sequences={}", smaller));
  }
}
}  // namespace

RunSpec spec_for_ranks(const std::function<RunSpec(const std::vector<std::string>& more)>& load,
                       std::int64_t ranks) {
  RunSpec spec = load({});
  if (ranks == 0 || ranks == ranks_of(spec)) {
    check_experts(spec, ranks_of(spec));
    return spec;
  }
  check_data_places(spec, ranks);
  const std::int64_t each = ranks_of_data_place(spec);
  if (spec.parallel.data != 1) {
    throw Error("ranks",
                fmt::format("{} ranks are not the {} that parallel.data = {} and {} ask for", ranks,
                            ranks_of(spec), spec.parallel.data,
                            spec.parallel.context > 1
                                ? fmt::format("parallel.pipeline * parallel.context = {}", each)
                                : fmt::format("parallel.pipeline = {}", each)),
                fmt::format("leave --ranks out, or add --set parallel.data={}", ranks / each));
  }
  check_experts(spec, ranks);
  check_micro_batches(spec, ranks / each);
  return load({fmt::format("parallel.data={}", ranks / each)});
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

void check_ranks(const RunSpec& spec, std::int64_t ranks) {
  check_data_places(spec, ranks);
  const std::int64_t each = ranks_of_data_place(spec), micro = spec.parallel.micro_batch_sequences;
  check_experts(spec, ranks);
  const std::int64_t unit = ranks / each * micro, before = spec.parallel.data * micro;
  for (const CurriculumStage& stage : spec.curriculum) {
    // A growing batch takes steps of what the run began with.
    const std::int64_t batch = stage.batch_ramp_from > 0 ? before : stage.batch_sequences;
    if (batch % unit == 0) continue;
    throw Error(
        "ranks",
        fmt::format("batches of {} sequences cannot be shared by {} replicas that take {} at "
                    "a time",
                    batch, ranks / each, micro),
        fmt::format("as many replicas as {} has divisors: it is the batch by "
                    "parallel.micro_batch_sequences, {}",
                    batch / micro, micro));
  }
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
