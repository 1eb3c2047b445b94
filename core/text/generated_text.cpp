// SPDX-License-Identifier: MIT
#include "core/text/generated_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/random.h"
#include "core/text/grammar.h"

namespace tessera::text {

namespace fs = std::filesystem;

namespace {

/// Part of the hash that names the folder: raised when the code, and not a grammar, changes what
/// is written.
constexpr std::uint64_t kRevision = 1;
constexpr std::uint64_t kSeed = 1;

const GeneratedPart& find_part(std::string_view name) {
  for (const GeneratedPart& part : generated_parts()) {
    if (part.name == name) return part;
  }
  throw Error(fmt::format("generated:{}", name), "is no text that the program can write",
              "generated:web, generated:code, generated:mathematics, generated:multilingual or "
              "generated:chinese");
}

std::string read_grammar(std::string_view part, const fs::path& grammars) {
  const fs::path path = grammars / fmt::format("{}.txt", part);
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.is_open() || file.bad()) {
    throw Error(path.string(), "cannot be read", "install the program whole");
  }
  return text;
}

void append_json_line(const std::string& text, std::string& out) {
  out += R"({"text": ")";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += "\"}\n";
}

std::vector<std::string> documents(const Grammar& grammar, std::int64_t bytes) {
  std::vector<std::string> all;
  for (std::int64_t size = 0; size < bytes; size += static_cast<std::int64_t>(all.back().size())) {
    all.push_back(grammar.document(kSeed, all.size()));
    if (all.back().empty()) throw Error("grammar", "the rule 'document' gives an empty text");
  }
  return all;
}

}  // namespace

const std::vector<GeneratedPart>& generated_parts() {
  static const std::vector<GeneratedPart> parts = {{"web", 7'000'000},
                                                   {"code", 1'500'000},
                                                   {"mathematics", 1'000'000},
                                                   {"multilingual", 350'000},
                                                   {"chinese", 150'000}};
  return parts;
}

std::vector<std::string> generated_documents(std::string_view part, const fs::path& grammars,
                                             std::int64_t bytes) {
  const GeneratedPart& known = find_part(part);
  const std::string text = read_grammar(known.name, grammars);
  return documents(Grammar(text, fmt::format("{}.txt", part)), bytes);
}

fs::path generated_text(std::string_view part, const fs::path& grammars, const fs::path& folder) {
  const GeneratedPart& known = find_part(part);
  const std::string grammar = read_grammar(part, grammars);
  const std::uint64_t hash =
      stream_of(fmt::format("{} {} {} {}\n{}", kRevision, kSeed, part, known.bytes, grammar));
  const fs::path target = folder / fmt::format("{}-{:016x}", part, hash);
  std::error_code error;
  if (fs::is_directory(target, error)) return target;

  static std::atomic<int> count = 0;
  fs::path temporary = target;
  temporary += fmt::format(".{}-{}.tmp", ::getpid(), count++);
  fs::create_directories(temporary, error);
  if (error) throw Error(temporary.string(), "cannot be made: " + error.message());
  std::string lines;
  for (const std::string& text :
       documents(Grammar(grammar, fmt::format("{}.txt", part)), known.bytes)) {
    append_json_line(text, lines);
  }
  write_file_atomically(temporary / fmt::format("{}.jsonl", part), lines);
  fs::rename(temporary, target, error);
  if (error) {
    // Another process was faster, which is as good; anything else is an error.
    fs::remove_all(temporary);
    if (!fs::is_directory(target)) {
      throw Error(target.string(), "cannot be made: " + error.message());
    }
  }
  return target;
}

}  // namespace tessera::text
