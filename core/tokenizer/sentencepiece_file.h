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

/// The model with `leading_space` set to false. Everything else, ids included, stays.
std::string without_leading_space(std::string_view model);

}  // namespace tessera
