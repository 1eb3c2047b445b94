// SPDX-License-Identifier: MIT
#include "core/train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/base/transfer.h"
#include "core/checkpoint/model_io.h"
#include "core/config/paths.h"
#include "core/events/events.h"
#include "core/train/context_cut.h"
#include "kernels/balance/balance.h"
#include "kernels/convert/convert.h"
#include "kernels/reduce/reduce.h"

namespace tessera {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Whether a step that was asked to stop after `done` of its micro-batches would last longer than
/// the patience, if it goes on as it did so far.
bool is_long_way(Clock::time_point start, std::int64_t done, std::int64_t micro_batches,
                 std::chrono::duration<double> patience) {
  if (done == 0) return false;
  const double share = static_cast<double>(micro_batches - done) / static_cast<double>(done);
  return seconds_since(start) * share > patience.count();
}
}  // namespace

StepReport Trainer::step() {
  return *step_unless(nullptr);
}

std::optional<StepReport> Trainer::step_unless(const std::atomic<bool>* stop,
                                               std::chrono::milliseconds patience) {
  const Clock::time_point start = Clock::now();
  const CurriculumStep at = curriculum_.at_step(next_step_);
  const nlohmann::json data_before = source_->state();
  enter_stage(at);
  clear_sums();

  const StepRows rows = own_parts(source_->next(at));
  const StepTargets targets = count_targets(rows);
  const std::int64_t micro = spec_.parallel.micro_batch_sequences;
  if (fixed_) {
    require(std::ssize(rows) % micro == 0, "parallel.micro_batch_sequences",
            "{} does not divide the {} sequences of a rank, which canonical sums need", micro,
            rows.size());
    fixed_->begin(context_, std::ssize(rows) / micro);
  }
  const Patience asked(stop, patience);
  StepInput input{.rows = rows,
                  .micro_batch_sequences = micro,
                  .objective = objective_of(at, targets),
                  .patience = is_alone() ? &asked : nullptr,
                  .together = meets_inside(),
                  .before = {},
                  .any_rank = [this](bool given_up) { return any_rank(given_up); },
                  .timeline = timeline()};
  if (timeline()) timeline()->begin_step(at.step);
  input.before = [&](std::int64_t done) {
    if (is_set(stop) && is_long_way(start, done, input.micro_batches(), patience)) {
      throw Stopped("trainer");
    }
  };
  if (!runner_.run(context_, input, sums())) {  // forward, backward
    give_up_step(data_before);
    return {};
  }
  {
    const Timeline::Scope scope(timeline(), context_, {.what = "sum of gradients"});
    reduce();  // gradients, losses and loads over all ranks
    groups_.world().settle(context_);
  }
  const OptimiserReport clip = measure_gradients();
  groups_.world().settle(context_);
  StepReport result = report(at, targets, clip);
  result.exchange = exchanged();
  {
    const Timeline::Scope scope(timeline(), context_, {.what = "optimiser"});
    optimiser_.update(context_, at.learning_rate);
    weights_.gather(context_);
    balance_experts(at);
  }
  if (timeline_) timeline_->end_step();
  groups_.world().show_calls(timeline());
  ++next_step_;
  result.seconds = seconds_since(start);
  return result;
}

/// What this rank computes of the rows that it shares with the other ranks of context.
StepRows Trainer::own_parts(StepRows rows) const {
  if (groups_.mesh().context == 1) return rows;
  for (TokenColumns& row : rows) row = cut_row(row, groups_.context_place());
  return rows;
}

void Trainer::record_timeline(const TimelineRequest& request) {
  timeline_ = std::make_unique<StepTimeline>(groups_.world(), request);
  groups_.world().show_calls(timeline());
}

void Trainer::finish_timeline() {
  if (timeline_) timeline_->finish();
  groups_.world().show_calls(nullptr);
}

/// All as it was after the last whole step: gradients are cleared at the beginning of each step,
/// and nothing else was touched.
void Trainer::give_up_step(const nlohmann::json& data_before) {
  const CurriculumStep last = last_stage();
  enter_stage(last);
  source_->restore(data_before, last);
}

namespace {
OptimiserOptions optimiser_options(const RunSpec::Optimiser& o) {
  return {.beta1 = o.beta1,
          .beta2 = o.beta2,
          .epsilon = o.epsilon,
          .weight_decay = o.weight_decay,
          .clip = o.clip,
          .moments = o.moments};
}
}  // namespace

Trainer::Trainer(const RunSpec& spec, std::unique_ptr<StepSource> source,
                 const SpecialTokens& specials, Communicator& ranks, const std::atomic<bool>* stop)
    : spec_(spec),
      curriculum_(spec),
      groups_(ranks, mesh_of(spec, ranks)),
      source_(std::move(source)),
      context_exchange_(groups_.context()),
      model_(std::make_unique<Model>(run_model(spec), Precision::of(spec.precision.recipe),
                                     layout_of(spec.model, groups_.mesh(), ranks.rank()), true,
                                     spec.host.device)),
      weights_(model_->parameters(), groups_, spec.parallel.zero > 0),
      optimiser_(model_->parameters(), optimiser_options(spec.optimiser), spec.host.device,
                 weights_.pieces()),
      cuda_stream_(spec.host.device),
      scratch_(Arena::measuring()),
      runner_(*model_, groups_.pipeline(), groups_.mesh().shape()) {
  require(source_->vocab_size() <= spec.model.vocab_size, "trainer",
          "the data has a vocabulary of {} tokens, model.vocab_size is {}", source_->vocab_size(),
          spec.model.vocab_size);
  model_->set_recompute(spec.parallel.recompute);
  context_.device = spec.host.device;
  context_.stream = cuda_stream_.handle();
  context_.scratch = &scratch_;
  const bool fixed = spec.parallel.sums == SumOrder::Canonical;
  require(
      !fixed || groups_.mesh().context == 1, "parallel.sums",
      "\"canonical\" does not go with parallel.context = {}: sums over the tokens of a sequence "
      "that ranks share have another order than on one rank",
      groups_.mesh().context);
  model_->set_context(context_exchange_);
  if (fixed) fixed_ = std::make_unique<FixedSums>(*model_, groups_);
  if (groups_.mesh().expert > 1) {
    exchange_ =
        std::make_unique<RanksExchange>(groups_.expert(), model_->layout().experts,
                                        fixed ? CombineOrder::BySlot : CombineOrder::ByRank);
    model_->set_exchange(*exchange_);
  }
  // What a recorded micro-batch asked the host for, it would not ask for again: counts of tokens,
  // and where its losses go.
  runner_.enable_graphs(spec.host.cuda_graphs && !meets_inside() && !fixed_);
  config_.model = model_->config();
  config_.bos_token_id = specials.bos;
  add_ends({specials.eos});
  const std::int64_t held = model_->moe_blocks(), blocks = moe_layers(spec.model);
  const std::int64_t experts = std::max<std::int64_t>(1, spec.model.n_routed_experts);
  sums_memory_ = Buffer(static_cast<std::size_t>(3 + held) * sizeof(double), spec.host.device);
  const Tensor sums = sums_memory_.view(DType::F64, {3 + held});
  sums_ = sums.slice(0, 0, 3);
  balance_losses_ = sums.slice(0, 3, 3 + held);
  loads_memory_ =
      Buffer(static_cast<std::size_t>(blocks * experts) * sizeof(std::int64_t), spec.host.device);
  loads_ = loads_memory_.view(DType::I64, {blocks, experts});
  begin_weights(stop);
}

/// Random weights, or those that checkpoint.start_from names.
void Trainer::begin_weights(const std::atomic<bool>* stop) {
  if (spec_.checkpoint.start_from.empty()) {
    model_->parameters().initialise(static_cast<std::uint64_t>(spec_.run.seed),
                                    model_->config().initializer_range, stop);
    return model_->parameters().refresh_operands(context_);
  }
  const std::filesystem::path folder = resolve_path(spec_.checkpoint.start_from);
  const HfConfig config = read_hf_config(folder);
  const std::vector<std::int32_t> ends = end_tokens(folder, config);
  add_ends({ends.begin(), ends.end()});
  WeightSource source(folder, config.fp8_block);
  source.set_stop(stop);
  load_weights(*model_, source, context_);
}

/// Leaves out -1, which a vocabulary without an end has, and what is known already.
void Trainer::add_ends(const std::vector<std::int64_t>& ends) {
  std::vector<std::int64_t>& known = config_.eos_token_ids;
  for (const std::int64_t end : ends) {
    if (end >= 0 && std::find(known.begin(), known.end(), end) == known.end()) {
      known.push_back(end);
    }
  }
}

std::vector<std::int32_t> Trainer::ends() const {
  return {config_.eos_token_ids.begin(), config_.eos_token_ids.end()};
}

/// The stage that the model was trained in last. NOTE: at the border of two stages the next step
/// belongs to the next one already, but what is looked at or saved there is the model so far.
CurriculumStep Trainer::last_stage() const {
  return curriculum_.at_step(std::max<std::int64_t>(next_step_ - 1, 0));
}

/// Rotary tables and arenas of a stage, when it begins.
void Trainer::enter_stage(const CurriculumStep& at) {
  if (at.stage == stage_) return;
  const CurriculumStage& stage = spec_.curriculum[static_cast<std::size_t>(at.stage)];
  const YarnConfig yarn = stage_model(spec_, stage).yarn;
  model_->set_yarn(yarn);  // unasked: stages may differ in any field of it
  config_.model.yarn = yarn;
  const std::int64_t sequences = spec_.parallel.micro_batch_sequences;
  step_memory_ =
      measure_step_memory(*model_, sequences, stage.sequence_length, stage.balance_alpha > 0,
                          weight_gradients_of(groups_.mesh().shape()), groups_.context_place());
  runner_.reserve(step_memory_, stage.batch_sequences / (groups_.mesh().data * sequences));
  step_memory_.keep_bytes = runner_.keep_bytes();
  scratch_ = Arena(step_memory_.scratch_bytes + 4096, context_.device);
  stage_ = at.stage;
}

void Trainer::clear_sums() {
  if (exchange_) exchange_->reset_counts();
  context_exchange_.reset_bytes();
  model_->parameters().zero_gradients(context_);
  kernels::fill(context_, 0.0, sums_);
  if (loads_.numel() > 0) kernels::fill(context_, 0.0, loads_);
}

/// Rows may be shorter than the stage's length and mask tokens, so that ranks differ in this.
Trainer::StepTargets Trainer::count_targets(const StepRows& rows) {
  const auto some = [](double weight) { return weight > 0 ? weight : 1.0; };
  if (fixed_) {
    std::vector<TargetWeights> of_rows;
    for (const TokenColumns& row : rows) {
      of_rows.push_back({row.target_weight(), row.mtp_target_weight()});
    }
    const TargetWeights all = fixed_target_weights(groups_, of_rows);
    return {some(all.next), some(all.mtp)};
  }
  double weights[2] = {};
  for (const TokenColumns& row : rows) {
    weights[0] += row.target_weight();
    weights[1] += row.mtp_target_weight();
  }
  Context control;
  groups_.replicas().all_reduce(control, Tensor(weights, DType::F64, {2}));
  return {some(weights[0]), some(weights[1])};
}

Objective Trainer::objective_of(const CurriculumStep& at, const StepTargets& targets) const {
  return {.loss_scale = 1.0 / targets.next,
          .mtp_scale = at.mtp_lambda / targets.mtp,
          .balance_alpha = at.balance_alpha,
          .balance_scale = static_cast<double>(spec_.parallel.micro_batch_sequences) /
                           static_cast<double>(at.batch_sequences)};
}

/// What is true of one rank is true of all: they give up a step together.
bool Trainer::any_rank(bool here) {
  if (groups_.world().size() == 1) return here;
  std::int64_t ranks = here ? 1 : 0;
  Context control;
  groups_.world().all_reduce(control, Tensor(&ranks, DType::I64, {1}));
  return ranks > 0;
}

/// Each gradient over those that share the parameter; losses and loads over all.
void Trainer::reduce() {
  if (fixed_) {
    fixed_->reduce(context_, sums_);
  } else {
    weights_.reduce(context_);
    groups_.world().all_reduce(context_, sums_);
  }
  if (loads_.numel() > 0) groups_.world().all_reduce(context_, loads_);
}

OptimiserReport Trainer::measure_gradients() {
  if (fixed_) return optimiser_.measured(context_, fixed_->sum_of_squares(context_));
  if (weights_.is_alone()) {
    return optimiser_.measure(context_, groups_.pipeline(), groups_.counts(),
                              groups_.counts_ends());
  }
  return optimiser_.measured(context_, weights_.sum_of_squares(context_));
}

ExchangeReport Trainer::exchanged() {
  if (!meets_inside()) return {};
  const ExchangeCounts c = exchange_ ? exchange_->counts() : ExchangeCounts{};
  constexpr std::size_t kSums = 4;
  std::vector<std::int64_t> all{context_exchange_.bytes(), c.bytes, c.tokens, c.token_ranks};
  all.resize(kSums + static_cast<std::size_t>(groups_.mesh().expert), 0);
  all[kSums + static_cast<std::size_t>(groups_.place().expert)] = c.received;
  Context control;
  groups_.world().all_reduce(control, Tensor(all.data(), DType::I64, {std::ssize(all)}));
  ExchangeReport report{.context_bytes = all[0]};
  if (!exchange_) return report;
  report.bytes = all[1];
  report.tokens = all[2];
  report.token_ranks = all[3];
  report.received = {all.begin() + kSums, all.end()};
  return report;
}

/// Once a step, from the load of the whole global batch.
void Trainer::balance_experts(const CurriculumStep& at) {
  if (at.bias_speed == 0) return;
  std::int64_t held = 0;
  for (const ModelPart& part : model_->parts()) {
    const std::int64_t first = moe_layers_before(model_->config(), part.stage().first);
    for (std::int64_t i = 0; i < std::ssize(part.moe_blocks()); ++i) {
      kernels::bias_update(context_, loads_[first + i], static_cast<float>(at.bias_speed),
                           at.bias_rule, model_->moe_block(held++).bias());
    }
  }
}

std::vector<float> Trainer::biases() {
  std::vector<float> all(static_cast<std::size_t>(loads_.numel()), 0.f);
  std::int64_t held = 0;
  for (const ModelPart& part : model_->parts()) {
    if (!groups_.counts()) break;  // another rank of the pipeline holds the same and says it
    const std::int64_t first = moe_layers_before(model_->config(), part.stage().first);
    for (std::int64_t i = 0; i < std::ssize(part.moe_blocks()); ++i) {
      const std::vector<float> bias = host_values<float>(model_->moe_block(held++).bias());
      std::copy(bias.begin(), bias.end(), all.begin() + (first + i) * loads_.size(1));
    }
  }
  Context control;
  groups_.pipeline().all_reduce(control, Tensor(all.data(), DType::F32, {std::ssize(all)}));
  return all;
}

namespace {
float max_violation(const std::int64_t* load, std::int64_t experts) {
  const std::int64_t largest = *std::max_element(load, load + experts);
  std::int64_t total = 0;
  for (std::int64_t e = 0; e < experts; ++e) total += load[e];
  const double mean = static_cast<double>(total) / static_cast<double>(experts);
  return mean > 0 ? static_cast<float>(static_cast<double>(largest) / mean - 1.0) : 0.f;
}
}  // namespace

StepReport Trainer::report(const CurriculumStep& at, const StepTargets& targets,
                           const OptimiserReport& optimiser) const {
  const std::vector<double> sums = host_values<double>(sums_);
  const std::vector<std::int64_t> loads = host_values<std::int64_t>(loads_);
  const double micro_batches = static_cast<double>(at.batch_sequences) /
                               static_cast<double>(spec_.parallel.micro_batch_sequences);
  StepReport r{
      .at = at,
      .loss = sums[0] / targets.next,
      .mtp_loss = spec_.model.num_nextn_predict_layers > 0 ? sums[1] / targets.mtp : kNotMeasured,
      .balance_loss = at.balance_alpha > 0 ? sums[2] / micro_batches : kNotMeasured,
      .optimiser = optimiser,
      .max_vio = {}};
  if (!std::isfinite(r.loss) || !std::isfinite(optimiser.grad_norm)) {
    throw NotFinite(at.step, fmt::format("in step {} the loss is {} and the gradient norm {}",
                                         at.step, r.loss, optimiser.grad_norm));
  }
  for (std::int64_t block = 0; block < moe_layers(model_->config()); ++block) {
    r.max_vio.push_back(max_violation(loads.data() + block * loads_.size(1), loads_.size(1)));
  }
  return r;
}

double Trainer::validate(const std::string& source, std::int64_t sequences,
                         const std::atomic<bool>* stop) {
  const CurriculumStep at = last_stage();
  enter_stage(at);
  StepRows rows = source_->held_out(source, sequences, at.sequence_length);
  const Buffer total_memory(sizeof(double), context_.device);
  const Tensor total = total_memory.view(DType::F64, {1});
  double targets = 0;
  for (const TokenColumns& row : rows) targets += row.target_weight();
  rows = own_parts(std::move(rows));
  const Patience none(stop, std::chrono::milliseconds(0));
  const StepInput input{.rows = rows,
                        .micro_batch_sequences = spec_.parallel.micro_batch_sequences,
                        .objective = {},
                        .patience = is_alone() ? &none : nullptr,
                        .together = meets_inside(),
                        .before = {},
                        .any_rank = {}};
  runner_.validate(context_, input, total);
  if (groups_.mesh().context > 1) groups_.context().all_reduce(context_, total);
  groups_.world().settle(context_);
  return host_values<double>(total)[0] / targets;
}

void Trainer::skip_data(std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i) source_->next(curriculum_.at_step(next_step_ + i));
}

std::size_t Trainer::memory_bytes() const {
  const ParameterSet& p = model_->parameters();
  return p.value_bytes() + p.operand_bytes() + p.gradient_bytes() + optimiser_.bytes() +
         step_memory_.keep_bytes + step_memory_.again_bytes + step_memory_.scratch_bytes +
         (fixed_ ? fixed_->bytes() : 0);
}

StepMemory Trainer::used_memory() const {
  return {.keep_bytes = runner_.most_kept_bytes(),
          .keep_bytes_of_parts = {},
          .again_bytes = runner_.most_again_bytes(),
          .scratch_bytes = scratch_.peak_bytes()};
}

}  // namespace tessera
