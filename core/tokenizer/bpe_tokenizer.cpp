// SPDX-License-Identifier: MIT
// Words are encoded in the bytes that they stand for: a vocabulary that spells bytes as letters
// (ByteLevel) is turned back into bytes when it is loaded, so that nothing is spelled while
// encoding.
#include "core/tokenizer/bpe_tokenizer.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <unordered_map>

#include "core/base/error.h"
#include "core/tokenizer/bpe_file.h"
#include "core/tokenizer/bpe_merges.h"
#include "core/tokenizer/role_spelling.h"
#include "core/tokenizer/text_splitter.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
namespace fs = std::filesystem;

constexpr std::string_view kBlankSign = "\xE2\x96\x81";
/// Longer words are rarely met again.
constexpr std::size_t kMaxCachedWordBytes = 64, kMaxCachedWords = 1 << 16;

struct WordHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return XXH3_64bits(text.data(), text.size());
  }
};
using WordIds =
    std::unordered_map<std::string, std::vector<std::int32_t>, WordHash, std::equal_to<>>;
using TokenIds = std::unordered_map<std::string, std::int32_t, WordHash, std::equal_to<>>;

/// Words repeat: most of a text comes out of this table, one a thread, of the vocabulary that the
/// thread used last.
WordIds& word_cache(std::uint64_t serial) {
  thread_local WordIds cache;
  thread_local std::uint64_t owner = 0;
  if (owner != serial) cache.clear();
  owner = serial;
  return cache;
}

std::uint64_t next_bpe_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

/// The letter that GPT-2's vocabularies spell a byte with (bytes_to_unicode() of its encoder.py):
/// itself where it is a visible character of Latin-1, else one from U+0100 on.
std::array<char32_t, 256> byte_letters() {
  std::array<char32_t, 256> letters{};
  char32_t next = 0x100;
  for (char32_t byte = 0; byte < 256; ++byte) {
    const bool is_visible = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    letters[byte] = is_visible ? byte : next++;
  }
  return letters;
}

/// The bytes that letters spell; nothing when one of them is no such letter.
std::optional<std::string> bytes_of_letters(std::string_view text) {
  static const std::array<std::int16_t, 0x144> bytes = [] {
    std::array<std::int16_t, 0x144> all{};
    all.fill(-1);
    const auto letters = byte_letters();
    for (std::size_t byte = 0; byte < 256; ++byte) {
      all[letters[byte]] = static_cast<std::int16_t>(byte);
    }
    return all;
  }();
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    at += character.bytes;
    if (character.code >= bytes.size() || bytes[character.code] < 0) return std::nullopt;
    out.push_back(static_cast<char>(bytes[character.code]));
  }
  return out;
}

/// The byte that "<0x0A>" spells, or -1.
int spelled_byte(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  int value = 0;
  for (const char c : token.substr(3, 2)) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && !(c >= 'A' && c <= 'F')) return -1;
    value = 16 * value + (is_digit ? c - '0' : c - 'A' + 10);
  }
  return value;
}

class BpeTokenizer final : public Tokenizer {
 public:
  BpeTokenizer(std::string text, const fs::path& path);

  std::vector<std::int32_t> encode(std::string_view text, SpecialText specials) const override;
  std::vector<std::int32_t> encode_marked(const MarkedText& text) const override;
  std::string_view bytes_of(std::int32_t id) const override { return bytes_[checked(id)]; }
  std::string_view piece(std::int32_t id) const override { return pieces_[checked(id)]; }
  bool is_special(std::int32_t id) const override { return special_[checked(id)]; }
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(pieces_.size()); }
  const SpecialTokens& specials() const override { return specials_; }
  bool adds_bos() const override { return adds_bos_; }
  std::string_view file_name() const override { return "tokenizer.json"; }
  void save(const fs::path& folder) const override;
  const std::string& hash() const override { return hash_; }
  bool adds_leading_space() const override { return drops_space_; }
  const std::string& alterations() const override { return alterations_; }

 private:
  std::size_t checked(std::int32_t id) const {
    if (id < 0 || id >= vocab_size()) {
      throw Error("tokenizer",
                  fmt::format("token {} is outside the vocabulary of {}", id, vocab_size()),
                  "the tokens belong to another vocabulary");
    }
    return static_cast<std::size_t>(id);
  }
  void read_decoder(const std::vector<BpeDecoderStep>& steps);
  void read_tokens(const BpeFile& file);
  void set_piece(std::int32_t id, const std::string& piece);
  void mark_special(std::int32_t id);
  void read_added(const BpeRoles& roles);
  void read_merges(const BpeFile& file);
  void read_roles(const BpeFile& file, const BpeRoles& roles);
  std::int32_t role_id(const std::string& token, const char* key, bool is_needed) const;
  std::string decoded(std::string_view piece) const;
  void describe_alterations(const BpeFile& file);
  void keep_neighbours(const fs::path& folder);

  void encode_bytes(std::string_view text, const MarksView& marks,
                    std::vector<std::int32_t>& out) const;
  void encode_valid(std::string_view text, const MarksView& marks, bool goes_on,
                    std::vector<std::int32_t>& out) const;
  void encode_between(std::string_view text, const MarksView& marks,
                      std::vector<std::int32_t>& out) const;
  void encode_words(std::string_view text, std::vector<std::int32_t>& out) const;
  void encode_word(std::string_view word, std::vector<std::int32_t>& ids) const;
  std::size_t symbol_at(std::string_view word, std::size_t at, std::int32_t& id) const;

  std::string text_, where_, hash_;
  std::vector<std::pair<std::string, std::string>> neighbours_;  ///< name and content, for save()
  BpeFile file_;  ///< without its vocabulary and merges
  TextNormaliser normaliser_;
  TextSplitter splitter_;
  bool is_byte_level_ = false, drops_space_ = false, blank_is_space_ = false;
  bool decodes_bytes_ = false;  ///< "<0x0A>" stands for a byte

  TokenIds ids_;  ///< of the model's tokens, by the bytes or characters that a word holds
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<std::string> pieces_, bytes_;
  std::vector<bool> special_;
  AddedTokenFinder raw_tokens_, normal_tokens_;
  BpeMerges merges_;
  std::int32_t unknown_ = -1;
  SpecialTokens specials_;
  bool adds_bos_ = false;
  std::string alterations_;
  const std::uint64_t serial_ = next_bpe_serial();
};

BpeTokenizer::BpeTokenizer(std::string text, const fs::path& path)
    : text_(std::move(text)),
      where_(path.string()),
      hash_(fmt::format("{:016x}", XXH3_64bits(text_.data(), text_.size()))),
      file_(read_bpe_file(text_, where_)),
      normaliser_(file_.normalisers, where_),
      splitter_(file_.splits, where_),
      is_byte_level_(splitter_.is_byte_level()) {
  byte_ids_.fill(-1);
  read_decoder(file_.decoder);
  read_tokens(file_);
  read_merges(file_);
  const fs::path folder = path.parent_path();
  const BpeRoles roles = read_bpe_roles(folder);
  read_added(roles);
  read_roles(file_, roles);
  describe_alterations(file_);
  keep_neighbours(folder);
  file_.vocab.clear();
  file_.merges = {};
}

/// ByteLevel, or the steps of vocabularies that were SentencePiece's: U+2581 to a space,
/// ByteFallback, Fuse, and one leading space taken away.
void BpeTokenizer::read_decoder(const std::vector<BpeDecoderStep>& steps) {
  using Does = BpeDecoderStep::Kind;
  const auto refuse = [&](std::string_view what) {
    throw Error(where_, fmt::format("the decoder {}: this is not read", what),
                "docs/released-models.md lists what is read");
  };
  const bool has_level = std::any_of(steps.begin(), steps.end(),
                                     [](const auto& s) { return s.kind == Does::ByteLevel; });
  if (steps.empty() && is_byte_level_) refuse("is missing");
  if (steps.empty()) return;  // tokens as they are spelled
  if (has_level != is_byte_level_) refuse("and the pre_tokenizer are not both ByteLevel");
  if (has_level && steps.size() > 1) refuse("has other steps beside ByteLevel");
  for (const BpeDecoderStep& step : steps) {
    if (step.kind == Does::Replace) {
      if (step.from != kBlankSign || step.to != " ")
        refuse("replaces other than U+2581 by a space");
      blank_is_space_ = true;
    } else if (step.kind == Does::ByteFallback) {
      decodes_bytes_ = true;
    } else if (step.kind == Does::Strip) {
      if (step.from != " " || step.start > 1 || step.stop != 0) {
        refuse("strips other than one space from the begin");
      }
      drops_space_ = step.start == 1;
    }
  }
}

std::string BpeTokenizer::decoded(std::string_view piece) const {
  if (is_byte_level_) return bytes_of_letters(piece).value_or(std::string(piece));
  if (const int byte = spelled_byte(piece); decodes_bytes_ && byte >= 0) {
    return std::string(1, static_cast<char>(byte));
  }
  std::string out;
  for (std::size_t at = 0; at < piece.size();) {
    const bool is_blank = blank_is_space_ && piece.substr(at).starts_with(kBlankSign);
    out.push_back(is_blank ? ' ' : piece[at]);
    at += is_blank ? kBlankSign.size() : 1;
  }
  return out;
}

void BpeTokenizer::set_piece(std::int32_t id, const std::string& piece) {
  const auto at = static_cast<std::size_t>(id);
  if (at >= pieces_.size()) {
    pieces_.resize(at + 1);
    bytes_.resize(at + 1);
    special_.resize(at + 1);
  }
  if (!pieces_[at].empty() && pieces_[at] != piece) {
    throw Error(where_,
                fmt::format("the id {} stands for \"{}\" and for \"{}\"", id, pieces_[at], piece),
                "copy or download the file again");
  }
  pieces_[at] = piece;
  bytes_[at] = decoded(piece);
}

void BpeTokenizer::read_tokens(const BpeFile& file) {
  ids_.reserve(file.vocab.size());
  for (const auto& [token, id] : file.vocab) {
    set_piece(id, token);
    if (!is_byte_level_) {
      ids_.emplace(token, id);
      if (const int byte = spelled_byte(token); byte >= 0 && file.byte_fallback) {
        byte_ids_[static_cast<std::size_t>(byte)] = id;
      }
    } else if (auto bytes = bytes_of_letters(token)) {
      if (bytes->size() == 1) byte_ids_[static_cast<unsigned char>((*bytes)[0])] = id;
      ids_.emplace(std::move(*bytes), id);
    }
  }
  const bool lacks_bytes = std::count(byte_ids_.begin(), byte_ids_.end(), -1) > 0;
  if (is_byte_level_ && file.byte_fallback && lacks_bytes) {
    throw Error(where_, "model.byte_fallback with ByteLevel and without all bytes is not read",
                "docs/released-models.md lists what is read");
  }
  if (file.unknown.empty()) return;
  const auto found = file.vocab.find(file.unknown);
  if (found == file.vocab.end()) {
    throw Error(where_, fmt::format("model.unk_token \"{}\" is not in model.vocab", file.unknown),
                "copy or download the file again");
  }
  unknown_ = found->second;
}

void BpeTokenizer::read_merges(const BpeFile& file) {
  const auto id_of = [&](const std::string& token, std::size_t merge) {
    const auto found = file.vocab.find(token);
    if (found != file.vocab.end()) return found->second;
    throw Error(where_,
                fmt::format("model.merges[{}] needs the token \"{}\", which model.vocab has not",
                            merge, token),
                "copy or download the file again");
  };
  for (std::size_t i = 0; i < file.merges.size(); ++i) {
    const auto& [left, right] = file.merges[i];
    const std::int32_t left_id = id_of(left, i), right_id = id_of(right, i);
    merges_.add(left_id, right_id, {static_cast<std::uint32_t>(i), id_of(left + right, i)});
  }
}

void BpeTokenizer::mark_special(std::int32_t id) {
  if (id < 0) return;
  special_[static_cast<std::size_t>(id)] = true;
  bytes_[static_cast<std::size_t>(id)].clear();
}

void BpeTokenizer::read_added(const BpeRoles& roles) {
  std::vector<std::string> raw, normal;
  std::vector<const AddedToken*> raw_tokens, normal_tokens;
  for (AddedToken& token : file_.added) {
    const auto known = file_.vocab.find(token.content);
    if (known != file_.vocab.end() && known->second != token.id) {
      throw Error(where_,
                  fmt::format("the added token \"{}\" has the id {}, and model.vocab gives it {}",
                              token.content, token.id, known->second),
                  "copy or download the file again");
    }
    set_piece(token.id, token.content);
    token.special = token.special || spells_role(token.content) || token.content == roles.begin ||
                    token.content == roles.end || token.content == roles.pad;
    if (token.special) mark_special(token.id);
  }
  // Where two are spelled alike behind the normaliser, one with a role counts.
  for (const bool special : {true, false}) {
    for (const AddedToken& token : file_.added) {
      if (token.special != special) continue;
      std::string spelling = token.content, no_marks;
      if (token.normalized) normaliser_.apply(spelling, no_marks);
      (token.normalized ? normal : raw).push_back(std::move(spelling));
      (token.normalized ? normal_tokens : raw_tokens).push_back(&token);
    }
  }
  raw_tokens_ = AddedTokenFinder(std::move(raw), std::move(raw_tokens));
  normal_tokens_ = AddedTokenFinder(std::move(normal), std::move(normal_tokens));
}

std::int32_t BpeTokenizer::role_id(const std::string& token, const char* key,
                                   bool is_needed) const {
  if (token.empty()) return -1;
  const auto found = std::find(pieces_.begin(), pieces_.end(), token);
  if (found != pieces_.end()) return static_cast<std::int32_t>(found - pieces_.begin());
  if (!is_needed) return -1;
  throw Error(
      where_,
      fmt::format("{} is \"{}\" in the files beside it, and is not in the vocabulary", key, token),
      "copy or download all files of the tokenizer again");
}

void BpeTokenizer::read_roles(const BpeFile& file, const BpeRoles& roles) {
  for (const auto& [id, content] : roles.added) {
    const auto at = static_cast<std::size_t>(id);
    if (at < pieces_.size() && pieces_[at] == content) continue;
    throw Error(where_,
                fmt::format("tokenizer_config.json names the added token {} \"{}\", which this "
                            "file does not",
                            id, content),
                "copy or download all files of the tokenizer again");
  }
  const auto spelled = [&](std::string_view spelling) { return special_id(spelling); };
  specials_.bos = role_id(roles.begin, "bos_token", true);
  if (specials_.bos < 0) specials_.bos = role_id(file.begin, "the first token", true);
  if (specials_.bos < 0) specials_.bos = spelled(special::kBos);
  specials_.eos = role_id(roles.end, "eos_token", true);
  if (specials_.eos < 0) specials_.eos = spelled(special::kEos);
  mark_special(specials_.bos);
  mark_special(specials_.eos);
  specials_.pad = role_id(roles.pad, "pad_token", false);
  specials_.unknown = unknown_ >= 0 ? unknown_ : role_id(roles.unknown, "unk_token", false);
  specials_.fim_begin = spelled(special::kFimBegin);
  specials_.fim_hole = spelled(special::kFimHole);
  specials_.fim_end = spelled(special::kFimEnd);
  specials_.user = spelled(special::kUser);
  specials_.assistant = spelled(special::kAssistant);
  // NOTE: files of one family disagree: the configuration of the slow form counts where it speaks.
  adds_bos_ =
      specials_.bos >= 0 && (roles.says_adds_begin ? roles.adds_begin : !file.begin.empty());
}

void BpeTokenizer::describe_alterations(const BpeFile& file) {
  std::vector<std::string> parts;
  for (const BpeNormaliser& step : file.normalisers) {
    const bool is_blank = step.kind == BpeNormaliser::Kind::Replace && !step.pattern.is_regex &&
                          step.pattern.text == " " && step.content == kBlankSign;
    if (step.kind == BpeNormaliser::Kind::Nfc) parts.emplace_back("normalises characters (NFC)");
    if (is_blank) parts.emplace_back("takes U+2581 for a space");
    if (step.kind == BpeNormaliser::Kind::Replace && !is_blank) {
      parts.push_back(fmt::format("replaces \"{}\" by \"{}\"", step.pattern.text, step.content));
    }
    if (step.kind == BpeNormaliser::Kind::Prepend && !drops_space_) {
      parts.push_back(fmt::format("puts \"{}\" before a text", step.content));
    }
  }
  if (splitter_.adds_spaces()) parts.emplace_back("puts a space before a text that has none");
  for (const BpeSplit& split : file.splits) {
    if (split.behaviour == BpeSplit::Behaviour::Removed)
      parts.emplace_back("leaves characters out");
  }
  if (std::count(byte_ids_.begin(), byte_ids_.end(), -1) > 0) {
    parts.emplace_back("has no token for characters it does not know");
  }
  alterations_ = fmt::format("{}", fmt::join(parts, "; "));
}

void BpeTokenizer::keep_neighbours(const fs::path& folder) {
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json"}) {
    std::ifstream file(folder / name, std::ios::binary);
    if (!file) continue;
    neighbours_.emplace_back(name, std::string(std::istreambuf_iterator<char>(file), {}));
  }
}

/// Cuts out what is no UTF-8, byte by byte: patterns see characters alone.
void BpeTokenizer::encode_bytes(std::string_view text, const MarksView& marks,
                                std::vector<std::int32_t>& out) const {
  if (utf8::is_valid(text)) return encode_valid(text, marks, false, out);
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    if (!character.valid) {
      encode_valid(text.substr(done, at - done), marks.part(done, at), done > 0, out);
      for (const char c : text.substr(at, character.bytes)) {
        const std::int32_t id = byte_ids_[static_cast<unsigned char>(c)];
        if (id >= 0 || unknown_ >= 0) out.push_back(id >= 0 ? id : unknown_);
      }
      done = at + character.bytes;
    }
    at += character.bytes;
  }
  encode_valid(text.substr(done), marks.part(done, text.size()), done > 0, out);
}

/// `goes_on`: something that is no text stands right before it, so nothing is put in front.
void BpeTokenizer::encode_valid(std::string_view text, const MarksView& marks, bool goes_on,
                                std::vector<std::int32_t>& out) const {
  for (const AddedTokenFinder::Part& part : raw_tokens_.parts(text, marks)) {
    if (part.token) {
      out.push_back(part.token->id);
      continue;
    }
    const std::string_view piece = text.substr(part.begin, part.end - part.begin);
    const MarksView its_marks = marks.part(part.begin, part.end);
    if (normaliser_.is_empty()) {
      encode_between(piece, its_marks, out);
    } else {
      std::string normal(piece), normal_marks(its_marks.each);
      normaliser_.apply(normal, normal_marks, goes_on && part.begin == 0);
      encode_between(normal, {normal_marks, its_marks.all}, out);
    }
  }
}

void BpeTokenizer::encode_between(std::string_view text, const MarksView& marks,
                                  std::vector<std::int32_t>& out) const {
  for (const AddedTokenFinder::Part& part : normal_tokens_.parts(text, marks)) {
    if (part.token) {
      out.push_back(part.token->id);
    } else {
      encode_words(text.substr(part.begin, part.end - part.begin), out);
    }
  }
}

void BpeTokenizer::encode_words(std::string_view text, std::vector<std::int32_t>& out) const {
  WordIds& cache = word_cache(serial_);
  std::vector<std::int32_t> ids;
  splitter_.run(text, [&](std::string_view word) {
    if (word.size() > kMaxCachedWordBytes) {
      encode_word(word, ids);
      out.insert(out.end(), ids.begin(), ids.end());
      return;
    }
    auto found = cache.find(word);
    if (found == cache.end()) {
      if (cache.size() >= kMaxCachedWords) cache.clear();
      encode_word(word, ids);
      found = cache.emplace(word, ids).first;
    }
    out.insert(out.end(), found->second.begin(), found->second.end());
  });
}

/// The bytes of the symbol that a word begins with at `at`, and its token; -1: none.
std::size_t BpeTokenizer::symbol_at(std::string_view word, std::size_t at, std::int32_t& id) const {
  if (is_byte_level_) {
    id = byte_ids_[static_cast<unsigned char>(word[at])];
    return 1;
  }
  const std::size_t bytes = utf8::next(word, at).bytes;
  const auto found = ids_.find(word.substr(at, bytes));
  id = found == ids_.end() ? -1 : found->second;
  return bytes;
}

/// Symbols without a token become bytes where the vocabulary has all of theirs, else the unknown
/// token, which comes when the next symbol with a token does; without one they are left out.
void BpeTokenizer::encode_word(std::string_view word, std::vector<std::int32_t>& ids) const {
  ids.clear();
  if (file_.ignore_merges) {
    const auto whole = ids_.find(word);
    if (whole != ids_.end()) {
      ids.push_back(whole->second);
      return;
    }
  }
  bool owes_unknown = false;
  for (std::size_t at = 0, bytes = 0; at < word.size(); at += bytes) {
    std::int32_t id = -1;
    bytes = symbol_at(word, at, id);
    if (id >= 0) {
      if (owes_unknown) ids.push_back(unknown_);
      owes_unknown = false;
      ids.push_back(id);
      continue;
    }
    const std::string_view symbol = word.substr(at, bytes);
    const bool has_bytes =
        file_.byte_fallback && std::all_of(symbol.begin(), symbol.end(), [&](char c) {
          return byte_ids_[static_cast<unsigned char>(c)] >= 0;
        });
    if (has_bytes) {
      for (const char c : symbol) ids.push_back(byte_ids_[static_cast<unsigned char>(c)]);
    } else if (unknown_ >= 0) {
      if (owes_unknown && !file_.fuse_unknown) ids.push_back(unknown_);
      owes_unknown = true;
    }
  }
  if (owes_unknown) ids.push_back(unknown_);
  merges_.apply(ids);
}

std::vector<std::int32_t> BpeTokenizer::encode(std::string_view text, SpecialText specials) const {
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 3);
  const char mark = specials == SpecialText::Parse ? MarkedText::kOwn : MarkedText::kForeign;
  encode_bytes(text, {{}, mark}, ids);
  return ids;
}

std::vector<std::int32_t> BpeTokenizer::encode_marked(const MarkedText& text) const {
  std::vector<std::int32_t> ids;
  encode_bytes(text.text, {text.marks, MarkedText::kOwn}, ids);
  return ids;
}

void BpeTokenizer::save(const fs::path& folder) const {
  const auto write = [&](std::string_view name, const std::string& content) {
    const fs::path path = folder / name;
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) {
      throw Error(path.string(), "cannot write the vocabulary",
                  "check that the folder exists and the disk has room");
    }
  };
  write(file_name(), text_);
  for (const auto& [name, content] : neighbours_) write(name, content);
}

}  // namespace

std::shared_ptr<const Tokenizer> make_bpe_tokenizer(std::string text, const fs::path& path) {
  return std::make_shared<BpeTokenizer>(std::move(text), path);
}

}  // namespace tessera
