// SPDX-License-Identifier: MIT
// Lists back into the files that Tokenizer::load() reads.
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/tokenizer/sentencepiece_file.h"
#include "core/tokenizer/split_names.h"
#include "core/tokenizer/utf8.h"
#include "core/tokenizer/vocabulary_lists.h"

namespace tessera {

namespace {
using Json = nlohmann::json;

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    if (!character.valid) return false;
    at += character.bytes;
  }
  return true;
}

void check_lists(const VocabularyLists& lists, const std::string& where) {
  const std::size_t count = lists.tokens.size();
  if (count == 0) throw Error(where, "the vocabulary has no tokens");
  if (lists.types.size() != count) {
    throw Error(
        where, fmt::format("the vocabulary has {} tokens and {} types", count, lists.types.size()));
  }
  if (lists.has_pieces() && lists.scores.size() != count) {
    throw Error(where, fmt::format("the vocabulary has {} tokens and {} scores", count,
                                   lists.scores.size()));
  }
  std::set<std::string_view> seen;
  for (std::size_t id = 0; id < count; ++id) {
    const std::string& token = lists.tokens[id];
    const std::int32_t type = lists.types[id];
    if (type < VocabularyLists::Normal || type > VocabularyLists::Byte) {
      throw Error(where, fmt::format("token {} has the type {}, and there are 1 to 6", id, type));
    }
    if (token.empty() || !is_utf8(token)) {
      throw Error(where, fmt::format("token {} is empty, or no UTF-8", id));
    }
    if (!seen.insert(token).second) {
      throw Error(where,
                  fmt::format("the token \"{}\" comes twice, the second time as {}", token, id));
    }
  }
  for (const std::string& merge : lists.merges) {
    const std::size_t space = merge.find(' ');
    const bool two = space != std::string::npos && space > 0 && space + 1 < merge.size() &&
                     merge.find(' ', space + 1) == std::string::npos;
    if (!two || !is_utf8(merge)) {
      throw Error(where, "a merge of the vocabulary is not two tokens with a space between");
    }
  }
  for (const std::int32_t id : {lists.bos, lists.eos, lists.unknown, lists.pad}) {
    if (id < -1 || id >= static_cast<std::int64_t>(count)) {
      throw Error(where,
                  fmt::format("the token {} has a role, and the vocabulary has {}", id, count));
    }
  }
}

std::string sentencepiece_text(const VocabularyLists& lists, const std::string& where) {
  std::vector<SentencePieceEntry> pieces;
  SentencePieceRoles roles{lists.unknown, lists.bos, lists.eos, lists.pad};
  for (std::size_t id = 0; id < lists.tokens.size(); ++id) {
    const auto type = static_cast<SentencePieceFacts::Piece>(lists.types[id]);
    pieces.push_back({lists.tokens[id], lists.scores[id], type});
    if (type == SentencePieceFacts::Piece::Unknown) roles.unknown = static_cast<std::int32_t>(id);
  }
  if (roles.unknown < 0) throw Error(where, "the vocabulary has no unknown token (type 2)");
  return write_sentencepiece_model(lists.kind == VocabularyLists::Kind::Unigram
                                       ? SentencePieceContents::Model::Unigram
                                       : SentencePieceContents::Model::Bpe,
                                   pieces, roles, lists.adds_space);
}

Json byte_pairs_json(const VocabularyLists& lists, const std::string& where) {
  bool ignore_merges = false;
  const Json splits = pre_tokenizer_named(lists.splits, ignore_merges);
  if (splits.is_null()) {
    throw Error(
        where,
        fmt::format("the vocabulary splits text as \"{}\" does, which is not known", lists.splits),
        "known are " + known_split_names());
  }
  Json vocab = Json::object(), added = Json::array();
  for (std::size_t id = 0; id < lists.tokens.size(); ++id) {
    const std::int32_t type = lists.types[id];
    if (type == VocabularyLists::Unused) continue;
    if (type == VocabularyLists::Control || type == VocabularyLists::UserDefined) {
      added.push_back({{"id", id},
                       {"content", lists.tokens[id]},
                       {"single_word", false},
                       {"lstrip", false},
                       {"rstrip", false},
                       {"normalized", false},
                       {"special", type == VocabularyLists::Control}});
    } else {
      vocab[lists.tokens[id]] = id;
    }
  }
  const Json bytes = {{"type", "ByteLevel"},
                      {"add_prefix_space", true},
                      {"trim_offsets", true},
                      {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer", nullptr},
          {"pre_tokenizer", splits},
          {"post_processor", nullptr},
          {"decoder", bytes},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", ignore_merges},
            {"vocab", vocab},
            {"merges", lists.merges}}}};
}

Json roles_json(const VocabularyLists& lists) {
  Json config = {
      {"add_bos_token", lists.adds_bos},
      {"add_eos_token", false},
      {"tokenizer_class", lists.has_pieces() ? "LlamaTokenizer" : "PreTrainedTokenizerFast"}};
  const std::pair<const char*, std::int32_t> roles[] = {{"bos_token", lists.bos},
                                                        {"eos_token", lists.eos},
                                                        {"pad_token", lists.pad},
                                                        {"unk_token", lists.unknown}};
  for (const auto& [name, id] : roles) {
    if (id >= 0) config[name] = lists.tokens[static_cast<std::size_t>(id)];
  }
  return config;
}
}  // namespace

std::map<std::string, std::string> vocabulary_files(const VocabularyLists& lists,
                                                    const std::string& where) {
  check_lists(lists, where);
  std::map<std::string, std::string> files;
  if (lists.has_pieces()) {
    files["tokenizer.model"] = sentencepiece_text(lists, where);
  } else {
    files["tokenizer.json"] = byte_pairs_json(lists, where).dump(1) + "\n";
  }
  files["tokenizer_config.json"] = roles_json(lists).dump(1) + "\n";
  return files;
}

}  // namespace tessera
