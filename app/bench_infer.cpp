// SPDX-License-Identifier: MIT
// bench infer: how fast a model reads a prompt and writes an answer, beside what memory allows.
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include "app/bench.h"
#include "app/bench_parts.h"
#include "app/bench_results.h"
#include "app/options.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/infer/engine.h"
#include "core/infer/text_model.h"
#include "core/plan/measurements.h"
#include "kernels/product/read_bandwidth.h"

namespace tessera::app {

namespace {
constexpr double kMebibyte = 1048576.0;
constexpr std::int64_t kMostBenchThreads = 1024;

struct InferBench {
  std::string shape = "small", precision = "q8_0", device = "cpu";
  std::int64_t batch = 1, context = 128, prompt = 512, steps = 48, repeats = 3, chunk = 512;
  std::int64_t threads = 0;
  bool json = false, profile = false;
};

/// A field of /proc/self/status in bytes; 0 where it cannot be read.
double status_bytes(const std::string& field) {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field + ":")) return 1024.0 * std::stod(line.substr(field.size() + 1));
  }
  return 0;
}

Precision precision_of(const InferBench& options) {
  const Device device = options.device == "cuda" ? Device::Cuda : Device::Cpu;
  if (options.precision == "q8_0" || options.precision == "q4_0") {
    return Precision::reading(Recipe::Fp32, weight_form_from_name(options.precision), device);
  }
  return Precision::reading(recipe_from_name(options.precision), WeightForm::Masters, device);
}

/// The model under test, and what became of it while it was made.
struct Subject {
  LoadedText text;  ///< empty for a shape
  std::unique_ptr<Model> made;
  double seconds = 0;  ///< for loading, or for making random weights
  bool loaded = false;

  const Model& model() const { return loaded ? *text.loaded.model : *made; }
};

/// The folder of a model, or a preset with random weights.
Subject make_subject(const InferBench& options, std::int64_t positions) {
  Subject subject;
  const Precision precision = precision_of(options);
  const Device device = options.device == "cuda" ? Device::Cuda : Device::Cpu;
  const auto start = BenchClock::now();
  subject.loaded = std::filesystem::is_directory(options.shape);
  if (subject.loaded) {
    subject.text =
        load_text(options.shape,
                  {.recipe = precision.recipe, .weights = precision.weights, .device = device});
  } else {
    subject.made = random_model(options.shape, precision, device, positions);
  }
  subject.seconds = seconds_since(start);
  const std::int64_t most = subject.model().config().max_position_embeddings;
  if (positions > most) {
    throw Error("bench",
                fmt::format("{} tokens are more than the model's {} positions", positions, most),
                "choose a smaller --context, --prompt or --steps");
  }
  return subject;
}

/// Bytes of weights that a pass over `tokens` tokens reads, if each token picks its experts by
/// chance: all weights but the token table, of which it reads rows, and of experts those that are
/// picked.
double weight_bytes_read(const Model& model, double tokens) {
  const ModelConfig& c = model.config();
  double bytes = 0;
  for (const Parameter& p : model.parameters().all()) {
    const double held = static_cast<double>(p.packed    ? p.packed.bytes()
                                            : p.operand ? p.operand.bytes()
                                                        : p.value.bytes());
    if (p.reads == Parameter::Reads::Value && p.name == "model.embed_tokens.weight") {
      bytes += tokens * static_cast<double>(p.value.bytes()) / static_cast<double>(c.vocab_size);
    } else if (p.sharing == Sharing::Experts) {
      const double experts = static_cast<double>(c.n_routed_experts);
      const double not_picked = 1 - static_cast<double>(c.num_experts_per_tok) / experts;
      bytes += held * (1 - std::pow(not_picked, tokens));
    } else {
      bytes += held;
    }
  }
  return bytes;
}

struct InferResult {
  double read_seconds = 0;                        ///< median over the repeats
  double write_seconds = 0, fastest_seconds = 0;  ///< one step: median and least
  double weight_bytes = 0, cache_bytes = 0;       ///< that a step reads
  double bandwidth = 0;                           ///< bytes/s
  double read_processor_seconds = 0;              ///< all threads together
  double write_processor_seconds = 0;             ///< the same for a step
  double used_bytes = 0, peak_bytes = 0;          ///< what the process held, and its most
  std::size_t cache_room = 0;

  double share(double seconds) const { return (weight_bytes + cache_bytes) / seconds / bandwidth; }
};

/// Processor time of all threads so far: on a busy machine it says more than the clock.
double processor_seconds() {
  return static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
}

/// Median time to read the prompt into an empty sequence.
double time_reading(Engine& engine, const InferBench& options) {
  const std::vector<std::int32_t> ids = random_ids(engine.model(), options.prompt, 1);
  std::vector<double> seconds;
  for (std::int64_t i = 0; i < options.repeats; ++i) {
    CachedSequence sequence = engine.open();
    const auto start = BenchClock::now();
    engine.append(sequence, ids);
    synchronise(engine.model().device());
    seconds.push_back(seconds_since(start));
  }
  return median_of(seconds);
}

/// Times of steps that give every sequence one token; `processor`: processor time of a step.
std::vector<double> time_writing(Engine& engine, const InferBench& options, Profile& profile,
                                 double& processor) {
  constexpr std::int64_t kWarm = 4;
  std::vector<CachedSequence> sequences;
  for (std::int64_t i = 0; i < options.batch; ++i) {
    sequences.push_back(engine.open());
    const auto stream = static_cast<std::uint64_t>(100 + i);
    engine.append(sequences.back(), random_ids(engine.model(), options.context, stream));
  }
  profile.clear();
  double before = processor_seconds();
  std::vector<double> seconds;
  for (std::int64_t step = 0; step < kWarm + options.steps; ++step) {
    const std::vector<std::int32_t> ids =
        random_ids(engine.model(), options.batch, static_cast<std::uint64_t>(1000 + step));
    std::vector<Append> work;
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      work.push_back({&sequences[i], std::span(ids).subspan(i, 1)});
    }
    const auto start = BenchClock::now();
    engine.append(work);
    synchronise(engine.model().device());
    if (step >= kWarm) seconds.push_back(seconds_since(start));
    if (step == kWarm) before = processor_seconds();
  }
  processor = (processor_seconds() - before) /
              static_cast<double>(std::max<std::int64_t>(options.steps - 1, 1));
  return seconds;
}

/// Bytes of the cache that one position takes in all layers, for MLA and for attention with keys
/// and values of every head.
struct CacheBytes {
  double latent, heads;
  explicit CacheBytes(const Model& model, std::size_t each) {
    const ModelConfig& c = model.config();
    const double size = static_cast<double>(each) * static_cast<double>(c.num_hidden_layers);
    latent = size * static_cast<double>(c.kv_lora_rank + c.qk_rope_head_dim);
    heads = size * static_cast<double>(c.num_attention_heads * (c.qk_head_dim() + c.v_head_dim));
  }
};

nlohmann::json result_of(const InferBench& options, const Subject& subject, const InferResult& r) {
  const Model& model = subject.model();
  const CacheBytes position(model, model.precision().narrow ? 2 : 4);
  const double planned = static_cast<double>(model.weight_bytes() + r.cache_room);
  return {{"bench", "infer"},
          {"shape", options.shape},
          {"precision", options.precision},
          {"model", model_fingerprint(model.config())},
          {"batch", options.batch},
          {"context", options.context},
          {"prompt", options.prompt},
          {"read_tokens_per_s", static_cast<double>(options.prompt) / r.read_seconds},
          {"write_tokens_per_s", static_cast<double>(options.batch) / r.write_seconds},
          {"write_tokens_per_s_best", static_cast<double>(options.batch) / r.fastest_seconds},
          {"weight_bytes_per_step", r.weight_bytes},
          {"cache_bytes_per_step", r.cache_bytes},
          {"read_bandwidth", r.bandwidth},
          {"share_of_bandwidth", r.share(r.write_seconds)},
          {"weight_bytes", model.weight_bytes()},
          {"cache_bytes", r.cache_room},
          {"planned_bytes", planned},
          {"used_bytes", r.used_bytes},
          {"peak_bytes", r.peak_bytes},
          {"read_processor_seconds", r.read_processor_seconds},
          {"write_processor_seconds_per_step", r.write_processor_seconds},
          {"cache_bytes_per_position", position.latent},
          {"cache_bytes_per_position_by_heads", position.heads},
          {subject.loaded ? "load_seconds" : "make_seconds", subject.seconds}};
}

void print_result(const InferBench& options, const Subject& subject, const InferResult& r,
                  const nlohmann::json& j) {
  const auto number = [&](const char* key) { return j.at(key).get<double>(); };
  std::printf("%s, %s, %d threads: weights %.0f MiB, %s in %.1f s\n", options.shape.c_str(),
              options.precision.c_str(), omp_get_max_threads(), number("weight_bytes") / kMebibyte,
              subject.loaded ? "loaded" : "made", subject.seconds);
  std::printf("reading a prompt of %lld: %.1f tokens/s\n", static_cast<long long>(options.prompt),
              number("read_tokens_per_s"));
  std::printf("writing to %lld sequences of %lld: %.2f tokens/s (median; best %.2f)\n",
              static_cast<long long>(options.batch), static_cast<long long>(options.context),
              number("write_tokens_per_s"), number("write_tokens_per_s_best"));
  std::printf("processor time of all threads: %.2f s for the prompt, %.2f ms for a step\n",
              r.read_processor_seconds, 1e3 * r.write_processor_seconds);
  std::printf(
      "a step reads %.1f MB of weights and %.1f MB of the cache: %.1f %% of the %.1f GB/s that all "
      "threads read here (best %.1f %%)\n",
      r.weight_bytes / 1e6, r.cache_bytes / 1e6, 100 * r.share(r.write_seconds), r.bandwidth / 1e9,
      100 * r.share(r.fastest_seconds));
  std::printf(
      "memory: planned %.0f MiB (weights, cache), the process has %.0f MiB; at most %.0f MiB, with "
      "what it had mapped of files while it loaded\n",
      number("planned_bytes") / kMebibyte, r.used_bytes / kMebibyte, r.peak_bytes / kMebibyte);
  std::printf("cache: %.0f bytes a position; keys and values of all heads would take %.0f\n",
              number("cache_bytes_per_position"), number("cache_bytes_per_position_by_heads"));
}

void bench_infer(const InferBench& options) {
  if (options.json) log::set_console_level(log::Level::Warning);
  require_device(options.device == "cuda" ? Device::Cuda : Device::Cpu);
  if (options.threads > 0) omp_set_num_threads(static_cast<int>(options.threads));
  const std::int64_t room = options.context + options.steps + 8;
  const Subject subject = make_subject(options, std::max(room, options.prompt));
  const Model& model = subject.model();
  constexpr std::int64_t kPage = LatentCache::kPageTokens;
  const auto pages = [](std::int64_t tokens) { return (tokens + kPage - 1) / kPage * kPage; };
  Profile profile;
  Engine engine(model,
                {.cache_tokens = std::max(options.batch * pages(room), pages(options.prompt)),
                 .chunk_tokens = options.chunk},
                options.profile ? &profile : nullptr);
  InferResult r;
  r.cache_room = engine.cache_bytes();
  double before = processor_seconds();
  r.read_seconds = time_reading(engine, options);
  r.read_processor_seconds = (processor_seconds() - before) / static_cast<double>(options.repeats);
  if (options.profile) {
    print_shares(profile, r.read_seconds * static_cast<double>(options.repeats));
  }
  const std::vector<double> steps =
      time_writing(engine, options, profile, r.write_processor_seconds);
  r.write_seconds = median_of(steps);
  r.fastest_seconds = *std::min_element(steps.begin(), steps.end());
  if (options.profile) {
    double all = 0;
    for (const double seconds : steps) all += seconds;
    std::printf("\nwriting:\n");
    print_shares(profile, all);
  }
  r.used_bytes = status_bytes("VmRSS");  // before the bandwidth's own memory
  r.peak_bytes = status_bytes("VmHWM");
  r.bandwidth = model.device() == Device::Cpu ? kernels::measure_read_bandwidth() : 0;
  const auto batch = static_cast<double>(options.batch);
  r.weight_bytes = weight_bytes_read(model, batch);
  r.cache_bytes = batch * static_cast<double>(options.context) *
                  CacheBytes(model, model.precision().narrow ? 2 : 4).latent;
  const nlohmann::json result = result_of(options, subject, r);
  store_result(result, model.device());
  if (options.json) {
    std::printf("%s\n", result.dump().c_str());
  } else {
    print_result(options, subject, r, result);
  }
}
}  // namespace

void add_bench_infer(CLI::App& bench) {
  auto options = std::make_shared<InferBench>();
  auto* command =
      bench.add_subcommand("infer", "Tokens read and written a second, beside what memory allows");
  command
      ->add_option("--shape", options->shape,
                   "small, medium or a preset, with random weights; or the folder of a model")
      ->capture_default_str();
  command->add_option("--precision", options->precision, "fp32, bf16, q8_0 or q4_0")
      ->check(CLI::IsMember({"fp32", "bf16", "q8_0", "q4_0"}))
      ->capture_default_str();
  command->add_option("--device", options->device, "cpu; q8_0 and q4_0 are for the CPU")
      ->check(CLI::IsMember({"cpu"}))
      ->capture_default_str();
  const auto count = [&](const char* name, std::int64_t& value, const char* help) {
    command->add_option(name, value, help)->check(whole_number(1))->capture_default_str();
  };
  count("--batch", options->batch, "Sequences that get a token in each step");
  count("--context", options->context, "Tokens that each of them holds before");
  count("--prompt", options->prompt, "Tokens of the prompt that is read");
  count("--steps", options->steps, "Steps that count");
  count("--repeats", options->repeats, "How many times the prompt is read");
  count("--chunk", options->chunk, "Most tokens of one pass through the model");
  command->add_option("--threads", options->threads, "Threads; 0: all processors")
      ->check(whole_number(0, kMostBenchThreads))
      ->capture_default_str();
  auto* profile =
      command->add_flag("--profile", options->profile, "Where the time goes, by operation");
  command->add_flag("--json", options->json, "Print one JSON object")->excludes(profile);
  command->callback([options] { bench_infer(*options); });
}

}  // namespace tessera::app
