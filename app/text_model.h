// SPDX-License-Identifier: MIT
// A model with its vocabulary, loaded from a run, a checkpoint or a released folder: text in, text
// out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/checkpoint/model_io.h"
#include "core/infer/chat.h"
#include "core/infer/session.h"

namespace tessera::app {

struct TextModelOptions {
  Recipe recipe = Recipe::Fp32;
  Device device = Device::Cpu;
  std::int64_t cache_tokens = 32768;  ///< at most the model's positions
  std::int64_t chunk_tokens = 512;    ///< of the prompt between two looks at a request to cancel
};

class TextModel {
 public:
  using Print = std::function<void(const std::string&)>;

  /// `path`: a run folder (its newest checkpoint), a checkpoint, or a released folder with a
  /// tokenizer in it. Throws Error when any of it is missing.
  static TextModel load(const std::filesystem::path& path, const TextModelOptions& options);
  static TextModel load(const std::filesystem::path& path, Recipe recipe) {
    return load(path, TextModelOptions{.recipe = recipe});
  }

  /// Continues a text.
  Generated complete(const std::string& prompt, GenerateOptions options, const Print& print);
  /// The assistant's next words. A checkpoint of pre-training knows no turns: it continues the
  /// conversation as plain text.
  Generated answer(const std::vector<Message>& conversation, GenerateOptions options,
                   const Print& print);

  const std::filesystem::path& folder() const { return folder_; }
  /// Of a run's checkpoint; -1: a released folder.
  std::int64_t step() const { return step_; }
  const Model& model() const { return *loaded_.model; }
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }
  Session& session() { return *session_; }
  bool knows_chat() const { return knows_chat_; }

 private:
  TextModel() = default;
  Generated run(std::vector<std::int32_t> ids, GenerateOptions options, const Print& print);

  std::filesystem::path folder_;
  std::int64_t step_ = -1;
  std::shared_ptr<const Tokenizer> tokenizer_;
  LoadedModel loaded_;
  std::unique_ptr<Session> session_;  // after loaded_: it goes first
  bool knows_chat_ = false;
};

/// Ids of a conversation up to where the answer begins: turns for a model that knows them, else the
/// messages as plain text, one below the other.
std::vector<std::int32_t> encode_conversation(const Tokenizer& tokenizer, bool knows_chat,
                                              const std::vector<Message>& conversation);

}  // namespace tessera::app
