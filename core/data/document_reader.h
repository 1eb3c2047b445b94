// SPDX-License-Identifier: MIT
// Private to core/data: the documents of one file.
#pragma once

#include <memory>
#include <string>

#include "core/data/input_file.h"
#include "core/data/json_record.h"
#include "core/data/source.h"

namespace tessera::data {

class DocumentReader {
 public:
  DocumentReader(const std::filesystem::path& path, const Source& source,
                 const ReaderOptions& options);

  /// Sets text, dropped, reason, note, line and the encoding flags; false at the end of the file.
  bool next(Document& document);
  std::int64_t consumed() const { return input_->consumed(); }
  /// What was passed over without harm to a document ("300 bytes behind the gzip data"); known at
  /// the end of the file.
  const std::string& remark() const { return input_->remark(); }

 private:
  enum class Encoding { Bytes, Utf16Little, Utf16Big };
  /// Text: one document. Lines: a JSON object a line. Values: JSON values over any number of lines,
  /// one behind the other or in an array.
  enum class Form { Text, Lines, Values };

  void open();
  bool more() const;
  void fill();
  void take_utf16(std::string_view bytes);
  Form form_of_content();
  Form form_of_objects(std::size_t start, bool named_lines, bool named_json);
  std::string_view whole_line(std::size_t start);
  std::string_view whole_value(std::size_t start);
  std::size_t first_visible(std::size_t from);
  bool first_element_has_text(std::size_t start);

  bool next_part(Document& document);
  bool next_record(Document& document);
  bool take_line(std::string& line, bool& huge);
  bool take_value(std::string& value, bool& huge);
  bool skip_to_value();
  bool compact(bool& huge);
  void take_record(std::string_view text, Document& document);
  bool drop_at_end(Document& document);

  std::filesystem::path path_;
  std::string text_field_;
  bool is_code_;  ///< a single JSON value in a file is then a document of code
  ReaderOptions options_;
  std::unique_ptr<InputFile> input_;

  Encoding encoding_ = Encoding::Bytes;
  std::string odd_bytes_;  ///< half a unit of UTF-16 that waits for its other half
  char32_t high_surrogate_ = 0;

  std::string pending_;      ///< read and not yet delivered
  std::size_t start_ = 0;    ///< where the present line or value begins in pending_
  std::size_t scanned_ = 0;  ///< looked at so far, in pending_
  std::int64_t line_ = 1;    ///< that `scanned_` stands in, counted from 1
  std::int64_t record_line_ = 0;
  std::string rest_;  ///< text of a record, delivered up to rest_start_
  std::size_t rest_start_ = 0;
  Form form_ = Form::Text;
  bool opened_ = false, finished_ = false, delivered_ = false;
  bool in_array_ = false, inside_value_ = false, record_from_latin1_ = false;
};

/// Where to end the first part of a text longer than `limit`; see ReaderOptions.
std::size_t part_end(std::string_view text, std::size_t limit);

/// Makes document.text valid UTF-8 or drops the document.
void settle_text(Document& document);

}  // namespace tessera::data
