// SPDX-License-Identifier: MIT
// data build, data look, data cache, spec.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "app/commands.h"
#include "app/signals.h"
#include "app/terminal.h"
#include "app/threads.h"
#include "core/config/paths.h"
#include "core/data/look.h"
#include "core/spec/spec.h"
#include "core/spec/spec_reference.h"
#include "core/spec/spec_table.h"
#include "core/train/data_cache.h"
#include "core/train/prepare.h"

namespace tessera::app {

namespace fs = std::filesystem;

namespace {
struct SpecCommand {
  std::string spec, out;
  std::vector<std::string> settings;
  bool rebuild = false;
};

/// The folder that relative paths of the spec are seen from.
fs::path folder_of(const SpecCommand& options) {
  return fs::exists(options.spec) ? fs::path(options.spec).parent_path() : resources_folder();
}

/// The vocabulary and the shards of a spec, without a run.
void build(const SpecCommand& options) {
  RunSpec spec = load_spec(options.spec, options.settings);
  use_threads(spec);
  make_paths_absolute(spec, folder_of(options));
  fs::create_directories(options.out);
  RunView view(1, 0);
  PrepareOptions prepare;
  prepare.tokenizer_file = fs::path(options.out) / "tokenizer.model";
  prepare.shards = options.out;
  prepare.rebuild = options.rebuild;
  prepare.cache = options.rebuild ? fs::path() : data_cache_folder();
  prepare.tell = [&](const std::string& level, const std::string& text) {
    view.finish_line();
    std::printf("%s%s\n", level == "warning" ? "warning: " : "", text.c_str());
    std::fflush(stdout);
  };
  prepare.progress = [&](const PhaseProgress& progress) { view.phase(progress); };
  prepare.stop = &stop_on_signals();
  spec.data.shards.clear();
  const PreparedData data = prepare_data(spec, prepare);
  view.finish_line();
  std::printf("%s tokens to train on, vocabulary of %d, in %s\n",
              count(static_cast<double>(data.dataset->train_tokens())).c_str(),
              data.tokenizer->vocab_size(), options.out.c_str());
}

SpecReading read_spec_of(const SpecCommand& options) {
  return fs::exists(options.spec) ? read_spec(options.spec, options.settings)
                                  : read_preset(options.spec, options.settings);
}

/// A spec with problems is shown all the same, with them.
void show(const SpecCommand& options) {
  const SpecReading reading = read_spec_of(options);
  for (const Problem& problem : reading.problems) {
    std::fprintf(stderr, "%s\n", problem.text().c_str());
  }
  if (!reading.complete) throw Exit{1};
  std::fputs(write_spec(reading.spec).c_str(), stdout);
}

void check(const SpecCommand& options) {
  const SpecReading reading = read_spec_of(options);
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
                        const std::shared_ptr<SpecCommand>& options) {
  auto* command = parent.add_subcommand(name, help);
  command->add_option("spec", options->spec, "A TOML file, or the name of a preset")->required();
  command->add_option("--set", options->settings, "Override a key: --set run.seed=2")
      ->type_name("KEY=VALUE");
  return command;
}
}  // namespace

namespace {
void list_cache() {
  const fs::path folder = data_cache_folder();
  const std::vector<CacheEntry> entries = DataCache(folder).entries();
  std::vector<std::vector<std::string>> rows;
  std::int64_t bytes = 0;
  for (const CacheEntry& entry : entries) {
    const auto days = (static_cast<double>(std::time(nullptr)) - entry.last_used) / 86400;
    rows.push_back({entry.name, entry.label, byte_count(static_cast<double>(entry.bytes)),
                    fmt::format("{:.1f} days ago", std::max(days, 0.0))});
    bytes += entry.bytes;
  }
  if (!rows.empty()) {
    std::fputs(table({"entry", "sources", "size", "last used"}, rows).c_str(), stdout);
  }
  std::printf("%zu entries, %s of at most %s, in %s\n", entries.size(),
              byte_count(static_cast<double>(bytes)).c_str(),
              byte_count(static_cast<double>(DataCache::kMostBytes)).c_str(), folder.c_str());
}

void clear_cache() {
  const fs::path folder = data_cache_folder();
  const std::int64_t bytes = DataCache(folder).clear();
  std::printf("removed %s from %s; runs keep what they use\n",
              byte_count(static_cast<double>(bytes)).c_str(), folder.c_str());
}

struct LookCommand {
  SpecCommand spec;
  data::LookOptions look;
  bool json = false;
};

void print_look(const data::SourceLook& source) {
  const data::SourceReport& report = source.report;
  std::printf("%s: %lld files, %s; of %s%lld documents %lld are kept\n", report.name.c_str(),
              static_cast<long long>(report.files),
              byte_count(static_cast<double>(source.bytes)).c_str(),
              source.whole ? "" : "the first ", static_cast<long long>(report.documents_read),
              static_cast<long long>(report.documents_kept));
  for (const auto& [reason, number] : report.dropped) {
    std::printf("  dropped as %s: %lld\n", name_of(reason).c_str(), static_cast<long long>(number));
  }
  for (const std::string& warning : report.warnings()) std::printf("  %s\n", warning.c_str());
  for (const data::SeenDocument& document : source.documents) {
    std::string text = document.text;
    std::replace_if(
        text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    const std::string place =
        document.line > 0 ? fmt::format("{}:{}", document.file, document.line) : document.file;
    std::printf("  %s  %s%s  %s\n", place.c_str(),
                document.dropped.empty() ? "kept" : "dropped: ", document.dropped.c_str(),
                text.c_str());
  }
}

/// What a data build would read and keep, told from the beginning of each source.
void look(const LookCommand& command) {
  RunSpec spec = load_spec(command.spec.spec, command.spec.settings);
  use_threads(spec);
  make_paths_absolute(spec, folder_of(command.spec));
  data::LookOptions options = command.look;
  options.stop = &stop_on_signals();
  data::DedupOptions dedup = data_dedup(spec);
  dedup.memory_bytes = 64 << 20;
  const auto sources = data::look(data_sources(spec), data_filters(spec), dedup, options);
  if (command.json) {
    std::printf("%s\n", data::to_json(sources).dump(1).c_str());
    return;
  }
  for (const data::SourceLook& source : sources) print_look(source);
}

void add_look(CLI::App& parent) {
  auto command = std::make_shared<LookCommand>();
  auto* app = parent.add_subcommand("look",
                                    "Show the first documents of each source, and why some "
                                    "are dropped, before anything is built");
  app->add_option("spec", command->spec.spec, "A TOML file, or the name of a preset")->required();
  app->add_option("--set", command->spec.settings, "Override a key: --set data.filters.on=false")
      ->type_name("KEY=VALUE");
  app->add_option("--documents", command->look.documents, "Documents of each source to show")
      ->check(CLI::NonNegativeNumber);
  app->add_option("--read", command->look.read, "Documents of each source to read for the counts")
      ->check(CLI::PositiveNumber);
  app->add_flag("--json", command->json, "As JSON, for other programs");
  app->callback([command] { look(*command); });
}

void add_cache(CLI::App& parent) {
  auto* command = parent.add_subcommand(
      "cache", "Vocabularies and shards that are kept for other runs on the same text");
  command->require_subcommand(1);
  command->add_subcommand("list", "What is kept, and where")->callback([] { list_cache(); });
  command->add_subcommand("clear", "Remove all of it; runs are not touched")->callback([] {
    clear_cache();
  });
}
}  // namespace

void add_data(CLI::App& app) {
  auto* command = app.add_subcommand("data", "Text to token shards");
  command->require_subcommand(1);
  auto options = std::make_shared<SpecCommand>();
  auto* make = add_with_spec(
      *command, "build", "Train or load the vocabulary of a spec and build its shards", options);
  make->add_option("--out", options->out, "Folder of the shards; goes on where it was")->required();
  make->add_flag("--rebuild", options->rebuild,
                 "Replace what the folder holds where text or settings are others");
  make->callback([options] { build(*options); });
  add_look(*command);
  add_cache(*command);
}

void add_spec(CLI::App& app) {
  auto* command = app.add_subcommand("spec", "Show, check and describe specs");
  command->require_subcommand(1);
  auto options = std::make_shared<SpecCommand>();
  add_with_spec(*command, "show", "Print every key with its value", options)->callback([options] {
    show(*options);
  });
  add_with_spec(*command, "check", "Say what is wrong with a spec", options)->callback([options] {
    check(*options);
  });
  command->add_subcommand("presets", "List the presets")->callback([] { list(); });
  command->add_subcommand("reference", "Every key as a page of Markdown, docs/spec.md")
      ->callback([] { std::fputs(spec::reference_markdown().c_str(), stdout); });
  command->add_subcommand("describe", "Every key: type, unit, range, default, meaning")
      ->callback([] { std::fputs(spec::describe_text().c_str(), stdout); });
}

}  // namespace tessera::app
