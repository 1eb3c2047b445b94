// SPDX-License-Identifier: MIT
// demo, train, resume.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "core/config/paths.h"
#include "core/history/library.h"
#include "core/infer/text_model.h"
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
  std::string spec, runs, id_file;
  std::vector<std::string> settings;
  bool json = false;
  std::int64_t most_steps = 0;
  bool fork = false;
  std::string fork_spec;
  std::int64_t fork_step = -1;

  fs::path runs_path() const { return runs.empty() ? runs_folder() : fs::path(runs); }
};

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("--runs", options.runs, "Folder of the runs")->type_name("DIR");
  command.add_option("--set", options.settings, "Override a key: --set optimiser.clip=0.5")
      ->type_name("KEY=VALUE");
  command.add_option("--most-steps", options.most_steps, "Save and stop after this many steps");
  command.add_option("--id-file", options.id_file, "Write the run's folder here once it is known")
      ->type_name("FILE");
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

/// Trains in this process and shows it.
RunState run_here(const RunFolder& folder, RunView& view, std::int64_t most_steps) {
  log::set_console_level(log::Level::Warning);
  SingleProcess ranks;
  TrainRunOptions options;
  options.on_event = [&](const EventBody& body) {
    const auto* state = std::get_if<StateEvent>(&body);
    // Why a run failed is told by main(), which gets the same text as an error.
    if (!state || state->state != RunState::Failed) view.event_now(body);
  };
  options.stop = &stop_on_signals();
  options.cache = data_cache_folder();
  options.most_steps = most_steps;
  try {
    const RunState state = train_run(folder, ranks, options);
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

/// Before a folder is made for a run that could not begin.
void require_one_rank(const RunSpec& spec) {
  if (spec.parallel.pipeline == 1) return;
  throw Error("parallel.pipeline",
              fmt::format("{} stages take as many ranks, and this command starts one",
                          spec.parallel.pipeline),
              "set it to 1");
}

RunFolder create_run(const RunOptions& options) {
  RunSpec spec = load_spec(options.spec, options.settings);
  require_one_rank(spec);
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

void train(const RunOptions& options) {
  const RunFolder folder = create_run(options);
  announce(folder, options);
  RunView view = view_of(folder);
  tell_next(folder, run_here(folder, view, options.most_steps));
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
  require_one_rank(spec);
  if (other) make_paths_absolute(spec, fs::path(options.fork_spec).parent_path());
  check_fork_of(parent, spec, checkpoint.step - 1);
  return fork_run(parent, checkpoint, std::move(spec), options.runs_path());
}

void resume(const RunOptions& options) {
  const RunFolder folder = RunFolder::find(options.spec, options.runs_path());
  const bool changes =
      !options.settings.empty() || !options.fork_spec.empty() || options.fork_step >= 0;
  if (!options.fork && changes) {
    throw Error("resume", "--set, --spec and --step would change what the run is",
                "add --fork: a new run goes on from the checkpoint with the new settings");
  }
  const RunFolder target = options.fork ? fork(folder, options) : folder;
  announce(target, options);
  RunView view = view_of(target);
  tell_next(target, run_here(target, view, options.most_steps));
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
  const RunFolder folder = create_run(options);
  std::printf("A small mixture-of-experts model, trained on this machine.\n");
  announce(folder, options);
  RunView view = view_of(folder);
  const RunState state = run_here(folder, view, options.most_steps);
  state == RunState::Finished ? show_demo(folder, view) : tell_next(folder, state);
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
  command->callback([options] { train(*options); });
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
  command->callback([options] { resume(*options); });
}

}  // namespace tessera::app
