// SPDX-License-Identifier: MIT
// bench infer-gpu: how fast a GPU reads prompts and writes answers, beside what its memory allows.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "app/bench.h"
#include "app/bench_parts.h"
#include "app/bench_results.h"
#include "app/options.h"
#include "app/terminal.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/infer/engine.h"
#include "core/infer/text_model.h"
#include "kernels/convert/convert.h"

namespace tessera::app {

namespace {
struct GpuInferBench {
  std::string shape = "small";
  std::vector<std::int64_t> batches{1, 8, 64};
  std::int64_t context = 4096, prompts = 16, steps = 100, chunk = kGpuChunkTokens;
  bool no_graphs = false, same_text = false;
};

/// Bytes read and written a second by a copy within the GPU's memory.
double copy_bandwidth() {
  constexpr std::int64_t kValues = std::int64_t{1} << 28;
  Buffer from(kValues * 4, Device::Cuda), to(kValues * 4, Device::Cuda);
  Context context{.device = Device::Cuda};
  const auto copy = [&] {
    kernels::convert(context, from.view(DType::F32, {kValues}), to.view(DType::F32, {kValues}));
  };
  constexpr int kRounds = 20;
  for (int i = 0; i < 3; ++i) copy();
  synchronise(Device::Cuda);
  const auto start = BenchClock::now();
  for (int i = 0; i < kRounds; ++i) copy();
  synchronise(Device::Cuda);
  return 2.0 * kRounds * kValues * 4 / seconds_since(start);
}

/// Bytes of BF16 weights and of the cache that one token of one sequence reads.
double bytes_of_token(const Model& model, std::int64_t context) {
  const ModelConfig& c = model.config();
  const ParameterCount count = count_parameters(c);
  const std::int64_t embedding = c.tie_word_embeddings ? 0 : c.vocab_size * c.hidden_size;
  const std::int64_t cached = context * c.num_hidden_layers * (c.kv_lora_rank + c.qk_rope_head_dim);
  return 2.0 * static_cast<double>(count.active - embedding + cached);
}

class GpuRows {
 public:
  GpuRows(const GpuInferBench& options, const Model& model)
      : options_(options),
        model_(model),
        engine_(model, {.cache_tokens = room(),
                        .chunk_tokens = options.chunk,
                        .rows_alone_on_gpu = options.same_text,
                        .graphs = !options.no_graphs}),
        bandwidth_(copy_bandwidth()) {}

  void run() {
    first_token();
    prompts_at_once();
    for (const std::int64_t batch : options_.batches) decoding(batch);
    std::fputs(table({"what", "time", "tokens/s", ""}, rows_).c_str(), stdout);
    const StepLaunches& launches = engine_.step_launches();
    std::printf(
        "copy bandwidth %.2f TB/s; %lld of %lld steps were one launch (a CUDA graph), %lld graphs "
        "were made\n",
        bandwidth_ / 1e12, static_cast<long long>(launches.replayed),
        static_cast<long long>(launches.replayed + launches.plain),
        static_cast<long long>(launches.recorded));
    result_["bandwidth"] = bandwidth_;
    result_["bench"] = "infer-gpu";
    result_["shape"] = options_.shape;
    result_["same_text"] = options_.same_text;
    result_["graphs"] = !options_.no_graphs;
    result_["context"] = options_.context;
    result_["chunk"] = options_.chunk;
    store_result(result_, Device::Cuda);
  }

 private:
  std::int64_t room() const {
    std::int64_t most = options_.prompts;
    for (const std::int64_t batch : options_.batches) most = std::max(most, batch);
    return most * (options_.context + options_.steps + 128);
  }

  /// Reads prompts that come together, each of which gets its first token.
  double read_prompts(std::int64_t count, std::uint64_t stream) {
    std::vector<CachedSequence> sequences;
    std::vector<std::vector<std::int32_t>> ids;
    std::vector<Append> work;
    for (std::int64_t i = 0; i < count; ++i) {
      sequences.push_back(engine_.open());
      ids.push_back(random_ids(model_, options_.context, stream + static_cast<std::uint64_t>(i)));
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      work.push_back({&sequences[i], ids[i]});
      work.back().draw = DeviceDraw{};
    }
    const auto start = BenchClock::now();
    engine_.append(work);
    synchronise(Device::Cuda);
    return seconds_since(start);
  }

  void first_token() {
    std::vector<double> seconds;
    for (std::uint64_t i = 0; i < 5; ++i) seconds.push_back(read_prompts(1, 10 + i));
    const double time = median_of(seconds);
    add(fmt::format("first token of a prompt of {}", options_.context), time,
        static_cast<double>(options_.context) / time, "");
    result_["first_token_seconds"] = time;
  }

  void prompts_at_once() {
    if (options_.prompts < 2) return;
    read_prompts(options_.prompts, 100);
    const double time = read_prompts(options_.prompts, 200);
    const auto tokens = static_cast<double>(options_.prompts * options_.context);
    add(fmt::format("first tokens of {} such prompts at once", options_.prompts), time,
        tokens / time, "");
    result_["first_tokens_seconds"] = time;
  }

  void decoding(std::int64_t batch) {
    std::vector<CachedSequence> sequences;
    std::vector<std::int32_t> ids(static_cast<std::size_t>(batch), 1);
    for (std::int64_t i = 0; i < batch; ++i) {
      sequences.push_back(engine_.open());
      engine_.append(sequences.back(), random_ids(model_, options_.context - options_.steps - 8,
                                                  1000 + static_cast<std::uint64_t>(i)));
    }
    constexpr std::int64_t kWarm = 6;
    std::vector<double> seconds;
    for (std::int64_t step = 0; step < kWarm + options_.steps; ++step) {
      std::vector<Append> work;
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        work.push_back({&sequences[i], std::span(ids).subspan(i, 1)});
        work.back().draw = DeviceDraw{};
      }
      const auto start = BenchClock::now();
      engine_.append(work);
      for (std::size_t i = 0; i < sequences.size(); ++i) {
        const auto& chosen = engine_.chosen(i);
        require(chosen.has_value(), "bench", "the logits of sequence {} are not finite", i);
        ids[i] = chosen->id;
      }
      if (step >= kWarm) seconds.push_back(seconds_since(start));
    }
    const double time = median_of(seconds);
    const auto rate = static_cast<double>(batch) / time;
    std::string share;
    if (batch == 1) {
      const double bytes = bytes_of_token(model_, options_.context);
      share = fmt::format("{:.1f} % of the copy bandwidth", 100 * bytes / time / bandwidth_);
      result_["share_of_bandwidth"] = bytes / time / bandwidth_;
    }
    add(fmt::format("a token of {} at {}",
                    batch == 1 ? "one sequence" : fmt::format("{} sequences", batch),
                    options_.context),
        time, rate, share);
    result_[fmt::format("tokens_per_s_{}", batch)] = rate;
  }

  void add(const std::string& what, double seconds, double rate, const std::string& note) {
    rows_.push_back(
        {what, fmt::format("{:.3f} ms", 1e3 * seconds), fmt::format("{:.0f}", rate), note});
  }

  GpuInferBench options_;
  const Model& model_;
  Engine engine_;
  double bandwidth_;
  std::vector<std::vector<std::string>> rows_;
  nlohmann::json result_;
};

void bench_infer_gpu(const GpuInferBench& options) {
  require_device(Device::Cuda);
  if (options.context <= options.steps + 8) {
    throw Error(
        "bench",
        fmt::format("{} steps do not fit into a context of {}", options.steps, options.context),
        "choose a larger --context or fewer --steps");
  }
  const std::unique_ptr<Model> model =
      random_model(options.shape, Precision::of(Recipe::Bf16), Device::Cuda, options.context + 128);
  std::printf("%s, bf16, random weights and tokens%s%s\n", options.shape.c_str(),
              options.same_text ? ", each text the same whatever runs beside it" : "",
              options.no_graphs ? ", without CUDA graphs" : "");
  GpuRows(options, *model).run();
}
}  // namespace

void add_bench_infer_gpu(CLI::App& bench) {
  auto options = std::make_shared<GpuInferBench>();
  auto* command = bench.add_subcommand(
      "infer-gpu", "Prompts read and tokens written a second on a GPU, beside what memory allows");
  command->add_option("--shape", options->shape, "small, medium or a preset; with random weights")
      ->capture_default_str();
  command
      ->add_option("--batches", options->batches,
                   "Sequences that are written to at a time, a row each")
      ->check(whole_number(1))
      ->delimiter(',')
      ->capture_default_str();
  const auto count = [&](const char* name, std::int64_t& value, const char* help) {
    command->add_option(name, value, help)->check(whole_number(1))->capture_default_str();
  };
  count("--context", options->context, "Tokens of a sequence");
  count("--prompts", options->prompts, "Prompts that come together");
  count("--steps", options->steps, "Tokens that are timed for each row");
  count("--chunk", options->chunk, "Most tokens of one pass through the model");
  command->add_flag("--no-graphs", options->no_graphs, "Launch each operation by itself");
  command->add_flag("--same-text", options->same_text,
                    "As `serve --http --same-text`: what that costs");
  command->callback([options] { bench_infer_gpu(*options); });
}

}  // namespace tessera::app
