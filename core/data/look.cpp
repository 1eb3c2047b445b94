// SPDX-License-Identifier: MIT
#include "core/data/look.h"

#include <nlohmann/json.hpp>

#include "core/base/progress.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

using nlohmann::json;

namespace {

/// The first bytes of a text, cut between characters.
std::string beginning_of(const std::string& text, std::int64_t bytes) {
  std::string part = text.substr(0, static_cast<std::size_t>(bytes));
  part.resize(part.size() - utf8::incomplete_tail(part));
  return part;
}

class Looker {
 public:
  Looker(const std::map<Domain, FilterOptions>& filters, const DedupOptions& dedup,
         const LookOptions& options)
      : filters_(filters), options_(options), seen_(dedup) {}

  SourceLook look(const Source& source) {
    ReaderOptions reading;
    reading.stop = options_.stop;
    SourceReader reader(source, reading);
    const auto chosen = filters_.find(source.domain);
    const FilterOptions filter =
        chosen == filters_.end() ? FilterOptions::for_domain(source.domain) : chosen->second;
    SourceLook look;
    start_report(source, reader, look);
    Document document;
    look.whole = true;
    while (reader.next(document)) {
      if (look.report.documents_read == options_.read) {
        look.whole = false;
        break;
      }
      take(document, reader.files()[static_cast<std::size_t>(document.file)], filter, look);
    }
    throw_if_stopped(options_.stop, "data look");
    look.report.remarks = reader.remarks();
    return look;
  }

 private:
  static void start_report(const Source& source, const SourceReader& reader, SourceLook& look) {
    look.report.name = source.name;
    look.report.files = static_cast<std::int64_t>(reader.files().size());
    look.report.passed_over = reader.list().passed_over;
    look.report.hidden = reader.list().hidden;
    look.bytes = reader.total_bytes();
  }

  void judge(Document& document, const FilterOptions& filter) {
    if (document.dropped) return;
    auto reason = check(document.text, filter);
    if (!reason) reason = seen_.see(fingerprint(document.text));
    if (!reason) return;
    document.dropped = true;
    document.reason = *reason;
  }

  void take(Document& document, const std::filesystem::path& file, const FilterOptions& filter,
            SourceLook& look) {
    judge(document, filter);
    SourceReport& report = look.report;
    ++report.documents_read;
    if (document.dropped) {
      report.drop(document, file);
    } else {
      ++report.documents_kept;
      report.text_bytes += static_cast<std::int64_t>(document.text.size());
      report.from_latin1 += document.from_latin1;
      report.from_utf16 += document.from_utf16;
    }
    if (static_cast<std::int64_t>(look.documents.size()) == options_.documents) return;
    look.documents.push_back({file.string(), document.line,
                              static_cast<std::int64_t>(document.text.size()),
                              beginning_of(document.text, options_.text_bytes),
                              document.dropped ? name_of(document.reason) : "", document.note});
  }

  const std::map<Domain, FilterOptions>& filters_;
  const LookOptions& options_;
  Deduplicator seen_;
};

json to_json(const SourceLook& look) {
  json dropped = json::object(), documents = json::array();
  for (const auto& [reason, count] : look.report.dropped) dropped[name_of(reason)] = count;
  for (const SeenDocument& d : look.documents)
    documents.push_back({{"file", utf8::replace_invalid(d.file)},
                         {"line", d.line},
                         {"bytes", d.bytes},
                         {"text", d.text},
                         {"dropped", d.dropped},
                         {"note", utf8::replace_invalid(d.note)}});
  json warnings = json::array();
  for (const std::string& warning : look.report.warnings())
    warnings.push_back(utf8::replace_invalid(warning));
  return {{"name", look.report.name},
          {"files", look.report.files},
          {"bytes", look.bytes},
          {"whole", look.whole},
          {"read", look.report.documents_read},
          {"kept", look.report.documents_kept},
          {"dropped", dropped},
          {"warnings", warnings},
          {"documents", documents}};
}

}  // namespace

std::vector<SourceLook> look(const std::vector<Source>& sources,
                             const std::map<Domain, FilterOptions>& filters,
                             const DedupOptions& dedup, const LookOptions& options) {
  Looker looker(filters, dedup, options);
  std::vector<SourceLook> looks;
  for (const Source& source : sources) looks.push_back(looker.look(source));
  return looks;
}

json to_json(const std::vector<SourceLook>& sources) {
  json list = json::array();
  for (const SourceLook& source : sources) list.push_back(to_json(source));
  return list;
}

}  // namespace tessera::data
