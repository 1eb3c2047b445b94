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
    if (r.from_latin1 + r.from_utf16 > 0)
      text += fmt::format("  converted: {} from Latin-1, {} from UTF-16\n", r.from_latin1,
                          r.from_utf16);
  }
  for (const std::string& warning : warnings) text += fmt::format("warning: {}\n", warning);
  return text;
}

}  // namespace tessera::data
