// SPDX-License-Identifier: MIT
#include "core/tokenizer/sentencepiece_file.h"

#include "core/base/error.h"

namespace tessera {

namespace {
/// The fields of one protocol buffers message, in the order of the file.
class Fields {
 public:
  Fields(std::string_view message, const std::string& where) : rest_(message), where_(where) {}

  /// Steps to the next field; false at the end.
  bool next() {
    if (rest_.empty()) return false;
    const std::uint64_t key = varint();
    number_ = static_cast<int>(key >> 3);
    switch (key & 7) {
      case 0:
        value_ = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        damaged();
    }
    return true;
  }
  int number() const { return number_; }
  bool flag() const { return value_ != 0; }
  std::uint64_t value() const { return value_; }
  std::string_view bytes() const { return bytes_; }

 private:
  [[noreturn]] void damaged() const {
    throw Error(where_, "the SentencePiece model is damaged", "copy or download the file again");
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    damaged();
  }
  std::string_view take(std::uint64_t count) {
    if (count > rest_.size()) damaged();
    const std::string_view part = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return part;
  }

  std::string_view rest_;
  const std::string& where_;
  int number_ = 0;
  std::uint64_t value_ = 0;
  std::string_view bytes_;
};

SentencePieceFacts::Piece piece_type(Fields piece) {
  std::uint64_t type = 1;
  while (piece.next()) {
    if (piece.number() == 3) type = piece.value();
  }
  return static_cast<SentencePieceFacts::Piece>(type);
}

void read_trainer(Fields trainer, SentencePieceFacts& facts) {
  while (trainer.next()) {
    if (trainer.number() == 24) facts.space_behind_word = trainer.flag();
    if (trainer.number() == 35) facts.byte_fallback = trainer.flag();
  }
}

void read_normaliser(Fields normaliser, SentencePieceFacts& facts) {
  std::string name;
  bool has_rules = false;
  while (normaliser.next()) {
    if (normaliser.number() == 1) name = normaliser.bytes();
    if (normaliser.number() == 2) has_rules = !normaliser.bytes().empty();
    if (normaliser.number() == 3) facts.leading_space = normaliser.flag();
    if (normaliser.number() == 4) facts.removes_spaces = normaliser.flag();
    if (normaliser.number() == 5) facts.escapes_spaces = normaliser.flag();
  }
  if (has_rules) facts.rules = name.empty() ? "rules of its own" : name;
}
}  // namespace

SentencePieceFacts read_sentencepiece_facts(std::string_view model, const std::string& where) {
  SentencePieceFacts facts;
  Fields fields(model, where);
  while (fields.next()) {
    const Fields inner(fields.bytes(), where);
    if (fields.number() == 1) facts.pieces.push_back(piece_type(inner));
    if (fields.number() == 2) read_trainer(inner, facts);
    if (fields.number() == 3) read_normaliser(inner, facts);
  }
  return facts;
}

std::string without_leading_space(std::string_view model) {
  // A message field that comes twice is merged: field 3 (the normaliser) with its field 3 as false.
  return std::string(model) + std::string("\x1A\x02\x18\x00", 4);
}

}  // namespace tessera
