// SPDX-License-Identifier: MIT
// Private to core/tokenizer: a tokenizer.json (Hugging Face's tokenizers library, version "1.0")
// with a byte-pair model, as plain facts. What would change ids and is not known is refused by
// name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/tokenizer/added_tokens.h"

namespace tessera {

/// A literal, or a pattern of SplitPattern.
struct BpePattern {
  std::string text;
  bool is_regex = false;
};

struct BpeNormaliser {
  enum class Kind : std::uint8_t { Nfc, Prepend, Replace } kind = Kind::Nfc;
  BpePattern pattern;   ///< of Replace
  std::string content;  ///< of Prepend and Replace
};

struct BpeSplit {
  enum class Kind : std::uint8_t { Split, ByteLevel } kind = Kind::Split;
  enum class Behaviour : std::uint8_t { Removed, Isolated, WithPrevious, WithNext, Contiguous };
  BpePattern pattern;
  Behaviour behaviour = Behaviour::Isolated;
  bool invert = false;
  bool add_prefix_space = false;  ///< of ByteLevel
  bool has_pattern = true;        ///< of ByteLevel: splits as GPT-2 does
};

struct BpeDecoderStep {
  enum class Kind : std::uint8_t { ByteLevel, Replace, ByteFallback, Fuse, Strip };
  Kind kind = Kind::ByteLevel;
  std::string from, to;              ///< of Replace; `from` of Strip
  std::int64_t start = 0, stop = 0;  ///< of Strip
};

struct BpeFile {
  std::map<std::string, std::int32_t> vocab;
  std::vector<std::pair<std::string, std::string>> merges;  ///< best first
  std::vector<AddedToken> added;
  std::vector<BpeNormaliser> normalisers;
  std::vector<BpeSplit> splits;
  std::vector<BpeDecoderStep> decoder;
  std::string unknown;  ///< unk_token; empty: none
  bool fuse_unknown = false, byte_fallback = false, ignore_merges = false;
  std::string begin;  ///< the special token that the post-processor puts first; empty: none
};

/// Reads the text of a tokenizer.json. Throws Error naming `where` and the key.
BpeFile read_bpe_file(std::string_view text, const std::string& where);

/// What tokenizer_config.json and special_tokens_map.json beside it say of roles. A role that they
/// leave out is empty.
struct BpeRoles {
  std::string begin, end, pad, unknown;
  bool adds_begin = false, says_adds_begin = false;  ///< add_bos_token
  std::map<std::int32_t, std::string> added;         ///< added_tokens_decoder
};
BpeRoles read_bpe_roles(const std::filesystem::path& folder);

}  // namespace tessera
