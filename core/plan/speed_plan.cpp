// SPDX-License-Identifier: MIT
#include "core/plan/speed_plan.h"
#include "core/base/call_record.h"

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/plan/memory_plan.h"
#include "core/schedule/schedule.h"
#include "core/spec/batch_unit.h"
#include "core/spec/curriculum.h"

namespace tessera {

std::string_view name_of(SpeedBasis basis) {
  switch (basis) {
    case SpeedBasis::Measured:
      return "measured";
    case SpeedBasis::Estimate:
      return "estimate";
    case SpeedBasis::Published:
      return "published";
    case SpeedBasis::Given:
      return "given";
    default:
      return "unknown";
  }
}

std::string operations_formula() {
  return "6 x active weights without the embedding + 6 x layers x length x heads x (d_qk + d_v) / "
         "2; without MTP";
}

namespace {
struct Rate {
  SpeedBasis basis = SpeedBasis::None;
  std::string source;
  double flops = 0;  ///< per second: of one device, in stage_plan() of all
  /// The speed was measured in a pipeline, so waiting in it is counted already.
  bool of_whole_runs = false;
  /// The speed was that of a whole step of this model, so what backward makes again is in it.
  bool of_this_model() const { return basis == SpeedBasis::Measured || basis == SpeedBasis::Given; }
};

DType operand_of(const RunSpec& spec) {
  return planned_precision(spec).operand;
}

bool of_this_machine(const Measurement& m, const RunSpec& spec) {
  return m.host == host_name() && m.device == spec.host.device;
}

Rate measured_rate(const RunSpec& spec, const std::vector<Measurement>& all) {
  const std::string model = model_fingerprint(spec.model);
  for (auto m = all.rbegin(); m != all.rend(); ++m) {
    if (m->kind != "train" || m->model != model || !of_this_machine(*m, spec)) continue;
    if (m->recipe != name_of(spec.precision.recipe)) continue;
    const std::string ranks = m->ranks == 1 ? "" : fmt::format(" on {} ranks", m->ranks);
    return {SpeedBasis::Measured,
            fmt::format("{:.0f} tokens/s measured with {}{} on {}, {}", m->tokens_per_second,
                        m->name, ranks, m->host, m->date),
            m->tokens_per_second * m->flops_per_token / static_cast<double>(m->devices())};
  }
  return {};
}

/// The best of the last rates of one large product in the type of this spec: whatever else the
/// machine did can only have slowed it down.
const Measurement* product_of(const RunSpec& spec, const std::vector<Measurement>& all) {
  const Measurement* best = nullptr;
  for (const Measurement& m : all) {
    if (!(m.product_flops > 0) || m.operand != operand_of(spec) || !of_this_machine(m, spec)) {
      continue;
    }
    if (!best || m.product_flops >= best->product_flops) best = &m;
  }
  return best;
}

/// The measured training whose operations per token are nearest.
const Measurement* similar_training(const RunSpec& spec, const std::vector<Measurement>& all) {
  const double wanted =
      training_flops_per_token(spec.model, spec.curriculum.front().sequence_length);
  const Measurement* best = nullptr;
  double least = INFINITY;
  for (const Measurement& m : all) {
    if (m.kind != "train" || !(m.product_flops > 0) || !of_this_machine(m, spec)) continue;
    const double distance = std::abs(std::log(m.flops_per_token / wanted));
    if (distance > least) continue;
    least = distance;
    best = &m;
  }
  return best;
}

Rate estimated_rate(const RunSpec& spec, const std::vector<Measurement>& all) {
  // The engine's aim for whole steps on a processor, where only products were measured.
  constexpr double kAim = 0.45;
  const Measurement* product = product_of(spec, all);
  if (!product) return {};
  const Measurement* similar = similar_training(spec, all);
  if (!similar) {
    return {SpeedBasis::Estimate,
            fmt::format("45 % of the {:.1f} GFLOP/s that a large product reached on {}, {}",
                        product->product_flops / 1e9, product->host, product->date),
            kAim * product->product_flops};
  }
  const double share = similar->tokens_per_second * similar->flops_per_token /
                       static_cast<double>(similar->devices()) / similar->product_flops;
  return {SpeedBasis::Estimate,
          fmt::format("{:.0f} % of the {:.1f} GFLOP/s of a large product, as {} reached on {}, {}",
                      100 * share, product->product_flops / 1e9, similar->name, similar->host,
                      similar->date),
          share * product->product_flops};
}

/// Others' figures, where this machine has said nothing.
Rate published_rate(const RunSpec& spec) {
  if (spec.host.device != Device::Cuda) return {};
  const bool fp8 = spec.precision.recipe == PrecisionRecipe::Blockwise ||
                   spec.precision.recipe == PrecisionRecipe::Tensorwise;
  if (fp8) {
    // 1,543 tokens/s of a model with about 250 GFLOP per token (DeepSeek-V3 report, table 1: 180K
    // hours per trillion tokens on 2,048 GPUs).
    return {SpeedBasis::Published, "DeepSeek-V3's own run: 1,543 tokens/s per H800, 386 TFLOP/s",
            1543.0 * 250e9, true};
  }
  return {SpeedBasis::Published,
          "PyTorch, compiled, BF16, 3.7 B parameters on one H100: 260 TFLOP/s", 260e12, false};
}

Rate rate_of(const RunSpec& spec, const SpeedOptions& options, std::int64_t devices) {
  if (options.tokens_per_second > 0) {
    const double per_token =
        training_flops_per_token(spec.model, spec.curriculum.front().sequence_length);
    return {SpeedBasis::Given, fmt::format("{:.0f} tokens/s given", options.tokens_per_second),
            options.tokens_per_second * per_token / static_cast<double>(devices), true};
  }
  for (const Rate& rate : {measured_rate(spec, options.measurements),
                           estimated_rate(spec, options.measurements), published_rate(spec)}) {
    if (rate.basis != SpeedBasis::None) return rate;
  }
  return {SpeedBasis::None, "nothing was measured on this machine yet: `tessera bench product`", 0};
}

/// What is left of a stage from the step `from` on; its tokens count from there.
StagePlan stage_plan(const RunSpec& spec, const Curriculum& curriculum, int index, const Rate& rate,
                     std::int64_t from) {
  const CurriculumStage& stage = spec.curriculum[static_cast<std::size_t>(index)];
  const std::int64_t first_step = std::max(curriculum.first_step(index), from);
  const CurriculumStep first = curriculum.at_step(first_step);
  StagePlan plan{.name = stage.name};
  plan.steps = curriculum.first_step(index + 1) - first_step;
  plan.first_token = first.tokens - curriculum.at_step(from).tokens;
  const std::int64_t end = index + 1 < curriculum.stages()
                               ? curriculum.at_step(curriculum.first_step(index + 1)).tokens
                               : curriculum.total_tokens();
  plan.tokens = end - first.tokens;
  plan.sequence_length = stage.sequence_length;
  plan.batch_sequences = stage.batch_sequences;
  plan.flops_per_token = training_flops_per_token(spec.model, stage.sequence_length);
  const PipelineShape shape = pipeline_shape(spec.parallel);
  if (shape.refusal().empty()) {
    const std::int64_t each = spec.parallel.data * spec.parallel.micro_batch_sequences;
    plan.idle_share = pipeline_idle_share(shape, stage.batch_sequences / each);
  }
  if (rate.flops <= 0) return plan;
  double flops = plan.flops_per_token;
  if (!rate.of_this_model()) {
    flops += recompute_flops_per_token(spec.model, planned_precision(spec), spec.parallel.recompute,
                                       stage.sequence_length);
  }
  plan.tokens_per_second = rate.flops / flops;
  if (!rate.of_whole_runs) plan.tokens_per_second *= 1 - plan.idle_share;
  plan.seconds = static_cast<double>(plan.tokens) / plan.tokens_per_second;
  plan.step_seconds =
      static_cast<double>(stage.batch_sequences * stage.sequence_length) / plan.tokens_per_second;
  return plan;
}
}  // namespace

double pipeline_idle_share(const PipelineShape& shape, std::int64_t micro_batches) {
  if (shape.ranks == 1) return 0;
  // Idle time does not depend on the number of micro-batches once the pipeline is full.
  const std::int64_t count = shape.allowed(micro_batches);
  const std::int64_t played = shape.allowed(std::min(count, 4 * shape.ranks));
  const ScheduleTiming timing = play(make_schedule(shape, played));
  double idle = 0;
  for (const double of_rank : timing.idle) idle += of_rank / static_cast<double>(shape.ranks);
  const double busy =
      (timing.total - idle) * static_cast<double>(count) / static_cast<double>(played);
  return idle / (idle + busy);
}

SpeedPlan plan_speed(const RunSpec& spec, const SpeedOptions& options) {
  const Curriculum curriculum(spec);
  SpeedPlan plan;
  plan.ranks = mesh_of(spec.parallel).ranks();
  plan.devices = spec.host.device == Device::Cuda ? plan.ranks : 1;
  const Rate rate = rate_of(spec, options, plan.devices);
  plan.basis = rate.basis;
  plan.source = rate.source;
  plan.flops_per_device = rate.flops;
  plan.price_per_hour = options.price_per_hour;
  // A fork behind the end of its curriculum has its own problem; the numbers are the curriculum's.
  const std::int64_t from = options.first_step < curriculum.total_steps() ? options.first_step : 0;
  plan.steps = curriculum.total_steps() - from;
  plan.tokens = curriculum.total_tokens() - curriculum.at_step(from).tokens;
  Rate of_all = rate;
  of_all.flops *= static_cast<double>(plan.devices);
  for (int i = 0; i < curriculum.stages(); ++i) {
    if (curriculum.first_step(i + 1) <= from) continue;
    plan.stages.push_back(stage_plan(spec, curriculum, i, of_all, from));
    plan.seconds += plan.stages.back().seconds;
  }
  plan.flops_per_token = plan.stages.front().flops_per_token;
  plan.tokens_per_second = plan.stages.front().tokens_per_second;
  plan.step_seconds = plan.stages.front().step_seconds;
  plan.device_hours = plan.seconds / 3600 * static_cast<double>(plan.devices);
  plan.cost = plan.device_hours * options.price_per_hour;
  return plan;
}

}  // namespace tessera
