// SPDX-License-Identifier: MIT
// chat, generate.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "app/commands.h"
#include "app/text_model.h"
#include "core/run/paths.h"
#include "core/run/run_folder.h"

namespace tessera::app {

namespace {
struct Options {
  std::string model, runs, prompt, system, precision = "fp32", device = "cpu";
  GenerateOptions generate;
  bool stats = false;
};

/// A path as it is, else a run by name.
std::filesystem::path model_path(const Options& options) {
  if (std::filesystem::exists(options.model)) return options.model;
  const std::filesystem::path runs =
      options.runs.empty() ? runs_folder() : std::filesystem::path(options.runs);
  return RunFolder::find(options.model, runs).path();
}

TextModel load(const Options& options) {
  return TextModel::load(
      model_path(options),
      TextModelOptions{.recipe = recipe_from_name(options.precision),
                       .device = options.device == "cuda" ? Device::Cuda : Device::Cpu});
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

void print_stats(const Options& options, const Generated& out) {
  if (!options.stats) return;
  std::fprintf(stderr, "[%lld tokens read in %.2f s; %zu written at %.1f tokens/s]\n",
               static_cast<long long>(out.prompt_tokens), out.prompt_seconds, out.tokens.size(),
               static_cast<double>(out.tokens.size()) / std::max(out.answer_seconds, 1e-9));
}

void chat(const Options& options) {
  TextModel model = load(options);
  if (!model.knows_chat()) {
    std::fprintf(stderr, "This checkpoint has only read text: it goes on with what you write.\n");
  }
  std::vector<Message> conversation;
  if (!options.system.empty()) conversation.push_back({Message::Role::System, options.system});
  const auto turn = [&](const std::string& text) {
    conversation.push_back({Message::Role::User, text});
    std::string answer;
    const Generated out =
        model.answer(conversation, options.generate, [&](const std::string& part) {
          answer += part;
          print(part);
        });
    print("\n");
    print_stats(options, out);
    conversation.push_back({Message::Role::Assistant, answer});
  };
  if (!options.prompt.empty()) return turn(options.prompt);
  std::string line;
  while (true) {
    print("> ");
    if (!std::getline(std::cin, line)) break;
    if (line == "/quit") break;
    if (!line.empty()) turn(line);
  }
  print("\n");
}

void generate_text(const Options& options) {
  TextModel model = load(options);
  print(options.prompt);
  const Generated out = model.complete(options.prompt, options.generate, print);
  print("\n");
  print_stats(options, out);
}

std::shared_ptr<Options> add_options(CLI::App& command) {
  auto options = std::make_shared<Options>();
  SamplingOptions& sampling = options->generate.sampling;
  command.add_option("model", options->model, "A run, a checkpoint, or a released folder")
      ->required();
  command.add_option("--runs", options->runs, "Folder of the runs")->type_name("DIR");
  command.add_option("--max-tokens", options->generate.max_tokens, "Longest answer")
      ->capture_default_str();
  command.add_option("--temperature", sampling.temperature, "0: the most likely token")
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "Smallest set of this probability")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Of the k most likely; 0: all")
      ->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "At least this share of the best")
      ->capture_default_str();
  command.add_option("--repetition-penalty", sampling.repetition_penalty, "1: none")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "Of the choices")->capture_default_str();
  command.add_option("--precision", options->precision, "fp32, bf16, tensorwise or blockwise")
      ->capture_default_str();
  command.add_option("--device", options->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command.add_flag("--stats", options->stats, "Say how fast it was");
  return options;
}
}  // namespace

void add_chat(CLI::App& app) {
  auto* command = app.add_subcommand("chat", "Talk to a checkpoint; /quit or Ctrl+D ends it");
  auto options = add_options(*command);
  command->add_option("--prompt", options->prompt, "Say this, print the answer and end");
  command->add_option("--system", options->system, "System prompt");
  command->callback([options] { chat(*options); });
}

void add_generate(CLI::App& app) {
  auto* command = app.add_subcommand("generate", "Continue a text");
  auto options = add_options(*command);
  command->add_option("--prompt", options->prompt, "The text")->required();
  command->callback([options] { generate_text(*options); });
}

}  // namespace tessera::app
