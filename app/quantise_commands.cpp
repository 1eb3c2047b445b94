// SPDX-License-Identifier: MIT
// quantise.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "app/commands.h"
#include "app/options.h"
#include "app/terminal.h"
#include "core/base/error.h"
#include "core/base/files.h"
#include "core/config/paths.h"
#include "core/eval/perplexity.h"
#include "core/gguf/gguf_export.h"
#include "core/run/run_folder.h"

namespace tessera::app {

namespace {
struct QuantiseArguments {
  std::string model, file, to = "q8_0", text, runs;
  std::int64_t tokens = 4096, window = 512;
};

std::filesystem::path quantised_model(const QuantiseArguments& a) {
  std::error_code ignored;
  if (a.model.find('/') != std::string::npos || std::filesystem::exists(a.model, ignored)) {
    return a.model;
  }
  const std::filesystem::path runs = a.runs.empty() ? runs_folder() : std::filesystem::path(a.runs);
  return RunFolder::find(a.model, runs).path();
}

/// A model with its weights held in one form, as a row of the table.
struct HeldForm {
  std::string name;
  double bytes = 0;
  std::optional<TextLoss> loss;
  std::filesystem::path folder;
};

HeldForm hold_in(const QuantiseArguments& a, const std::string& text, const std::string& form) {
  const LoadedText loaded = load_text(quantised_model(a), {.weights = weight_form_from_name(form)});
  const Model& model = *loaded.loaded.model;
  HeldForm held{std::string(model.precision().weight_name()),
                static_cast<double>(model.weight_bytes()),
                {},
                loaded.folder};
  if (text.empty()) return held;
  std::vector<std::int32_t> ids = loaded.tokenizer->encode(text);
  if (std::ssize(ids) > a.tokens) ids.resize(static_cast<std::size_t>(a.tokens));
  const std::int64_t window = std::min(a.window, model.config().max_position_embeddings - 1);
  held.loss = text_loss(model, *loaded.tokenizer, ids, window);
  return held;
}

void print_forms(const HeldForm& before, const HeldForm& after) {
  std::vector<std::vector<std::string>> rows;
  for (const HeldForm* one : {&before, &after}) {
    std::vector<std::string> row{one->name, byte_count(one->bytes)};
    if (one->loss) {
      const double change = one->loss->perplexity() / before.loss->perplexity() - 1;
      row.push_back(fmt::format("{:.4f}", one->loss->perplexity()));
      row.push_back(one == &before ? "" : fmt::format("{:+.3f} %", 100 * change));
    }
    rows.push_back(row);
  }
  std::vector<std::string> heads{"weights in", "memory"};
  if (before.loss) heads.insert(heads.end(), {"perplexity", "change"});
  std::fputs(table(heads, rows).c_str(), stdout);
  if (before.loss) {
    std::printf("perplexity over %lld tokens of the text\n",
                static_cast<long long>(before.loss->tokens));
  }
}

void quantise_model(const QuantiseArguments& a) {
  const std::string text = a.text.empty() ? "" : read_file(a.text);
  if (!a.text.empty() && text.empty()) throw Error(a.text, "is empty", "name a file with text");
  const HeldForm before = hold_in(a, text, "");
  const HeldForm after = hold_in(a, text, a.to);
  print_forms(before, after);
  if (a.file.empty()) return;
  const GgufExport done = export_gguf(after.folder, a.file, gguf_type_from_option(a.to));
  std::printf("wrote %s: %s\n", a.file.c_str(),
              byte_count(static_cast<double>(done.bytes)).c_str());
}
}  // namespace

void add_quantise(CLI::App& app) {
  auto* command = app.add_subcommand(
      "quantise", "Round weights to 8 or 4 bits: memory and perplexity before and after");
  auto a = std::make_shared<QuantiseArguments>();
  command->add_option("model", a->model, "A run, a checkpoint, or a released folder")->required();
  command->add_option("file", a->file,
                      "New GGUF file with such weights; none: nothing is written. Chat, generate "
                      "and serve round as they load, with --weights");
  command->add_option("--to", a->to, "q8_0 or q4_0")
      ->check(CLI::IsMember({"q8_0", "q4_0"}))
      ->capture_default_str();
  command->add_option("--text", a->text, "File with text, for the perplexity")->type_name("FILE");
  command->add_option("--tokens", a->tokens, "Most tokens of the text that are read")
      ->check(whole_number(2))
      ->capture_default_str();
  command->add_option("--window", a->window, "Tokens that are read with each other in sight")
      ->check(whole_number(2))
      ->capture_default_str();
  command->add_option("--runs", a->runs, "Folder of the runs")->type_name("DIR");
  command->callback([a] { quantise_model(*a); });
}

}  // namespace tessera::app
