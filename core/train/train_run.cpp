// SPDX-License-Identifier: MIT
#include "core/train/train_run.h"

#include <chrono>
#include <thread>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/parallel.h"
#include "core/base/transfer.h"
#include "core/infer/chat.h"
#include "core/infer/generate.h"
#include "core/train/event_sink.h"
#include "core/train/prepare.h"
#include "core/train/spikes.h"
#include "core/train/trainer.h"
#include "kernels/capability.h"
#include "kernels/product/product.h"

namespace tessera {

namespace {
/// What the run was asked to do between two steps.
enum class Wish { GoOn, StopSaving, StopNow };

class Run {
 public:
  Run(const RunFolder& folder, Collective& ranks, const TrainRunOptions& options, EventSink& sink)
      : folder_(folder), spec_(folder.spec()), options_(options), sink_(sink), ranks_(ranks) {
    if (spec_.host.threads > 0) omp_set_num_threads(static_cast<int>(spec_.host.threads));
  }

  RunState train() {
    prepare();
    start();
    const std::int64_t first = trainer_->next_step();
    while (!trainer_->finished()) {
      const Wish wish = look_for_requests();
      if (wish != Wish::GoOn) return stop(wish);
      if (options_.most_steps > 0 && trainer_->next_step() - first >= options_.most_steps) {
        return stop(Wish::StopSaving);
      }
      one_step();
    }
    return finish();
  }

 private:
  void prepare();
  void start();
  void advise();
  void resume_or_fork();
  void one_step();
  void after_step();
  void handle_spike(const StepReport& report);
  void report_step(const StepReport& report);
  void report_experts(const StepReport& report);
  void validate();
  void write_samples();
  void save();
  Wish look_for_requests();
  Wish wait_while_paused();
  RunState stop(Wish wish);
  RunState finish();
  bool due(std::int64_t every) const {
    return every > 0 && (trainer_->next_step() % every == 0 || trainer_->finished());
  }

  const RunFolder& folder_;
  RunSpec spec_;
  const TrainRunOptions& options_;
  EventSink& sink_;
  Collective& ranks_;
  PreparedData data_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<SpikeDetector> spikes_;
  double peak_flops_ = 0;
  std::int64_t saved_step_ = -1;
};

void Run::prepare() {
  sink_.state(RunState::Checking);
  PrepareOptions options;
  options.tokenizer_file = folder_.tokenizer_path();
  options.shards = folder_.shards_path();
  options.message = [this](const std::string& text) { sink_.message("info", text); };
  options.progress = options_.on_build;
  options.stop = options_.stop;
  data_ = prepare_data(spec_, options);
}

void Run::start() {
  sink_.state(RunState::Starting);
  advise();
  trainer_ = std::make_unique<Trainer>(spec_, data_.dataset, data_.tokenizer->specials(), ranks_);
  spikes_ =
      std::make_unique<SpikeDetector>(spec_.stability.spike_window, spec_.stability.spike_factor);
  const ParameterCount count = count_parameters(spec_.model);
  const DType operand = trainer_->model().precision().operand;
  peak_flops_ = kernels::measure_product_flops(operand, spec_.host.device);
  sink_.message(
      "info",
      fmt::format("{:.2f} M parameters, {:.2f} M active, {:.2f} M in MTP; "
                  "MFU = tokens/s * (6 * active weights without embedding + 6 * "
                  "layers * length * heads * (d_qk + d_v) / 2) / {:.1f} GFLOP/s, "
                  "this machine's {} products measured now",
                  static_cast<double>(count.total) / 1e6, static_cast<double>(count.active) / 1e6,
                  static_cast<double>(count.mtp) / 1e6, peak_flops_ / 1e9, name_of(operand)));
  resume_or_fork();
  sink_.set_step(trainer_->next_step() - 1);
  sink_.state(RunState::Running);
  if (trainer_->next_step() == 0) validate();
}

/// Says what is slow about the recipe on this GPU, and what to choose instead.
void Run::advise() {
  if (spec_.host.device != Device::Cuda) return;
  const DeviceInfo gpu = devices().at(0);
  const auto generation = kernels::generation_of(gpu.major, gpu.minor);
  const std::string advice = kernels::recipe_advice(name_of(spec_.precision.recipe), generation);
  if (advice.empty()) return;
  sink_.message("warning", fmt::format("precision.recipe = \"{}\" on {}: {}",
                                       name_of(spec_.precision.recipe), gpu.name, advice));
}

void Run::resume_or_fork() {
  std::filesystem::path from;
  if (const auto own = find_latest_checkpoint(folder_.path())) {
    from = own->path;
  } else if (const auto lineage = folder_.lineage()) {
    from = lineage->checkpoint;
  } else {
    return;
  }
  const Checkpoint checkpoint(from);
  trainer_->restore(checkpoint);
  if (checkpoint.state().contains("spikes")) spikes_->restore(checkpoint.state().at("spikes"));
  saved_step_ = trainer_->next_step();
  sink_.emit(ResumeEvent{trainer_->next_step() - 1, trainer_->tokens(), from.string()});
}

void Run::one_step() {
  const StepReport report = trainer_->step();
  sink_.set_step(trainer_->next_step() - 1);
  if (due(spec_.events.steps_every)) report_step(report);
  if (due(spec_.events.experts_every)) report_experts(report);
  handle_spike(report);
  after_step();
}

void Run::report_step(const StepReport& r) {
  const auto tokens = static_cast<double>(r.at.step_tokens());
  StepEvent event;
  event.step = r.at.step;
  event.tokens = r.at.tokens + r.at.step_tokens();
  event.stage = r.at.stage;
  event.sequence_length = r.at.sequence_length;
  event.batch_sequences = r.at.batch_sequences;
  event.loss = r.loss;
  event.mtp_loss = r.mtp_loss;
  event.balance_loss = r.balance_loss;
  event.learning_rate = r.at.learning_rate;
  event.grad_norm = r.optimiser.grad_norm;
  event.clip = r.optimiser.clip;
  event.seconds = r.seconds;
  event.tokens_per_second = tokens / r.seconds;
  event.mfu = event.tokens_per_second *
              training_flops_per_token(spec_.model, r.at.sequence_length) / peak_flops_;
  event.memory_bytes = static_cast<std::int64_t>(trainer_->memory_bytes());
  event.bias_speed = r.at.bias_speed;
  event.mtp_lambda = r.at.mtp_lambda;
  event.max_vio = r.max_vio;
  sink_.emit(event);
}

void Run::report_experts(const StepReport& r) {
  const Tensor& loads = trainer_->loads();
  if (loads.numel() == 0) return;
  ExpertsEvent event;
  event.step = r.at.step;
  event.tokens = r.at.tokens + r.at.step_tokens();
  event.layers = static_cast<int>(loads.size(0));
  event.experts = static_cast<int>(loads.size(1));
  event.counts = host_values<std::int64_t>(loads);
  for (std::int64_t block = 0; block < loads.size(0); ++block) {
    const std::vector<float> bias = host_values<float>(trainer_->model().moe_block(block).bias());
    event.biases.insert(event.biases.end(), bias.begin(), bias.end());
  }
  sink_.emit(event);
}

/// Tells of a spike; with rollback on, goes back to the last checkpoint and past the data.
void Run::handle_spike(const StepReport& report) {
  const std::optional<Spike> spike = spikes_->add(report.loss);
  if (!spike) return;
  sink_.emit(SpikeEvent{report.at.step, spike->loss, spike->usual, spike->spread});
  if (!spec_.stability.rollback) return;
  const auto latest = find_latest_checkpoint(folder_.path());
  if (!latest) {
    sink_.message("warning", "there is no checkpoint yet to go back to; training goes on");
    return;
  }
  trainer_->restore(Checkpoint(latest->path), /*keep_data_position=*/true);
  trainer_->skip_data(spec_.stability.skip_steps);
  saved_step_ = trainer_->next_step();
  sink_.set_step(trainer_->next_step() - 1);
  sink_.emit(RollbackEvent{report.at.step, trainer_->next_step() - 1, spec_.stability.skip_steps,
                           latest->path.string()});
}

void Run::after_step() {
  if (due(spec_.validation.every_steps)) validate();
  if (due(spec_.samples.every_steps)) write_samples();
  const bool last = trainer_->finished();
  if (!last && due(spec_.checkpoint.every_steps)) save();
}

void Run::validate() {
  if (spec_.validation.every_steps == 0) return;
  ValidationEvent event;
  event.step = trainer_->next_step() - 1;
  event.tokens = trainer_->tokens();
  double sum = 0, weights = 0;
  for (const DataSource& source : spec_.data.sources) {
    if (data_.dataset->source(source.name).held_out.documents() == 0) continue;
    const double loss = trainer_->validate(source.name, spec_.validation.sequences);
    event.sources.push_back({source.name, loss});
    sum += source.weight * loss;
    weights += source.weight;
  }
  if (weights > 0) event.loss = sum / weights;
  sink_.emit(event);
}

void Run::write_samples() {
  const Model& model = trainer_->model();
  Engine engine(model, {.cache_tokens = model.config().max_position_embeddings});
  GenerateOptions options;
  options.sampling.temperature = spec_.samples.temperature;
  options.sampling.seed = static_cast<std::uint64_t>(spec_.run.seed);
  options.sampling.vocabulary = data_.tokenizer->vocab_size();
  options.max_tokens = spec_.samples.tokens;
  options.stop = {data_.tokenizer->specials().eos};
  for (const std::string& prompt : spec_.samples.prompts) {
    CachedSequence sequence = engine.open();
    const Generated text =
        generate(engine, sequence, encode_prompt(*data_.tokenizer, prompt), options);
    sink_.emit(
        SampleEvent{trainer_->next_step() - 1, prompt, data_.tokenizer->decode(text.tokens)});
  }
}

void Run::save() {
  if (saved_step_ == trainer_->next_step()) return;
  sink_.state(RunState::Saving);
  const auto start = std::chrono::steady_clock::now();
  CheckpointContents contents = trainer_->contents();
  contents.state["spikes"] = spikes_->state();
  const SaveOptions options{.keep_last = static_cast<int>(spec_.checkpoint.keep)};
  const std::filesystem::path path = save_checkpoint(folder_.path(), contents, options);
  saved_step_ = trainer_->next_step();
  CheckpointEvent event;
  event.step = trainer_->next_step() - 1;
  event.tokens = trainer_->tokens();
  event.path = std::filesystem::relative(path, folder_.path()).string();
  event.bytes = static_cast<std::int64_t>(checkpoint_bytes(contents, options));
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  sink_.emit(event);
  sink_.state(RunState::Running);
}

Wish Run::look_for_requests() {
  if (options_.stop && options_.stop->load()) return Wish::StopSaving;
  for (const Control request : take_requests(folder_)) {
    if (request == Control::StopSaving) return Wish::StopSaving;
    if (request == Control::StopNow) return Wish::StopNow;
    if (request == Control::Save) save();
    if (request == Control::Pause) {
      const Wish wish = wait_while_paused();
      if (wish != Wish::GoOn) return wish;
    }
  }
  return Wish::GoOn;
}

Wish Run::wait_while_paused() {
  sink_.state(RunState::Paused);
  while (true) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    if (options_.stop && options_.stop->load()) return Wish::StopSaving;
    for (const Control request : take_requests(folder_)) {
      if (request == Control::StopSaving) return Wish::StopSaving;
      if (request == Control::StopNow) return Wish::StopNow;
      if (request == Control::Save) save();
      if (request == Control::Resume) {
        sink_.state(RunState::Running);
        return Wish::GoOn;
      }
    }
  }
}

RunState Run::stop(Wish wish) {
  sink_.state(RunState::Stopping);
  if (wish == Wish::StopSaving) save();
  sink_.state(RunState::Stopped, wish == Wish::StopSaving ? "stopped on request, saved"
                                                          : "stopped on request, not saved");
  return RunState::Stopped;
}

RunState Run::finish() {
  if (spec_.checkpoint.on_finish) save();
  sink_.state(RunState::Finished);
  return RunState::Finished;
}
}  // namespace

RunState train_run(const RunFolder& folder, Collective& ranks, const TrainRunOptions& options) {
  const RunLock lock(folder);
  log::set_file(folder.log_path(ranks.rank()));
  EventSink sink(folder, options.on_event);
  try {
    return Run(folder, ranks, options, sink).train();
  } catch (const std::exception& error) {
    log::error("{}", error.what());
    sink.state(RunState::Failed, error.what());
    throw;
  }
}

}  // namespace tessera
