// SPDX-License-Identifier: MIT
#include "core/tokenizer/tokenizer.h"

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "core/base/error.h"
#include "core/base/mistaken_file.h"
#include "core/tokenizer/bpe_tokenizer.h"
#include "core/tokenizer/sentencepiece_tokenizer.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr const char* kModelFile = "tokenizer.model";
constexpr const char* kJsonFile = "tokenizer.json";

/// Vocabularies that this build does not read yet, by the name of their file.
constexpr std::array kNotRead{
    std::pair{"vocab.json", "byte-level BPE with merges.txt"},
    std::pair{"tiktoken.model", "tiktoken's byte pairs"},
};
constexpr const char* kSameModel =
    "a model can be used with its own vocabulary alone: use a copy of it that has tokenizer.json "
    "or tokenizer.model";

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

Error no_vocabulary(const fs::path& folder) {
  for (const auto& [name, kind] : kNotRead) {
    if (!is_there(folder / name)) continue;
    return {(folder / name).string(),
            fmt::format("this kind of vocabulary is not read yet: {}. Only SentencePiece's "
                        "tokenizer.model and tokenizer.json are, and the folder has none of them",
                        kind),
            kSameModel};
  }
  return {folder.string(),
          "the folder holds no vocabulary: there is no tokenizer.model and no tokenizer.json in it",
          "copy the one that belongs to the model into the folder"};
}

/// The file to read for a file or folder that a user named.
fs::path vocabulary_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (const char* name : {kModelFile, kJsonFile}) {
      if (is_there(path / name)) return path / name;
    }
    throw no_vocabulary(path);
  }
  if (!is_there(path)) {
    throw Error(path.string(), "there is no such file or folder",
                "check the spelling: expected a tokenizer.model, a tokenizer.json, or the folder "
                "that holds one");
  }
  if (path.extension() != ".model" && path.extension() != ".json") {
    throw Error(path.string(), "this is not a vocabulary that can be read",
                "expected a SentencePiece file named tokenizer.model, or a tokenizer.json");
  }
  return path;
}
}  // namespace

std::shared_ptr<const Tokenizer> Tokenizer::load(const fs::path& path) {
  const fs::path file_path = vocabulary_file(path);
  refuse_dangling_link(file_path);
  std::ifstream file(file_path, std::ios::binary);
  std::string model;
  if (file) model.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) {
    throw Error(file_path.string(), "cannot read the vocabulary",
                "check that the file may be read");
  }
  refuse_mistaken_content(file_path, model);
  if (file_path.extension() == ".json") return make_bpe_tokenizer(std::move(model), file_path);
  return make_sentencepiece_tokenizer(std::move(model), file_path.string());
}

std::shared_ptr<const Tokenizer> Tokenizer::load_for_training(const fs::path& path) {
  auto tokenizer = load(path);
  if (tokenizer->file_name() == kModelFile) return tokenizer;
  throw Error(
      "tokenizer.path",
      "a tokenizer.json serves for chat; training reads SentencePiece's tokenizer.model alone",
      "name a tokenizer.model, or leave it empty to train a vocabulary");
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, bool spell_specials) const {
  std::string text;
  for (std::int32_t id : ids) {
    text += bytes_of(id);
    if (spell_specials && is_special(id)) text += piece(id);
  }
  if (adds_leading_space() && text.starts_with(' ')) text.erase(0, 1);
  return text;
}

std::string Tokenizer::display(std::int32_t id) const {
  if (is_special(id)) return std::string(piece(id));
  const std::string_view bytes = bytes_of(id);
  std::string text;
  for (std::size_t at = 0; at < bytes.size();) {
    const utf8::Character character = utf8::next(bytes, at);
    const std::string_view part = bytes.substr(at, character.bytes);
    at += character.bytes;
    if (part == "\n") {
      text += "\\n";
    } else if (part == "\t") {
      text += "\\t";
    } else if (!character.valid || character.code < 0x20 || character.code == 0x7F) {
      for (char c : part) text += fmt::format("<0x{:02X}>", static_cast<unsigned char>(c));
    } else {
      text += part;
    }
  }
  return text;
}

std::int32_t Tokenizer::special_id(std::string_view spelling) const {
  for (std::int32_t id = 0; id < vocab_size(); ++id)
    if (is_special(id) && piece(id) == spelling) return id;
  return -1;
}

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool spell_specials,
                             bool begins_text)
    : tokenizer_(std::move(tokenizer)),
      spell_specials_(spell_specials),
      drop_space_(begins_text && tokenizer_->adds_leading_space()) {}

std::string StreamDecoder::push(std::int32_t id) {
  if (tokenizer_->is_special(id)) {
    // A special token ends the text before it: nothing can complete what is held.
    std::string text = finish();
    if (spell_specials_) text += tokenizer_->piece(id);
    return text;
  }
  std::string_view bytes = tokenizer_->bytes_of(id);
  if (drop_space_ && bytes.starts_with(' ')) bytes.remove_prefix(1);
  drop_space_ = false;
  held_ += bytes;
  const std::size_t whole = held_.size() - utf8::incomplete_tail(held_);
  std::string text = utf8::replace_invalid(std::string_view(held_).substr(0, whole));
  held_.erase(0, whole);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = utf8::replace_invalid(held_);
  held_.clear();
  return text;
}

}  // namespace tessera
