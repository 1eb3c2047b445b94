// SPDX-License-Identifier: MIT
// chat, generate.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iostream>

#include "app/chat_loop.h"
#include "app/commands.h"
#include "app/options.h"
#include "core/config/paths.h"
#include "core/infer/text_model.h"
#include "core/run/run_folder.h"

namespace tessera::app {

namespace {
struct ChatCommand {
  std::string model, runs, prompt, system, precision, weights, device = "cpu";
  AnswerOptions answer;
  std::int64_t context = 0;
  bool stats = false;
  bool limit_given = false;  ///< --max-tokens was
};

/// A path as it is, else a run by name.
std::filesystem::path model_path(const ChatCommand& options) {
  std::error_code ignored;
  const bool is_path =
      options.model.find('/') != std::string::npos ||
      std::filesystem::exists(std::filesystem::symlink_status(options.model, ignored));
  if (is_path) return options.model;
  const std::filesystem::path runs =
      options.runs.empty() ? runs_folder() : std::filesystem::path(options.runs);
  return RunFolder::find(options.model, runs).path();
}

TextModel load(const ChatCommand& options) {
  const Device device = options.device == "cuda" ? Device::Cuda : Device::Cpu;
  return TextModel::load(model_path(options),
                         TextModelOptions{.recipe = reading_recipe(options.precision, device),
                                          .weights = weight_form_from_name(options.weights),
                                          .device = device,
                                          .context = options.context});
}

void print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

/// About the conversation and not part of it: to standard error.
void note(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
}

/// A limit that nobody set ended the answer: the user hears of it.
void tell_of_limit(const ChatCommand& options, const Generated& out) {
  if (out.reason != StopReason::Length || options.limit_given) return;
  note(fmt::format("[stopped after {} tokens; --max-tokens sets how many, -1: no limit]",
                   out.tokens.size()));
}

void tell_of_answer(const ChatCommand& options, const Generated& out) {
  tell_of_limit(options, out);
  if (!options.stats) return;
  note(fmt::format("[{} tokens read in {:.2f} s; {} written at {:.1f} tokens/s]", out.prompt_tokens,
                   out.prompt_seconds, out.tokens.size(),
                   static_cast<double>(out.tokens.size()) / std::max(out.answer_seconds, 1e-9)));
}

void chat(const ChatCommand& options) {
  TextModel model = load(options);
  if (!model.knows_chat()) {
    note("This checkpoint has only read text: it goes on with what you write.");
  }
  ChatLoop loop(model, options.answer, print, note,
                [&](const Generated& out) { tell_of_answer(options, out); });
  loop.set_system(options.system);
  if (options.prompt.empty()) return loop.run(std::cin);
  if (!loop.say(options.prompt)) throw Exit{1};
}

void generate_text(const ChatCommand& options) {
  TextModel model = load(options);
  if (const std::int64_t unknown = model.unknown_tokens(options.prompt); unknown > 0) {
    note(
        fmt::format("{} characters of the prompt, or runs of them, have no token in this "
                    "vocabulary; the model reads each as {}.",
                    unknown, model.tokenizer()->piece(model.tokenizer()->specials().unknown)));
  }
  print(options.prompt);
  const Generated out = model.complete(options.prompt, options.answer, print);
  print("\n");
  tell_of_answer(options, out);
  if (out.reason == StopReason::Full) {
    note(fmt::format("[the context of {} tokens is full]", model.session().context()));
  }
}

void add_sampling(CLI::App& command, ChatCommand& options) {
  SamplingOptions& sampling = options.answer.generate.sampling;
  command
      .add_option("--max-tokens", options.answer.generate.max_tokens,
                  "Longest answer in tokens; -1: until the model ends it or the context is full")
      ->check(whole_number_or(kNoTokenLimit, "no limit", 1))
      ->capture_default_str();
  command
      .add_option("--stop", options.answer.stop_texts,
                  "A text that ends the answer and is not shown; may be given several times")
      ->type_name("TEXT")
      ->allow_extra_args(false)  // one text each time
      ->check(some_text());
  command
      .add_option("--temperature", sampling.temperature,
                  "0: always the most likely token; up to 100")
      ->check(number(0, kMostTemperature))
      ->capture_default_str();
  command
      .add_option("--top-p", sampling.top_p,
                  "Choose among the likeliest tokens that have this probability together; 1: all")
      ->check(number(0, 1, true))
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Choose among the k likeliest tokens; 0: all")
      ->check(whole_number(0))
      ->capture_default_str();
  command
      .add_option("--min-p", sampling.min_p,
                  "Choose among tokens with at least this share of the likeliest one's "
                  "probability; 0: all")
      ->check(number(0, 1))
      ->capture_default_str();
  command
      .add_option("--repetition-penalty", sampling.repetition_penalty,
                  "Makes tokens that were there before less likely; 1: none")
      ->check(number(kLeastPenalty, kMostPenalty))
      ->capture_default_str();
  command
      .add_option("--seed", sampling.seed,
                  "The same seed, model and text give the same answer; 0 or more")
      ->check(whole_number(0))
      ->capture_default_str();
}

std::shared_ptr<ChatCommand> add_options(CLI::App& command) {
  auto options = std::make_shared<ChatCommand>();
  command.add_option("model", options->model, "A run, a checkpoint, or a released folder")
      ->required();
  command.add_option("--runs", options->runs, "Folder of the runs")->type_name("DIR");
  add_sampling(command, *options);
  command
      .add_option("--context", options->context,
                  "Room for a conversation in tokens; the model's positions if left out, and at "
                  "most 32768 then")
      ->check(whole_number(1));
  command
      .add_option("--precision", options->precision,
                  "fp32, bf16, tensorwise or blockwise; fp32 if left out, on a GPU bf16")
      ->check(CLI::IsMember({"fp32", "bf16", "tensorwise", "blockwise"}));
  command
      .add_option("--weights", options->weights,
                  "q8_0 or q4_0: weights rounded to 8 or 4 bits as they are loaded, which take a "
                  "quarter or an eighth of the memory and are read as much faster; on the CPU, "
                  "at precision fp32")
      ->check(CLI::IsMember({"q8_0", "q4_0"}));
  command.add_option("--device", options->device, "cpu or cuda")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->capture_default_str();
  command.add_flag("--stats", options->stats, "Say how fast it was");
  return options;
}

bool limit_given(const CLI::App& command) {
  return command.get_option("--max-tokens")->count() > 0;
}
}  // namespace

void add_chat(CLI::App& app) {
  auto* command = app.add_subcommand("chat", "Talk to a checkpoint; /help lists what can be typed");
  auto options = add_options(*command);
  command->add_option("--prompt", options->prompt, "Say this, print the answer and end")
      ->check(some_text());
  command->add_option("--system", options->system, "System prompt");
  command->callback([options, command] {
    options->limit_given = limit_given(*command);
    chat(*options);
  });
}

void add_generate(CLI::App& app) {
  auto* command = app.add_subcommand("generate", "Continue a text");
  auto options = add_options(*command);
  command->add_option("--prompt", options->prompt, "The text")->required();
  command->callback([options, command] {
    options->limit_given = limit_given(*command);
    generate_text(*options);
  });
}

}  // namespace tessera::app
