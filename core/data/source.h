// SPDX-License-Identifier: MIT
// What documents come from: named sources of text files and JSONL, plain or compressed.
#pragma once

#include <atomic>
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
  /// Files, patterns as of a shell ("part-*.jsonl"), and folders, which are walked recursively; see
  /// list_files(). Formats are told by content and name:
  ///   gzip and zstd (several members or frames too) are unpacked;
  ///   JSON by name (.jsonl, .ndjson, .json) or by content (objects with the text field, or several
  ///   objects, a line each): one document an object, whether they stand one a line, over several
  ///   lines or in an array;
  ///   anything else is text: one document a file. In the domain Code that goes for a .json file
  ///   with a single value, too.
  std::vector<std::filesystem::path> paths;
  double weight = 1.0;              ///< share of the tokens of the mixture; only ratios matter
  std::string text_field = "text";  ///< field that holds the text of a JSON object; "a.b": nested
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
  BrokenJson,      ///< a line or value is no JSON object
  NoTextField,     ///< the object has no such field, or it is not a string
  HugeLine,        ///< a JSON line or value longer than ReaderOptions::max_line_bytes
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
  /// A longer JSON line or value is passed over without being held in memory.
  std::int64_t max_line_bytes = 64 << 20;
  /// Once it is true, readers say that their files are at the end; who set it throws Stopped.
  const std::atomic<bool>* stop = nullptr;
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
  std::string note;       ///< more on why it was dropped: "cut off"; may be empty
  std::int64_t line = 0;  ///< where the JSON record begins, counted from 1; 0: a whole file
  bool from_latin1 = false, from_utf16 = false;
  SourcePosition after;  ///< the position behind this document
};

/// How often something happened, with the first few of it.
struct Examples {
  static constexpr std::size_t kMost = 4;
  std::int64_t count = 0;
  std::vector<std::string> first;

  void add(std::string example);
  /// "a, b and 17 more"
  std::string text() const;
  bool operator==(const Examples&) const = default;
};

struct FileList {
  std::vector<std::filesystem::path> files;  ///< in the order of reading
  /// What is not read, each with the reason: links to nothing, folders that may not be looked into,
  /// files and folders met a second time, things that are neither.
  Examples passed_over;
  std::int64_t hidden = 0;  ///< names starting with '.' inside folders: passed over, too
};

/// The files of a source: paths as listed, folders sorted by name. Links are followed; a file or
/// folder that is met again is passed over, so that circles end. Throws Error when a path does not
/// exist or a pattern matches nothing.
FileList list_files(const Source& source);

/// True when a path of a source leads to something: it exists, or is a pattern that matches.
bool leads_somewhere(const std::filesystem::path& path);

/// Reads a source front to back in a fixed order (that of list_files()), in
/// memory bounded by ReaderOptions. Not thread-safe.
class SourceReader {
 public:
  /// Throws Error as list_files() does.
  SourceReader(Source source, ReaderOptions options);
  ~SourceReader();
  SourceReader(SourceReader&&) noexcept;

  /// The next document, dropped ones included; false at the end.
  bool next(Document& document);

  /// Goes on at `position`: as if everything before had been read.
  void seek(SourcePosition position);

  const std::vector<std::filesystem::path>& files() const;
  const FileList& list() const;
  /// What was passed over inside files so far, though no document was lost.
  const Examples& remarks() const;
  /// Size on disk of all files, and of those read so far (current file in part): for progress.
  std::int64_t total_bytes() const;
  std::int64_t bytes_read() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::data
