// SPDX-License-Identifier: MIT
#include "core/infer/text_model.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/log.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/safetensors.h"
#include "core/run/run_folder.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
fs::path weights_folder(const fs::path& path) {
  if (!RunFolder::is_run(path)) return path;
  const auto checkpoint = find_latest_checkpoint(path);
  if (!checkpoint) {
    throw Error(path.string(), "the run has no whole checkpoint yet",
                fmt::format("wait for its first one, or ask for one with `tessera control save {}`",
                            path.filename().string()));
  }
  return checkpoint->path;
}

/// The folder that someone meant who named a folder beside, above or below it; empty: no idea.
fs::path folder_near(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_regular_file(path, ignored)) return fs::absolute(path).parent_path();
  for (const fs::path& up : {path.parent_path(), path.parent_path().parent_path()}) {
    if (!up.empty() && RunFolder::is_run(up)) return up;
  }
  return {};
}

/// N of a checkpoint folder step-N; -1: another name.
std::int64_t step_of(const fs::path& folder) {
  const std::string name = folder.filename().string();
  constexpr std::string_view kBegin = "step-";
  std::int64_t step = -1;
  if (!name.starts_with(kBegin)) return -1;
  const char* end = name.data() + name.size();
  const auto [rest, error] = std::from_chars(name.data() + kBegin.size(), end, step);
  return error == std::errc() && rest == end ? step : -1;
}
}  // namespace

void check_model_path(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_symlink(path, ignored) && !fs::exists(path, ignored)) {
    throw Error(path.string(),
                fmt::format("is a link to {}, which is not there",
                            fs::read_symlink(path, ignored).string()),
                "point the link to the model's folder");
  }
  if (!fs::exists(path, ignored)) {
    throw Error(path.string(), "there is no such folder",
                "check the spelling; `tessera runs` lists the runs there are");
  }
  const fs::path near = folder_near(path);
  std::string hint = near.empty()
                         ? "name a run, one of its checkpoints, or a folder with config.json"
                         : fmt::format("did you mean {}?", near.string());
  if (path.extension() == ".gguf") hint = "tessera import FILE NEW_FOLDER makes a folder of it";
  if (!fs::is_directory(path, ignored)) {
    throw Error(path.string(), "is a file, expected the folder of a model", hint);
  }
  if (RunFolder::is_run(path) || fs::exists(fs::symlink_status(path / "config.json", ignored))) {
    return;
  }
  throw Error(path.string(), "is no model: the folder has no config.json, and no run.toml of a run",
              hint);
}

namespace {
/// One that cannot be read leaves the plain form of the family, and says so: a reader of such a
/// conversation would be told wrongly where turns begin, not of what is missing here.
std::shared_ptr<const ChatTemplate> template_of(const fs::path& folder) {
  try {
    return ChatTemplate::find(folder);
  } catch (const Error& error) {
    log::warning(
        "the model's own chat template is left out, and conversations are written in the plain "
        "form: {}",
        error.what());
    return nullptr;
  }
}

/// A token past the last row of the embedding would be read from beyond it.
void check_vocabulary(const Tokenizer& tokenizer, const ModelConfig& model,
                      const fs::path& folder) {
  if (tokenizer.vocab_size() <= model.vocab_size) return;
  throw Error((folder / tokenizer.file_name()).string(),
              fmt::format("the vocabulary has {} tokens, and the model only {} (vocab_size)",
                          tokenizer.vocab_size(), model.vocab_size),
              "the vocabulary belongs to another model: use the one that came with this one");
}

std::int64_t context_of(std::int64_t wanted, std::int64_t positions) {
  if (wanted == 0) return std::min(positions, kUsualContext);
  if (wanted >= 1 && wanted <= positions) return wanted;
  throw Error(
      "context",
      fmt::format("{} tokens, expected 1 to {}, the positions of this model", wanted, positions),
      "leave it out to get what the model has");
}
}  // namespace

Recipe reading_recipe(std::string_view name, Device device) {
  if (name.empty()) return device == Device::Cuda ? Recipe::Bf16 : Recipe::Fp32;
  return recipe_from_name(name);
}

LoadedText load_text(const fs::path& path, const TextModelOptions& options) {
  require_device(options.device);
  const Precision precision = Precision::reading(options.recipe, options.weights, options.device);
  check_model_path(path);
  LoadedText text;
  text.folder = weights_folder(path);
  text.step = step_of(text.folder);
  text.tokenizer = Tokenizer::load(text.folder);
  // Checkpoints of runs are of models that read text only; released models know conversations.
  const bool is_released = !fs::exists(text.folder / "state.json");
  if (is_released) text.chat_template = template_of(text.folder);
  text.knows_chat =
      is_released && (text.chat_template || text.tokenizer->specials().assistant >= 0);
  // Files that are no weights at all are told before a vocabulary that does not fit.
  const SafetensorsFolder weights(text.folder);
  check_vocabulary(*text.tokenizer, read_hf_config(text.folder).model, text.folder);
  Arena scratch(std::size_t{1} << 30, options.device);
  Context context{.device = options.device, .scratch = &scratch};
  text.loaded = load_model(text.folder, precision, false, context);
  text.context = context_of(options.context, text.loaded.config.model.max_position_embeddings);
  text.ends = end_tokens(text.folder, text.loaded.config);
  return text;
}

TextModel TextModel::load(const fs::path& path, const TextModelOptions& options) {
  TextModel model;
  model.text_ = load_text(path, options);
  const LoadedText& text = model.text_;
  constexpr std::int64_t kCpuChunkTokens = 512;
  const std::int64_t usual = options.device == Device::Cuda ? kGpuChunkTokens : kCpuChunkTokens;
  const std::int64_t chunk = options.chunk_tokens > 0 ? options.chunk_tokens : usual;
  model.session_ = std::make_unique<Session>(
      *text.loaded.model, text.tokenizer,
      EngineOptions{.cache_tokens = text.context, .chunk_tokens = chunk}, text.ends);
  return model;
}

Generated TextModel::run(std::vector<std::int32_t> ids, AnswerOptions options, const Print& print) {
  SessionRequest request;
  request.prompt = std::move(ids);
  request.generate = std::move(options.generate);
  request.stop_texts = std::move(options.stop_texts);
  SessionHooks hooks;
  const auto goes_on = [&] { return !options.cancelled || !options.cancelled(); };
  hooks.on_read = [&](std::int64_t, std::int64_t) { return goes_on(); };
  hooks.on_token = [&](const SessionToken& token) {
    print(token.text);
    return goes_on();
  };
  const SessionAnswer answer = session_->run(request, hooks);
  print(answer.tail_text);
  return answer.generated;
}

Generated TextModel::complete(const std::string& prompt, AnswerOptions options,
                              const Print& print) {
  return run(encode_prompt(*text_.tokenizer, prompt), std::move(options), print);
}

Generated TextModel::answer(const std::vector<Message>& conversation, AnswerOptions options,
                            const Print& print) {
  return run(ids_of(conversation), std::move(options), print);
}

std::vector<std::int32_t> TextModel::ids_of(const std::vector<Message>& conversation) const {
  return encode_conversation(*text_.tokenizer, text_.knows_chat, conversation,
                             text_.chat_template.get());
}

std::int64_t TextModel::length(const std::vector<Message>& conversation) const {
  return std::ssize(ids_of(conversation));
}

std::int64_t TextModel::unknown_tokens(const std::string& text) const {
  const std::vector<std::int32_t> ids = text_.tokenizer->encode(text);
  return std::count(ids.begin(), ids.end(), text_.tokenizer->specials().unknown);
}

std::vector<std::int32_t> encode_conversation(const Tokenizer& tokenizer, bool knows_chat,
                                              const std::vector<Message>& conversation,
                                              const ChatTemplate* own_template) {
  if (knows_chat && own_template) {
    return tokenizer.encode_marked(render_conversation(tokenizer, *own_template, conversation));
  }
  if (knows_chat) return encode_chat(tokenizer, conversation);
  std::string text;
  for (const Message& message : conversation) text += message.text + "\n";
  return encode_prompt(tokenizer, text);
}

MarkedText render_conversation(const Tokenizer& tokenizer, const ChatTemplate& own_template,
                               const std::vector<Message>& conversation) {
  ChatTemplate::Json messages = ChatTemplate::Json::array();
  for (const Message& message : conversation) {
    const char* role = message.role == Message::Role::System ? "system"
                       : message.role == Message::Role::User ? "user"
                                                             : "assistant";
    messages.push_back({{"role", role}, {"content", message.text}});
  }
  ChatTemplate::Json own = {
      {"add_generation_prompt", true}, {"tools", nullptr}, {"documents", nullptr}};
  const SpecialTokens& s = tokenizer.specials();
  const std::pair<const char*, std::int32_t> roles[] = {
      {"bos_token", s.bos}, {"eos_token", s.eos}, {"pad_token", s.pad}, {"unk_token", s.unknown}};
  for (const auto& [name, id] : roles) {
    if (id >= 0) own[name] = tokenizer.piece(id);
  }
  return own_template.render(own, {{"messages", std::move(messages)}});
}

}  // namespace tessera
