// SPDX-License-Identifier: MIT
#include "core/tokenizer/sentencepiece_file.h"

#include <cstring>

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
        bytes_ = take(8);
        break;
      case 2:
        bytes_ = take(varint());
        break;
      case 5:
        bytes_ = take(4);
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

SentencePieceEntry piece_entry(Fields fields) {
  SentencePieceEntry entry;
  while (fields.next()) {
    if (fields.number() == 1) entry.piece = fields.bytes();
    if (fields.number() == 2 && fields.bytes().size() == sizeof(float)) {
      std::memcpy(&entry.score, fields.bytes().data(), sizeof(float));
    }
    if (fields.number() == 3) entry.type = static_cast<SentencePieceFacts::Piece>(fields.value());
  }
  return entry;
}

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
/// Messages of protocol buffers, field by field.
class Message {
 public:
  void number(int field, std::uint64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(value);
  }
  void bytes(int field, std::string_view value) {
    varint((static_cast<std::uint64_t>(field) << 3) | 2);
    varint(value.size());
    text_ += value;
  }
  void real(int field, float value) {
    varint((static_cast<std::uint64_t>(field) << 3) | 5);
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  const std::string& text() const { return text_; }

 private:
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    text_.push_back(static_cast<char>(value));
  }
  std::string text_;
};
}  // namespace

SentencePieceContents read_sentencepiece_contents(std::string_view model,
                                                  const std::string& where) {
  SentencePieceContents contents;
  Fields fields(model, where);
  while (fields.next()) {
    Fields inner(fields.bytes(), where);
    if (fields.number() == 1) contents.pieces.push_back(piece_entry(inner));
    if (fields.number() != 2) continue;
    while (inner.next()) {
      if (inner.number() == 3) {
        contents.model = static_cast<SentencePieceContents::Model>(inner.value());
      }
      if (inner.number() == 40) contents.unknown = static_cast<std::int32_t>(inner.value());
    }
  }
  return contents;
}

std::string write_sentencepiece_model(SentencePieceContents::Model kind,
                                      const std::vector<SentencePieceEntry>& pieces,
                                      const SentencePieceRoles& roles, bool leading_space) {
  Message model, trainer, normaliser;
  for (const SentencePieceEntry& entry : pieces) {
    Message piece;
    piece.bytes(1, entry.piece);
    piece.real(2, entry.score);
    piece.number(3, static_cast<std::uint64_t>(entry.type));
    model.bytes(1, piece.text());
  }
  bool has_bytes = false;
  for (const SentencePieceEntry& entry : pieces) {
    has_bytes = has_bytes || entry.type == SentencePieceFacts::Piece::Byte;
  }
  trainer.number(3, static_cast<std::uint64_t>(kind));
  trainer.number(4, pieces.size());
  trainer.number(35, has_bytes ? 1 : 0);  // characters without a piece are spelled in byte tokens
  const struct {
    int id_field, piece_field;
    std::int32_t id;
  } ends[] = {
      {40, 45, roles.unknown}, {41, 46, roles.bos}, {42, 47, roles.eos}, {43, 48, roles.pad}};
  for (const auto& end : ends) {
    // A number below 0 is written as 64 bits; the piece of no role must be one that is not there.
    trainer.number(end.id_field, static_cast<std::uint64_t>(static_cast<std::int64_t>(end.id)));
    trainer.bytes(end.piece_field,
                  end.id >= 0 ? pieces[static_cast<std::size_t>(end.id)].piece : "<none>");
  }
  normaliser.bytes(1, "identity");
  normaliser.number(3, leading_space ? 1 : 0);
  normaliser.number(4, 0);
  normaliser.number(5, 1);
  model.bytes(2, trainer.text());
  model.bytes(3, normaliser.text());
  return model.text();
}

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
