// SPDX-License-Identifier: MIT
// data build, spec.
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "app/commands.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "core/run/paths.h"
#include "core/run/spec.h"
#include "core/run/spec_table.h"
#include "core/train/prepare.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct Options {
  std::string spec, out;
  std::vector<std::string> settings;
};

/// The vocabulary and the shards of a spec, without a run.
void build(const Options& options) {
  RunSpec spec = load_spec(options.spec, options.settings);
  make_paths_absolute(
      spec, fs::exists(options.spec) ? fs::path(options.spec).parent_path() : resources_folder());
  fs::create_directories(options.out);
  RunView view(1);
  PrepareOptions prepare;
  prepare.tokenizer_file = fs::path(options.out) / "tokenizer.model";
  prepare.shards = options.out;
  prepare.message = [&](const std::string& text) {
    view.finish_line();
    std::printf("%s\n", text.c_str());
  };
  prepare.progress = [&](const data::BuildProgress& p) {
    view.phase({"shards", p.bytes_done, p.bytes_total, "bytes"});
  };
  prepare.stop = &stop_on_signals();
  spec.data.shards.clear();
  const PreparedData data = prepare_data(spec, prepare);
  view.finish_line();
  std::printf("%s tokens to train on, vocabulary of %d, in %s\n",
              count(static_cast<double>(data.dataset->train_tokens())).c_str(),
              data.tokenizer->vocab_size(), options.out.c_str());
}

void check(const Options& options) {
  const SpecReading reading = fs::exists(options.spec)
                                  ? read_spec(options.spec, options.settings)
                                  : read_preset(options.spec, options.settings);
  for (const Problem& problem : reading.problems) std::printf("%s\n", problem.text().c_str());
  if (!reading.ok()) throw Exit{1};
  std::printf("%s is a whole spec\n", options.spec.c_str());
}

void list() {
  std::vector<std::vector<std::string>> rows;
  for (const PresetInfo& preset : list_presets()) rows.push_back({preset.name, preset.summary});
  std::fputs(table({"preset", "what it is"}, rows).c_str(), stdout);
}

CLI::App* add_with_spec(CLI::App& parent, const char* name, const char* help,
                        const std::shared_ptr<Options>& options) {
  auto* command = parent.add_subcommand(name, help);
  command->add_option("spec", options->spec, "A TOML file, or the name of a preset")->required();
  command->add_option("--set", options->settings, "Override a key: --set run.seed=2")
      ->type_name("KEY=VALUE");
  return command;
}
}  // namespace

void add_data(CLI::App& app) {
  auto* command = app.add_subcommand("data", "Text to token shards");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  auto* make = add_with_spec(
      *command, "build", "Train or load the vocabulary of a spec and build its shards", options);
  make->add_option("--out", options->out, "Folder of the shards; goes on where it was")->required();
  make->callback([options] { build(*options); });
}

void add_spec(CLI::App& app) {
  auto* command = app.add_subcommand("spec", "Show, check and describe specs");
  command->require_subcommand(1);
  auto options = std::make_shared<Options>();
  add_with_spec(*command, "show", "Print every key with its value", options)->callback([options] {
    std::fputs(write_spec(load_spec(options->spec, options->settings)).c_str(), stdout);
  });
  add_with_spec(*command, "check", "Say what is wrong with a spec", options)->callback([options] {
    check(*options);
  });
  command->add_subcommand("presets", "List the presets")->callback([] { list(); });
  command->add_subcommand("describe", "Every key: type, unit, range, default, meaning")
      ->callback([] { std::fputs(spec::describe_text().c_str(), stdout); });
}

}  // namespace tessera::app
