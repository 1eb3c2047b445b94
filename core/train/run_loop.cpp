// SPDX-License-Identifier: MIT
#include "core/train/run_loop.h"

#include <chrono>
#include <exception>
#include <utility>

#include "core/base/agreement.h"
#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/base/threads.h"
#include "core/base/transfer.h"
#include "core/config/paths.h"
#include "core/infer/chat.h"
#include "core/infer/generate.h"
#include "core/run/kept_timeline.h"
#include "core/train/finite.h"
#include "core/train/fork.h"
#include "core/train/hello.h"
#include "kernels/capability.h"
#include "kernels/product/product.h"

namespace tessera {

using Action = RunOrder::Action;

namespace {
constexpr std::size_t kMostManifestBytes = 1u << 30;

/// What would take long and need not be, once a rank was asked to stop.
bool gives_way_to_stop(Action action) {
  return action == Action::Step || action == Action::Validate || action == Action::Sample;
}
}  // namespace

RunLoop::RunLoop(const RunFolder& folder, const RunSpec& spec, Communicator& ranks,
                 const TrainRunOptions& options, RunDesk* desk)
    : folder_(folder), spec_(spec), options_(options), ranks_(ranks), desk_(desk) {
  if (!desk_) relay_.emplace(folder_, options_.stop);
  if (spec_.host.threads > 0) omp_set_num_threads(static_cast<int>(spec_.host.threads));
}

RunState RunLoop::train() {
  try {
    prepare();
    start();
  } catch (const Stopped&) {
    return stop_before_first_step();
  }
  if (options_.timeline) {
    TimelineRequest request = *options_.timeline;
    request.kept = folder_.path() / kTimelineName;
    request.most_kept = kMostTimelineBytes;
    trainer_->record_timeline(request);
  }
  RunOrder order = next_order();
  while (carry_out(order)) order = next_order();
  trainer_->finish_timeline();
  if (desk_) return desk_->end(order.action);
  return order.action == Action::Finish ? RunState::Finished : RunState::Stopped;
}

/// Rank 0 decides, and the others follow. Where a signal came to another rank alone, that rank says
/// so with the order, and rank 0 decides anew: so the run stops at this boundary of steps.
RunOrder RunLoop::next_order() {
  bool asked = false;
  RunOrder order = share_order(asked);
  if (!asked || !gives_way_to_stop(order.action)) return order;
  if (desk_) desk_->stop_for_rank();
  return share_order(asked);
}

/// One sum over all ranks: rank 0 puts in the order, the others whether they were asked to stop.
/// What rank 0's desk throws ends the run on every rank.
RunOrder RunLoop::share_order(bool& asked) {
  RunOrder order;
  std::exception_ptr problem;
  if (desk_) {
    try {
      order = desk_->next(*trainer_);
    } catch (...) {
      problem = std::current_exception();
      order.action = Action::Fail;
    }
  }
  std::int64_t words[3] = {};
  if (desk_) {
    words[0] = static_cast<std::int64_t>(order.action);
    words[1] = order.step;
  } else {
    words[2] = is_set(options_.stop) ? 1 : 0;
  }
  const Communicator::LongWait wait(ranks_);  // it may save, be paused, or write samples meanwhile
  ranks_.all_reduce(control_, Tensor(words, DType::I64, {std::ssize(words)}));
  order = {static_cast<Action>(words[0]), words[1]};
  asked = words[2] > 0;
  if (problem) std::rethrow_exception(problem);
  if (order.action == Action::Fail) throw Error("training", "rank 0 ended the run");
  return order;
}

bool RunLoop::carry_out(const RunOrder& order) {
  switch (order.action) {
    case Action::Step:
      step(order.tell_ranks != 0);
      return true;
    case Action::Validate:
      validate();
      return true;
    case Action::Sample:
      write_samples();
      return true;
    case Action::Save:
    case Action::SaveAsked:
      save(order.action == Action::SaveAsked);
      return true;
    case Action::RollBack:
      roll_back(order.step);
      return true;
    case Action::Stop:
    case Action::Finish:
    case Action::Fail:
      break;
  }
  return false;
}

// ---- Before the first step ----------------------------------------------------------------------

/// What is made for all ranks is made by rank 0; the others find it there. What ends the work of
/// rank 0 ends theirs.
template <class Work>
void RunLoop::first_rank_first(const Work& work) {
  together([&] {
    if (ranks_.rank() == 0) work();
  });
  if (ranks_.rank() != 0) work();
}

/// Work of all ranks at once. What ends it on one ends it on all.
template <class Work>
void RunLoop::together(const Work& work) {
  work_together(&ranks_, work);
}

void RunLoop::phase(const char* name) {
  if (desk_) desk_->log().phase({.phase = name, .unit = {}});
}

void RunLoop::prepare() {
  if (desk_) desk_->log().state(RunState::Checking);
  greet();
  first_rank_first([this] { prepare_data_of_run(); });
  if (ranks_.size() == 1) return;
  const std::string data = read_file(shards_folder() / "manifest.json", kMostManifestBytes) +
                           read_file(folder_.tokenizer_path());
  check_same(ranks_, "the data", hash_text(data),
             "the folders of the run and of its shards must be the same ones on all hosts");
}

/// Ranks that do not fit together are named before they waste time.
void RunLoop::greet() {
  if (ranks_.size() == 1) return;
  RankFacts own = local_facts();
  own.build = options_.build;
  own.spec = hash_text(read_file(folder_.spec_path()));
  std::string fatal;
  const bool same_sums = spec_.parallel.sums == SumOrder::Canonical;
  for (const HelloProblem& problem :
       compare_facts(exchange_facts(ranks_, std::move(own)), same_sums)) {
    if (problem.fatal) {
      fatal += (fatal.empty() ? "" : "; ") + problem.text;
    } else if (desk_) {
      desk_->log().message("warning", problem.text);
    }
  }
  if (!fatal.empty()) throw Error("ranks", fatal);
}

std::filesystem::path RunLoop::shards_folder() const {
  return spec_.data.shards.empty() ? folder_.shards_path() : resolve_path(spec_.data.shards);
}

void RunLoop::prepare_data_of_run() {
  PrepareOptions options;
  options.tokenizer_file = folder_.tokenizer_path();
  options.shards = folder_.shards_path();
  options.keep_built = true;
  options.cache = options_.cache;
  if (desk_) {
    options.tell = [this](const std::string& level, const std::string& text) {
      desk_->log().message(level, text);
    };
    options.progress = [this](const PhaseProgress& progress) { desk_->log().phase(progress); };
  }
  options.stop = stop_flag();
  data_ = prepare_data(spec_of_folder(), options);
  if (!std::filesystem::exists(folder_.tokenizer_path())) data_.tokenizer->save(folder_.path());
  throw_if_stopped(stop_flag(), "data");
}

/// The spec with what an earlier start has put into the folder: vocabulary and shards that are
/// there win over what they were made from, which may have changed since, or be gone.
RunSpec RunLoop::spec_of_folder() const {
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

void RunLoop::start() {
  if (desk_) desk_->log().state(RunState::Starting);
  if (desk_) advise();
  std::string found;
  together([&] { found = desk_ ? starting_checkpoint().string() : ""; });
  const std::filesystem::path from = text_of_rank(&ranks_, found, 0);
  // Weights to begin with are wanted at the beginning only, and may be gone by now.
  if (!from.empty()) spec_.checkpoint.start_from.clear();
  phase("model");
  together([&] {
    const SpecialTokens specials = data_.tokenizer->specials();
    trainer_ =
        std::make_unique<Trainer>(spec_, pretraining_source(spec_, data_.dataset, specials, ranks_),
                                  specials, ranks_, stop_flag());
    throw_if_stopped(stop_flag(), "model");
    if (desk_) tell_size();
  });
  if (!from.empty()) resume_from(from);
  throw_if_any_stopped();
  if (desk_) desk_->begin(*trainer_, !from.empty());
}

void RunLoop::tell_size() {
  const ParameterCount count = count_parameters(spec_.model);
  phase("speed of this machine");
  const DType operand = trainer_->model().precision().operand;
  peak_flops_ = kernels::measure_product_flops(operand, spec_.host.device);
  desk_->log().message(
      "info",
      fmt::format("{:.2f} M parameters, {:.2f} M active, {:.2f} M in MTP; "
                  "MFU = tokens/s * (6 * active weights without embedding + 6 * "
                  "layers * length * heads * (d_qk + d_v) / 2) / {:.1f} GFLOP/s, "
                  "this machine's {} products measured now",
                  static_cast<double>(count.total) / 1e6, static_cast<double>(count.active) / 1e6,
                  static_cast<double>(count.mtp) / 1e6, peak_flops_ / 1e9, name_of(operand)));
}

/// Says what is slow about the recipe on this GPU, and what to choose instead.
void RunLoop::advise() {
  if (spec_.host.device != Device::Cuda) return;
  require_device(Device::Cuda);  // says what is missing where there is no GPU
  const DeviceInfo gpu = devices().at(0);
  const auto generation = kernels::generation_of(gpu.major, gpu.minor);
  const std::string advice = kernels::recipe_advice(name_of(spec_.precision.recipe), generation);
  if (advice.empty()) return;
  desk_->log().message("warning", fmt::format("precision.recipe = \"{}\" on {}: {}",
                                              name_of(spec_.precision.recipe), gpu.name, advice));
}

/// What rank 0 begins with, and names to the others: the newest of its own, else the one it was
/// forked from; empty where it begins anew.
std::filesystem::path RunLoop::starting_checkpoint() const {
  if (const auto own = find_latest_checkpoint(folder_.path())) return own->path;
  if (const auto lineage = folder_.lineage()) return checkpoint_of(folder_, *lineage);
  return {};
}

void RunLoop::throw_if_any_stopped() {
  together([this] { throw_if_stopped(stop_flag(), "model"); });
}

/// Each rank reads its share of the files to verify them, and then its part of the model.
void RunLoop::restore(const std::filesystem::path& from, bool keep_data_position) {
  const FileShare share{static_cast<std::size_t>(ranks_.rank()),
                        static_cast<std::size_t>(ranks_.size())};
  together([&] { require_whole(from, Verify::Hashes, stop_flag(), share); });
  together([&] {
    const Checkpoint checkpoint(from, Verify::Sizes, stop_flag());
    trainer_->restore(checkpoint, keep_data_position, stop_flag());
    if (!desk_ || keep_data_position || !checkpoint.state().contains("spikes")) return;
    desk_->spikes().restore(checkpoint.state().at("spikes"));
  });
}

void RunLoop::resume_from(const std::filesystem::path& from) {
  phase("checkpoint");
  restore(from, /*keep_data_position=*/false);
  if (!desk_) return;
  desk_->log().emit(
      ResumeEvent{trainer_->next_step() - 1, trainer_->tokens(), desk_->inside_folder(from)});
}

/// Nothing was trained in this process, so there is nothing to save.
RunState RunLoop::stop_before_first_step() {
  if (!desk_) return RunState::Stopped;
  EventSink& log = desk_->log();
  log.state(RunState::Stopping);
  const bool has_checkpoint = find_latest_checkpoint(folder_.path()).has_value();
  log.state(RunState::Stopped, has_checkpoint
                                   ? "stopped on request before it went on from its checkpoint"
                                   : "stopped on request before its first step");
  return RunState::Stopped;
}

// ---- Orders -------------------------------------------------------------------------------------

void RunLoop::step(bool tell_ranks) {
  std::optional<StepReport> report;
  const std::int64_t in_calls_before = ranks_.nanoseconds_in_calls();
  try {
    report = trainer_->step_unless(stop_flag(), options_.patience);
  } catch (const NotFinite& error) {
    if (desk_) desk_->was_not_finite(error);
    return;
  }
  if (!report) return;  // it was asked to stop, and the next order says so
  ++own_.steps;
  own_.seconds += report->seconds;
  own_.work +=
      report->seconds - 1e-9 * static_cast<double>(ranks_.nanoseconds_in_calls() - in_calls_before);
  const auto due = [&](std::int64_t every) {
    return every > 0 && (trainer_->next_step() % every == 0 || trainer_->finished());
  };
  std::vector<float> biases;
  if (due(spec_.events.experts_every)) biases = trainer_->biases();  // every rank has some of them
  if (desk_ && due(spec_.events.steps_every)) report_step(*report);
  if (tell_ranks && ranks_.size() > 1) report_ranks(*report);
  if (!desk_) return;
  if (!biases.empty()) report_experts(*report, std::move(biases));
  desk_->trained(*trainer_, *report);
}

void RunLoop::report_step(const StepReport& r) {
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
  const double flops = event.tokens_per_second *
                       training_flops_per_token(spec_.model, r.at.sequence_length) /
                       static_cast<double>(ranks_.size());
  // The machine can do what a step just did: the measurement was disturbed by other programs.
  peak_flops_ = std::max(peak_flops_, flops);
  event.mfu = flops / peak_flops_;
  event.memory_bytes = static_cast<std::int64_t>(trainer_->memory_bytes());
  event.bias_speed = r.at.bias_speed;
  event.mtp_lambda = r.at.mtp_lambda;
  event.max_vio = r.max_vio;
  if (const ExchangeReport& e = r.exchange; e.tokens > 0) {
    event.exchange_bytes = static_cast<double>(e.bytes);
    event.ranks_per_token = static_cast<double>(e.token_ranks) / static_cast<double>(e.tokens);
    event.rank_tokens = e.received;
  }
  desk_->log().set_step(trainer_->next_step() - 1);
  desk_->log().emit(event);
}

void RunLoop::report_experts(const StepReport& r, std::vector<float> biases) {
  const Tensor& loads = trainer_->loads();
  ExpertsEvent event;
  event.step = r.at.step;
  event.tokens = r.at.tokens + r.at.step_tokens();
  event.layers = static_cast<int>(loads.size(0));
  event.experts = static_cast<int>(loads.size(1));
  event.counts = host_values<std::int64_t>(loads);
  event.biases = std::move(biases);
  desk_->log().emit(event);
}

/// A collective call.
void RunLoop::report_ranks(const StepReport& r) {
  const OwnWork done = std::exchange(own_, {});
  const double own[] = {done.work / static_cast<double>(done.steps),
                        static_cast<double>(trainer_->memory_bytes())};
  std::vector<double> all(std::size(own) * static_cast<std::size_t>(ranks_.size()));
  ranks_.all_gather(control_, Tensor(const_cast<double*>(own), DType::F64, {2}),
                    Tensor(all.data(), DType::F64, {std::ssize(all)}));
  if (!desk_) return;
  RanksEvent event;
  event.step = r.at.step;
  event.steps = done.steps;
  event.seconds = done.seconds / static_cast<double>(done.steps);
  for (std::size_t rank = 0; rank < all.size() / 2; ++rank) {
    if (spec_.host.device == Device::Cpu) event.work.push_back(static_cast<float>(all[2 * rank]));
    event.memory_bytes.push_back(static_cast<std::int64_t>(all[2 * rank + 1]));
  }
  desk_->log().emit(event);
}

/// Every rank measures, as every rank holds a part of the model; rank 0 tells.
void RunLoop::validate() {
  ValidationEvent event;
  event.step = trainer_->next_step() - 1;
  event.tokens = trainer_->tokens();
  double sum = 0, weights = 0;
  try {
    for (const auto& [source, weight] : validation_mixture(spec_, *data_.dataset, event.step)) {
      const double loss = trainer_->validate(source, spec_.validation.sequences, stop_flag());
      event.sources.push_back({source, loss});
      sum += weight * loss;
      weights += weight;
    }
  } catch (const Stopped&) {
    return;  // half a validation is told to nobody; the next order is to stop
  }
  // Without held-out text there is nothing to tell; prepare_data() has warned of it.
  if (event.sources.empty() || !desk_) return;
  event.loss = sum / weights;
  desk_->log().emit(event);
}

/// By the ranks that hold the stages of the model, and where experts are spread by all of them:
/// each answers every token, so that a stop has to be theirs together.
void RunLoop::write_samples() {
  const RankGroups& groups = trainer_->groups();
  const bool all = groups.mesh().expert > 1;
  if (!all && groups.place().replica > 0) return;
  Communicator& who = all ? groups.world() : groups.pipeline();
  const Model& model = trainer_->model();
  EngineOptions engine_options{.cache_tokens = model.config().max_position_embeddings};
  if (groups.mesh().pipeline > 1) {
    engine_options.pipeline = &groups.pipeline();
    engine_options.route = groups.mesh().shape().routes().front();
  }
  Engine engine(model, engine_options);
  GenerateOptions options;
  options.sampling.temperature = spec_.samples.temperature;
  options.sampling.seed = static_cast<std::uint64_t>(spec_.run.seed);
  options.sampling.vocabulary = data_.tokenizer->vocab_size();
  options.max_tokens = spec_.samples.tokens;
  options.stop = trainer_->ends();
  const auto goes_on = [&](const Choice&) {
    std::int64_t on = is_set(stop_flag()) ? 0 : 1;
    who.broadcast(control_, Tensor(&on, DType::I64, {1}), 0);
    return on != 0;
  };
  for (const std::string& prompt : spec_.samples.prompts) {
    CachedSequence sequence = engine.open();
    const Generated text =
        generate(engine, sequence, encode_prompt(*data_.tokenizer, prompt), options, goes_on);
    if (text.reason == StopReason::Cancelled) return;
    if (!desk_) continue;
    desk_->log().emit(
        SampleEvent{trainer_->next_step() - 1, prompt, data_.tokenizer->decode(text.tokens)});
  }
}

/// Weights that are not finite are never saved: the run then goes back to its newest checkpoint.
void RunLoop::save(bool asked) {
  CheckpointContents contents = trainer_->contents();
  share_out(contents, ranks_);
  for (const std::string& spoilt : gather_texts(&ranks_, first_not_finite(contents))) {
    if (spoilt.empty()) continue;
    if (desk_) desk_->found_spoilt(*trainer_, spoilt);
    return;
  }
  if (desk_) contents.state["spikes"] = desk_->spikes().state();
  try {
    write_checkpoint(contents, asked);
  } catch (const Stopped&) {
    if (desk_) desk_->stopped_unsaved();
  }
}

void RunLoop::write_checkpoint(const CheckpointContents& contents, bool asked) {
  if (desk_) desk_->log().state(RunState::Saving);
  const auto start = std::chrono::steady_clock::now();
  SaveOptions options{.keep_last = static_cast<int>(spec_.checkpoint.keep)};
  if (!asked && desk_) options.between = [this] { desk_->look_while_saving(*trainer_); };
  const SavedCheckpoint saved = save_checkpoint(folder_.path(), contents, options, &ranks_);
  if (!desk_) return;
  desk_->saved(*trainer_, saved.path, saved.bytes,
               std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

void RunLoop::roll_back(std::int64_t step) {
  try {
    restore(checkpoint_of_step(step), /*keep_data_position=*/true);
    trainer_->skip_data(spec_.stability.skip_steps);
  } catch (const Stopped&) {
    if (desk_) desk_->stopped_unsaved();
    return;
  }
  if (desk_) desk_->rolled_back(*trainer_);
}

/// The whole one of that step, which rank 0 looks for and names to the others.
std::filesystem::path RunLoop::checkpoint_of_step(std::int64_t step) {
  std::string found;
  if (desk_) {
    for (const CheckpointInfo& info : list_checkpoints(folder_.path())) {
      if (info.step == step && info.damage.empty()) found = info.path.string();
    }
  }
  found = text_of_rank(&ranks_, found, 0);
  if (!found.empty()) return found;
  throw Error("training", fmt::format("the checkpoint of step {} is gone", step),
              "do not remove checkpoints of a run while it trains");
}

}  // namespace tessera
