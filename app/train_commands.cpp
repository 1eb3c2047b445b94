// SPDX-License-Identifier: MIT
// demo, train, resume.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/terminal.h"
#include "app/text_model.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "core/run/library.h"
#include "core/run/paths.h"
#include "core/run/schedule.h"
#include "core/train/train_run.h"
#include "distributed/single/single_process.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct RunOptions {
  std::string spec, runs;
  std::vector<std::string> settings;
  bool json = false;
  std::int64_t most_steps = 0;

  fs::path runs_path() const { return runs.empty() ? runs_folder() : fs::path(runs); }
};

void add_run_options(CLI::App& command, RunOptions& options) {
  command.add_option("--runs", options.runs, "Folder of the runs")->type_name("DIR");
  command.add_option("--set", options.settings, "Override a key: --set optimiser.clip=0.5")
      ->type_name("KEY=VALUE");
  command.add_option("--most-steps", options.most_steps, "Save and stop after this many steps");
}

/// Trains in this process and shows it.
RunState run_here(const RunFolder& folder, RunView& view, std::int64_t most_steps) {
  log::set_console_level(log::Level::Warning);
  SingleProcess ranks;
  TrainRunOptions options;
  options.on_event = [&](const EventBody& body) { view.event(body); };
  options.on_build = [&](const data::BuildProgress& progress) { view.build(progress); };
  options.stop = &stop_on_signals();
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
  const RunSpec spec = folder.spec();
  return RunView(Schedule(spec).total_steps());
}

RunFolder create_run(const RunOptions& options) {
  RunSpec spec = load_spec(options.spec, options.settings);
  make_paths_absolute(
      spec, fs::exists(options.spec) ? fs::path(options.spec).parent_path() : resources_folder());
  fs::create_directories(options.runs_path());
  return RunFolder::create(options.runs_path(), spec);
}

void train(const RunOptions& options) {
  const RunFolder folder = create_run(options);
  std::printf("run %s\n", folder.path().c_str());
  RunView view = view_of(folder);
  run_here(folder, view, options.most_steps);
  std::printf("talk to it:  tessera chat %s\n", folder.path().c_str());
}

/// A copy of a run under other settings, from one of its checkpoints.
RunFolder fork_run(const RunFolder& parent, const RunOptions& options) {
  const auto checkpoint = find_latest_checkpoint(parent.path());
  if (!checkpoint) {
    throw Error(parent.id(), "has no whole checkpoint to fork from", "let it save one first");
  }
  RunSpec spec = load_spec(parent.spec_path().string(), options.settings);
  if (spec.data.shards.empty()) spec.data.shards = parent.shards_path().string();
  if (spec.tokenizer.path.empty()) spec.tokenizer.path = parent.tokenizer_path().string();
  return RunFolder::create(
      options.runs_path(), spec,
      Lineage{parent.id(), parent.path().string(), checkpoint->path.string(), checkpoint->step});
}

void resume(const RunOptions& options, bool fork) {
  const RunFolder folder = RunFolder::find(options.spec, options.runs_path());
  if (!fork && !options.settings.empty()) {
    throw Error("resume", "--set would change what the run is",
                "add --fork: a new run goes on from the newest checkpoint with the new settings");
  }
  const RunFolder target = fork ? fork_run(folder, options) : folder;
  std::printf("run %s\n", target.path().c_str());
  RunView view = view_of(target);
  run_here(target, view, options.most_steps);
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
  std::printf("A small mixture-of-experts model, trained on this machine.\nrun %s\n",
              folder.path().c_str());
  RunView view = view_of(folder);
  if (run_here(folder, view, options.most_steps) == RunState::Finished) show_demo(folder, view);
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
  auto fork = std::make_shared<bool>(false);
  command->add_option("run", options->spec, "Its folder, its name, or how that begins")->required();
  command->add_flag("--fork", *fork, "Go on as a new run; --set may then change the spec");
  add_run_options(*command, *options);
  command->callback([options, fork] { resume(*options, *fork); });
}

}  // namespace tessera::app
