// SPDX-License-Identifier: MIT
#include "core/data/document_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/progress.h"
#include "core/data/latin1.h"
#include "core/data/words.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

namespace {

constexpr std::size_t kChunkBytes = 1 << 16;
constexpr const char* kSpace = " \t\r\n";

void drop(Document& document, Drop reason, std::string note = {}) {
  document.dropped = true;
  document.reason = reason;
  document.note = std::move(note);
  document.text.clear();
}

std::string lower_extension(std::filesystem::path path) {
  for (const char* packed : {".gz", ".zst", ".zstd", ".gzip"})
    if (path.extension() == packed) {
      path = path.stem();
      break;
    }
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 'a' - 'A') : c;
  });
  return extension;
}

/// What a file with NUL bytes is, told by how it begins.
std::string kind_of_binary(std::string_view head) {
  using namespace std::string_view_literals;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kKinds = {{
      {"PAR1"sv, "a Parquet file: convert it to JSONL first"},
      {"ARROW1"sv, "an Arrow file: convert it to JSONL first"},
      {"\xFD\x37zXZ\0"sv, "packed with xz: unpack it first"},
      {"BZh"sv, "packed with bzip2: unpack it first"},
      {"\x04\x22\x4D\x18"sv, "packed with lz4: unpack it first"},
      {"PK\x03\x04"sv, "a zip archive: unpack it first"},
      {"7z\xBC\xAF\x27\x1C"sv, "a 7z archive: unpack it first"},
      {"%PDF-"sv, "a PDF file: extract its text first"},
      {"\xFF\xFE\0\0"sv, "UTF-32: convert it to UTF-8 first"},
      {"\0\0\xFE\xFF"sv, "UTF-32: convert it to UTF-8 first"},
  }};
  for (const auto& [magic, kind] : kKinds)
    if (head.starts_with(magic)) return std::string(kind);
  if (head.size() > 262 && head.substr(257, 5) == "ustar"sv)
    return "a tar archive: unpack it first";
  return "holds NUL bytes";
}

std::size_t positive(std::int64_t limit) {
  return static_cast<std::size_t>(std::max<std::int64_t>(limit, 8));
}

}  // namespace

void settle_text(Document& document) {
  std::string& text = document.text;
  if (text.find('\0') != std::string::npos) return drop(document, Drop::Binary, "holds NUL bytes");
  if (!utf8::is_valid(text)) {
    text = from_latin1(text);
    if (text.empty()) return drop(document, Drop::InvalidText);
    document.from_latin1 = true;
  }
  for (std::size_t at = 0; at < text.size();) {
    const utf8::Character character = utf8::next(text, at);
    if (!is_space(character.code)) return;
    at += character.bytes;
  }
  drop(document, Drop::Empty);
}

std::size_t part_end(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text.size();
  const std::string_view window = text.substr(0, limit);
  for (std::string_view border : {"\n\n", "\n\r\n", "\n", " "}) {
    const std::size_t at = window.rfind(border);
    if (at != std::string_view::npos && at + border.size() > limit / 2) return at + border.size();
  }
  std::size_t end = limit;
  while (end > limit - 4 && end > 1 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80)
    --end;
  return end;
}

DocumentReader::DocumentReader(const std::filesystem::path& path, const Source& source,
                               const ReaderOptions& options)
    : path_(path),
      text_field_(source.text_field),
      is_code_(source.domain == Domain::Code),
      options_(options),
      input_(InputFile::open(path)) {}

// ---- Bytes --------------------------------------------------------------------------------------

void DocumentReader::take_utf16(std::string_view bytes) {
  odd_bytes_ += bytes;
  std::size_t at = 0;
  for (; at + 1 < odd_bytes_.size(); at += 2) {
    const auto a = static_cast<unsigned char>(odd_bytes_[at]);
    const auto b = static_cast<unsigned char>(odd_bytes_[at + 1]);
    const char32_t unit = encoding_ == Encoding::Utf16Little ? a | b << 8 : a << 8 | b;
    const bool low = unit >= 0xDC00 && unit < 0xE000;
    if (high_surrogate_) {
      utf8::append(pending_,
                   low ? 0x10000 + ((high_surrogate_ - 0xD800) << 10) + (unit - 0xDC00) : 0xFFFD);
      high_surrogate_ = 0;
      if (low) continue;
    }
    if (unit >= 0xD800 && unit < 0xDC00)
      high_surrogate_ = unit;
    else
      utf8::append(pending_, low ? 0xFFFD : unit);
  }
  odd_bytes_.erase(0, at);
}

bool DocumentReader::more() const {
  return input_->state() == InputFile::State::Good && !is_set(options_.stop);
}

void DocumentReader::fill() {
  std::array<char, kChunkBytes> chunk;
  const std::size_t got = input_->read(chunk.data(), chunk.size());
  if (encoding_ == Encoding::Bytes)
    pending_.append(chunk.data(), got);
  else
    take_utf16({chunk.data(), got});
}

void DocumentReader::open() {
  opened_ = true;
  std::string head(kChunkBytes, '\0');
  head.resize(input_->read(head.data(), head.size()));
  const bool utf32 = head.starts_with(std::string_view("\xFF\xFE\0\0", 4));
  if (!utf32 && (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))) {
    encoding_ = head[0] == '\xFF' ? Encoding::Utf16Little : Encoding::Utf16Big;
    take_utf16(std::string_view(head).substr(2));
  } else {
    pending_ = head.starts_with("\xEF\xBB\xBF") ? head.substr(3) : std::move(head);
  }
  form_ = form_of_content();
}

// ---- What the file holds ------------------------------------------------------------------------

/// The line that begins at `start`, read on as far as a line may be long.
std::string_view DocumentReader::whole_line(std::size_t start) {
  std::size_t end, looked = start;
  while ((end = pending_.find('\n', looked)) == std::string::npos && more() &&
         pending_.size() - start <= positive(options_.max_line_bytes)) {
    looked = pending_.size();
    fill();
  }
  return std::string_view(pending_).substr(start, std::min(end, pending_.size()) - start);
}

/// The JSON value that begins at `start`; empty when it does not end within the limit of a line.
std::string_view DocumentReader::whole_value(std::size_t start) {
  ValueEnd end;
  for (std::size_t at = start;; ++at) {
    if (at == pending_.size()) {
      if (!more() || pending_.size() - start > positive(options_.max_line_bytes)) return {};
      fill();
      if (at == pending_.size()) return {};
    }
    if (end.take(pending_[at])) return std::string_view(pending_).substr(start, at + 1 - start);
  }
}

/// The first byte at or behind `from` that is no white space, read on as far as a line may be long.
std::size_t DocumentReader::first_visible(std::size_t from) {
  std::size_t at;
  while ((at = pending_.find_first_not_of(kSpace, from)) == std::string::npos && more() &&
         pending_.size() - from <= positive(options_.max_line_bytes))
    fill();
  return at;
}

bool DocumentReader::first_element_has_text(std::size_t start) {
  const std::size_t first = first_visible(start + 1);
  if (first == std::string::npos || pending_[first] != '{') return false;
  bool has_text = false;
  is_object(whole_value(first), text_field_, has_text);
  return has_text;
}

DocumentReader::Form DocumentReader::form_of_content() {
  const std::string extension = lower_extension(path_);
  const bool named_lines = extension == ".jsonl" || extension == ".ndjson";
  const bool named_json = extension == ".json" && !is_code_;
  const std::size_t start = pending_.find_first_not_of(kSpace);
  const char first = start == std::string::npos ? '\0' : pending_[start];
  if (first == '{') return form_of_objects(start, named_lines, named_json);
  if (first == '[' && (named_lines || named_json || first_element_has_text(start)))
    return Form::Values;
  return named_lines || (named_json && first != '\0') ? Form::Lines : Form::Text;
}

/// Judges content that begins with an object. Where the name does not say that it is data, it is if
/// the object has the text field, or when a second object stands in the next line: a lone object
/// without the field may well be a document (a file of settings among code).
DocumentReader::Form DocumentReader::form_of_objects(std::size_t start, bool named_lines,
                                                     bool named_json) {
  bool has_text = false;
  const std::string_view line = whole_line(start);
  const std::size_t behind = start + line.size();
  if (is_object(line, text_field_, has_text)) {
    if (has_text || named_lines || named_json) return Form::Lines;
    const std::size_t second = first_visible(behind);
    bool ignored = false;
    const bool another = second != std::string::npos && pending_[second] == '{' &&
                         is_object(whole_line(second), text_field_, ignored);
    return another ? Form::Lines : Form::Text;
  }
  const bool whole = is_object(whole_value(start), text_field_, has_text);
  if (whole && (has_text || named_lines || named_json)) return Form::Values;
  if (named_lines) return Form::Lines;
  if (!named_json) return Form::Text;
  // A damaged file: by lines where they look like objects, so that the sound ones are kept.
  const std::string first_line(whole_line(start));
  const std::size_t last = first_line.find_last_not_of(kSpace);
  return first_line.at(last) == '}' ? Form::Lines : Form::Values;
}

// ---- Documents ----------------------------------------------------------------------------------

bool DocumentReader::drop_at_end(Document& document) {
  finished_ = true;
  if (is_set(options_.stop)) return false;
  if (input_->state() == InputFile::State::Damaged) {
    drop(document, Drop::DamagedArchive, input_->fault());
    return true;
  }
  if (input_->state() == InputFile::State::Unreadable) {
    drop(document, Drop::Unreadable, input_->fault());
    return true;
  }
  if (inside_value_) {
    document.line = record_line_;
    drop(document, Drop::BrokenJson, "the file ends inside this value");
    return true;
  }
  if (delivered_) return false;
  drop(document, Drop::Empty);
  return true;
}

bool DocumentReader::next(Document& document) {
  document = {};
  if (finished_) return false;
  if (!opened_) {
    open();
    if (pending_.find('\0') != std::string::npos) {
      finished_ = true;
      drop(document, Drop::Binary, kind_of_binary(pending_));
      return true;
    }
  }
  const bool found = form_ == Form::Text ? next_part(document) : next_record(document);
  if (!found) return drop_at_end(document);
  delivered_ = true;
  document.from_utf16 = encoding_ != Encoding::Bytes && !document.dropped;
  return true;
}

bool DocumentReader::next_part(Document& document) {
  const std::size_t limit = positive(options_.max_document_bytes);
  while (pending_.size() <= limit && more()) fill();
  // The last part of a damaged file is not whole: it is dropped as such.
  if (pending_.size() <= limit && input_->state() != InputFile::State::End) return false;
  if (pending_.empty()) return false;
  const std::size_t end = part_end(pending_, limit);
  document.text = pending_.substr(0, end);
  pending_.erase(0, end);
  settle_text(document);
  return true;
}

/// Reads on with what is not needed any more let go. Turns `huge` on, and lets go of the record
/// itself, when that is too long to hold. False at the end of the file.
bool DocumentReader::compact(bool& huge) {
  if (!more()) return false;
  pending_.erase(0, start_);
  start_ = 0;
  huge = huge || pending_.size() > positive(options_.max_line_bytes);
  if (huge) pending_.clear();
  scanned_ = pending_.size();
  fill();
  return true;
}

bool DocumentReader::take_line(std::string& line, bool& huge) {
  std::size_t end;
  while ((end = pending_.find('\n', scanned_)) == std::string::npos && compact(huge)) {
  }
  if (end == std::string::npos) {
    // A last line without an end counts when the file is whole.
    const bool any = huge || start_ < pending_.size();
    if (!any || input_->state() != InputFile::State::End) return false;
    end = pending_.size();
  }
  line.assign(pending_, start_, end - start_);
  start_ = scanned_ = std::min(end + 1, pending_.size());
  record_line_ = line_++;
  huge = huge || line.size() > positive(options_.max_line_bytes);
  return true;
}

/// To the first byte of the next value, over white space, commas and the brackets of an array.
bool DocumentReader::skip_to_value() {
  for (;; ++scanned_) {
    start_ = scanned_;
    bool huge = false;
    while (scanned_ == pending_.size())
      if (!compact(huge)) return false;
    const char c = pending_[scanned_];
    if (c == '\n') ++line_;
    if (c == '[' && !in_array_) {
      in_array_ = true;
    } else if (c == ']' && in_array_) {
      in_array_ = false;
    } else if (std::string_view(" \t\r\n,").find(c) == std::string_view::npos) {
      start_ = scanned_;
      record_line_ = line_;
      return true;
    }
  }
}

bool DocumentReader::take_value(std::string& value, bool& huge) {
  if (!skip_to_value()) return false;
  inside_value_ = true;
  ValueEnd end;
  for (;; ++scanned_) {
    while (scanned_ == pending_.size())
      if (!compact(huge)) return false;
    const char c = pending_[scanned_];
    if (end.ends_before(c)) break;
    if (c == '\n') ++line_;
    if (!end.take(c)) continue;
    ++scanned_;
    break;
  }
  inside_value_ = false;
  value.assign(pending_, start_, scanned_ - start_);
  start_ = scanned_;
  huge = huge || value.size() > positive(options_.max_line_bytes);
  return true;
}

void DocumentReader::take_record(std::string_view text, Document& document) {
  JsonRecord record = parse_record(text, text_field_);
  document.line = record_line_;
  if (record.drop) return drop(document, *record.drop, std::move(record.note));
  rest_ = std::move(record.text);
  rest_start_ = 0;
  record_from_latin1_ = record.from_latin1;
}

bool DocumentReader::next_record(Document& document) {
  while (rest_start_ >= rest_.size()) {
    std::string text;
    bool huge = false;
    if (!(form_ == Form::Lines ? take_line(text, huge) : take_value(text, huge))) return false;
    if (!huge && text.find_first_not_of(kSpace) == std::string::npos) continue;
    document.line = record_line_;
    if (huge)
      drop(document, Drop::HugeLine,
           fmt::format("more than {} MiB", options_.max_line_bytes >> 20));
    else
      take_record(text, document);
    if (document.dropped) return true;
  }
  const std::string_view rest = std::string_view(rest_).substr(rest_start_);
  const std::size_t end = part_end(rest, positive(options_.max_document_bytes));
  document.line = record_line_;
  document.text = rest.substr(0, end);
  rest_start_ += end;
  settle_text(document);
  document.from_latin1 = !document.dropped && record_from_latin1_;
  return true;
}

}  // namespace tessera::data
