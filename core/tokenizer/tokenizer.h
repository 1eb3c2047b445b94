// SPDX-License-Identifier: MIT
// Text to token ids and back: decode(encode(text)) == text for every sequence of bytes, unless
// alterations() says otherwise. One interface; which algorithm stands behind it is decided by the
// file that is loaded.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/marked_text.h"

namespace tessera {

/// Ids of the tokens with a role; -1 where the vocabulary has none.
struct SpecialTokens {
  std::int32_t bos = -1, eos = -1, pad = -1, unknown = -1;
  /// Fill-in-the-middle, prefix-suffix-middle form: begin prefix hole suffix end middle.
  std::int32_t fim_begin = -1, fim_hole = -1, fim_end = -1;
  std::int32_t user = -1, assistant = -1;
};

/// Spellings as in the released vocabulary: U+FF5C for the bars, U+2581 for the blanks.
namespace special {
inline constexpr std::string_view kBos = "<｜begin▁of▁sentence｜>";
inline constexpr std::string_view kEos = "<｜end▁of▁sentence｜>";
inline constexpr std::string_view kPad = "<｜▁pad▁｜>";
inline constexpr std::string_view kUnknown = "<｜▁unknown▁｜>";
inline constexpr std::string_view kFimBegin = "<｜fim▁begin｜>";
inline constexpr std::string_view kFimHole = "<｜fim▁hole｜>";
inline constexpr std::string_view kFimEnd = "<｜fim▁end｜>";
inline constexpr std::string_view kUser = "<｜User｜>";
inline constexpr std::string_view kAssistant = "<｜Assistant｜>";
}  // namespace special

/// What encode() does with text that spells a special token.
enum class SpecialText {
  AsText,  ///< ordinary text, the safe choice for anything a user typed or a corpus holds
  Parse,   ///< the special token; for templates written by the program itself
};

/// Immutable after loading; every method may be called from any thread.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  /// Loads a file, or the tokenizer file of a folder: `tokenizer.model` (SentencePiece), or where
  /// there is none `tokenizer.json` (byte pairs, with the roles that tokenizer_config.json and
  /// special_tokens_map.json beside it name). Throws Error naming the file when it is missing,
  /// damaged, or of a kind this build does not read (`vocab.json`), and what of it is not read.
  static std::shared_ptr<const Tokenizer> load(const std::filesystem::path& path);

  /// The same for training, which keeps its vocabulary as a tokenizer.model: throws Error for
  /// others.
  static std::shared_ptr<const Tokenizer> load_for_training(const std::filesystem::path& path);

  /// Ids of `text`; adds no BOS or EOS. Bytes that are not UTF-8 become byte tokens, so that
  /// decode() gives them back, unless the vocabulary alters text. A character that it cannot spell
  /// becomes the unknown token.
  virtual std::vector<std::int32_t> encode(std::string_view text,
                                           SpecialText specials = SpecialText::AsText) const = 0;

  /// Ids of a text of two authors: special tokens are found where all their bytes are the
  /// program's, everything else is encoded as one text. Equal to encode() where all is one
  /// author's.
  virtual std::vector<std::int32_t> encode_marked(const MarkedText& text) const = 0;

  /// The bytes that `id` stands for: empty for special tokens, possibly part of a character. Valid
  /// as long as the tokenizer. Throws Error when id is not in [0, vocab_size).
  virtual std::string_view bytes_of(std::int32_t id) const = 0;

  /// The spelling in the vocabulary: "▁the", "<0x0A>", "<｜User｜>". Throws as bytes_of().
  virtual std::string_view piece(std::int32_t id) const = 0;

  virtual bool is_special(std::int32_t id) const = 0;
  virtual std::int32_t vocab_size() const = 0;
  virtual const SpecialTokens& specials() const = 0;

  /// Whether a text for the model begins with specials().bos.
  virtual bool adds_bos() const { return specials().bos >= 0; }

  /// The name of the file that load() reads: "tokenizer.model" or "tokenizer.json".
  virtual std::string_view file_name() const = 0;

  /// Writes what load() reads into `folder`, which must exist.
  virtual void save(const std::filesystem::path& folder) const = 0;

  /// 16 hexadecimal digits that name this vocabulary: token shards and checkpoints carry them.
  virtual const std::string& hash() const = 0;

  /// The vocabulary puts a space before every text (`add_dummy_prefix`, as Llama 2 and its kin have
  /// it). decode() and StreamDecoder take it away again from the begin of a text.
  virtual bool adds_leading_space() const = 0;
  /// What encoding changes in a text ("normalises characters (nmt_nfkc)"); empty: nothing.
  virtual const std::string& alterations() const = 0;

  /// The bytes of all ids joined, special tokens left out, or spelled out when asked. The ids begin
  /// a text: see adds_leading_space(). The result need not be UTF-8 when the ids do not form whole
  /// characters.
  std::string decode(const std::vector<std::int32_t>& ids, bool spell_specials = false) const;

  /// One token for people: special tokens as spelled, line breaks as "\n", bytes that form no
  /// character as "<0xE2>".
  std::string display(std::int32_t id) const;

  /// The id of a special token spelled so, or -1.
  std::int32_t special_id(std::string_view spelling) const;
};

/// Decodes ids one at a time, as they are sampled. Bytes that may still become a character are
/// held back. The joined output is valid UTF-8: equal to decode() where that is valid, with U+FFFD
/// for each ill-formed sequence otherwise.
class StreamDecoder {
 public:
  /// `begins_text`: the first id begins a text, rather than going on with one.
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool spell_specials = false,
                         bool begins_text = true);

  /// The characters that `id` completes; often empty within a multi-byte character.
  std::string push(std::int32_t id);
  /// What is still held back, as U+FFFD; the decoder is then as new.
  std::string finish();

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  bool spell_specials_;
  bool drop_space_;  ///< the next character is dropped if it is the space before the text
  std::string held_;
};

}  // namespace tessera
