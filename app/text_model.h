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
#include "core/infer/generate.h"

namespace tessera::app {

class TextModel {
 public:
  using Print = std::function<void(const std::string&)>;

  /// `path`: a run folder (its newest checkpoint), a checkpoint, or a released folder with a
  /// tokenizer in it. Throws Error when any of it is missing.
  static TextModel load(const std::filesystem::path& path, Recipe recipe);

  /// Continues a text.
  Generated complete(const std::string& prompt, GenerateOptions options, const Print& print);
  /// The assistant's next words. A checkpoint of pre-training knows no turns: it continues the
  /// conversation as plain text.
  Generated answer(const std::vector<Message>& conversation, GenerateOptions options,
                   const Print& print);

  const std::filesystem::path& folder() const { return folder_; }
  const Model& model() const { return *loaded_.model; }
  bool knows_chat() const { return knows_chat_; }

 private:
  TextModel() = default;
  Generated run(const std::vector<std::int32_t>& ids, GenerateOptions options, const Print& print);

  std::filesystem::path folder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  LoadedModel loaded_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<CachedSequence> sequence_;  // after engine_: it goes first
  std::vector<std::int32_t> cached_;          ///< the ids that sequence_ holds
  bool knows_chat_ = false;
};

}  // namespace tessera::app
