// SPDX-License-Identifier: MIT
#include "core/train/train_run.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/base/progress.h"
#include "core/base/threads.h"
#include "core/base/transfer.h"
#include "core/config/paths.h"
#include "core/infer/chat.h"
#include "core/infer/generate.h"
#include "core/train/event_sink.h"
#include "core/train/finite.h"
#include "core/train/fork.h"
#include "core/train/prepare.h"
#include "core/train/spikes.h"
#include "core/train/stop_watch.h"
#include "core/train/trainer.h"
#include "kernels/capability.h"
#include "kernels/product/product.h"

namespace tessera {

namespace {
/// What the run was asked to do between two steps.
enum class Wish { GoOn, StopSaving, StopNow };
/// Whether a checkpoint was asked for by itself. Such a one is written whatever is asked for next.
enum class Asked { No, Yes };

class Run {
 public:
  Run(const RunFolder& folder, Collective& ranks, const TrainRunOptions& options, EventSink& sink)
      : folder_(folder),
        spec_(folder.spec()),
        options_(options),
        sink_(sink),
        ranks_(ranks),
        stop_(folder, options.stop) {
    if (spec_.host.threads > 0) omp_set_num_threads(static_cast<int>(spec_.host.threads));
  }

  RunState train() {
    try {
      prepare();
      start();
    } catch (const Stopped&) {
      return stop_before_first_step();
    }
    first_step_ = trainer_->next_step();
    try {
      return go_on();
    } catch (const Stopped&) {
      return stop_unsaved();
    }
  }

 private:
  void prepare();
  RunSpec spec_of_folder() const;
  void start();
  void advise();
  std::filesystem::path starting_checkpoint() const;
  void resume_from(const std::filesystem::path& checkpoint);
  void one_step();
  void after_step();
  void handle_spike(const StepReport& report);
  void roll_back(std::int64_t from_step, const std::string& reason);
  [[noreturn]] void give_up(const std::string& reason);
  void report_step(const StepReport& report);
  void report_experts(const StepReport& report);
  void validate();
  void measure_validation();
  void write_samples();
  bool save(Asked asked = Asked::No);
  void write_checkpoint(const CheckpointContents& contents, Asked asked);
  void look_while_saving();
  std::vector<Control> requests();
  Wish look_for_requests();
  Wish wait_while_paused();
  RunState go_on();
  RunState stop_before_first_step();
  RunState stop_unsaved();
  RunState stop(Wish wish);
  RunState finish();
  std::string inside_folder(const std::filesystem::path& path) const;
  bool due(std::int64_t every) const {
    return every > 0 && (trainer_->next_step() % every == 0 || trainer_->finished());
  }

  const RunFolder& folder_;
  RunSpec spec_;
  const TrainRunOptions& options_;
  EventSink& sink_;
  Collective& ranks_;
  StopWatch stop_;
  PreparedData data_;
  std::unique_ptr<Trainer> trainer_;
  std::unique_ptr<SpikeDetector> spikes_;
  double peak_flops_ = 0;
  std::int64_t first_step_ = 0;  ///< first step that this process trains
  std::int64_t saved_step_ = -1;
  std::filesystem::path rolled_back_to_;  ///< the checkpoint of the last rollback,
  std::int64_t rollbacks_ = 0;            ///< and how many there were to it
  bool told_no_checkpoint_ = false;
  bool told_stop_ = false;
  std::vector<Control> requests_;  ///< those taken from the folder that nobody has answered yet
};

void Run::prepare() {
  sink_.state(RunState::Checking);
  PrepareOptions options;
  options.tokenizer_file = folder_.tokenizer_path();
  options.shards = folder_.shards_path();
  options.keep_built = true;
  options.cache = options_.cache;
  options.tell = [this](const std::string& level, const std::string& text) {
    sink_.message(level, text);
  };
  options.progress = [this](const PhaseProgress& progress) { sink_.phase(progress); };
  options.stop = &stop_.flag();
  data_ = prepare_data(spec_of_folder(), options);
  if (!std::filesystem::exists(folder_.tokenizer_path())) data_.tokenizer->save(folder_.path());
  throw_if_stopped(&stop_.flag(), "data");
}

/// The spec with what an earlier start has put into the folder: vocabulary and shards that are
/// there win over what they were made from, which may have changed since, or be gone.
RunSpec Run::spec_of_folder() const {
  namespace fs = std::filesystem;
  RunSpec spec = spec_;
  if (fs::exists(folder_.tokenizer_path())) spec.tokenizer.path = folder_.tokenizer_path();
  const auto has_shards = [](const fs::path& shards) {
    return fs::exists(shards / "manifest.json");
  };
  // The folder's own shards are used as they are: PrepareOptions::keep_built.
  if (!spec.data.shards.empty() && !has_shards(resolve_path(spec.data.shards)) &&
      !starting_checkpoint().empty()) {
    throw Error("data.shards",
                fmt::format("{}, which this run was trained on so far, holds no token shards now",
                            spec.data.shards),
                fmt::format("put them back, or name others: `tessera resume --fork {} --set "
                            "data.shards=FOLDER`",
                            folder_.id()));
  }
  return spec;
}

void Run::start() {
  sink_.state(RunState::Starting);
  advise();
  const std::filesystem::path from = starting_checkpoint();
  // Weights to begin with are wanted at the beginning only, and may be gone by now.
  if (!from.empty()) spec_.checkpoint.start_from.clear();
  sink_.phase({.phase = "model", .unit = {}});
  trainer_ = std::make_unique<Trainer>(spec_, data_.dataset, data_.tokenizer->specials(), ranks_,
                                       &stop_.flag());
  spikes_ =
      std::make_unique<SpikeDetector>(spec_.stability.spike_window, spec_.stability.spike_factor);
  throw_if_stopped(&stop_.flag(), "model");
  const ParameterCount count = count_parameters(spec_.model);
  sink_.phase({.phase = "speed of this machine", .unit = {}});
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
  if (!from.empty()) resume_from(from);
  throw_if_stopped(&stop_.flag(), "model");
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

/// The newest of its own, else the one it was forked from; empty where it begins anew.
std::filesystem::path Run::starting_checkpoint() const {
  if (const auto own = find_latest_checkpoint(folder_.path())) return own->path;
  if (const auto lineage = folder_.lineage()) return checkpoint_of(folder_, *lineage);
  return {};
}

void Run::resume_from(const std::filesystem::path& from) {
  sink_.phase({.phase = "checkpoint", .unit = {}});
  const Checkpoint checkpoint(from, Verify::Hashes, &stop_.flag());
  trainer_->restore(checkpoint, /*keep_data_position=*/false, &stop_.flag());
  if (checkpoint.state().contains("spikes")) spikes_->restore(checkpoint.state().at("spikes"));
  saved_step_ = trainer_->next_step();
  sink_.emit(ResumeEvent{trainer_->next_step() - 1, trainer_->tokens(), inside_folder(from)});
}

/// Relative to the run folder where it lies in there, so that a folder that was moved or copied
/// still tells the truth.
std::string Run::inside_folder(const std::filesystem::path& path) const {
  const std::filesystem::path relative = path.lexically_relative(folder_.path());
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

void Run::one_step() {
  std::optional<StepReport> report;
  try {
    report = trainer_->step_unless(&stop_.flag(), options_.patience);
  } catch (const NotFinite& error) {
    return roll_back(error.step(), error.what_failed());
  }
  if (!report) return;  // asked to stop: look_for_requests() says so too
  sink_.set_step(trainer_->next_step() - 1);
  if (due(spec_.events.steps_every)) report_step(*report);
  if (due(spec_.events.experts_every)) report_experts(*report);
  handle_spike(*report);
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
  if (!find_latest_checkpoint(folder_.path())) {
    if (std::exchange(told_no_checkpoint_, true)) return;
    return sink_.message(
        "warning", "there is no checkpoint yet to go back to after a spike: training goes on");
  }
  roll_back(report.at.step, fmt::format("the loss of step {} was {:.3f}, {:.3f} is usual",
                                        report.at.step + 1, spike->loss, spike->usual));
}

/// Back to the newest checkpoint and past the data that led here. Throws Error where the spec does
/// not allow it, where there is no checkpoint, and where it has been tried often enough.
void Run::roll_back(std::int64_t from_step, const std::string& reason) {
  const auto latest = find_latest_checkpoint(folder_.path());
  if (!latest || !spec_.stability.rollback) give_up(reason);
  if (latest->path != rolled_back_to_) rollbacks_ = 0;
  rolled_back_to_ = latest->path;
  if (rollbacks_ == spec_.stability.max_rollbacks) {
    give_up(fmt::format("{}, also after {} rollbacks to {}", reason, rollbacks_,
                        inside_folder(latest->path)));
  }
  ++rollbacks_;
  const Checkpoint good(latest->path, Verify::Hashes, &stop_.flag());
  trainer_->restore(good, /*keep_data_position=*/true, &stop_.flag());
  trainer_->skip_data(spec_.stability.skip_steps);
  saved_step_ = trainer_->next_step();
  sink_.set_step(trainer_->next_step() - 1);
  sink_.emit(RollbackEvent{from_step, trainer_->next_step() - 1, spec_.stability.skip_steps,
                           inside_folder(latest->path), reason, rollbacks_,
                           spec_.stability.max_rollbacks});
}

/// Nothing is saved: the newest checkpoint is the last state that is known to be good.
void Run::give_up(const std::string& reason) {
  const auto latest = find_latest_checkpoint(folder_.path());
  if (!latest) {
    throw Error("training", reason,
                "nothing was saved yet: start anew with a lower curriculum[0].learning_rate");
  }
  const std::string more =
      spec_.stability.rollback ? "" : ", or with --set stability.rollback=true";
  throw Error("training", fmt::format("{}; {} is whole", reason, inside_folder(latest->path)),
              fmt::format("`tessera resume --fork {}` with --set and a lower learning rate goes on "
                          "from there{}",
                          folder_.id(), more));
}

void Run::after_step() {
  if (stop_.look()) return;  // what is due would only hold up the stop, which saves as well
  if (due(spec_.validation.every_steps)) validate();
  if (due(spec_.samples.every_steps)) write_samples();
  if (!trainer_->finished() && due(spec_.checkpoint.every_steps)) save();
}

void Run::validate() {
  if (spec_.validation.every_steps == 0) return;
  try {
    measure_validation();
  } catch (const Stopped&) {
    // Half a validation is told to nobody; look_for_requests() sees the request as well.
  }
}

void Run::measure_validation() {
  ValidationEvent event;
  event.step = trainer_->next_step() - 1;
  event.tokens = trainer_->tokens();
  double sum = 0, weights = 0;
  for (const auto& [source, weight] : validation_mixture(spec_, *data_.dataset, event.step)) {
    const double loss = trainer_->validate(source, spec_.validation.sequences, &stop_.flag());
    event.sources.push_back({source, loss});
    sum += weight * loss;
    weights += weight;
  }
  // Without held-out text there is nothing to tell; prepare_data() has warned of it.
  if (event.sources.empty()) return;
  event.loss = sum / weights;
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
  options.stop = trainer_->ends();
  for (const std::string& prompt : spec_.samples.prompts) {
    CachedSequence sequence = engine.open();
    const auto goes_on = [this](const Choice&) { return !stop_.flag(); };
    const Generated text =
        generate(engine, sequence, encode_prompt(*data_.tokenizer, prompt), options, goes_on);
    if (text.reason == StopReason::Cancelled) return;
    sink_.emit(
        SampleEvent{trainer_->next_step() - 1, prompt, data_.tokenizer->decode(text.tokens)});
  }
}

/// False where the weights are spoilt: the run has then gone back to the newest checkpoint instead.
bool Run::save(Asked asked) {
  if (saved_step_ == trainer_->next_step()) return true;
  CheckpointContents contents = trainer_->contents();
  if (const std::string spoilt = first_not_finite(contents); !spoilt.empty()) {
    roll_back(trainer_->next_step() - 1,
              fmt::format("after step {} {} holds values that are not finite",
                          trainer_->next_step(), spoilt));
    return false;
  }
  contents.state["spikes"] = spikes_->state();
  write_checkpoint(contents, asked);
  return true;
}

void Run::write_checkpoint(const CheckpointContents& contents, Asked asked) {
  sink_.state(RunState::Saving);
  const auto start = std::chrono::steady_clock::now();
  SaveOptions options{.keep_last = static_cast<int>(spec_.checkpoint.keep)};
  if (asked == Asked::No) options.between = [this] { look_while_saving(); };
  const std::filesystem::path path = save_checkpoint(folder_.path(), contents, options);
  saved_step_ = trainer_->next_step();
  CheckpointEvent event;
  event.step = trainer_->next_step() - 1;
  event.tokens = trainer_->tokens();
  event.path = inside_folder(path);
  event.bytes = static_cast<std::int64_t>(checkpoint_bytes(contents, options));
  event.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  sink_.emit(event);
  sink_.state(RunState::Running);
}

/// A stop that saves needs the very checkpoint that is being written; one that does not save gives
/// it up.
void Run::look_while_saving() {
  if (!stop_.look()) return;
  const std::vector<Control> more = take_requests(folder_);
  requests_.insert(requests_.end(), more.begin(), more.end());
  if (std::find(requests_.begin(), requests_.end(), Control::StopNow) != requests_.end()) {
    throw Stopped("saving");
  }
  if (std::exchange(told_stop_, true)) return;
  sink_.message("note", fmt::format("asked to stop: the run ends as soon as the checkpoint after "
                                    "step {} is written",
                                    trainer_->next_step()));
}

/// Those that were taken from the folder while a checkpoint was written, and then those in it.
std::vector<Control> Run::requests() {
  std::vector<Control> all = std::exchange(requests_, {});
  const std::vector<Control> more = take_requests(folder_);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

Wish Run::look_for_requests() {
  if (is_set(options_.stop)) return Wish::StopSaving;
  for (const Control request : requests()) {
    if (request == Control::StopSaving) return Wish::StopSaving;
    if (request == Control::StopNow) return Wish::StopNow;
    if (request == Control::Save) save(Asked::Yes);
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
    if (is_set(options_.stop)) return Wish::StopSaving;
    for (const Control request : requests()) {
      if (request == Control::StopSaving) return Wish::StopSaving;
      if (request == Control::StopNow) return Wish::StopNow;
      if (request == Control::Save) save(Asked::Yes);
      if (request == Control::Resume) {
        sink_.state(RunState::Running);
        return Wish::GoOn;
      }
    }
  }
}

RunState Run::go_on() {
  while (!trainer_->finished()) {
    const Wish wish = look_for_requests();
    if (wish != Wish::GoOn) return stop(wish);
    if (options_.most_steps > 0 && trainer_->next_step() - first_step_ >= options_.most_steps) {
      return stop(Wish::StopSaving);
    }
    one_step();
  }
  return finish();
}

/// Nothing was trained in this process, so there is nothing to save.
RunState Run::stop_before_first_step() {
  sink_.state(RunState::Stopping);
  const bool has_checkpoint = find_latest_checkpoint(folder_.path()).has_value();
  sink_.state(RunState::Stopped, has_checkpoint
                                     ? "stopped on request before it went on from its checkpoint"
                                     : "stopped on request before its first step");
  return RunState::Stopped;
}

/// Where the work that was given up leaves nothing to save: a checkpoint that was being written, or
/// one that was being gone back to.
RunState Run::stop_unsaved() {
  take_requests(folder_);
  sink_.state(RunState::Stopping);
  sink_.state(RunState::Stopped, "stopped on request, not saved");
  return RunState::Stopped;
}

RunState Run::stop(Wish wish) {
  told_stop_ = true;
  sink_.state(RunState::Stopping);
  if (wish == Wish::StopNow) {
    sink_.state(RunState::Stopped, "stopped on request, not saved");
  } else if (save()) {
    sink_.state(RunState::Stopped, "stopped on request, saved");
  } else {
    sink_.state(RunState::Stopped, "stopped on request, at the newest checkpoint");
  }
  return RunState::Stopped;
}

RunState Run::finish() {
  if (spec_.checkpoint.on_finish && !save()) return go_on();
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
    log::info("the run fails: {}", error.what());  // whoever catches it shows it
    sink.failed(error.what());
    throw;
  }
}

}  // namespace tessera
