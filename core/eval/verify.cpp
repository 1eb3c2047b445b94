// SPDX-License-Identifier: MIT
#include "core/eval/verify.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/transfer.h"
#include "core/checkpoint/model_io.h"
#include "core/eval/compare.h"
#include "core/eval/recorded_outputs.h"
#include "core/infer/generate.h"
#include "core/train/microbatch.h"
#include "core/train/optimiser.h"
#include "kernels/convert/convert.h"
#include "kernels/reduce/reduce.h"

namespace tessera {

namespace {
constexpr double kValues = 2e-5, kLoss = 1e-5, kGradient = 1e-4;
constexpr double kFirstLosses = 1e-5, kLaterLosses = 5e-3, kFinalNorms = 1e-3;
constexpr double kGpuFactor = 10;          // sums in other orders; counts must be equal there too
constexpr std::int64_t kPromptTokens = 8;  // before the recorded greedy continuation

/// A model with everything a pass over it needs.
struct Bench {
  Arena keep, scratch;
  Context context;
  Buffer total_memory;
  LoadedModel loaded;

  /// On the CPU address space; on the GPU memory, and the recorded models are small.
  static std::size_t arena_bytes(Device device) {
    return std::size_t{1} << (device == Device::Cuda ? 32 : 36);
  }

  Bench(const VerifyOptions& options, bool for_training)
      : keep(arena_bytes(options.device), options.device),
        scratch(arena_bytes(options.device), options.device),
        context{.device = options.device, .scratch = &scratch},
        total_memory(sizeof(double), options.device),
        loaded(load_model(options.model, Precision::of(options.recipe), for_training, context)) {
    if (loaded.config.model.num_nextn_predict_layers == 0) return;
    throw Error(options.model.string(),
                "holds an MTP layer, of which the recorded gradients know nothing",
                "leave out --grads and --train");
  }
  Model& model() { return *loaded.model; }
  Pass pass() { return {context, keep, model().precision()}; }
  void release() { keep.reset(); }

  /// Mean cross-entropy of `targets` tokens; with gradients where asked for.
  double loss(const MicrobatchBuffer& buffer, double targets, bool gradients, ModelStash& stash) {
    Pass p = pass();
    Objective objective;
    const double scale = 1.0 / targets;
    if (gradients) {
      objective.loss_scale = scale;
      model().parameters().zero_gradients(context);
    }
    model().forward_loss(p, buffer.batch(), objective, stash);
    if (gradients) model().backward(p, buffer.batch(), objective, stash, Tensor());
    const Tensor total = total_memory.view(DType::F64, {1});
    kernels::fill(context, 0.0, total);
    kernels::sum(context, stash.head.losses, total);
    return host_values<double>(total)[0] * scale;
  }
};

void compare_hidden(RecordedOutputs& reference, const ModelStash& stash,
                    std::vector<VerifyRow>& rows) {
  const auto layers = static_cast<std::int64_t>(stash.blocks.size());
  for (std::int64_t layer = 0; layer <= layers; ++layer) {
    const std::string name = "hidden." + std::to_string(layer);
    const StoredTensor* wanted = reference.find(name);
    if (!wanted) continue;
    const Tensor& ours =
        layer < layers ? stash.blocks[static_cast<std::size_t>(layer)].x : stash.head.normed;
    rows.push_back({name, "max / max", largest_difference(ours, *wanted), kValues});
  }
}

void compare_logits(RecordedOutputs& reference, Bench& bench, const ModelStash& stash,
                    std::vector<VerifyRow>& rows) {
  const StoredTensor* wanted = reference.find("logits");
  if (!wanted) return;
  Pass pass = bench.pass();
  const std::int64_t tokens = stash.hidden.size(0);
  const Tensor logits =
      bench.keep.take(pass.precision.activation, {tokens, bench.model().config().vocab_size});
  bench.model().logits(pass, stash, 0, tokens, logits);
  rows.push_back({"logits", "max / max", largest_difference(logits, *wanted), kValues});
}

/// Picks are compared as sets; weights token by token through them.
void compare_router(RecordedOutputs& reference, const ModelStash& stash,
                    std::vector<VerifyRow>& rows) {
  for (std::size_t layer = 0; layer < stash.blocks.size(); ++layer) {
    const std::string gate = "model.layers." + std::to_string(layer) + ".mlp.gate.out";
    const StoredTensor *logits = reference.find(gate + "0"), *weights = reference.find(gate + "1"),
                       *picks = reference.find(gate + "2");
    if (!logits || !weights || !picks) continue;
    const MoeStash& ours = stash.blocks[layer].moe;
    const std::string name = "router." + std::to_string(layer);
    rows.push_back(
        {name + ".logits", "max / max", largest_difference(ours.logits, *logits), kValues});
    const RouterDifference d =
        compare_picks(ours.routed.picks, ours.routed.weights, *picks, *weights);
    rows.push_back(
        {name + ".picks", "tokens that differ", static_cast<double>(d.tokens_differing), 0});
    rows.push_back({name + ".weights", "max / max", d.weight_error, kValues});
  }
}

void compare_greedy(RecordedOutputs& reference, Bench& bench, std::vector<VerifyRow>& rows) {
  const StoredTensor* wanted = reference.find("greedy");
  if (!wanted) return;
  const Tensor recorded = reference.token_rows("greedy", bench.model().config().vocab_size,
                                               bench.model().config().max_position_embeddings);
  require(recorded.size(0) == 1 && recorded.size(1) > kPromptTokens, "verify",
          "greedy is {}, expected one row of more than {} tokens", wanted->describe(),
          kPromptTokens);
  const std::int64_t* first = recorded.data<std::int64_t>();
  const std::vector<std::int32_t> ids(first, first + recorded.size(1));
  Engine engine(bench.model(), {.cache_tokens = 1024});
  CachedSequence sequence = engine.open();
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.max_tokens = static_cast<std::int64_t>(ids.size()) - kPromptTokens;
  const Generated answer = generate(engine, sequence, std::span(ids).first(kPromptTokens), options);
  double differ = static_cast<double>(options.max_tokens) -
                  static_cast<double>(answer.tokens.size());  // an early end differs as well
  for (std::size_t i = 0; i < answer.tokens.size(); ++i) {
    differ += answer.tokens[i] != ids[i + kPromptTokens];
  }
  rows.push_back({"greedy tokens", "tokens that differ", differ, 0});
}

void compare_gradients(const std::filesystem::path& file, const Model& model,
                       std::vector<VerifyRow>& rows) {
  const SafetensorsFile reference(file);
  std::set<std::string> compared;
  for (const Parameter& parameter : model.parameters().all()) {
    if (!parameter.trained) continue;
    for (const GradientPart& part : gradient_parts(parameter, reference)) {
      rows.push_back({"grad " + part.name, "norm / norm",
                      norm_of_difference(part.gradient, reference.at(part.name)), kGradient});
      compared.insert(part.name);
    }
  }
  for (const StoredTensor& tensor : reference.tensors()) {
    if (!compared.contains(tensor.name)) {
      throw Error(file.string(), fmt::format("the model has no gradient of {}", tensor.name));
    }
  }
}

nlohmann::json read_json(const std::filesystem::path& file) {
  std::ifstream in(file);
  if (!in) throw Error(file.string(), "cannot be read");
  try {
    return nlohmann::json::parse(in);
  } catch (const nlohmann::json::exception& e) {
    throw Error(file.string(), e.what());
  }
}

void replay_training(const VerifyOptions& options, std::vector<VerifyRow>& rows) {
  Bench bench(options, true);
  const nlohmann::json record = read_json(options.train / "train.json");
  const SafetensorsFile batches(options.train / "train.safetensors");
  const nlohmann::json& o = record.at("optimizer");
  Optimiser optimiser(bench.model().parameters(),
                      {.beta1 = o.at("beta1"),
                       .beta2 = o.at("beta2"),
                       .epsilon = o.at("eps"),
                       .weight_decay = o.at("weight_decay"),
                       .clip = o.at("clip")},
                      options.device);
  const Tensor ids = batches.at("input_ids").view();
  double first = 0, later = 0, norms = 0;
  for (std::int64_t step = 0; step < ids.size(0); ++step) {
    ModelStash stash;
    const TokenColumns columns = next_token_rows(ids[step]);
    const double loss =
        bench.loss(MicrobatchBuffer(columns, options.device), columns.target_weight(), true, stash);
    const double norm = optimiser.measure(bench.context).grad_norm;
    optimiser.update(bench.context, o.at("lr"));
    bench.release();
    const double error = relative(loss, record.at("losses").at(static_cast<std::size_t>(step)));
    (step < 3 ? first : later) = std::max(step < 3 ? first : later, error);
    if (step < 3) {
      norms = std::max(norms,
                       relative(norm, record.at("grad_norms").at(static_cast<std::size_t>(step))));
    }
  }
  rows.push_back({"training: losses of the first 3 steps", "relative", first, kFirstLosses});
  rows.push_back({"training: gradient norms of the first 3 steps", "relative", norms, kGradient});
  rows.push_back({"training: later losses", "relative", later, kLaterLosses});
  double final_norms = 0;
  for (const auto& [name, norm] : record.at("final_norms").items()) {
    final_norms = std::max(final_norms, relative(norm_of(bench.model(), name), norm));
  }
  rows.push_back({"training: final norms", "relative", final_norms, kFinalNorms});
}
}  // namespace

namespace {
/// A file of other names would pass every comparison that was not made.
void account_for(const RecordedOutputs& reference, const std::vector<VerifyRow>& rows) {
  const std::string where = reference.file().path().string();
  if (rows.empty()) {
    throw Error(where, "holds nothing that can be compared",
                "it should hold input_ids and one or more of logits, loss, hidden.N, greedy and "
                "the outputs of model.layers.N.mlp.gate");
  }
  const std::vector<std::string> left = reference.left_over();
  if (left.empty()) return;
  log::warning("{}: {} tensors are not compared, such as \"{}\"", where, left.size(), left.front());
}
}  // namespace

std::vector<VerifyRow> verify(const VerifyOptions& options) {
  require_device(options.device);
  std::vector<VerifyRow> rows;
  const SafetensorsFolder whole(options.model);  // a broken model is told before a broken recording
  RecordedOutputs reference(options.reference);
  const bool gradients = !options.grads.empty();
  {
    Bench bench(options, gradients);
    ModelStash stash;
    const ModelConfig& config = bench.model().config();
    const TokenColumns columns = next_token_rows(
        reference.token_rows("input_ids", config.vocab_size, config.max_position_embeddings));
    const MicrobatchBuffer batch(columns, options.device);
    const double loss = bench.loss(batch, columns.target_weight(), gradients, stash);
    if (const StoredTensor* wanted = reference.find("loss")) {
      rows.push_back({"loss", "relative", relative(loss, first_value(*wanted)), kLoss});
    }
    compare_hidden(reference, stash, rows);
    compare_router(reference, stash, rows);
    compare_logits(reference, bench, stash, rows);
    compare_greedy(reference, bench, rows);
    account_for(reference, rows);
    if (gradients) compare_gradients(options.grads, bench.model(), rows);
  }
  if (!options.train.empty()) replay_training(options, rows);
  if (options.device == Device::Cuda) {
    for (VerifyRow& row : rows) row.tolerance *= kGpuFactor;
  }
  return rows;
}

}  // namespace tessera
