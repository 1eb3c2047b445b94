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
#include "kernels/balance/balance.h"
#include "kernels/convert/convert.h"
#include "kernels/reduce/reduce.h"

namespace tessera {

namespace {
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Whether a step that was asked to stop after `done` of its `rows` would last longer than the
/// patience, if it goes on as it did so far.
bool is_long_way(Clock::time_point start, std::int64_t done, std::int64_t rows,
                 std::chrono::duration<double> patience) {
  if (done == 0) return false;
  const double share = static_cast<double>(rows - done) / static_cast<double>(done);
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
  const nlohmann::json data_before = stream_.state();
  enter_stage(at);
  follow_mixture(at);
  clear_sums();

  const data::Batch batch = stream_.next(at.batch_sequences / ranks_.size(), at.sequence_length);
  const StepTargets targets = count_targets(batch, at);
  const std::int64_t rows = batch.tokens.size(0), micro = spec_.parallel.micro_batch_sequences;
  const Patience asked(stop, patience);
  for (std::int64_t row = 0; row < rows; row += micro) {  // forward, backward
    bool given_up = false;
    try {
      if (is_set(stop) && is_long_way(start, row, rows, patience)) throw Stopped("trainer");
      MicrobatchBuffer part = microbatch(batch, row, std::min(micro, rows - row));
      accumulate(part, targets, at, asked);
      micro_memory_ = part.take_memory();
    } catch (const Stopped&) {
      given_up = true;
    }
    if (any_rank(given_up)) {
      give_up_step(data_before);
      return {};
    }
  }
  reduce();  // gradients, losses and loads over all ranks
  const OptimiserReport clip = optimiser_.measure(context_);
  StepReport result = report(at, targets, clip);
  optimiser_.update(context_, at.learning_rate);
  balance_experts(at);

  ++next_step_;
  result.seconds = seconds_since(start);
  return result;
}

/// All as it was after the last whole step: gradients are cleared at the beginning of each step,
/// and nothing else was touched.
void Trainer::give_up_step(const nlohmann::json& data_before) {
  const CurriculumStep last = last_stage();
  enter_stage(last);
  follow_mixture(last);
  stream_.restore(data_before);
}

namespace {
std::vector<data::MixturePart> mixture_parts(const Mixture& mixture) {
  std::vector<data::MixturePart> parts;
  for (const auto& [source, weight] : mixture) parts.push_back({source, weight});
  return parts;
}
}  // namespace

data::BatchStreamOptions stream_options(const RunSpec& spec, const Collective& ranks) {
  data::BatchStreamOptions options;
  options.mixture = mixture_parts(stage_mixture(spec, spec.curriculum.front()));
  options.seed = static_cast<std::uint64_t>(spec.run.seed);
  options.extra = static_cast<int>(spec.model.num_nextn_predict_layers);
  options.fim_rate = spec.data.fim_rate;
  options.packing = spec.data.packing;
  options.rank = ranks.rank();
  options.ranks = ranks.size();
  return options;
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

Trainer::Trainer(const RunSpec& spec, std::shared_ptr<const data::Dataset> dataset,
                 const SpecialTokens& specials, Collective& ranks, const std::atomic<bool>* stop)
    : spec_(spec),
      curriculum_(spec),
      ranks_(ranks),
      dataset_(std::move(dataset)),
      stream_(dataset_, specials, stream_options(spec, ranks)),
      model_(std::make_unique<Model>(run_model(spec), Precision::of(spec.precision.recipe), true,
                                     spec.host.device)),
      optimiser_(model_->parameters(), optimiser_options(spec.optimiser), spec.host.device),
      cuda_stream_(spec.host.device),
      keep_(Arena::measuring()),
      scratch_(Arena::measuring()) {
  require(dataset_->vocab_size() <= spec.model.vocab_size, "trainer",
          "the data has a vocabulary of {} tokens, model.vocab_size is {}", dataset_->vocab_size(),
          spec.model.vocab_size);
  context_.device = spec.host.device;
  context_.stream = cuda_stream_.handle();
  context_.scratch = &scratch_;
  recordings_.enable(spec.host.cuda_graphs);
  config_.model = model_->config();
  config_.bos_token_id = specials.bos;
  add_ends({specials.eos});
  const std::int64_t blocks = model_->moe_blocks();
  const std::int64_t experts = std::max<std::int64_t>(1, spec.model.n_routed_experts);
  sums_memory_ = Buffer(static_cast<std::size_t>(3 + blocks) * sizeof(double), spec.host.device);
  const Tensor sums = sums_memory_.view(DType::F64, {3 + blocks});
  sums_ = sums.slice(0, 0, 3);
  balance_losses_ = sums.slice(0, 3, 3 + blocks);
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
  step_memory_ = measure_step_memory(*model_, spec_.parallel.micro_batch_sequences,
                                     stage.sequence_length, stage.balance_alpha > 0);
  // A few spare bytes: a mapping cannot be empty.
  keep_ = Arena(step_memory_.keep_bytes + 4096, context_.device);
  scratch_ = Arena(step_memory_.scratch_bytes + 4096, context_.device);
  recordings_.clear();
  stage_ = at.stage;
}

/// The weights of the sources change where a stage begins. Only training calls this: looking at the
/// model (validation, samples) does not move the data on.
void Trainer::follow_mixture(const CurriculumStep& at) {
  if (at.stage == mixture_stage_) return;
  const CurriculumStage& stage = spec_.curriculum[static_cast<std::size_t>(at.stage)];
  stream_.set_mixture(mixture_parts(stage_mixture(spec_, stage)));
  mixture_stage_ = at.stage;
}

void Trainer::clear_sums() {
  model_->parameters().zero_gradients(context_);
  kernels::fill(context_, 0.0, sums_);
  if (loads_.numel() > 0) kernels::fill(context_, 0.0, loads_);
}

MicrobatchBuffer Trainer::microbatch(const data::Batch& batch, std::int64_t first,
                                     std::int64_t count) {
  static const std::vector<std::vector<std::int32_t>> kWholeRows;
  const auto extra = static_cast<int>(spec_.model.num_nextn_predict_layers);
  if (!spec_.data.packing) {
    return MicrobatchBuffer::documents(batch.tokens, first, count, batch.length, extra, batch.valid,
                                       context_.device, std::move(micro_memory_));
  }
  return MicrobatchBuffer::packed(batch.tokens, first, count, batch.length, extra,
                                  spec_.data.document_mask ? batch.document_starts : kWholeRows,
                                  context_.device, std::move(micro_memory_));
}

/// Without packing a row's documents end where they end, so targets are counted over all ranks.
Trainer::StepTargets Trainer::count_targets(const data::Batch& batch, const CurriculumStep& at) {
  const auto all = static_cast<double>(at.step_tokens());
  if (spec_.data.packing) return {all, all};
  double counts[2] = {};
  for (const std::int32_t valid : batch.valid) {
    counts[0] += static_cast<double>(std::clamp<std::int64_t>(valid - 1, 0, batch.length));
    counts[1] += static_cast<double>(std::clamp<std::int64_t>(valid - 2, 0, batch.length));
  }
  ranks_.all_reduce_sum(Tensor(counts, DType::F64, {2}));
  return {std::max(counts[0], 1.0), std::max(counts[1], 1.0)};
}

/// Forward and backward of one micro-batch; adds to gradients, sums and loads.
void Trainer::accumulate(const MicrobatchBuffer& micro, const StepTargets& targets,
                         const CurriculumStep& at, const Patience& patience) {
  const Objective objective{
      .loss_scale = 1.0 / targets.next,
      .mtp_scale = at.mtp_lambda / targets.mtp,
      .balance_alpha = at.balance_alpha,
      .balance_scale = static_cast<double>(spec_.parallel.micro_batch_sequences) /
                       static_cast<double>(at.batch_sequences)};
  const ParameterSet& parameters = model_->parameters();
  const bool first = parameters.has_old_gradients();
  const Sequences& sequences = micro.batch().sequences;
  const StepRecordings::Key key{
      micro.address(),      sequences.count(), sequences.starts.size(0) - 1,
      sequences.max_length, objective,         first};
  recordings_.run(context_, key, [&] {
    parameters.mark_gradients(first);
    forward_backward(micro.batch(), objective, patience);
  });
  parameters.mark_gradients(false);
}

void Trainer::forward_backward(const Microbatch& batch, const Objective& objective,
                               const Patience& patience) {
  Arena::Frame frame(keep_);
  Pass pass{context_, keep_, model_->precision()};
  pass.patience = &patience;
  ModelStash stash;
  model_->forward_loss(pass, batch, objective, stash);
  model_->backward(pass, batch, objective, stash, balance_losses_);

  kernels::sum(context_, stash.head.losses, sums_.slice(0, 0, 1));
  if (stash.mtp.head.losses) {
    kernels::sum(context_, stash.mtp.head.losses, sums_.slice(0, 1, 2));
  }
  if (objective.balance_alpha > 0 && balance_losses_.numel() > 0) {
    kernels::sum(context_, balance_losses_, sums_.slice(0, 2, 3));
  }
  for (std::int64_t block = 0; block < model_->moe_blocks(); ++block) {
    kernels::add_counts(context_, model_->moe_stash(stash, block).permutation.counts,
                        loads_[block]);
  }
}

/// What is true of one rank is true of all: they give up a step together.
bool Trainer::any_rank(bool here) {
  if (ranks_.size() == 1) return here;
  std::int64_t ranks = here ? 1 : 0;
  ranks_.all_reduce_sum(Tensor(&ranks, DType::I64, {1}));
  return ranks > 0;
}

void Trainer::reduce() {
  ranks_.all_reduce_sum(model_->parameters().flat_gradients());
  ranks_.all_reduce_sum(sums_);
  if (loads_.numel() > 0) ranks_.all_reduce_sum(loads_);
}

/// Once a step, from the load of the whole global batch.
void Trainer::balance_experts(const CurriculumStep& at) {
  if (at.bias_speed == 0) return;
  for (std::int64_t block = 0; block < model_->moe_blocks(); ++block) {
    kernels::bias_update(context_, loads_[block], static_cast<float>(at.bias_speed), at.bias_rule,
                         model_->moe_block(block).bias());
  }
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
                                         at.step + 1, r.loss, optimiser.grad_norm));
  }
  for (std::int64_t block = 0; block < model_->moe_blocks(); ++block) {
    r.max_vio.push_back(max_violation(loads.data() + block * loads_.size(1), loads_.size(1)));
  }
  return r;
}

double Trainer::validate(const std::string& source, std::int64_t sequences,
                         const std::atomic<bool>* stop) {
  const CurriculumStep at = last_stage();
  enter_stage(at);
  const data::Batch batch = stream_.validation_batches(source, sequences, at.sequence_length);
  const std::int64_t rows = batch.tokens.size(0), micro = spec_.parallel.micro_batch_sequences;
  const Buffer total_memory(sizeof(double), context_.device);
  const Tensor total = total_memory.view(DType::F64, {1});
  std::int64_t targets = 0;
  const Patience none(stop, std::chrono::milliseconds(0));
  for (std::int64_t row = 0; row < rows; row += micro) {
    MicrobatchBuffer part = microbatch(batch, row, std::min(micro, rows - row));
    Arena::Frame frame(keep_);
    Pass pass{context_, keep_, model_->precision()};
    pass.patience = &none;
    Microbatch without_mtp = part.batch();
    without_mtp.mtp_tokens = Tensor();
    ModelStash stash;
    model_->forward_loss(pass, without_mtp, {}, stash);
    kernels::sum(context_, stash.head.losses, total);
    targets += part.targets();
    micro_memory_ = part.take_memory();
  }
  return host_values<double>(total)[0] / static_cast<double>(targets);
}

void Trainer::skip_data(std::int64_t steps) {
  for (std::int64_t i = 0; i < steps; ++i) {
    const CurriculumStep at = curriculum_.at_step(next_step_ + i);
    follow_mixture(at);
    stream_.next(at.batch_sequences / ranks_.size(), at.sequence_length);
  }
}

std::size_t Trainer::memory_bytes() const {
  const std::size_t values = model_->parameters().value_bytes();
  return 2 * values + optimiser_.bytes() + step_memory_.keep_bytes + step_memory_.scratch_bytes;
}

}  // namespace tessera
