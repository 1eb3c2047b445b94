// SPDX-License-Identifier: MIT
// A model with its vocabulary, loaded from a run, a checkpoint or a released folder: text in, text
// out.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/checkpoint/model_io.h"
#include "core/infer/chat.h"
#include "core/infer/session.h"
#include "core/template/chat_template.h"

namespace tessera {

inline constexpr std::int64_t kUsualContext = 32768;
/// Tokens of a prompt that a GPU reads in one pass, where nothing else is said: with fewer it
/// idles.
inline constexpr std::int64_t kGpuChunkTokens = 8192;

/// How complete() and answer() write.
struct AnswerOptions {
  // NOTE: implicit: most callers have no stop texts.
  AnswerOptions(GenerateOptions options = {}, std::vector<std::string> stops = {})
      : generate(std::move(options)), stop_texts(std::move(stops)) {}

  GenerateOptions generate;
  std::vector<std::string> stop_texts;   ///< texts that end the answer and are not part of it
  std::function<bool()> cancelled = {};  ///< asked between tokens; true ends the answer
};

/// The recipe of a model that is only read. Empty name: BF16 on a GPU, whose products in FP32 are
/// slow, else FP32. Throws Error for a name that is none.
Recipe reading_recipe(std::string_view name, Device device);

struct TextModelOptions {
  Recipe recipe = Recipe::Fp32;
  /// Q8_0 or Q4_0: the weights of products are rounded to it as they are loaded. Masters: they are
  /// held as the recipe's products read them. See Precision::reading().
  WeightForm weights = WeightForm::Masters;
  Device device = Device::Cpu;
  /// Room for a conversation, rounded up to whole pages of the cache. 0: the model's positions, and
  /// at most kUsualContext. More than the model's positions is an error.
  std::int64_t context = 0;
  /// Tokens of a prompt read between looks for a cancel; 0: 512, on a GPU kGpuChunkTokens.
  std::int64_t chunk_tokens = 0;
};

/// A model with all that turns text into its tokens and back.
struct LoadedText {
  std::filesystem::path folder;
  std::int64_t step = -1;  ///< step of a run's checkpoint; -1: a released folder
  std::shared_ptr<const Tokenizer> tokenizer;
  LoadedModel loaded;
  bool knows_chat = false;
  /// The model's own; nullptr: turns are written as chat.h says.
  std::shared_ptr<const ChatTemplate> chat_template;
  std::vector<std::int32_t> ends;  ///< tokens that end an answer, besides EOS
  std::int64_t context = 0;        ///< most tokens of one conversation
};

/// `path`: a run folder (its newest checkpoint), a checkpoint, or a released folder with a
/// tokenizer in it. Throws Error that says what is missing.
LoadedText load_text(const std::filesystem::path& path, const TextModelOptions& options);

class TextModel {
 public:
  using Print = std::function<void(const std::string&)>;

  /// As load_text().
  static TextModel load(const std::filesystem::path& path, const TextModelOptions& options);
  static TextModel load(const std::filesystem::path& path, Recipe recipe) {
    return load(path, TextModelOptions{.recipe = recipe});
  }

  /// Continues a text.
  Generated complete(const std::string& prompt, AnswerOptions options, const Print& print);
  /// The assistant's next words. A checkpoint of pre-training knows no turns: it continues the
  /// conversation as plain text.
  Generated answer(const std::vector<Message>& conversation, AnswerOptions options,
                   const Print& print);
  /// Tokens that the conversation takes before its answer begins.
  std::int64_t length(const std::vector<Message>& conversation) const;
  /// Tokens of a text that stand for characters which the vocabulary cannot spell.
  std::int64_t unknown_tokens(const std::string& text) const;

  const std::filesystem::path& folder() const { return text_.folder; }
  /// Step of a run's checkpoint; -1 for a released folder.
  std::int64_t step() const { return text_.step; }
  const Model& model() const { return *text_.loaded.model; }
  const std::shared_ptr<const Tokenizer>& tokenizer() const { return text_.tokenizer; }
  Session& session() { return *session_; }
  bool knows_chat() const { return text_.knows_chat; }
  /// The model's own template; nullptr: turns are written as chat.h says.
  const std::shared_ptr<const ChatTemplate>& chat_template() const { return text_.chat_template; }

 private:
  TextModel() = default;
  Generated run(std::vector<std::int32_t> ids, AnswerOptions options, const Print& print);
  std::vector<std::int32_t> ids_of(const std::vector<Message>& conversation) const;

  LoadedText text_;
  std::unique_ptr<Session> session_;  // after the model: it goes first
};

/// Throws Error when there is nothing at `path`, or something that is no folder of a model: what a
/// mistyped path is, before anything is loaded or given up for it.
void check_model_path(const std::filesystem::path& path);

/// Ids of a conversation up to where the answer begins: turns for a model that knows them, by its
/// own template where it has one, else the messages as plain text, one below the other.
std::vector<std::int32_t> encode_conversation(const Tokenizer& tokenizer, bool knows_chat,
                                              const std::vector<Message>& conversation,
                                              const ChatTemplate* own_template = nullptr);

/// A conversation as a model's own template writes it, with the marks of whose each byte is. BOS
/// comes out of the template, or not at all.
MarkedText render_conversation(const Tokenizer& tokenizer, const ChatTemplate& own_template,
                               const std::vector<Message>& conversation);

}  // namespace tessera
