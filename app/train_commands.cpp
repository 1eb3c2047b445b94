// SPDX-License-Identifier: MIT
// demo, train, resume.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "app/bench_results.h"
#include "app/commands.h"
#include "app/options.h"
#include "app/rank_launcher.h"
#include "app/ranks.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/infer/text_model.h"
#include "core/launch/start_claim.h"
#include "core/plan/plan.h"
#include "core/spec/curriculum.h"
#include "core/train/data_cache.h"
#include "core/train/fork.h"
#include "core/train/train_run.h"
#include "distributed/single/single_process.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct RunOptions {
  std::string spec, runs, id_file, claim, timeline;
  std::vector<std::string> settings;
  bool json = false;
  std::int64_t most_steps = 0, ranks = 0;
  int stopped_status = 0;
  bool fork = false;
  std::string fork_spec;
  std::int64_t fork_step = -1;

  fs::path runs_path() const { return runs.empty() ? runs_folder() : fs::path(runs); }
};

void add_timeline(CLI::App& command, RunOptions& options) {
  command
      .add_option("--timeline", options.timeline,
                  "Write here what all ranks did in the first ten steps, for ui.perfetto.dev")
      ->check(file_to_write())
      ->type_name("FILE");
}

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("--runs", options.runs, "Folder of the runs")->type_name("DIR");
  command.add_option("--set", options.settings, "Override a key: --set optimiser.clip=0.5")
      ->type_name("KEY=VALUE");
  command.add_option("--most-steps", options.most_steps, "Save and stop after this many steps");
  command
      .add_option("--ranks", options.ranks,
                  "Train with this many processes on this machine; as many as the spec asks for "
                  "if left out")
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--stopped-status", options.stopped_status,
                  "Exit with this status where a signal stopped the run before its end")
      ->check(CLI::Range(0, 255))
      ->type_name("N");
  command.add_option("--id-file", options.id_file, "Write the run's folder here once it is known")
      ->type_name("FILE");
  command
      .add_option("--claim", options.claim, "For the queue: a file that makes this start unique")
      ->group("");
}

/// Before anything is made: a start that was given up must lead to no run.
void claim(const RunOptions& options) {
  if (!options.claim.empty()) claim_start(options.claim);
}

/// Tells people and programs which run this is. Printed at once, also where the output is a file.
/// From here on signals are heard, and a reader of the output that goes away does not end the run.
void announce(const RunFolder& folder, const RunOptions& options) {
  stop_on_signals();
  std::printf("run %s\n", folder.path().c_str());
  std::fflush(stdout);
  if (!options.id_file.empty()) {
    write_file_atomically(options.id_file, folder.path().string() + "\n");
  }
}

/// Why a run failed is told by main(), which gets the same text as an error.
std::function<void(const EventBody&)> shown_in(RunView& view) {
  return [&view](const EventBody& body) {
    const auto* state = std::get_if<StateEvent>(&body);
    if (!state || state->state != RunState::Failed) view.event_now(body);
  };
}

TrainRunOptions train_options(const RunOptions& asked) {
  TrainRunOptions options;
  options.stop = &stop_on_signals();
  options.cache = data_cache_folder();
  options.build = fmt::format("{} ({})", TESSERA_VERSION, built_from_commit());
  options.most_steps = asked.most_steps;
  if (!asked.timeline.empty()) {
    options.timeline = TimelineRequest{.file = fs::absolute(asked.timeline)};
  }
  return options;
}

/// Trains, in this process where there is one rank, and shows it.
RunState run_here(const RunFolder& folder, RunView& view, const RunOptions& asked,
                  std::int64_t ranks) {
  log::set_console_level(log::Level::Warning);
  try {
    RunState state = RunState::Draft;
    if (ranks == 1) {
      SingleProcess single;
      TrainRunOptions options = train_options(asked);
      options.on_event = shown_in(view);
      state = train_run(folder, single, options);
    } else {
      state = launch_ranks(
          folder, {.ranks = static_cast<int>(ranks),
                   .most_steps = asked.most_steps,
                   .timeline = asked.timeline.empty() ? fs::path() : fs::absolute(asked.timeline),
                   .on_event = shown_in(view),
                   .stop = &stop_on_signals()});
    }
    view.finish_line();
    return state;
  } catch (...) {
    view.finish_line();
    throw;
  }
}

RunView view_of(const RunFolder& folder) {
  const Curriculum curriculum(folder.spec());
  return {curriculum.total_steps(), curriculum.total_tokens()};
}

RunSpec spec_of(const RunOptions& options, std::int64_t ranks) {
  return spec_for_ranks(
      [&](const std::vector<std::string>& more) {
        std::vector<std::string> settings = options.settings;
        settings.insert(settings.end(), more.begin(), more.end());
        return load_spec(options.spec, settings);
      },
      ranks);
}

RunFolder create_run(const RunOptions& options, RunSpec spec) {
  make_paths_absolute(
      spec, fs::exists(options.spec) ? fs::path(options.spec).parent_path() : resources_folder());
  fs::create_directories(options.runs_path());
  return RunFolder::create(options.runs_path(), spec);
}

/// What can be done with a run next.
void tell_next(const RunFolder& folder, RunState state) {
  if (state == RunState::Stopped) {
    std::printf("go on with it:  tessera resume %s\n", folder.path().c_str());
  }
  if (find_latest_checkpoint(folder.path())) {
    std::printf("talk to it:  tessera chat %s\n", folder.path().c_str());
  }
}

/// A cluster that takes the processors away can tell a run that is to go on from one that is done.
/// A stop by a request in the folder is meant to last.
void end_as_stopped(const RunOptions& options, RunState state, bool by_signal) {
  if (state == RunState::Stopped && by_signal && options.stopped_status != 0) {
    throw Exit{options.stopped_status};
  }
}

/// Shows what comes next, and ends as the run did.
void end_here(const RunFolder& folder, const RunOptions& options, RunState state) {
  tell_next(folder, state);
  std::fflush(stdout);
  end_as_stopped(options, state, stop_on_signals());
}

/// One of several ranks that somebody else has started, as with `mpirun -n 4 tessera train SPEC`.
/// Rank 0 makes or finds the folder, and shows the run.
void be_rank(const RankEnvironment& place, const RunOptions& options, const RunSpec& spec,
             const std::function<RunFolder()>& make) {
  if (options.ranks > 0 && options.ranks != place.size) {
    throw Error("ranks",
                fmt::format("--ranks says {}, and {} were started", options.ranks, place.size),
                "leave --ranks out where mpirun, srun or another program starts the ranks");
  }
  TrainRunOptions train = train_options(options);
  const auto ranks = connect_ranks(spec, place);
  const RunFolder folder = folder_of_all(*ranks, make);
  if (place.rank != 0) {
    RankEnding ending;
    try {
      ending = train_as_rank(folder, *ranks, train);
    } catch (const std::exception&) {
      throw Exit{1};  // it stands in this rank's log, and rank 0 tells it
    }
    return end_as_stopped(options, ending.state, ending.by_signal);
  }
  announce(folder, options);
  RunView view = view_of(folder);
  train.on_event = shown_in(view);
  const RankEnding ending = train_as_rank(folder, *ranks, train);
  view.finish_line();
  tell_next(folder, ending.state);
  std::fflush(stdout);
  end_as_stopped(options, ending.state, ending.by_signal);
}

/// Where this process was started as one of several.
std::optional<RankEnvironment> one_of_several() {
  auto place = rank_environment();
  if (place && place->size == 1) place.reset();
  return place;
}

void train(const RunOptions& options) {
  claim(options);
  if (const auto place = one_of_several()) {
    const RunSpec spec = spec_of(options, place->size);
    return be_rank(*place, options, spec, [&] { return create_run(options, spec); });
  }
  const RunSpec spec = spec_of(options, options.ranks);
  const RunFolder folder = create_run(options, spec);
  announce(folder, options);
  RunView view = view_of(folder);
  end_here(folder, options, run_here(folder, view, options, ranks_of(spec)));
}

CheckpointInfo checkpoint_to_fork(const RunFolder& parent, std::int64_t step) {
  if (step < 0) {
    if (auto latest = find_latest_checkpoint(parent.path())) return *latest;
    throw Error(parent.id(), "has no whole checkpoint to fork from", "let it save one first");
  }
  std::vector<std::int64_t> whole;
  for (CheckpointInfo& checkpoint : list_checkpoints(parent.path())) {
    if (!checkpoint.damage.empty()) continue;
    // NOTE: the folder is named by the step that comes next, the log by the last one done.
    if (checkpoint.step - 1 == step) return std::move(checkpoint);
    whole.push_back(checkpoint.step - 1);
  }
  throw Error(parent.id(), fmt::format("has no whole checkpoint after step {}", step),
              fmt::format("there are checkpoints after the steps {}", fmt::join(whole, ", ")));
}

/// Throws Error with all that stands in the way, before there is a run that could only fail.
void check_fork_of(const RunFolder& parent, const RunSpec& spec, std::int64_t last_step) {
  const ForkOf from{parent.spec(), parent.path(), last_step};
  std::vector<std::string> reasons;
  for (const PlanProblem& p : check_fork(spec, from)) {
    if (p.problem.severity == Severity::Error) {
      reasons.push_back(p.problem.text());
    } else {
      std::fprintf(stderr, "%s\n", p.problem.text().c_str());
    }
  }
  if (reasons.empty()) return;
  throw Error(parent.id(), fmt::format("cannot be forked so: {}", fmt::join(reasons, "; ")),
              "leave these settings as they are in the run, or train a new run");
}

/// A copy of a run under other settings, from one of its checkpoints.
RunFolder fork(const RunFolder& parent, const RunOptions& options) {
  const CheckpointInfo checkpoint = checkpoint_to_fork(parent, options.fork_step);
  const bool other = !options.fork_spec.empty();
  RunSpec spec =
      load_spec(other ? options.fork_spec : parent.spec_path().string(), options.settings);
  if (other) make_paths_absolute(spec, fs::path(options.fork_spec).parent_path());
  check_fork_of(parent, spec, checkpoint.step - 1);
  return fork_run(parent, checkpoint, std::move(spec), options.runs_path());
}

void resume(const RunOptions& options) {
  claim(options);
  const RunFolder folder = RunFolder::find(options.spec, options.runs_path());
  const bool changes =
      !options.settings.empty() || !options.fork_spec.empty() || options.fork_step >= 0;
  if (!options.fork && changes) {
    throw Error("resume", "--set, --spec and --step would change what the run is",
                "add --fork: a new run goes on from the checkpoint with the new settings");
  }
  const auto target = [&] { return options.fork ? fork(folder, options) : folder; };
  if (const auto place = one_of_several()) {
    check_ranks(folder.spec(), place->size);
    return be_rank(*place, options, folder.spec(), target);
  }
  if (options.ranks > 0) check_ranks(folder.spec(), options.ranks);
  const RunFolder run = target();
  announce(run, options);
  RunView view = view_of(run);
  const std::int64_t ranks = options.ranks > 0 ? options.ranks : ranks_of(run.spec());
  end_here(run, options, run_here(run, view, options, ranks));
}

/// A rank of launch_ranks(), which shows the run and holds its folder: it ends with whoever started
/// it, and says nothing but in its log.
void launched_rank(const RunOptions& options) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const RunFolder folder = RunFolder::open(options.spec);
  const auto place = one_of_several();
  const auto holder = process_of(folder);
  if (!place || !holder || liveness_of(*holder) == Liveness::Dead) {
    throw Error("rank", "is started by `tessera train --ranks N` alone");
  }
  TrainRunOptions train = train_options(options);
  train.locked = true;
  const auto ranks = connect_ranks(folder.spec(), *place);
  try {
    train_as_rank(folder, *ranks, train);
  } catch (const std::exception&) {
    throw Exit{1};  // it stands in this rank's record, and in the events where it is rank 0
  }
}

/// A sample and one answer, as a newcomer should see them.
void show_demo(const RunFolder& folder, const RunView& view) {
  const double fall = 100.0 * (1.0 - view.last_validation() / view.first_validation());
  std::printf("\nvalidation loss %.3f -> %.3f (%.0f %% lower)\n", view.first_validation(),
              view.last_validation(), fall);
  TextModel model = TextModel::load(folder.path(), Recipe::Fp32);
  const auto print = [](const std::string& text) {
    std::fputs(text.c_str(), stdout);
    std::fflush(stdout);
  };
  std::printf("\nA sample of text:\n  ");
  GenerateOptions options;
  options.max_tokens = 120;
  const std::string prompt = "It was a fine morning, and";
  print(prompt);
  model.complete(prompt, options, print);
  std::printf("\n\nA chat (the model has only read text, so it goes on with yours):\n> ");
  const std::string question = "What did she say to him when they met again?";
  std::printf("%s\n", question.c_str());
  options.max_tokens = 80;
  model.answer({{Message::Role::User, question}}, options, print);
  std::printf("\n\nGo on with the conversation:  tessera chat %s\n", folder.path().c_str());
}

void demo(RunOptions options) {
  options.spec = "demo";
  if (options.ranks > 1) {
    // Its batch is one micro-batch: ranks take parts of it.
    const std::int64_t micro = load_spec("demo").parallel.micro_batch_sequences;
    options.settings.insert(options.settings.begin(),
                            fmt::format("parallel.micro_batch_sequences={}",
                                        std::max<std::int64_t>(1, micro / options.ranks)));
  }
  const RunSpec spec = spec_of(options, options.ranks);
  const RunFolder folder = create_run(options, spec);
  std::printf("A small mixture-of-experts model, trained on this machine.\n");
  announce(folder, options);
  RunView view = view_of(folder);
  const RunState state = run_here(folder, view, options, ranks_of(spec));
  state == RunState::Finished ? show_demo(folder, view) : end_here(folder, options, state);
}
}  // namespace

void add_demo(CLI::App& app) {
  auto* command = app.add_subcommand("demo", "Train a small model here, then sample and chat");
  auto options = std::make_shared<RunOptions>();
  add_run_options(*command, *options);
  command->callback([options] { demo(*options); });
}

void add_train(CLI::App& app) {
  auto* command = app.add_subcommand("train", "Train what a spec or preset says");
  auto options = std::make_shared<RunOptions>();
  command->add_option("spec", options->spec, "A TOML file, or the name of a preset")->required();
  add_run_options(*command, *options);
  add_timeline(*command, *options);
  command->callback([options] { train(*options); });
}

void add_rank(CLI::App& app) {
  auto* command = app.add_subcommand("rank", "One of the ranks that `tessera train` has started");
  auto options = std::make_shared<RunOptions>();
  command->add_option("run", options->spec, "The run's folder")->required();
  command->add_option("--most-steps", options->most_steps, "Save and stop after this many steps");
  add_timeline(*command, *options);
  command->group("");  // for `tessera train` alone
  command->callback([options] { launched_rank(*options); });
}

void add_resume(CLI::App& app) {
  auto* command = app.add_subcommand("resume", "Go on with a run from its newest checkpoint");
  auto options = std::make_shared<RunOptions>();
  command->add_option("run", options->spec, "Its folder, its name, or how that begins")->required();
  command->add_flag("--fork", options->fork, "Go on as a new run; --set may then change the spec");
  command->add_option("--spec", options->fork_spec, "With --fork: the new run's spec, as a whole")
      ->type_name("FILE");
  command->add_option("--step", options->fork_step,
                      "With --fork: from the checkpoint after this step");
  add_run_options(*command, *options);
  add_timeline(*command, *options);
  command->callback([options] { resume(*options); });
}

}  // namespace tessera::app
