// SPDX-License-Identifier: MIT
#include "app/text_model.h"

#include <algorithm>

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
}  // namespace

TextModel TextModel::load(const std::filesystem::path& path, Recipe recipe) {
  TextModel text;
  text.folder_ = weights_folder(path);
  text.tokenizer_ = Tokenizer::load(text.folder_);
  // Checkpoints of runs are of models that read text only; released models know conversations.
  text.knows_chat_ = !std::filesystem::exists(text.folder_ / "state.json") &&
                     text.tokenizer_->specials().assistant >= 0;
  Arena scratch(std::size_t{1} << 30);
  Context context{.scratch = &scratch};
  text.loaded_ = load_model(text.folder_, Precision::of(recipe), false, context);
  const std::int64_t room = text.loaded_.config.model.max_position_embeddings;
  text.engine_ = std::make_unique<Engine>(
      *text.loaded_.model, EngineOptions{.cache_tokens = std::min<std::int64_t>(room, 32768)});
  text.sequence_ = std::make_unique<CachedSequence>(text.engine_->open());
  return text;
}

/// Keeps what the cache and the new ids have in common, so that a conversation is not read anew.
Generated TextModel::run(const std::vector<std::int32_t>& ids, GenerateOptions options,
                         const Print& print) {
  const auto common = std::mismatch(cached_.begin(), cached_.end(), ids.begin(), ids.end()).first;
  auto kept = static_cast<std::size_t>(common - cached_.begin());
  kept = std::min(kept, ids.size() - 1);  // at least one token must be read for its logits
  sequence_->truncate(static_cast<std::int64_t>(kept));
  options.sampling.vocabulary = tokenizer_->vocab_size();
  options.stop.push_back(tokenizer_->specials().eos);
  StreamDecoder decoder(tokenizer_);
  const auto on_token = [&](const Choice& choice) {
    print(decoder.push(choice.chosen.id));
    return true;
  };
  const Generated out =
      generate(*engine_, *sequence_, std::span(ids).subspan(kept), options, on_token);
  print(decoder.finish());
  cached_ = ids;
  cached_.insert(cached_.end(), out.tokens.begin(), out.tokens.end());
  cached_.resize(static_cast<std::size_t>(sequence_->length()));
  return out;
}

Generated TextModel::complete(const std::string& prompt, GenerateOptions options,
                              const Print& print) {
  return run(encode_prompt(*tokenizer_, prompt), std::move(options), print);
}

Generated TextModel::answer(const std::vector<Message>& conversation, GenerateOptions options,
                            const Print& print) {
  if (knows_chat_) return run(encode_chat(*tokenizer_, conversation), std::move(options), print);
  std::string text;
  for (const Message& message : conversation) text += message.text + "\n";
  return run(encode_prompt(*tokenizer_, text), std::move(options), print);
}

}  // namespace tessera::app
