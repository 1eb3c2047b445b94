// SPDX-License-Identifier: MIT
// bench train --shape: whole steps of a model of a given shape, without data on disk.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "app/bench.h"
#include "app/bench_results.h"
#include "app/gpu_meter.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/random.h"
#include "core/base/transfer.h"
#include "core/spec/spec.h"
#include "core/train/microbatch.h"
#include "core/train/optimiser.h"
#include "core/train/step_memory.h"
#include "core/train/step_recordings.h"
#include "kernels/balance/balance.h"
#include "kernels/convert/convert.h"
#include "kernels/product/product.h"
#include "kernels/reduce/reduce.h"

namespace tessera::app {

namespace {
constexpr double kMiB = 1048576.0;
constexpr double kBalanceAlpha = 1e-4;
constexpr float kBiasSpeed = 1e-3f;

double free_mebibytes(Device device) {
  if (device == Device::Cpu) return 0;
  return static_cast<double>(devices().front().free_bytes) / kMiB;
}

ModelConfig config_of(const ShapeBench& options) {
  const RunSpec spec = load_spec("numbers-" + options.shape, {});
  ModelConfig config = spec.model;
  config.experts_in_turn = options.forced_routing;
  config.max_position_embeddings = std::max(config.max_position_embeddings, options.length);
  return config;
}

/// (sequences, length + 1) I32, each token as likely as any other.
Buffer random_tokens(const ShapeBench& options, std::int64_t vocabulary, std::uint64_t number) {
  const Random random(number, 17);
  const std::int64_t count = options.sequences * (options.length + 1);
  Buffer memory(static_cast<std::size_t>(count) * sizeof(std::int32_t));
  auto* tokens = static_cast<std::int32_t*>(memory.data());
  for (std::int64_t i = 0; i < count; ++i) {
    tokens[i] = static_cast<std::int32_t>(
        random.below(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(vocabulary)));
  }
  return memory;
}

/// A model and everything that a step of it takes.
class Bench {
 public:
  explicit Bench(const ShapeBench& options)
      : options_(options),
        free_before_(free_mebibytes(options.device)),
        model_(config_of(options), Precision::of(recipe_from_name(options.precision)), true,
               options.device),
        optimiser_(model_.parameters(), {.moments = DType::BF16}, options.device),
        stream_(options.device),
        plan_(measure_step_memory(model_, options.sequences, options.length, true)),
        keep_(plan_.keep_bytes + 4096, options.device),
        scratch_(plan_.scratch_bytes + 4096, options.device),
        sums_(static_cast<std::size_t>(1 + model_.moe_blocks()) * sizeof(double), options.device),
        loads_(static_cast<std::size_t>(model_.moe_blocks() * model_.config().n_routed_experts) *
                   sizeof(std::int64_t),
               options.device) {
    context_.device = options.device;
    context_.stream = stream_.handle();
    context_.scratch = &scratch_;
    context_.deterministic = options.deterministic;
    recordings_.enable(options.graphs);
    model_.initialise(1);
    model_.parameters().refresh_operands(context_);
    for (std::uint64_t i = 0; i < 4; ++i) {
      tokens_.push_back(random_tokens(options, model_.config().vocab_size, i));
    }
  }

  /// Returns the mean loss.
  double step() {
    const Buffer& tokens = tokens_[static_cast<std::size_t>(steps_++) % tokens_.size()];
    MicrobatchBuffer micro = MicrobatchBuffer::packed(
        tokens.view(DType::I32, {options_.sequences, options_.length + 1}), 0, options_.sequences,
        options_.length, 0, {}, options_.device, std::move(micro_memory_));
    const auto targets = static_cast<double>(micro.targets());
    const ParameterSet& parameters = model_.parameters();
    model_.parameters().zero_gradients(context_);
    kernels::fill(context_, 0.0, sums_.view(DType::F64, {1 + model_.moe_blocks()}));
    const Objective objective{
        .loss_scale = 1.0 / targets, .balance_alpha = kBalanceAlpha, .balance_scale = 1.0};
    const bool first = parameters.has_old_gradients();
    recordings_.run(
        context_,
        {micro.address(), micro.targets(), options_.sequences, options_.length, objective, first},
        [&] {
          parameters.mark_gradients(first);
          forward_backward(micro.batch(), objective);
        });
    parameters.mark_gradients(false);
    norm_ = optimiser_.measure(context_).grad_norm;
    optimiser_.update(context_, 1e-4);
    micro_memory_ = micro.take_memory();
    return host_values<double>(sums_.view(DType::F64, {1}))[0] / targets;
  }

  void set_profile(Profile* profile) { context_.profile = profile; }
  const Model& model() const { return model_; }
  double norm() const { return norm_; }
  std::int64_t replayed() const { return recordings_.replayed(); }

  void print_memory() const {
    const ParameterSet& p = model_.parameters();
    const std::size_t fixed =
        p.value_bytes() + p.gradient_bytes() + p.operand_bytes() + optimiser_.bytes();
    const std::size_t arenas = plan_.keep_bytes + plan_.scratch_bytes;
    std::printf(
        "planned: weights, gradients, moments %.0f MiB, kept for backward %.0f MiB, "
        "temporaries %.0f MiB: %.0f MiB\n",
        static_cast<double>(fixed) / kMiB, static_cast<double>(plan_.keep_bytes) / kMiB,
        static_cast<double>(plan_.scratch_bytes) / kMiB,
        static_cast<double>(fixed + arenas) / kMiB);
    if (options_.device == Device::Cpu) return;
    std::printf("used: %.0f MiB of the GPU, %.0f MiB of it workspaces of operations\n",
                free_before_ - free_mebibytes(options_.device),
                static_cast<double>(cuda_backend()->workspace_bytes()) / kMiB);
  }

 private:
  void forward_backward(const Microbatch& batch, const Objective& objective) {
    const Tensor sums = sums_.view(DType::F64, {1 + model_.moe_blocks()});
    keep_.reset();
    Pass pass{context_, keep_, model_.precision()};
    ModelStash stash;
    model_.forward_loss(pass, batch, objective, stash);
    model_.backward(pass, batch, objective, stash, sums.slice(0, 1, 1 + model_.moe_blocks()));
    kernels::sum(context_, stash.head.losses, sums.slice(0, 0, 1));
    balance(stash);
  }

  void balance(const ModelStash& stash) {
    const std::int64_t experts = model_.config().n_routed_experts;
    const Tensor loads = loads_.view(DType::I64, {model_.moe_blocks(), experts});
    kernels::fill(context_, 0.0, loads);
    for (std::int64_t block = 0; block < model_.moe_blocks(); ++block) {
      kernels::add_counts(context_, model_.moe_stash(stash, block).permutation.counts,
                          loads[block]);
      kernels::bias_update(context_, loads[block], kBiasSpeed, kernels::BiasUpdate::Sign,
                           model_.moe_block(block).bias());
    }
  }

  ShapeBench options_;
  double free_before_;
  Context context_;
  Model model_;
  Optimiser optimiser_;
  Stream stream_;
  StepMemory plan_;
  Arena keep_, scratch_;
  Buffer sums_, loads_;
  std::vector<Buffer> tokens_;
  Buffer micro_memory_;
  StepRecordings recordings_;
  std::int64_t steps_ = 0;
  double norm_ = 0;
};
double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

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
  if (options.device == Device::Cuda) meter.emplace(first_gpu(std::getenv("CUDA_VISIBLE_DEVICES")));
  for (std::int64_t i = 0; i < options.steps; ++i) {
    const auto start = std::chrono::steady_clock::now();
    measured.loss = bench.step();
    measured.seconds.push_back(seconds_since(start));
  }
  if (meter) measured.gpu = meter->mean();
  std::sort(measured.seconds.begin(), measured.seconds.end());
  return measured;
}

/// Prints and stores what was measured; `peak` is the rate of a large product.
void report(const Bench& bench, const ShapeBench& options, const Measured& m, double peak) {
  const char* routing = options.forced_routing ? "forced" : "natural";
  const auto tokens = static_cast<double>(options.sequences * options.length);
  const double flops = tokens * training_flops_per_token(bench.model().config(), options.length);
  const double step = m.median();
  std::printf(
      "%s, %s, %lld x %lld random tokens, %s routing, FP32 master weights and "
      "gradients, BF16 moments\n",
      options.shape.c_str(), options.precision.c_str(), static_cast<long long>(options.sequences),
      static_cast<long long>(options.length), routing);
  std::printf("%.0f tokens/s (median of %zu steps, %.1f ms; %.1f to %.1f); last loss %.4f\n",
              tokens / step, m.seconds.size(), 1e3 * step, 1e3 * m.seconds.front(),
              1e3 * m.seconds.back(), m.loss);
  std::printf("%.1f TFLOP/s of %.1f that a large product reaches here: %.1f %%\n",
              flops / step / 1e12, peak / 1e12, 100 * flops / step / peak);
  if (m.gpu) std::printf("GPU: %.0f MHz, %.0f W (means)\n", m.gpu->clock_mhz, m.gpu->power_w);
  bench.print_memory();
  std::printf("forward and backward were one launch (a CUDA graph) in %lld of %lld steps\n",
              static_cast<long long>(bench.replayed()),
              static_cast<long long>(options.warmup + options.steps));
  nlohmann::json result{{"bench", "train"},
                        {"shape", options.shape},
                        {"recipe", options.precision},
                        {"sequences", options.sequences},
                        {"length", options.length},
                        {"tokens_per_step", tokens},
                        {"routing", routing},
                        {"deterministic", options.deterministic},
                        {"graphs", options.graphs},
                        {"tokens_per_s", tokens / step},
                        {"step_seconds", step},
                        {"share_of_ceiling", flops / step / peak}};
  if (m.gpu) {
    result["clock_mhz"] = m.gpu->clock_mhz;
    result["power_w"] = m.gpu->power_w;
  }
  store_result(result, options.device);
}
}  // namespace

void bench_shape(const ShapeBench& options) {
  require_device(options.device);
  Bench bench(options);
  const DType operand = bench.model().precision().operand;
  const double peak = kernels::measure_product_flops(operand, options.device);
  for (std::int64_t i = 0; i < options.warmup; ++i) {
    const double loss = bench.step();
    std::printf("warm-up step %lld: loss %.4f, gradient norm %.3f\n", static_cast<long long>(i),
                loss, bench.norm());
    std::fflush(stdout);
  }
  report(bench, options, measure(bench, options), peak);

  Profile profile;
  bench.set_profile(&profile);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) bench.step();
  std::printf("\nshares of two steps that wait after every operation:\n");
  print_shares(profile, seconds_since(start));
}

}  // namespace tessera::app
