// SPDX-License-Identifier: MIT
// bench train --shape: whole steps of a model of a given shape, without data on disk.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/bench.h"
#include "app/bench_parts.h"
#include "app/bench_results.h"
#include "app/gpu_meter.h"
#include "app/ranks.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/rank_environment.h"
#include "core/spec/spec.h"
#include "core/spec/spec_edit.h"
#include "core/train/trainer.h"
#include "distributed/single/single_process.h"
#include "kernels/product/product.h"

namespace tessera::app {

namespace {
constexpr double kMiB = 1048576.0;

double free_mebibytes(Device device) {
  if (device == Device::Cpu) return 0;
  return static_cast<double>(devices().front().free_bytes) / kMiB;
}

/// The preset of the shape as one endless stage of such steps, which each of `ranks` takes a share
/// of.
RunSpec spec_of(const ShapeBench& options, std::int64_t ranks) {
  RunSpec spec = load_spec("numbers-" + options.shape, {});
  spec.model.max_position_embeddings = std::max(spec.model.max_position_embeddings, options.length);
  spec.run.seed = 1;
  spec.precision.recipe = recipe_from_name(options.precision);
  spec.optimiser.moments = DType::BF16;
  spec.host.device = options.device;
  spec.host.cuda_graphs = options.graphs;
  spec.parallel.micro_batch_sequences = options.sequences;
  spec.parallel.data = ranks;
  CurriculumStage& stage = spec.curriculum.front();
  stage.sequence_length = options.length;
  stage.batch_sequences = options.sequences * ranks;
  stage.batch_ramp_from = 0;
  stage.learning_rate = {{.kind = RateKind::Constant, .to = 1e-4}};
  stage.balance_alpha = 1e-4;
  stage.bias_speed = 1e-3;
  spec.curriculum.resize(1);
  if (!options.settings.empty()) {
    spec = spec::with_settings(spec, options.settings, "shape " + options.shape);
  }
  spec.model.experts_in_turn = options.forced_routing;  // no key of a spec
  return spec;
}

/// The trainer of a run, on random tokens.
class Bench {
 public:
  Bench(const ShapeBench& options, const RunSpec& spec, Communicator& ranks)
      : spec_(spec),
        free_before_(free_mebibytes(spec_.host.device)),
        ranks_(ranks),
        trainer_(spec_, random_source(spec_, ranks_), SpecialTokens{}, ranks_) {
    trainer_.set_deterministic(options.deterministic);
  }

  StepReport step() { return trainer_.step(); }
  void set_profile(Profile* profile) { trainer_.set_profile(profile); }
  const Model& model() { return trainer_.model(); }
  const RunSpec& spec() const { return spec_; }
  std::int64_t replayed() const { return trainer_.replayed(); }
  /// How many share the work.
  int ranks() const { return ranks_.size(); }

  void print_memory() {
    const StepMemory& arenas = trainer_.step_memory();
    const std::size_t all = trainer_.memory_bytes();
    const std::size_t kept = arenas.keep_bytes + arenas.again_bytes;
    std::printf(
        "planned: weights, gradients, moments %.0f MiB, kept for backward %.0f MiB, "
        "temporaries %.0f MiB: %.0f MiB\n",
        static_cast<double>(all - kept - arenas.scratch_bytes) / kMiB,
        static_cast<double>(kept) / kMiB, static_cast<double>(arenas.scratch_bytes) / kMiB,
        static_cast<double>(all) / kMiB);
    if (spec_.host.device == Device::Cpu) return;
    std::printf("used: %.0f MiB of the GPU, %.0f MiB of it workspaces of operations\n",
                free_before_ - free_mebibytes(spec_.host.device),
                static_cast<double>(cuda_backend()->workspace_bytes()) / kMiB);
  }

 private:
  RunSpec spec_;
  double free_before_;
  Communicator& ranks_;
  Trainer trainer_;
};

/// The steps that count.
struct Measured {
  std::vector<double> seconds;  ///< ascending
  double loss = 0;              ///< the last step's
  std::optional<GpuReading> gpu;

  double median() const { return seconds[seconds.size() / 2]; }
};

Measured measure(Bench& bench, const ShapeBench& options) {
  Measured measured;
  std::optional<GpuMeter> meter;
  if (bench.spec().host.device == Device::Cuda)
    meter.emplace(first_gpu(std::getenv("CUDA_VISIBLE_DEVICES")));
  for (std::int64_t i = 0; i < options.steps; ++i) {
    const auto start = BenchClock::now();
    measured.loss = bench.step().loss;
    measured.seconds.push_back(seconds_since(start));
  }
  if (meter) measured.gpu = meter->mean();
  std::sort(measured.seconds.begin(), measured.seconds.end());
  return measured;
}

/// Prints and stores what was measured; `peak` is the rate of a large product. Rates are those of
/// one rank, as batches grow with the ranks.
void report(Bench& bench, const ShapeBench& options, const Measured& m, double peak) {
  const char* routing = options.forced_routing ? "forced" : "natural";
  const std::string recipe(name_of(bench.spec().precision.recipe));
  const CurriculumStage& stage = bench.spec().curriculum.front();
  const std::int64_t length = stage.sequence_length;
  const std::int64_t sequences = stage.batch_sequences / bench.ranks();
  const auto tokens = static_cast<double>(sequences * length);
  const double flops = tokens * training_flops_per_token(bench.model().config(), length);
  const double step = m.median();
  std::printf(
      "%s, %s, %lld x %lld random tokens, %s routing, FP32 master weights and "
      "gradients, BF16 moments\n",
      options.shape.c_str(), recipe.c_str(), static_cast<long long>(sequences),
      static_cast<long long>(length), routing);
  std::printf("%.0f tokens/s (median of %zu steps, %.1f ms; %.1f to %.1f); last loss %.4f\n",
              tokens / step, m.seconds.size(), 1e3 * step, 1e3 * m.seconds.front(),
              1e3 * m.seconds.back(), m.loss);
  if (bench.ranks() > 1) {
    std::printf("on each of %d ranks; %.0f tokens/s in all\n", bench.ranks(),
                tokens / step * bench.ranks());
  }
  std::printf("%.1f TFLOP/s of %.1f that a large product reaches here: %.1f %%\n",
              flops / step / 1e12, peak / 1e12, 100 * flops / step / peak);
  if (m.gpu) std::printf("GPU: %.0f MHz, %.0f W (means)\n", m.gpu->clock_mhz, m.gpu->power_w);
  bench.print_memory();
  std::printf("forward and backward were one launch (a CUDA graph) in %lld of %lld steps\n",
              static_cast<long long>(bench.replayed()),
              static_cast<long long>(options.warmup + options.steps));
  nlohmann::json result{{"bench", "train"},
                        {"shape", options.shape},
                        {"recipe", recipe},
                        {"sequences", sequences},
                        {"length", length},
                        {"tokens_per_step", tokens},
                        {"routing", routing},
                        {"deterministic", options.deterministic},
                        {"graphs", bench.spec().host.cuda_graphs},
                        {"settings", options.settings},
                        {"ranks", bench.ranks()},
                        {"tokens_per_s", tokens / step},
                        {"step_seconds", step},
                        {"share_of_ceiling", flops / step / peak}};
  if (m.gpu) {
    result["clock_mhz"] = m.gpu->clock_mhz;
    result["power_w"] = m.gpu->power_w;
  }
  store_result(result, bench.spec().host.device);
}
}  // namespace

namespace {
/// What one rank does; the first one tells.
void bench_rank(const ShapeBench& options, const RunSpec& spec, Communicator& ranks) {
  require_device(spec.host.device);
  Bench bench(options, spec, ranks);
  const bool tells = ranks.rank() == 0;
  const DType operand = bench.model().precision().operand;
  const double peak = kernels::measure_product_flops(operand, spec.host.device);
  for (std::int64_t i = 0; i < options.warmup; ++i) {
    const StepReport warm = bench.step();
    if (!tells) continue;
    std::printf("warm-up step %lld: loss %.4f, gradient norm %.3f\n", static_cast<long long>(i),
                warm.loss, warm.optimiser.grad_norm);
    std::fflush(stdout);
  }
  const Measured measured = measure(bench, options);
  if (tells) report(bench, options, measured, peak);

  Profile profile;
  bench.set_profile(&profile);
  const auto start = BenchClock::now();
  for (int i = 0; i < 2; ++i) bench.step();
  if (!tells) return;
  std::printf("\nshares of two steps that wait after every operation:\n");
  print_shares(profile, seconds_since(start));
}
}  // namespace

void bench_shape(const ShapeBench& options) {
  const auto place = rank_environment();
  if (!place || place->size == 1) {
    SingleProcess alone;
    return bench_rank(options, spec_of(options, 1), alone);
  }
  const RunSpec spec = spec_of(options, place->size);
  const std::unique_ptr<Communicator> ranks = connect_ranks(spec, *place);
  try {
    bench_rank(options, spec, *ranks);
  } catch (const std::exception& error) {
    ranks->abort(error.what());
    throw;
  }
}

}  // namespace tessera::app
