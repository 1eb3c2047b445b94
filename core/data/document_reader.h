// SPDX-License-Identifier: MIT
// Private to core/data: the documents of one file.
#pragma once

#include <memory>
#include <string>

#include "core/data/input_file.h"
#include "core/data/source.h"

namespace tessera::data {

class DocumentReader {
 public:
  DocumentReader(const std::filesystem::path& path, std::string text_field,
                 const ReaderOptions& options);

  /// Sets text, dropped, reason and the encoding flags; false at the end of the file.
  bool next(Document& document);
  std::int64_t consumed() const { return input_->consumed(); }

 private:
  enum class Encoding { Bytes, Utf16Little, Utf16Big };

  void open();
  void fill();
  void take_utf16(std::string_view bytes);
  bool next_part(Document& document);
  bool next_line(Document& document);
  bool take_line(std::string& line, bool& huge);
  void parse_line(std::string_view line, Document& document);
  bool drop_at_end(Document& document);
  bool looks_like_jsonl() const;

  std::filesystem::path path_;
  std::string text_field_;
  ReaderOptions options_;
  std::unique_ptr<InputFile> input_;

  Encoding encoding_ = Encoding::Bytes;
  std::string odd_bytes_;  ///< of UTF-16, waiting for their other half
  char32_t high_surrogate_ = 0;

  std::string pending_;  ///< read and not yet delivered
  std::size_t line_start_ = 0, scanned_ = 0;
  std::string rest_;  ///< text of a JSONL line, delivered up to rest_start_
  std::size_t rest_start_ = 0;
  bool jsonl_ = false, opened_ = false, finished_ = false;
  bool delivered_ = false;
};

/// Where to end the first part of a text longer than `limit`; see ReaderOptions.
std::size_t part_end(std::string_view text, std::size_t limit);

/// Makes document.text valid UTF-8 or drops the document.
void settle_text(Document& document);

}  // namespace tessera::data
