// SPDX-License-Identifier: MIT
// Private to core/tokenizer: what a SentencePiece model file says about itself and the library's
// interface does not tell: the kinds of its pieces and how it alters text before encoding.
// Source: sentencepiece_model.proto of SentencePiece (field numbers stand beside their use).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

struct SentencePieceFacts {
  /// Numbered as in the file.
  enum class Piece : std::uint8_t { Normal = 1, Unknown, Control, UserDefined, Unused, Byte };

  std::vector<Piece> pieces;
  bool byte_fallback = false;      ///< characters without a piece are spelled in byte tokens
  bool space_behind_word = false;  ///< pieces end with their space rather than begin with it
  std::string rules;               ///< name of the normalisation, "nmt_nfkc"; empty: none
  bool leading_space = true;       ///< a space is put before every text
  bool removes_spaces = true;      ///< spaces at both ends go, runs of spaces become one
  bool escapes_spaces = true;      ///< a space is written as U+2581 in pieces
};

/// Reads a serialised model that the library has accepted. Fields that are not known are passed
/// over, as the format asks for. Throws Error naming `where` when the bytes are no such message.
SentencePieceFacts read_sentencepiece_facts(std::string_view model, const std::string& where);

/// A piece as the file lists it.
struct SentencePieceEntry {
  std::string piece;
  float score = 0.f;
  SentencePieceFacts::Piece type = SentencePieceFacts::Piece::Normal;
};

/// What a file says of its pieces and of how it was trained.
struct SentencePieceContents {
  enum class Model : std::uint8_t { Unigram = 1, Bpe, Word, Char };
  std::vector<SentencePieceEntry> pieces;
  Model model = Model::Unigram;
  std::int32_t unknown = 0;  ///< -1: none
};

/// Throws as read_sentencepiece_facts().
SentencePieceContents read_sentencepiece_contents(std::string_view model, const std::string& where);

/// A serialised model. `bos`, `eos` and `pad` are pieces of it, or -1.
struct SentencePieceRoles {
  std::int32_t unknown = -1, bos = -1, eos = -1, pad = -1;
};
std::string write_sentencepiece_model(SentencePieceContents::Model kind,
                                      const std::vector<SentencePieceEntry>& pieces,
                                      const SentencePieceRoles& roles, bool leading_space);

/// The model with `leading_space` set to false. Everything else, ids included, stays.
std::string without_leading_space(std::string_view model);

}  // namespace tessera
