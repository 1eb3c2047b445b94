// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "core/data/build.h"

namespace tessera::data {

namespace {

std::string percent(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? fmt::format("{:.1f} %",
                                 100.0 * static_cast<double>(part) / static_cast<double>(whole))
                   : "-";
}

}  // namespace

std::string BuildReport::table() const {
  std::string text =
      fmt::format("{:<20} {:>7} {:>10} {:>10} {:>12} {:>10} {:>11} {:>10}\n", "source", "files",
                  "documents", "kept", "tokens", "held out", "text bytes", "byte/token");
  for (const SourceReport& r : sources) {
    const std::int64_t tokens = r.tokens + r.tokens_held_out;
    text += fmt::format(
        "{:<20} {:>7} {:>10} {:>10} {:>12} {:>10} {:>11} {:>10}\n", r.name, r.files,
        r.documents_read, r.documents_kept, r.tokens, r.tokens_held_out, r.text_bytes,
        tokens > 0
            ? fmt::format("{:.2f}", static_cast<double>(r.text_bytes) / static_cast<double>(tokens))
            : "-");
    std::string details;
    for (const auto& [reason, count] : r.dropped)
      details += fmt::format("{}{} {} ({})", details.empty() ? "" : ", ", name_of(reason), count,
                             percent(count, r.documents_read));
    if (!details.empty()) text += fmt::format("  dropped: {}\n", details);
    if (r.hidden > 0)
      text +=
          fmt::format("  passed over: {} files and folders whose names begin with '.'\n", r.hidden);
    if (r.from_latin1 + r.from_utf16 > 0)
      text += fmt::format("  converted: {} from Latin-1, {} from UTF-16\n", r.from_latin1,
                          r.from_utf16);
  }
  return text;
}

namespace {
/// Reasons that the input is not as it should be; the others are what filters are for.
bool is_fault(Drop reason) {
  return reason != Drop::Empty && reason < Drop::TooShort;
}

std::string what_to_do(Drop reason) {
  switch (reason) {
    case Drop::NoTextField:
      return "set text_field of the source to the field that holds the text";
    case Drop::DamagedArchive:
      return "fetch these files again; what came before the damage is used";
    case Drop::Unreadable:
      return "check that these files exist and may be read";
    case Drop::Binary:
      return "leave these files out, or convert them to text";
    case Drop::InvalidText:
      return "convert these files to UTF-8";
    default:
      return {};
  }
}
}  // namespace

void SourceReport::drop(const Document& document, const std::filesystem::path& file) {
  ++dropped[document.reason];
  std::string place = file.string();
  if (document.line > 0) place += fmt::format(":{}", document.line);
  if (!document.note.empty()) place += fmt::format(" ({})", document.note);
  places[document.reason].add(std::move(place));
}

std::vector<std::string> SourceReport::warnings() const {
  std::vector<std::string> lines;
  for (const auto& [reason, examples] : places) {
    if (!is_fault(reason)) continue;
    const std::string advice = what_to_do(reason);
    lines.push_back(fmt::format("source '{}': {} of {} documents were dropped as {}: {}{}", name,
                                examples.count, documents_read, name_of(reason), examples.text(),
                                advice.empty() ? "" : "; " + advice));
  }
  std::int64_t all = 0;
  for (const auto& [reason, count] : dropped) all += count;
  if (lines.empty() && 2 * all > documents_read)
    lines.push_back(
        fmt::format("source '{}': {} of {} documents were dropped, by the filters or as "
                    "duplicates; data.filters says which are kept",
                    name, all, documents_read));
  if (passed_over.count > 0)
    lines.push_back(fmt::format("source '{}': passed over {}", name, passed_over.text()));
  if (remarks.count > 0)
    lines.push_back(fmt::format("source '{}': passed over {}", name, remarks.text()));
  return lines;
}

}  // namespace tessera::data
