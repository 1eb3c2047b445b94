// SPDX-License-Identifier: MIT
// A vocabulary as plain lists, as GGUF files hold it: SentencePiece models of byte pairs or
// unigram, and byte pairs over bytes whose way to split a text has a name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

struct VocabularyLists {
  enum class Kind : std::uint8_t {
    SentencePiece,  ///< pieces with scores; neighbours join by falling score of what they become
    Unigram,        ///< SentencePiece too; the spelling whose scores have the largest sum counts
    BytePairs       ///< tokens spelled in GPT-2's alphabet of bytes, and merges
  };
  /// Numbered as in SentencePiece and in GGUF.
  enum Type : std::int32_t { Normal = 1, Unknown, Control, UserDefined, Unused, Byte };

  Kind kind = Kind::SentencePiece;
  std::vector<std::string> tokens;
  std::vector<std::int32_t> types;  ///< of each token
  std::vector<float> scores;        ///< of each token; none for BytePairs
  std::vector<std::string> merges;  ///< "left right", best first; BytePairs alone
  std::string splits;               ///< name of how a text is split; BytePairs alone
  std::int32_t bos = -1, eos = -1, unknown = -1, pad = -1;
  bool adds_bos = false;
  bool adds_space = false;  ///< before every text; never for BytePairs
  bool has_pieces() const { return kind != Kind::BytePairs; }
};

/// The vocabulary of a folder or file, as Tokenizer::load() finds it. Throws Error as that does,
/// and where lists cannot say what the vocabulary does to a text: models of words, normalisation,
/// byte pairs before which a space is put, splits without a name, tokens that take white space
/// along.
VocabularyLists read_vocabulary_lists(const std::filesystem::path& path);

/// The files, by name, that Tokenizer::load() reads as this vocabulary: tokenizer.model, or
/// tokenizer.json; and tokenizer_config.json, which says what opens and ends a text. Throws Error
/// naming `where` for lists of different lengths, types and ids that do not exist, tokens that come
/// twice, and a name of splits that is not known.
std::map<std::string, std::string> vocabulary_files(const VocabularyLists& lists,
                                                    const std::string& where);

}  // namespace tessera
