// SPDX-License-Identifier: MIT
// What documents come from: named sources of text files and JSONL, plain or compressed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tessera::data {

/// The defaults of the filters depend on it; see filter.h.
enum class Domain { Web, Code, Mathematics, Multilingual };

/// "web", "code", "mathematics", "multilingual". domain_from_name() throws Error for other names.
std::string name_of(Domain domain);
Domain domain_from_name(const std::string& name);

struct Source {
  std::string name;  ///< unique; letters, digits, '-' and '_': it becomes part of file names
  Domain domain = Domain::Web;
  /// Files, and folders that are walked recursively. Names starting with '.' inside folders are
  /// passed over. Formats are told by content, then by name:
  ///   gzip and zstd (several members or frames too) are unpacked;
  ///   JSONL (.jsonl, .ndjson, or a first line that is an object with the text field): one document
  ///   a line; anything else is text: one document a file.
  std::vector<std::filesystem::path> paths;
  double weight = 1.0;              ///< share of the tokens of the mixture; only ratios matter
  std::string text_field = "text";  ///< of JSONL
};

/// Why a document (or a whole file, counted as one document) is not in the result.
enum class Drop {
  // by the reader
  Empty,        ///< no text, or nothing but white space
  Unreadable,   ///< the file cannot be opened or read
  Binary,       ///< holds NUL bytes
  InvalidText,  ///< neither UTF-8, nor UTF-16 with a byte-order mark, nor plausibly Latin-1
                ///< (read as Windows-1252: at most 30 % high bytes, no UTF-8 sequence among them)
  DamagedArchive,  ///< the compressed file is cut off or fails its check; what came before is kept
  BrokenJson,      ///< the line is not a JSON object
  NoTextField,     ///< the object has no such field, or it is not a string
  HugeLine,        ///< a JSONL line longer than ReaderOptions::max_line_bytes
  // by the filters
  TooShort,
  TooLong,
  FewLetters,
  ManySymbols,
  ControlCharacters,
  LongLines,
  LongWords,
  RepeatedLines,
  RepeatedPhrases,
  // by de-duplication
  ExactDuplicate,
  NearDuplicate,
};

/// "empty", "near_duplicate", ... as written in reports.
std::string name_of(Drop reason);
Drop drop_from_name(const std::string& name);
using DropCounts = std::map<Drop, std::int64_t>;

struct ReaderOptions {
  /// A longer text is split: at a blank line where there is one in its second half, else at a line
  /// break, else at a space, else between characters.
  std::int64_t max_document_bytes = 256 << 10;
  /// A longer JSONL line is passed over without being held in memory.
  std::int64_t max_line_bytes = 64 << 20;
};

/// Where a document stands: enough to read on from there after a restart.
struct SourcePosition {
  std::int64_t file = 0;      ///< index in SourceReader::files()
  std::int64_t document = 0;  ///< documents of that file already delivered, dropped ones included
  bool operator==(const SourcePosition&) const = default;
};

/// One result of reading: a text, or the reason why there is none.
struct Document {
  std::string text;  ///< valid UTF-8, without byte-order mark, line ends as in the file
  std::int64_t file = 0;
  bool dropped = false;
  Drop reason = Drop::Empty;
  bool from_latin1 = false, from_utf16 = false;
  SourcePosition after;  ///< the position behind this document
};

/// Reads a source front to back in a fixed order (paths as listed, folders sorted by name), in
/// memory bounded by ReaderOptions. Not thread-safe.
class SourceReader {
 public:
  /// Lists the files. Throws Error when a path does not exist.
  SourceReader(Source source, ReaderOptions options);
  ~SourceReader();
  SourceReader(SourceReader&&) noexcept;

  /// The next document, dropped ones included; false at the end.
  bool next(Document& document);

  /// Goes on at `position`: as if everything before had been read.
  void seek(SourcePosition position);

  const std::vector<std::filesystem::path>& files() const;
  /// Size on disk of all files, and of those read so far (current file in part): for progress.
  std::int64_t total_bytes() const;
  std::int64_t bytes_read() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::data
