// SPDX-License-Identifier: MIT
#include "app/text_model.h"

#include <charconv>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/checkpoint/checkpoint.h"
#include "core/run/run_folder.h"

namespace tessera::app {

namespace {
std::filesystem::path weights_folder(const std::filesystem::path& path) {
  if (!RunFolder::is_run(path)) return path;
  const auto checkpoint = find_latest_checkpoint(path);
  if (!checkpoint) {
    throw Error(path.string(), "the run has no whole checkpoint yet",
                "wait for its first one, or ask for it with `tessera control save`");
  }
  return checkpoint->path;
}

/// N of a checkpoint folder step-N; -1: another name.
std::int64_t step_of(const std::filesystem::path& folder) {
  const std::string name = folder.filename().string();
  constexpr std::string_view kBegin = "step-";
  std::int64_t step = -1;
  if (!name.starts_with(kBegin)) return -1;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kBegin.size(), end, step);
  return error == std::errc() && rest == end ? step : -1;
}
}  // namespace

TextModel TextModel::load(const std::filesystem::path& path, const TextModelOptions& options) {
  require_device(options.device);
  TextModel text;
  text.folder_ = weights_folder(path);
  text.step_ = step_of(text.folder_);
  text.tokenizer_ = Tokenizer::load(text.folder_);
  // Checkpoints of runs are of models that read text only; released models know conversations.
  text.knows_chat_ = !std::filesystem::exists(text.folder_ / "state.json") &&
                     text.tokenizer_->specials().assistant >= 0;
  Arena scratch(std::size_t{1} << 30, options.device);
  Context context{.device = options.device, .scratch = &scratch};
  text.loaded_ = load_model(text.folder_, Precision::of(options.recipe), false, context);
  const std::int64_t positions = text.loaded_.config.model.max_position_embeddings;
  text.session_ = std::make_unique<Session>(
      *text.loaded_.model, text.tokenizer_,
      EngineOptions{.cache_tokens = std::min(positions, options.cache_tokens),
                    .chunk_tokens = options.chunk_tokens});
  return text;
}

Generated TextModel::run(std::vector<std::int32_t> ids, GenerateOptions options,
                         const Print& print) {
  SessionRequest request;
  request.prompt = std::move(ids);
  request.generate = std::move(options);
  SessionHooks hooks;
  hooks.on_token = [&](const SessionToken& token) {
    print(token.text);
    return true;
  };
  const SessionAnswer answer = session_->run(request, hooks);
  print(answer.tail_text);
  return answer.generated;
}

Generated TextModel::complete(const std::string& prompt, GenerateOptions options,
                              const Print& print) {
  return run(encode_prompt(*tokenizer_, prompt), std::move(options), print);
}

Generated TextModel::answer(const std::vector<Message>& conversation, GenerateOptions options,
                            const Print& print) {
  return run(encode_conversation(*tokenizer_, knows_chat_, conversation), std::move(options),
             print);
}

std::vector<std::int32_t> encode_conversation(const Tokenizer& tokenizer, bool knows_chat,
                                              const std::vector<Message>& conversation) {
  if (knows_chat) return encode_chat(tokenizer, conversation);
  std::string text;
  for (const Message& message : conversation) text += message.text + "\n";
  return encode_prompt(tokenizer, text);
}

}  // namespace tessera::app
