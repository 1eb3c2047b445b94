// SPDX-License-Identifier: MIT
// SentencePiece works on valid UTF-8 and writes a space as U+2581. Where the vocabulary allows it
// (no normalisation, byte tokens), text is encoded exactly for every sequence of bytes: what
// SentencePiece would alter (ill-formed bytes, a true U+2581, NUL) becomes byte tokens, and
// decoding goes through a table of the bytes of each piece. Vocabularies that alter text by design
// encode it as SentencePiece itself does; alterations() says what changes.
#include "core/tokenizer/sentencepiece_tokenizer.h"

#include <sentencepiece_processor.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <unordered_map>

#include "core/base/error.h"
#include "core/tokenizer/role_spelling.h"
#include "core/tokenizer/sentencepiece_file.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {

constexpr char32_t kBlank = 0x2581;
constexpr std::string_view kBlankBytes = "\xE2\x96\x81";
/// Longer words (text without spaces, such as Chinese, or a long line of base64) are encoded in
/// parts: bounds the memory and the time of one call.
constexpr std::size_t kMaxSegmentBytes = 4096;
/// Longer ones are rarely met again.
constexpr std::size_t kMaxCachedBytes = 64, kMaxCachedSegments = 1 << 16;

enum class Kind { Word, Verbatim };

/// The next part of `text` that can be encoded on its own: a run of spaces and the word behind it,
/// a run of line ends or tabs, or bytes to be spelled as byte tokens. No piece of the vocabulary
/// crosses these borders (checked when loading), so encoding parts equals encoding the whole.
struct Segment {
  std::size_t bytes = 0;
  Kind kind = Kind::Word;
};

bool is_verbatim(const utf8::Character& character) {
  return !character.valid || character.code == kBlank || character.code == 0;
}

Segment next_segment(std::string_view text, std::size_t at, bool split_words) {
  const utf8::Character first = utf8::next(text, at);
  if (is_verbatim(first)) return {first.bytes, Kind::Verbatim};
  std::size_t end = at;
  if (text[at] == '\n' || text[at] == '\t') {
    while (end < text.size() && text[end] == text[at] && end - at < kMaxSegmentBytes) ++end;
    return {end - at, Kind::Word};
  }
  bool in_word = false;
  while (end < text.size() && end - at < kMaxSegmentBytes) {
    const char c = text[end];
    if (c == '\n' || c == '\t' || (c == ' ' && in_word && split_words)) break;
    const utf8::Character character = utf8::next(text, end);
    if (is_verbatim(character)) break;
    in_word = in_word || c != ' ';
    end += character.bytes;
  }
  return {end - at, Kind::Word};
}

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return XXH3_64bits(text.data(), text.size());
  }
};
using SegmentCache = std::unordered_map<std::string, std::vector<int>, TextHash, std::equal_to<>>;

/// Words repeat: most of a text comes out of this table, one a thread, of the vocabulary that the
/// thread used last.
SegmentCache& segment_cache(std::uint64_t serial) {
  thread_local SegmentCache cache;
  thread_local std::uint64_t owner = 0;
  if (owner != serial) cache.clear();
  owner = serial;
  return cache;
}

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, const std::string& where);

  std::vector<std::int32_t> encode(std::string_view text, SpecialText specials) const override;
  std::vector<std::int32_t> encode_marked(const MarkedText& text) const override;
  std::string_view file_name() const override { return "tokenizer.model"; }
  std::string_view bytes_of(std::int32_t id) const override { return bytes_[checked(id)]; }
  std::string_view piece(std::int32_t id) const override {
    checked(id);
    return processor_.IdToPiece(id);
  }
  bool is_special(std::int32_t id) const override { return special_[checked(id)]; }
  std::int32_t vocab_size() const override { return static_cast<std::int32_t>(bytes_.size()); }
  const SpecialTokens& specials() const override { return specials_; }
  void save(const std::filesystem::path& folder) const override;
  const std::string& hash() const override { return hash_; }
  bool adds_leading_space() const override {
    return facts_.leading_space && !facts_.space_behind_word;
  }
  const std::string& alterations() const override { return alterations_; }

 private:
  std::size_t checked(std::int32_t id) const {
    if (id < 0 || id >= vocab_size())
      throw Error("tokenizer",
                  fmt::format("token {} is outside the vocabulary of {}", id, vocab_size()),
                  "the tokens belong to another vocabulary");
    return static_cast<std::size_t>(id);
  }
  void read_pieces();
  void read_piece(int id);
  void find_specials();
  void guard_spelled_roles();
  bool is_exact();
  bool round_trips(std::string_view probe) const;
  const std::pair<std::string, std::int32_t>* first_special(std::string_view text,
                                                            std::string_view marks,
                                                            std::size_t from,
                                                            std::size_t& at) const;
  void encode_with_specials(std::string_view text, std::string_view marks,
                            std::vector<std::int32_t>& ids) const;
  void encode_text(std::string_view text, std::vector<std::int32_t>& out) const;
  void encode_parts(std::string_view text, std::vector<std::int32_t>& out) const;
  std::vector<int> encode_segment(std::string_view segment) const;

  std::string model_, hash_;
  sentencepiece::SentencePieceProcessor processor_;
  std::vector<std::string> bytes_;
  std::vector<bool> special_;
  std::array<std::int32_t, 256> byte_ids_{};
  std::vector<std::pair<std::string, std::int32_t>> spellings_;
  SpecialTokens specials_;
  SentencePieceFacts facts_;
  std::string alterations_;  ///< what encoding changes in a text; empty: nothing
  bool exact_ = false;       ///< text is encoded in parts, and byte by byte where need be
  bool split_words_ = true;
  bool mixes_lines_ = false;  ///< a piece holds a line end or tab beside other characters
  /// For special tokens that SentencePiece finds in text: the ids that spell them as text.
  std::unordered_map<int, std::vector<int>> spelled_out_;
  const std::uint64_t serial_ = next_serial();
};

/// What a vocabulary changes in a text, for people.
std::string describe_alterations(const SentencePieceFacts& facts) {
  std::vector<std::string> parts;
  if (!facts.rules.empty()) parts.push_back(fmt::format("normalises characters ({})", facts.rules));
  if (facts.removes_spaces) parts.emplace_back("joins runs of spaces and drops those at the ends");
  if (!facts.byte_fallback) parts.emplace_back("has no token for characters it does not know");
  if (parts.empty()) parts.emplace_back("does not give back every text exactly");
  return fmt::format("{}", fmt::join(parts, "; "));
}

SentencePieceTokenizer::SentencePieceTokenizer(std::string model, const std::string& where)
    : model_(std::move(model)) {
  if (!processor_.LoadFromSerializedProto(model_).ok()) {
    throw Error(where, "this is no SentencePiece model, or it is damaged",
                "copy or download the file again");
  }
  hash_ = fmt::format("{:016x}", XXH3_64bits(model_.data(), model_.size()));
  facts_ = read_sentencepiece_facts(model_, where);
  if (facts_.pieces.size() != static_cast<std::size_t>(processor_.GetPieceSize())) {
    throw Error(where,
                fmt::format("the SentencePiece model lists {} pieces and gives {}",
                            facts_.pieces.size(), processor_.GetPieceSize()),
                "copy or download the file again");
  }
  read_pieces();
  find_specials();
  guard_spelled_roles();
  exact_ = is_exact();
  if (!exact_) alterations_ = describe_alterations(facts_);
}

void SentencePieceTokenizer::read_pieces() {
  byte_ids_.fill(-1);
  for (int id = 0; id < processor_.GetPieceSize(); ++id) read_piece(id);
}

void SentencePieceTokenizer::read_piece(int id) {
  using Piece = SentencePieceFacts::Piece;
  const std::string& spelling = processor_.IdToPiece(id);
  const Piece type = facts_.pieces[static_cast<std::size_t>(id)];
  const bool is_special = type == Piece::Control || type == Piece::Unknown ||
                          (type == Piece::UserDefined && spells_role(spelling));
  special_.push_back(is_special);
  std::string bytes;
  if (is_special) {
    spellings_.emplace_back(spelling, id);
  } else if (type == Piece::Byte) {
    const int value = std::stoi(spelling.substr(3, 2), nullptr, 16);  // "<0x0A>"
    byte_ids_[static_cast<std::size_t>(value)] = id;
    bytes.push_back(static_cast<char>(value));
  } else {
    for (std::size_t at = 0; at < spelling.size();) {
      const bool blank = spelling.compare(at, kBlankBytes.size(), kBlankBytes) == 0;
      if (blank && at > 0 && bytes.back() != ' ') split_words_ = false;
      bytes.push_back(blank ? ' ' : spelling[at]);
      at += blank ? kBlankBytes.size() : 1;
    }
    const std::size_t line = bytes.find_first_of("\n\t");
    mixes_lines_ = mixes_lines_ || (line != std::string::npos &&
                                    bytes.find_first_not_of(bytes[line]) != std::string::npos);
  }
  bytes_.push_back(std::move(bytes));
}

void SentencePieceTokenizer::find_specials() {
  const auto find = [&](std::string_view spelling) { return special_id(spelling); };
  specials_ = {processor_.bos_id(),    processor_.eos_id(),      processor_.pad_id(),
               processor_.unk_id(),    find(special::kFimBegin), find(special::kFimHole),
               find(special::kFimEnd), find(special::kUser),     find(special::kAssistant)};
}

/// Each character of a role on its own: as a piece, in bytes, or as the unknown token.
void SentencePieceTokenizer::guard_spelled_roles() {
  for (const auto& [spelling, id] : spellings_) {
    if (facts_.pieces[static_cast<std::size_t>(id)] != SentencePieceFacts::Piece::UserDefined) {
      continue;
    }
    std::vector<int>& ids = spelled_out_[id];
    for (std::size_t at = 0; at < spelling.size();) {
      const std::string part = spelling.substr(at, utf8::next(spelling, at).bytes);
      at += part.size();
      const int piece = processor_.PieceToId(part);
      if (piece != specials_.unknown) {
        ids.push_back(piece);
        continue;
      }
      for (const char c : part) {
        const std::int32_t byte = byte_ids_[static_cast<unsigned char>(c)];
        ids.push_back(byte >= 0 ? byte : specials_.unknown);
        if (byte < 0) break;
      }
    }
  }
}

bool SentencePieceTokenizer::round_trips(std::string_view probe) const {
  return decode(encode(probe, SpecialText::AsText)) == probe;
}

/// Whether text can be encoded in parts and comes back as it was. A space before the text is no
/// hindrance: it is put there by encode_text() and taken away by decode().
bool SentencePieceTokenizer::is_exact() {
  const bool has_bytes = std::count(byte_ids_.begin(), byte_ids_.end(), -1) == 0;
  if (!facts_.rules.empty() || facts_.removes_spaces || !facts_.escapes_spaces ||
      facts_.space_behind_word || !facts_.byte_fallback || !has_bytes || mixes_lines_) {
    return false;
  }
  if (facts_.leading_space &&
      !processor_.LoadFromSerializedProto(without_leading_space(model_)).ok()) {
    // A self-test in the file speaks of the space.
    const auto status = processor_.LoadFromSerializedProto(model_);
    if (!status.ok()) throw Error("tokenizer", status.ToString());
    return false;
  }
  exact_ = true;
  // A leading space, runs of spaces, a compatibility character, trailing space and line ends.
  if (round_trips("a  b \xEF\xAC\x81 \xE2\x85\xA3\t\n\n c ") && round_trips(" a")) return true;
  exact_ = false;
  const auto status = processor_.LoadFromSerializedProto(model_);
  if (!status.ok()) throw Error("tokenizer", status.ToString());
  return false;
}

std::vector<int> SentencePieceTokenizer::encode_segment(std::string_view segment) const {
  std::vector<int> ids;
  const auto status = processor_.Encode(segment, &ids);
  if (!status.ok()) throw Error("tokenizer", status.ToString());
  if (spelled_out_.empty()) return ids;
  std::vector<int> guarded;
  for (const int id : ids) {
    const auto found = spelled_out_.find(id);
    if (found == spelled_out_.end()) {
      guarded.push_back(id);
    } else {
      guarded.insert(guarded.end(), found->second.begin(), found->second.end());
    }
  }
  return guarded;
}

void SentencePieceTokenizer::encode_text(std::string_view text,
                                         std::vector<std::int32_t>& out) const {
  if (text.empty()) return;
  if (exact_) {
    if (!facts_.leading_space) return encode_parts(text, out);
    std::string spaced(1, ' ');
    return encode_parts(spaced.append(text), out);
  }
  const auto ids = encode_segment(text);
  out.insert(out.end(), ids.begin(), ids.end());
}

void SentencePieceTokenizer::encode_parts(std::string_view text,
                                          std::vector<std::int32_t>& out) const {
  SegmentCache& cache = segment_cache(serial_);
  for (std::size_t at = 0; at < text.size();) {
    const Segment segment = next_segment(text, at, split_words_);
    const std::string_view part = text.substr(at, segment.bytes);
    at += segment.bytes;
    if (segment.kind == Kind::Verbatim) {
      for (char c : part) out.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      continue;
    }
    if (part.size() > kMaxCachedBytes) {
      const auto ids = encode_segment(part);
      out.insert(out.end(), ids.begin(), ids.end());
      continue;
    }
    auto found = cache.find(part);
    if (found == cache.end()) {
      if (cache.size() >= kMaxCachedSegments) cache.clear();
      found = cache.emplace(part, encode_segment(part)).first;
    }
    out.insert(out.end(), found->second.begin(), found->second.end());
  }
}

/// The first special token that is spelled at or behind `from` in bytes that are all own.
const std::pair<std::string, std::int32_t>* SentencePieceTokenizer::first_special(
    std::string_view text, std::string_view marks, std::size_t from, std::size_t& at) const {
  const std::pair<std::string, std::int32_t>* hit = nullptr;
  at = std::string_view::npos;
  for (const auto& spelling : spellings_) {
    std::size_t found = text.find(spelling.first, from);
    while (found < at && !marks.empty() &&
           marks.substr(found, spelling.first.size()).find(MarkedText::kForeign) !=
               std::string_view::npos) {
      found = text.find(spelling.first, found + 1);
    }
    if (found < at) {
      at = found;
      hit = &spelling;
    }
  }
  return hit;
}

void SentencePieceTokenizer::encode_with_specials(std::string_view text, std::string_view marks,
                                                  std::vector<std::int32_t>& ids) const {
  std::size_t done = 0, at = 0;
  while (const auto* hit = first_special(text, marks, done, at)) {
    encode_text(text.substr(done, at - done), ids);
    ids.push_back(hit->second);
    done = at + hit->first.size();
  }
  encode_text(text.substr(done), ids);
}

std::vector<std::int32_t> SentencePieceTokenizer::encode(std::string_view text,
                                                         SpecialText specials) const {
  std::vector<std::int32_t> ids;
  ids.reserve(text.size() / 3);
  if (specials == SpecialText::Parse) {
    encode_with_specials(text, {}, ids);
  } else {
    encode_text(text, ids);
  }
  return ids;
}

std::vector<std::int32_t> SentencePieceTokenizer::encode_marked(const MarkedText& text) const {
  std::vector<std::int32_t> ids;
  encode_with_specials(text.text, text.marks, ids);
  return ids;
}

void SentencePieceTokenizer::save(const std::filesystem::path& folder) const {
  const auto path = folder / "tokenizer.model";
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(model_.data(), static_cast<std::streamsize>(model_.size()));
  file.close();
  if (!file)
    throw Error(path.string(), "cannot write the vocabulary",
                "check that the folder exists and the disk has room");
}

}  // namespace

std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(std::string model,
                                                              const std::string& where) {
  return std::make_shared<SentencePieceTokenizer>(std::move(model), where);
}

}  // namespace tessera
