// SPDX-License-Identifier: MIT
#include "core/data/source.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/data/document_reader.h"

namespace tessera::data {

namespace fs = std::filesystem;

namespace {

constexpr std::array<std::pair<Domain, std::string_view>, 4> kDomains = {{
    {Domain::Web, "web"},
    {Domain::Code, "code"},
    {Domain::Mathematics, "mathematics"},
    {Domain::Multilingual, "multilingual"},
}};

/// In the order of the enumeration.
constexpr std::array<std::string_view, 19> kDrops = {"empty",
                                                     "unreadable",
                                                     "binary",
                                                     "invalid_text",
                                                     "damaged_archive",
                                                     "broken_json",
                                                     "no_text_field",
                                                     "huge_line",
                                                     "too_short",
                                                     "too_long",
                                                     "few_letters",
                                                     "many_symbols",
                                                     "control_characters",
                                                     "long_lines",
                                                     "long_words",
                                                     "repeated_lines",
                                                     "repeated_phrases",
                                                     "exact_duplicate",
                                                     "near_duplicate"};
static_assert(kDrops.size() == static_cast<std::size_t>(Drop::NearDuplicate) + 1);

}  // namespace

std::string name_of(Domain domain) {
  for (const auto& [value, name] : kDomains)
    if (value == domain) return std::string(name);
  throw Error("data", "unknown domain");
}

Domain domain_from_name(const std::string& name) {
  for (const auto& [value, known] : kDomains)
    if (known == name) return value;
  throw Error("data", fmt::format("unknown domain '{}'", name),
              "expected web, code, mathematics or multilingual");
}

std::string name_of(Drop reason) {
  return std::string(kDrops.at(static_cast<std::size_t>(reason)));
}

Drop drop_from_name(const std::string& name) {
  const auto at = std::find(kDrops.begin(), kDrops.end(), name);
  require(at != kDrops.end(), "data", "unknown reason '{}'", name);
  return static_cast<Drop>(at - kDrops.begin());
}

struct SourceReader::State {
  Source source;
  ReaderOptions options;
  FileList list;
  Examples remarks;
  std::vector<std::int64_t> bytes_before;  ///< on disk, of the files before each, and of all
  SourcePosition position;
  std::unique_ptr<DocumentReader> reader;

  void open_next() {
    const auto& path = list.files[static_cast<std::size_t>(position.file)];
    reader = std::make_unique<DocumentReader>(path, source, options);
  }
};

SourceReader::SourceReader(Source source, ReaderOptions options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.source = std::move(source);
  s.options = options;
  s.list = list_files(s.source);
  s.bytes_before.push_back(0);
  for (const fs::path& path : s.list.files) {
    std::error_code ignored;  // an unreadable file is counted when it is read
    const auto size = fs::file_size(path, ignored);
    s.bytes_before.push_back(s.bytes_before.back() +
                             (ignored ? 0 : static_cast<std::int64_t>(size)));
  }
}

SourceReader::~SourceReader() = default;
SourceReader::SourceReader(SourceReader&&) noexcept = default;

bool SourceReader::next(Document& document) {
  State& s = *state_;
  while (s.position.file < static_cast<std::int64_t>(s.list.files.size())) {
    if (is_set(s.options.stop)) return false;
    if (!s.reader) s.open_next();
    if (s.reader->next(document)) {
      document.file = s.position.file;
      ++s.position.document;
      document.after = s.position;
      return true;
    }
    if (!s.reader->remark().empty())
      s.remarks.add(fmt::format("{}: {}",
                                s.list.files[static_cast<std::size_t>(s.position.file)].string(),
                                s.reader->remark()));
    s.reader.reset();
    s.position = {s.position.file + 1, 0};
  }
  return false;
}

void SourceReader::seek(SourcePosition position) {
  State& s = *state_;
  s.reader.reset();
  s.position = {position.file, 0};
  if (position.file >= static_cast<std::int64_t>(s.list.files.size())) return;
  s.open_next();
  Document skipped;
  while (s.position.document < position.document && s.reader->next(skipped)) ++s.position.document;
}

const std::vector<fs::path>& SourceReader::files() const {
  return state_->list.files;
}
const FileList& SourceReader::list() const {
  return state_->list;
}
const Examples& SourceReader::remarks() const {
  return state_->remarks;
}
std::int64_t SourceReader::total_bytes() const {
  return state_->bytes_before.back();
}
std::int64_t SourceReader::bytes_read() const {
  const State& s = *state_;
  const auto file = static_cast<std::size_t>(s.position.file);
  return s.bytes_before[file] + (s.reader ? s.reader->consumed() : 0);
}

}  // namespace tessera::data
