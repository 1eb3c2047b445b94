// SPDX-License-Identifier: MIT
#include "core/gguf/gguf_vocabulary.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/mistaken_file.h"
#include "core/tokenizer/vocabulary_lists.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
using Lists = VocabularyLists;
constexpr const char* kModelKey = "tokenizer.ggml.model";
constexpr const char* kTemplateKey = "tokenizer.chat_template";
constexpr const char* kTemplateFile = "chat_template.jinja";
constexpr std::array<const char*, 3> kEndKeys{
    "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};

bool has_entry(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

/// The chat template as it is written, whether or not this program can run it.
std::optional<std::string> template_text(const fs::path& from) {
  const fs::path own = from / kTemplateFile, config = from / "tokenizer_config.json";
  if (has_entry(own)) {
    refuse_dangling_link(own);
    std::string text = read_file(own);
    refuse_mistaken_content(own, text);
    return text;
  }
  if (!has_entry(config)) return std::nullopt;
  refuse_dangling_link(config);
  const nlohmann::json json = nlohmann::json::parse(read_file(config), nullptr, false);
  if (!json.is_object() || !json.contains("chat_template")) return std::nullopt;
  const nlohmann::json& found = json["chat_template"];
  if (found.is_string()) return found.get<std::string>();
  if (!found.is_array()) return std::nullopt;
  for (const nlohmann::json& one : found) {
    const bool is_default = one.is_object() && one.value("name", nlohmann::json()) == "default" &&
                            one.contains("template") && one["template"].is_string();
    if (is_default) return one["template"].get<std::string>();
  }
  return std::nullopt;
}

/// A token for each row of the model: those behind the vocabulary are never sampled.
void fill_rows(const fs::path& from, const HfConfig& config, Lists& lists) {
  const auto rows = static_cast<std::size_t>(config.model.vocab_size);
  if (lists.tokens.size() > rows) {
    throw Error(from.string(),
                fmt::format("the vocabulary has {} tokens, and the model {} rows",
                            lists.tokens.size(), rows),
                "the vocabulary belongs to another model");
  }
  constexpr float kNeverChosen = -1e9f;  // also where a text spells "[PAD7]"
  for (std::size_t id = lists.tokens.size(); id < rows; ++id) {
    lists.tokens.push_back(fmt::format("[PAD{}]", id));
    lists.types.push_back(Lists::Unused);
    if (lists.has_pieces()) lists.scores.push_back(kNeverChosen);
  }
}

void add_role(GgufMetadata& metadata, const char* key, std::int64_t id) {
  if (id >= 0) metadata.add_count(key, id);
}

std::int64_t known_or(std::int32_t of_vocabulary, std::optional<std::int64_t> of_config) {
  return of_vocabulary >= 0 ? of_vocabulary : of_config.value_or(-1);
}

/// Every token that ends an answer. llama.cpp has two keys beside that of the vocabulary's own.
void add_ends(const HfConfig& config, std::int32_t of_vocabulary, GgufMetadata& metadata,
              std::vector<std::string>& notes) {
  std::vector<std::int64_t> ends;
  if (of_vocabulary >= 0) ends.push_back(of_vocabulary);
  for (const std::int64_t end : config.eos_token_ids) {
    if (std::find(ends.begin(), ends.end(), end) == ends.end()) ends.push_back(end);
  }
  for (std::size_t i = 0; i < std::min(ends.size(), kEndKeys.size()); ++i) {
    metadata.add_count(kEndKeys[i], ends[i]);
  }
  if (ends.size() > kEndKeys.size()) {
    notes.push_back(fmt::format("{} tokens end an answer, and the file names the first {}",
                                ends.size(), kEndKeys.size()));
  }
}

/// tokenizer.ggml.model of each kind.
const char* model_name(Lists::Kind kind) {
  switch (kind) {
    case Lists::Kind::SentencePiece:
      return "llama";
    case Lists::Kind::Unigram:
      return "t5";
    case Lists::Kind::BytePairs:
      break;
  }
  return "gpt2";
}

void note_unknown_characters(const Lists& lists, std::vector<std::string>& notes) {
  const bool bytes =
      std::find(lists.types.begin(), lists.types.end(), Lists::Byte) != lists.types.end();
  if (lists.kind != Lists::Kind::Unigram || !bytes) return;
  notes.emplace_back(
      "a unigram vocabulary: a character without a token of its own is spelled in tokens of bytes "
      "here, and is the unknown token for llama.cpp; all other text has the same tokens");
}

/// What opens, ends and fills a text. The vocabulary's own word counts before that of config.json.
void add_roles(const HfConfig& config, const Lists& lists, GgufMetadata& metadata,
               std::vector<std::string>& notes) {
  add_role(metadata, "tokenizer.ggml.bos_token_id", known_or(lists.bos, config.bos_token_id));
  add_ends(config, lists.eos, metadata, notes);
  add_role(metadata, "tokenizer.ggml.unknown_token_id", lists.unknown);
  add_role(metadata, "tokenizer.ggml.padding_token_id", known_or(lists.pad, config.pad_token_id));
}

// ---- Reading ----

/// Rows that have no token: [PADn] at the end of the list.
void drop_padding(Lists& lists) {
  const std::int32_t last_role = std::max({lists.bos, lists.eos, lists.unknown, lists.pad});
  while (static_cast<std::int64_t>(lists.tokens.size()) > last_role + 1 &&
         lists.types.size() == lists.tokens.size() && lists.types.back() == Lists::Unused &&
         lists.tokens.back() == fmt::format("[PAD{}]", lists.tokens.size() - 1)) {
    lists.tokens.pop_back();
    lists.types.pop_back();
    if (!lists.scores.empty()) lists.scores.pop_back();
  }
}

std::int32_t read_role(const GgufValues& values, const char* key, std::size_t tokens) {
  const auto id = values.integer(key);
  if (!id) return -1;
  if (*id < 0 || *id >= static_cast<std::int64_t>(tokens)) {
    values.wrong(key, fmt::format("one of the {} tokens", tokens));
  }
  return static_cast<std::int32_t>(*id);
}

Lists read_lists(const GgufValues& values, Lists::Kind kind) {
  Lists lists;
  lists.kind = kind;
  lists.tokens = values.texts("tokenizer.ggml.tokens");
  lists.types = values.integers("tokenizer.ggml.token_type");
  if (lists.tokens.empty()) values.missing("tokenizer.ggml.tokens");
  if (lists.types.empty()) lists.types.assign(lists.tokens.size(), Lists::Normal);
  const bool pieces = lists.has_pieces();
  if (pieces) {
    const bool joins = values.flag("tokenizer.ggml.remove_extra_whitespaces").value_or(false);
    if (joins || values.has("tokenizer.ggml.precompiled_charsmap")) {
      throw Error(values.where(), "the vocabulary normalises text, which is not read");
    }
    lists.scores = values.numbers("tokenizer.ggml.scores");
    if (lists.scores.size() != lists.tokens.size()) {
      throw Error(values.where(), fmt::format("tokenizer.ggml.scores has {} elements, and there "
                                              "are {} tokens",
                                              lists.scores.size(), lists.tokens.size()));
    }
    lists.adds_space = values.flag("tokenizer.ggml.add_space_prefix").value_or(true);
  } else {
    lists.merges = values.texts("tokenizer.ggml.merges");
    if (lists.merges.empty()) values.missing("tokenizer.ggml.merges");
    lists.splits = values.text("tokenizer.ggml.pre").value_or("");
    if (lists.splits.empty()) values.missing("tokenizer.ggml.pre");
  }
  lists.bos = read_role(values, "tokenizer.ggml.bos_token_id", lists.tokens.size());
  lists.eos = read_role(values, "tokenizer.ggml.eos_token_id", lists.tokens.size());
  lists.unknown = read_role(values, "tokenizer.ggml.unknown_token_id", lists.tokens.size());
  lists.pad = read_role(values, "tokenizer.ggml.padding_token_id", lists.tokens.size());
  lists.adds_bos = values.flag("tokenizer.ggml.add_bos_token").value_or(pieces);
  return lists;
}

Lists::Kind kind_named(const GgufValues& values, const std::string& model) {
  for (const Lists::Kind kind :
       {Lists::Kind::SentencePiece, Lists::Kind::Unigram, Lists::Kind::BytePairs}) {
    if (model == model_name(kind)) return kind;
  }
  values.wrong(kModelKey, "\"llama\", \"t5\" or \"gpt2\"");
}

void set_roles(const GgufValues& values, HfConfig& config) {
  const auto rows = static_cast<std::size_t>(config.model.vocab_size);
  const auto optional = [&](const char* key) -> std::optional<std::int64_t> {
    const std::int32_t id = read_role(values, key, rows);
    if (id < 0) return std::nullopt;
    return id;
  };
  config.bos_token_id = optional("tokenizer.ggml.bos_token_id");
  config.pad_token_id = optional("tokenizer.ggml.padding_token_id");
  for (const char* key : kEndKeys) {
    const std::int32_t id = read_role(values, key, rows);
    std::vector<std::int64_t>& ends = config.eos_token_ids;
    if (id >= 0 && std::find(ends.begin(), ends.end(), id) == ends.end()) ends.push_back(id);
  }
}
}  // namespace

void add_vocabulary_keys(const fs::path& from, const HfConfig& config, GgufMetadata& metadata,
                         std::vector<std::string>& notes) {
  if (!has_entry(from / "tokenizer.model") && !has_entry(from / "tokenizer.json")) {
    metadata.add(kModelKey, "no_vocab");
    notes.emplace_back(
        "the folder has no tokenizer.model and no tokenizer.json, and so the file has no "
        "vocabulary: llama.cpp takes and gives token ids alone");
    add_roles(config, Lists(), metadata, notes);
    return;
  }
  Lists lists = read_vocabulary_lists(from);
  fill_rows(from, config, lists);
  note_unknown_characters(lists, notes);
  const bool pieces = lists.has_pieces();
  metadata.add(kModelKey, model_name(lists.kind));
  metadata.add("tokenizer.ggml.pre", pieces ? std::string_view("default") : lists.splits);
  metadata.add("tokenizer.ggml.tokens", lists.tokens);
  if (pieces) metadata.add("tokenizer.ggml.scores", lists.scores);
  metadata.add("tokenizer.ggml.token_type", lists.types);
  if (!pieces) metadata.add("tokenizer.ggml.merges", lists.merges);
  add_roles(config, lists, metadata, notes);
  metadata.add("tokenizer.ggml.add_bos_token", lists.adds_bos);
  metadata.add("tokenizer.ggml.add_eos_token", false);
  if (pieces) {
    metadata.add("tokenizer.ggml.add_space_prefix", lists.adds_space);
    metadata.add("tokenizer.ggml.remove_extra_whitespaces", false);
  }
  if (const auto text = template_text(from)) metadata.add(kTemplateKey, *text);
}

std::map<std::string, std::string> read_vocabulary_keys(const GgufValues& values,
                                                        HfConfig& config) {
  const std::string model = values.text(kModelKey).value_or("no_vocab");
  set_roles(values, config);
  std::map<std::string, std::string> files;
  if (model == "no_vocab" || model == "none") {
    config.notes.emplace_back("the file holds no vocabulary");
  } else {
    Lists lists = read_lists(values, kind_named(values, model));
    if (static_cast<std::int64_t>(lists.tokens.size()) > config.model.vocab_size) {
      throw Error(values.where(), fmt::format("the vocabulary has {} tokens, and the model {} rows",
                                              lists.tokens.size(), config.model.vocab_size));
    }
    drop_padding(lists);
    files = vocabulary_files(lists, values.where());
  }
  if (const auto text = values.text(kTemplateKey)) files[kTemplateFile] = *text;
  return files;
}

}  // namespace tessera
