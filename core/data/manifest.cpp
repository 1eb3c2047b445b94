// SPDX-License-Identifier: MIT
#include "core/data/manifest.h"

#include <xxhash.h>

#include <array>
#include <fstream>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/progress.h"
#include "core/tokenizer/utf8.h"

namespace tessera::data {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int kVersion = 1;

json to_json(const Examples& examples) {
  // Names of files are bytes: what is not UTF-8 in them is shown as U+FFFD.
  json first = json::array();
  for (const std::string& example : examples.first) first.push_back(utf8::replace_invalid(example));
  return {{"count", examples.count}, {"first", first}};
}

/// Absent in what older versions wrote.
Examples examples_from(const json& parent, const std::string& name) {
  Examples examples;
  const auto found = parent.find(name);
  if (found == parent.end()) return examples;
  examples.count = found->at("count");
  examples.first = found->at("first").get<std::vector<std::string>>();
  return examples;
}

json to_json(const SourceReport& r) {
  json dropped = json::object(), places = json::object();
  for (const auto& [reason, examples] : r.places) places[name_of(reason)] = to_json(examples);
  for (const auto& [reason, count] : r.dropped) dropped[name_of(reason)] = count;
  return {{"files", r.files},
          {"documents_read", r.documents_read},
          {"documents_kept", r.documents_kept},
          {"documents_held_out", r.documents_held_out},
          {"tokens", r.tokens},
          {"tokens_held_out", r.tokens_held_out},
          {"text_bytes", r.text_bytes},
          {"from_latin1", r.from_latin1},
          {"from_utf16", r.from_utf16},
          {"dropped", dropped},
          {"places", places},
          {"passed_over", to_json(r.passed_over)},
          {"remarks", to_json(r.remarks)},
          {"hidden", r.hidden}};
}

SourceReport report_from(const json& value, const std::string& name) {
  SourceReport r;
  r.name = name;
  r.files = value.at("files");
  r.documents_read = value.at("documents_read");
  r.documents_kept = value.at("documents_kept");
  r.documents_held_out = value.at("documents_held_out");
  r.tokens = value.at("tokens");
  r.tokens_held_out = value.at("tokens_held_out");
  r.text_bytes = value.at("text_bytes");
  r.from_latin1 = value.at("from_latin1");
  r.from_utf16 = value.at("from_utf16");
  for (const auto& [reason, count] : value.at("dropped").items())
    r.dropped[drop_from_name(reason)] = count;
  const json places = value.value("places", json::object());
  for (const auto& [reason, examples] : places.items())
    r.places[drop_from_name(reason)] = examples_from(places, reason);
  r.passed_over = examples_from(value, "passed_over");
  r.remarks = examples_from(value, "remarks");
  r.hidden = value.value("hidden", std::int64_t{0});
  return r;
}

json to_json(const Manifest& manifest) {
  json sources = json::array();
  for (const ManifestSource& source : manifest.sources) {
    json shards = json::array();
    for (const ManifestShard& shard : source.shards)
      shards.push_back({{"file", shard.file},
                        {"split", shard.split},
                        {"documents", shard.documents},
                        {"tokens", shard.tokens}});
    sources.push_back({{"name", source.name},
                       {"domain", name_of(source.domain)},
                       {"weight", source.weight},
                       {"shards", shards},
                       {"report", to_json(source.report)}});
  }
  return {
      {"version", kVersion}, {"tokenizer", manifest.tokenizer}, {"vocab_size", manifest.vocab_size},
      {"sources", sources},  {"forgotten", manifest.forgotten}, {"settings", manifest.settings}};
}

Manifest manifest_from(const json& value) {
  require(value.at("version") == kVersion, "manifest.json", "version {}, this program reads {}",
          value.at("version").dump(), kVersion);
  Manifest manifest;
  manifest.tokenizer = value.at("tokenizer");
  manifest.vocab_size = value.at("vocab_size");
  manifest.forgotten = value.at("forgotten");
  manifest.settings = value.at("settings");
  for (const json& entry : value.at("sources")) {
    ManifestSource& source = manifest.sources.emplace_back();
    source.name = entry.at("name");
    source.domain = domain_from_name(entry.at("domain"));
    source.weight = entry.at("weight");
    source.report = report_from(entry.at("report"), source.name);
    for (const json& shard : entry.at("shards"))
      source.shards.push_back(
          {shard.at("file"), shard.at("split"), shard.at("documents"), shard.at("tokens")});
  }
  return manifest;
}

/// The file as JSON through `read`; any fault of its content becomes an Error that names it.
template <class Read>
auto parse_file(const fs::path& path, Read read) {
  std::ifstream file(path);
  try {
    return read(json::parse(file));
  } catch (const json::exception& error) {
    throw Error(path.string(), fmt::format("damaged: {}", error.what()),
                "remove the folder and build the data again");
  }
}

/// Size, beginning and end of each file: tells changed inputs without reading all of them.
std::string hash_of_files(const std::vector<fs::path>& files, const std::atomic<bool>* stop) {
  std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> hash(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(hash.get());
  const auto update = [&](const void* data, std::size_t bytes) {
    XXH3_64bits_update(hash.get(), data, bytes);
  };
  std::array<char, 4096> part;
  for (const fs::path& path : files) {
    throw_if_stopped(stop, "data build");
    std::error_code ignored;
    const std::uint64_t size = fs::file_size(path, ignored);
    const std::string name = path.string();
    update(name.data(), name.size() + 1);
    update(&size, sizeof size);
    std::ifstream file(path, std::ios::binary);
    file.read(part.data(), part.size());
    update(part.data(), static_cast<std::size_t>(file.gcount()));
    if (ignored || size <= part.size()) continue;
    file.seekg(-static_cast<std::streamoff>(part.size()), std::ios::end);
    file.read(part.data(), part.size());
    update(part.data(), static_cast<std::size_t>(file.gcount()));
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(hash.get()));
}

json to_json(const FilterOptions& o) {
  return {{"min_characters", o.min_characters},
          {"max_characters", o.max_characters},
          {"min_letters", o.min_letters},
          {"max_symbols", o.max_symbols},
          {"max_control", o.max_control},
          {"max_mean_line", o.max_mean_line},
          {"max_line", o.max_line},
          {"max_mean_word", o.max_mean_word},
          {"max_repeated_lines", o.max_repeated_lines},
          {"max_repeated_phrases", o.max_repeated_phrases}};
}

}  // namespace

Manifest read_manifest(const fs::path& folder) {
  return parse_file(folder / "manifest.json", manifest_from);
}

void write_manifest(const fs::path& folder, const Manifest& manifest) {
  write_file_atomically(folder / "manifest.json", to_json(manifest).dump(1) + "\n");
}

BuildState read_state(const fs::path& folder) {
  return parse_file(folder / "build-state.json", [](const json& value) {
    BuildState state;
    state.manifest = manifest_from(value.at("manifest"));
    state.source = value.at("source");
    state.position = {value.at("file"), value.at("document")};
    state.segment = value.at("segment");
    state.seen_bytes = value.at("seen_bytes");
    return state;
  });
}

void write_state(const fs::path& folder, const BuildState& state) {
  const json value = {{"manifest", to_json(state.manifest)},
                      {"source", state.source},
                      {"file", state.position.file},
                      {"document", state.position.document},
                      {"segment", state.segment},
                      {"seen_bytes", state.seen_bytes}};
  write_file_atomically(folder / "build-state.json", value.dump());
}

json settings_of(const BuildOptions& options, const std::vector<SourceReader>& readers) {
  json sources = json::array();
  for (std::size_t at = 0; at < options.sources.size(); ++at) {
    const Source& source = options.sources[at];
    const auto filter = options.filters.find(source.domain);
    sources.push_back({{"name", source.name},
                       {"domain", name_of(source.domain)},
                       {"text_field", source.text_field},
                       {"files", hash_of_files(readers[at].files(), options.stop)},
                       {"filter", to_json(filter == options.filters.end()
                                              ? FilterOptions::for_domain(source.domain)
                                              : filter->second)}});
  }
  return {{"tokenizer", options.tokenizer ? options.tokenizer->hash() : ""},
          {"sources", sources},
          {"exact_duplicates", options.dedup.exact},
          {"near_duplicates", options.dedup.near},
          {"dedup_memory_bytes", options.dedup.memory_bytes},
          {"max_document_bytes", options.reader.max_document_bytes},
          {"max_line_bytes", options.reader.max_line_bytes},
          {"held_out", options.held_out},
          {"held_out_min_tokens", options.held_out_min_tokens},
          {"shard_tokens", options.shard_tokens}};
}

}  // namespace tessera::data
