// SPDX-License-Identifier: MIT
#include "core/tokenizer/vocabulary_lists.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/tokenizer/bpe_file.h"
#include "core/tokenizer/sentencepiece_file.h"
#include "core/tokenizer/split_names.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr const char* kOtherPrograms =
    "programs that read GGUF would make other tokens of the same text";

[[noreturn]] void refuse_vocabulary(const fs::path& file, const std::string& what) {
  throw Error(file.string(), "cannot be written as lists for GGUF: " + what, kOtherPrograms);
}

std::string whole_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) throw Error(path.string(), "cannot read the vocabulary");
  return text;
}

void check_sentencepiece(const fs::path& file, const SentencePieceContents& contents,
                         const SentencePieceFacts& facts) {
  using Model = SentencePieceContents::Model;
  if (contents.model != Model::Bpe && contents.model != Model::Unigram) {
    refuse_vocabulary(file, "it is a model of words or characters");
  }
  if (!facts.rules.empty()) {
    refuse_vocabulary(file, fmt::format("it normalises characters ({})", facts.rules));
  }
  if (facts.removes_spaces) refuse_vocabulary(file, "it joins runs of spaces");
  if (!facts.escapes_spaces || facts.space_behind_word) {
    refuse_vocabulary(file, "its pieces hold spaces in another way");
  }
  using Piece = SentencePieceFacts::Piece;
  const auto bytes = std::count_if(contents.pieces.begin(), contents.pieces.end(),
                                   [](const auto& entry) { return entry.type == Piece::Byte; });
  if (contents.model == Model::Bpe && (bytes != 256 || !facts.byte_fallback)) {
    refuse_vocabulary(file,
                      "it has no token for each single byte, which llama.cpp needs for "
                      "characters without a piece");
  }
}

void list_sentencepiece(const fs::path& file, VocabularyLists& lists) {
  const std::string model = whole_file(file);
  const SentencePieceFacts facts = read_sentencepiece_facts(model, file.string());
  const SentencePieceContents contents = read_sentencepiece_contents(model, file.string());
  check_sentencepiece(file, contents, facts);
  lists.kind = contents.model == SentencePieceContents::Model::Unigram
                   ? VocabularyLists::Kind::Unigram
                   : VocabularyLists::Kind::SentencePiece;
  for (const SentencePieceEntry& entry : contents.pieces) {
    lists.tokens.push_back(entry.piece);
    lists.types.push_back(static_cast<std::int32_t>(entry.type));
    lists.scores.push_back(entry.score);
  }
}

void check_byte_pairs(const fs::path& path, const BpeFile& file) {
  if (file.splits.empty() || file.splits.back().kind != BpeSplit::Kind::ByteLevel) {
    refuse_vocabulary(path, "its byte pairs are of characters, and not of bytes");
  }
  if (!file.normalisers.empty()) refuse_vocabulary(path, "it normalises text");
  if (file.splits.back().add_prefix_space) {
    refuse_vocabulary(path, "it puts a space before every text (add_prefix_space)");
  }
  for (const AddedToken& token : file.added) {
    if (!token.lstrip && !token.rstrip && !token.single_word) continue;
    refuse_vocabulary(path, fmt::format("the added token \"{}\" takes white space along, or is "
                                        "found as a whole word only",
                                        token.content));
  }
}

void put_token(const fs::path& path, std::int32_t id, const std::string& token, std::int32_t type,
               VocabularyLists& lists) {
  const auto at = static_cast<std::size_t>(id);
  if (lists.tokens.size() <= at) {
    lists.tokens.resize(at + 1);
    lists.types.resize(at + 1, VocabularyLists::Unused);
  }
  if (!lists.tokens[at].empty() && lists.tokens[at] != token) {
    refuse_vocabulary(path, fmt::format("the id {} is that of \"{}\" and of \"{}\"", id,
                                        lists.tokens[at], token));
  }
  lists.tokens[at] = token;
  lists.types[at] = type;
}

void list_byte_pairs(const fs::path& path, VocabularyLists& lists) {
  const BpeFile file = read_bpe_file(whole_file(path), path.string());
  check_byte_pairs(path, file);
  lists.kind = VocabularyLists::Kind::BytePairs;
  lists.splits = split_name(file);
  if (lists.splits.empty()) {
    refuse_vocabulary(path, fmt::format("it splits text in a way without a name there (the names "
                                        "are {})",
                                        known_split_names()));
  }
  for (const auto& [token, id] : file.vocab) {
    put_token(path, id, token, VocabularyLists::Normal, lists);
  }
  for (const AddedToken& token : file.added) {
    put_token(path, token.id, token.content,
              token.special ? VocabularyLists::Control : VocabularyLists::UserDefined, lists);
  }
  // Ids that the file leaves out: a row of the model all the same.
  for (std::size_t id = 0; id < lists.tokens.size(); ++id) {
    if (lists.tokens[id].empty()) lists.tokens[id] = fmt::format("[PAD{}]", id);
  }
  for (const auto& [left, right] : file.merges) lists.merges.push_back(left + " " + right);
}
}  // namespace

VocabularyLists read_vocabulary_lists(const fs::path& path) {
  const std::shared_ptr<const Tokenizer> tokenizer = Tokenizer::load(path);
  VocabularyLists lists;
  const fs::path file = fs::is_directory(path) ? path / tokenizer->file_name() : path;
  if (file.extension() == ".model") {
    list_sentencepiece(file, lists);
    lists.adds_space = tokenizer->adds_leading_space();
  } else {
    list_byte_pairs(file, lists);
  }
  const SpecialTokens& roles = tokenizer->specials();
  lists.bos = roles.bos;
  lists.eos = roles.eos;
  lists.unknown = roles.unknown;
  lists.pad = roles.pad;
  lists.adds_bos = tokenizer->adds_bos();
  return lists;
}

}  // namespace tessera
