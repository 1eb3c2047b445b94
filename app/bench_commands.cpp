// SPDX-License-Identifier: MIT
// bench train, bench product; the others are in bench_kernels.cpp, bench_infer.cpp and
// bench_schedule.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/bench.h"
#include "app/bench_results.h"
#include "app/commands.h"
#include "app/terminal.h"
#include "app/threads.h"
#include "core/base/backend.h"
#include "core/base/call_record.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "core/plan/measurements.h"
#include "core/train/prepare.h"
#include "core/train/trainer.h"
#include "distributed/single/single_process.h"
#include "kernels/product/product.h"

namespace tessera::app {

void print_shares(const Profile& profile, double seconds) {
  std::vector<std::pair<std::string, Profile::Entry>> entries(profile.entries().begin(),
                                                              profile.entries().end());
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.second.seconds > b.second.seconds; });
  std::vector<std::vector<std::string>> rows;
  double known = 0;
  for (const auto& [name, entry] : entries) {
    known += entry.seconds;
    rows.push_back(
        {name, fmt::format("{:.1f} %", 100 * entry.seconds / seconds),
         fmt::format("{:.3f} ms", 1e3 * entry.seconds / static_cast<double>(entry.calls)),
         std::to_string(entry.calls)});
  }
  rows.push_back(
      {"outside operations", fmt::format("{:.1f} %", 100 * (1 - known / seconds)), "", ""});
  std::fputs(table({"operation", "share", "each", "calls"}, rows).c_str(), stdout);
}

namespace {
struct TrainBench {
  std::string preset = "demo", precision, op, shape, device = "cpu", routing = "natural";
  std::vector<std::string> settings;
  std::int64_t steps = 8, warmup = 2, sequences = 8, length = 4096;
  bool fast = false, no_graphs = false;
};

/// Real text of the preset's sources, built once per vocabulary and kept.
PreparedData bench_data(const RunSpec& spec, const std::string& preset) {
  PrepareOptions prepare;
  prepare.shards = home_folder() / "bench" / std::filesystem::path(preset).stem();
  prepare.tokenizer_file = prepare.shards / "tokenizer.model";
  std::filesystem::create_directories(prepare.shards);
  try {
    return prepare_data(spec, prepare);
  } catch (const Error&) {
    // It was built from other text or by another version. The folder is a cache of this command
    // alone, so that it may be made anew.
    std::filesystem::remove_all(prepare.shards);
    std::filesystem::create_directories(prepare.shards);
    return prepare_data(spec, prepare);
  }
}

/// What training the MTP modules adds: their weights and the shared head once more.
double mtp_flops(const RunSpec& spec, double tokens) {
  if (spec.model.num_nextn_predict_layers == 0) return 0;
  ModelConfig longer = spec.model;
  ++longer.num_hidden_layers;
  const std::int64_t length = spec.curriculum.front().sequence_length;
  const auto join = static_cast<double>(2 * spec.model.hidden_size * spec.model.hidden_size);
  const auto head = static_cast<double>(spec.model.vocab_size * spec.model.hidden_size);
  return tokens * (training_flops_per_token(longer, length) -
                   training_flops_per_token(spec.model, length) + 6 * (join + head));
}

/// For plans of later runs on this machine.
void keep_measurement(const RunSpec& spec, const TrainBench& options, double tokens_per_second,
                      double product_flops) {
  Measurement m;
  m.name = std::filesystem::path(options.preset).stem();
  m.date = today();
  m.host = host_name();
  m.device = spec.host.device;
  m.operand = Precision::of(spec.precision.recipe).operand;
  m.model = model_fingerprint(spec.model);
  m.recipe = std::string(name_of(spec.precision.recipe));
  m.sequence_length = spec.curriculum.front().sequence_length;
  m.tokens_per_second = tokens_per_second;
  m.flops_per_token = training_flops_per_token(spec.model, m.sequence_length);
  m.product_flops = product_flops;
  add_measurement(m);
}

void bench_product() {
  for (const DType operand : {DType::F32, DType::BF16}) {
    const double flops = kernels::measure_product_flops(operand);
    std::printf("%s: %.1f GFLOP/s (product of order 1024)\n", std::string(name_of(operand)).c_str(),
                flops / 1e9);
    add_measurement({.kind = "product",
                     .date = today(),
                     .host = host_name(),
                     .operand = operand,
                     .product_flops = flops});
  }
}

Device device_of(const TrainBench& options) {
  return options.device == "cuda" ? Device::Cuda : Device::Cpu;
}

void bench_train(const TrainBench& options) {
  if (!options.shape.empty()) {
    return bench_shape({.shape = options.shape,
                        .precision = options.precision.empty() ? "bf16" : options.precision,
                        .device = device_of(options),
                        .sequences = options.sequences,
                        .length = options.length,
                        .steps = options.steps,
                        .deterministic = !options.fast,
                        .graphs = !options.no_graphs,
                        .forced_routing = options.routing == "forced",
                        .settings = options.settings});
  }
  log::set_console_level(log::Level::Warning);
  std::vector<std::string> settings = options.settings;
  if (!options.precision.empty()) settings.push_back("precision.recipe=" + options.precision);
  if (options.device == "cuda") settings.push_back("host.device=cuda");
  RunSpec spec = load_spec(options.preset, settings);
  require_device(spec.host.device);
  use_threads(spec);
  make_paths_absolute(spec, resources_folder());
  const PreparedData data = bench_data(spec, options.preset);
  SingleProcess ranks;
  const SpecialTokens specials = data.tokenizer->specials();
  Trainer trainer(spec, pretraining_source(spec, data.dataset, specials, ranks), specials, ranks);
  const double peak =
      kernels::measure_product_flops(trainer.model().precision().operand, spec.host.device);
  for (std::int64_t i = 0; i < options.warmup; ++i) trainer.step();

  Profile profile;
  trainer.set_profile(&profile);
  double seconds = 0, tokens = 0, flops = 0;
  for (std::int64_t i = 0; i < options.steps; ++i) {
    const StepReport report = trainer.step();
    seconds += report.seconds;
    const auto step_tokens = static_cast<double>(report.at.step_tokens());
    tokens += step_tokens;
    flops += step_tokens * training_flops_per_token(spec.model, report.at.sequence_length);
  }
  keep_measurement(spec, options, tokens / seconds, peak);
  store_result({{"bench", "train"},
                {"preset", options.preset},
                {"recipe", name_of(spec.precision.recipe)},
                {"model", model_fingerprint(spec.model)},
                {"routing", "natural"},
                {"tokens_per_s", tokens / seconds},
                {"share_of_ceiling", flops / seconds / peak}},
               spec.host.device);
  const ParameterCount count_of = count_parameters(spec.model);
  std::printf("%s, %s: %s parameters, %s active, MTP %s; natural routing on the preset's text\n",
              options.preset.c_str(), std::string(name_of(spec.precision.recipe)).c_str(),
              count(static_cast<double>(count_of.total)).c_str(),
              count(static_cast<double>(count_of.active)).c_str(),
              count(static_cast<double>(count_of.mtp)).c_str());
  std::printf("%.0f tokens/s over %lld steps of %.0f tokens\n", tokens / seconds,
              static_cast<long long>(options.steps), tokens / static_cast<double>(options.steps));
  std::printf("%.1f GFLOP/s of %.1f GFLOP/s that a product of order 1024 reaches here: %.1f %%\n",
              flops / seconds / 1e9, peak / 1e9, 100 * flops / seconds / peak);
  std::printf(
      "(operations per token: 6 x active weights without the embedding + 6 x layers x length x\n"
      "heads x (d_qk + d_v) / 2; %.1f %% with those of MTP: its block and the head once more)\n\n",
      100 * (flops + mtp_flops(spec, tokens)) / seconds / peak);
  print_shares(profile, seconds);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* command = app.add_subcommand("bench", "Measure on this machine");
  command->require_subcommand(1);
  auto options = std::make_shared<TrainBench>();
  auto* train = command->add_subcommand("train", "Steps of a preset: tokens/s and where time goes");
  auto* preset = train->add_option("--preset", options->preset, "Preset or TOML file");
  preset->capture_default_str();
  train->add_option("--precision", options->precision, "Another recipe than the preset's");
  auto* shape =
      train->add_option("--shape", options->shape, "A shape on random tokens instead of a preset");
  shape->check(CLI::IsMember({"small", "medium"}))->excludes(preset);
  train->add_option("--sequences", options->sequences, "With --shape: sequences of a step")
      ->capture_default_str()
      ->needs(shape);
  train->add_option("--length", options->length, "With --shape: tokens of a sequence")
      ->capture_default_str()
      ->needs(shape);
  train
      ->add_flag("--not-deterministic", options->fast,
                 "With --shape: sums in whatever order is quickest")
      ->needs(shape);
  train
      ->add_flag("--no-graphs", options->no_graphs,
                 "With --shape: every operation launched by itself")
      ->needs(shape);
  train->add_option("--routing", options->routing, "With --shape: natural or forced")
      ->check(CLI::IsMember({"natural", "forced"}))
      ->capture_default_str()
      ->needs(shape);
  const auto on_device = [&](CLI::App& one) {
    one.add_option("--device", options->device, "cpu or cuda")
        ->check(CLI::IsMember({"cpu", "cuda"}))
        ->capture_default_str();
  };
  on_device(*train);
  train->add_option("--steps", options->steps, "Steps that count")->capture_default_str();
  train->add_option("--set", options->settings, "Override a key")->type_name("KEY=VALUE");
  train->callback([options] { bench_train(*options); });
  auto* product = command->add_subcommand("product", "Rate of a large product, for plans");
  product->callback([] { bench_product(); });
  auto* kernels = command->add_subcommand("kernels", "Rates of single operations");
  kernels->add_option("--op", options->op, "Only this operation");
  on_device(*kernels);
  kernels->callback([options] { bench_kernels(options->op, device_of(*options)); });
  add_bench_infer(*command);
  add_bench_infer_gpu(*command);
  add_bench_schedule(*command);
}

}  // namespace tessera::app
