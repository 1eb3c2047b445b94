// SPDX-License-Identifier: MIT
#include "core/data/document_reader.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/data/words.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

namespace {

constexpr std::size_t kChunkBytes = 1 << 16;

/// 0x80 to 0x9F of Windows-1252; 0 where it has no character.
constexpr std::array<char16_t, 32> kWindows1252 = {
    0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017D, 0,      0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

/// Empty when the bytes are not plausibly Latin-1.
std::string from_latin1(std::string_view bytes) {
  std::string text;
  std::size_t high = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x80) {
      text.push_back(bytes[at]);
      continue;
    }
    const char32_t code = byte < 0xA0 ? kWindows1252[byte - 0x80u] : byte;
    // A whole UTF-8 sequence says that this is damaged UTF-8 rather than Latin-1.
    if (code == 0 || utf8::next(bytes, at).valid) return {};
    utf8::append(text, code);
    ++high;
  }
  return high * 10 <= bytes.size() * 3 ? text : std::string{};
}

void drop(Document& document, Drop reason) {
  document.dropped = true;
  document.reason = reason;
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

}  // namespace

void settle_text(Document& document) {
  std::string& text = document.text;
  if (text.find('\0') != std::string::npos) return drop(document, Drop::Binary);
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

DocumentReader::DocumentReader(const std::filesystem::path& path, std::string text_field,
                               const ReaderOptions& options)
    : path_(path),
      text_field_(std::move(text_field)),
      options_(options),
      input_(InputFile::open(path)) {}

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

void DocumentReader::fill() {
  std::array<char, kChunkBytes> chunk;
  const std::size_t got = input_->read(chunk.data(), chunk.size());
  if (encoding_ == Encoding::Bytes)
    pending_.append(chunk.data(), got);
  else
    take_utf16({chunk.data(), got});
}

bool DocumentReader::looks_like_jsonl() const {
  const std::string extension = lower_extension(path_);
  if (extension == ".jsonl" || extension == ".ndjson") return true;
  const std::size_t start = pending_.find_first_not_of(" \t\r\n");
  if (start == std::string::npos || pending_[start] != '{') return false;
  const std::string first = pending_.substr(start, pending_.find('\n', start) - start);
  const auto value = nlohmann::json::parse(first, nullptr, false);
  return value.is_object() && value.contains(text_field_) && value[text_field_].is_string();
}

void DocumentReader::open() {
  opened_ = true;
  std::string head(kChunkBytes, '\0');
  head.resize(input_->read(head.data(), head.size()));
  if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF")) {
    encoding_ = head[0] == '\xFF' ? Encoding::Utf16Little : Encoding::Utf16Big;
    take_utf16(std::string_view(head).substr(2));
  } else {
    pending_ = head.starts_with("\xEF\xBB\xBF") ? head.substr(3) : std::move(head);
  }
  jsonl_ = looks_like_jsonl();
}

bool DocumentReader::drop_at_end(Document& document) {
  finished_ = true;
  if (input_->state() == InputFile::State::Damaged) {
    drop(document, Drop::DamagedArchive);
    return true;
  }
  if (input_->state() == InputFile::State::Unreadable) {
    drop(document, Drop::Unreadable);
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
      drop(document, Drop::Binary);
      return true;
    }
  }
  const bool found = jsonl_ ? next_line(document) : next_part(document);
  if (!found) return drop_at_end(document);
  delivered_ = true;
  document.from_utf16 = encoding_ != Encoding::Bytes && !document.dropped;
  return true;
}

bool DocumentReader::next_part(Document& document) {
  const auto limit =
      static_cast<std::size_t>(std::max<std::int64_t>(options_.max_document_bytes, 8));
  while (pending_.size() <= limit && input_->state() == InputFile::State::Good) fill();
  // The last part of a damaged file is not whole: it is dropped as such.
  if (pending_.size() <= limit && input_->state() != InputFile::State::End) return false;
  if (pending_.empty()) return false;
  const std::size_t end = part_end(pending_, limit);
  document.text = pending_.substr(0, end);
  pending_.erase(0, end);
  settle_text(document);
  return true;
}

void DocumentReader::parse_line(std::string_view line, Document& document) {
  const auto value = nlohmann::json::parse(line.begin(), line.end(), nullptr, false);
  if (!value.is_object()) return drop(document, Drop::BrokenJson);
  const auto field = value.find(text_field_);
  if (field == value.end() || !field->is_string()) return drop(document, Drop::NoTextField);
  rest_ = field->get_ref<const std::string&>();
  rest_start_ = 0;
  if (rest_.empty()) drop(document, Drop::Empty);
}

bool DocumentReader::take_line(std::string& line, bool& huge) {
  const auto max_line = static_cast<std::size_t>(options_.max_line_bytes);
  std::size_t end;
  while ((end = pending_.find('\n', scanned_)) == std::string::npos &&
         input_->state() == InputFile::State::Good) {
    pending_.erase(0, line_start_);
    line_start_ = 0;
    huge = huge || pending_.size() > max_line;
    if (huge) pending_.clear();
    scanned_ = pending_.size();
    fill();
  }
  if (end == std::string::npos) {
    // A last line without an end counts when the file is whole.
    const bool any = huge || line_start_ < pending_.size();
    if (!any || input_->state() != InputFile::State::End) return false;
    end = pending_.size();
  }
  line.assign(pending_, line_start_, end - line_start_);
  line_start_ = scanned_ = std::min(end + 1, pending_.size());
  huge = huge || line.size() > max_line;
  return true;
}

bool DocumentReader::next_line(Document& document) {
  while (rest_start_ >= rest_.size()) {
    std::string line;
    bool huge = false;
    if (!take_line(line, huge)) return false;
    if (!huge && line.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (huge)
      drop(document, Drop::HugeLine);
    else
      parse_line(line, document);
    if (document.dropped) return true;
  }
  const auto limit =
      static_cast<std::size_t>(std::max<std::int64_t>(options_.max_document_bytes, 8));
  const std::string_view rest = std::string_view(rest_).substr(rest_start_);
  const std::size_t end = part_end(rest, limit);
  document.text = rest.substr(0, end);
  rest_start_ += end;
  settle_text(document);
  return true;
}

}  // namespace tessera::data
