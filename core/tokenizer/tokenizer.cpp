// SPDX-License-Identifier: MIT
#include "core/tokenizer/tokenizer.h"

#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/tokenizer/sentencepiece_tokenizer.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

std::shared_ptr<const Tokenizer> Tokenizer::load(const std::filesystem::path& path) {
  const auto file_path = std::filesystem::is_directory(path) ? path / "tokenizer.model" : path;
  // Other kinds of vocabulary are told apart here, by the name of the file.
  if (file_path.extension() != ".model")
    throw Error(file_path.string(), "unknown kind of vocabulary",
                "expected a SentencePiece file named tokenizer.model");
  std::ifstream file(file_path, std::ios::binary);
  if (!file)
    throw Error(file_path.string(), "cannot open the vocabulary",
                "give the file or its folder, or make one with `tessera tokenizer train`");
  std::string model(std::istreambuf_iterator<char>(file), {});
  return make_sentencepiece_tokenizer(std::move(model), file_path.string());
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, bool spell_specials) const {
  std::string text;
  for (std::int32_t id : ids) {
    text += bytes_of(id);
    if (spell_specials && is_special(id)) text += piece(id);
  }
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

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool spell_specials)
    : tokenizer_(std::move(tokenizer)), spell_specials_(spell_specials) {}

std::string StreamDecoder::push(std::int32_t id) {
  if (tokenizer_->is_special(id)) {
    // A special token ends the text before it: nothing can complete what is held.
    std::string text = finish();
    if (spell_specials_) text += tokenizer_->piece(id);
    return text;
  }
  held_ += tokenizer_->bytes_of(id);
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
