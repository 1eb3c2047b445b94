// SPDX-License-Identifier: MIT
// Order is everything here: documents are judged on many threads, but counted, de-duplicated and
// written in the order they are read, so that the result depends on neither threads nor restarts.
#include "core/data/build.h"

#include <algorithm>
#include <fstream>
#include <set>

#include "core/base/error.h"
#include "core/data/build_folder.h"
#include "core/data/manifest.h"
#include "core/data/pipeline.h"
#include "core/data/segment.h"

namespace tessera::data {

namespace fs = std::filesystem;

namespace {

struct Item {
  Document document;
  Fingerprint print;
  std::vector<std::int32_t> tokens;
};

BuildReport report_from(const Manifest& manifest, bool was_complete) {
  BuildReport report;
  report.was_complete = was_complete;
  report.fingerprints_forgotten = manifest.forgotten;
  for (const ManifestSource& source : manifest.sources) {
    const SourceReport& r = source.report;
    report.sources.push_back(r);
    for (std::string& warning : r.warnings()) report.warnings.push_back(std::move(warning));
    if (r.documents_kept - r.documents_held_out == 0)
      report.warnings.push_back(fmt::format("source '{}' has nothing to train on", source.name));
    if (r.documents_held_out == 0 && manifest.settings.value("held_out", 0.0) > 0)
      report.warnings.push_back(
          fmt::format("source '{}' has no held-out document: raise data.held_out_fraction, or add "
                      "documents",
                      source.name));
  }
  if (report.fingerprints_forgotten > 0)
    report.warnings.push_back(fmt::format(
        "{} fingerprints did not fit into the memory for de-duplication: duplicates that are far "
        "apart may be left",
        report.fingerprints_forgotten));
  return report;
}

class Builder {
 public:
  explicit Builder(const BuildOptions& options) : options_(options), reading_(options.reader) {
    reading_.stop = options.stop;
  }
  BuildReport run();

 private:
  void check_options() const;
  void open_sources();
  bool find_earlier_build();
  void start_over();
  void remove_unfinished();
  void remove_state();
  void restore_seen();
  void build_source(std::size_t index);
  std::vector<Item> judge(std::vector<Document> batch, const FilterOptions& filter);
  void commit(Item& item, SourceReport& report);
  void close_segment(ManifestSource& source);
  void finish();
  void report_progress(const BatchReader& batches, bool always);
  BuildReport make_report(bool was_complete) const;

  const BuildOptions& options_;
  ReaderOptions reading_;
  std::vector<SourceReader> readers_;
  BuildState state_;
  Segment segment_;
  std::unique_ptr<Deduplicator> seen_;
  std::unique_ptr<SeenFile> seen_file_;
  Pace pace_;
};

void Builder::check_options() const {
  require(options_.tokenizer != nullptr, "data build", "no vocabulary given");
  require(!options_.sources.empty(), "data build", "no sources given");
  require(options_.held_out >= 0 && options_.held_out < 1, "data build",
          "held_out = {} is not in [0, 1)", options_.held_out);
  require(options_.shard_tokens > 0, "data build", "shard_tokens = {} is not positive",
          options_.shard_tokens);
  std::set<std::string> names;
  for (const Source& source : options_.sources) {
    const bool plain = std::all_of(source.name.begin(), source.name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    });
    if (source.name.empty() || !plain)
      throw Error("data build", fmt::format("source name '{}'", source.name),
                  "letters, digits, '-' and '_' only: it becomes part of file names");
    require(names.insert(source.name).second, "data build", "two sources named '{}'", source.name);
    require(source.weight >= 0, "data build", "source '{}' has the weight {}", source.name,
            source.weight);
  }
}

void Builder::open_sources() {
  for (const Source& source : options_.sources) {
    readers_.emplace_back(source, reading_);
    require_files(readers_.back(), source);
  }
}

/// The first key in which the settings differ, for people.
std::string difference(const nlohmann::json& before, const nlohmann::json& now) {
  const auto patch = nlohmann::json::diff(before, now);
  return patch.empty() ? "" : patch[0].at("path").get<std::string>();
}

/// Takes up the manifest or the state found in the folder; true when the build is complete.
bool Builder::find_earlier_build() {
  const fs::path& folder = options_.folder;
  const nlohmann::json settings = settings_of(options_, readers_);
  const bool complete = fs::exists(folder / "manifest.json");
  if (complete)
    state_.manifest = read_manifest(folder);
  else if (fs::exists(folder / "build-state.json"))
    state_ = read_state(folder);
  const bool none = state_.manifest.settings.is_null();
  const std::string differs = difference(state_.manifest.settings, settings);
  if (!none && differs.empty()) return complete;
  if (!none && !options_.rebuild)
    throw Error(folder.string(),
                fmt::format("holds data built with other settings or inputs (first difference: {})",
                            differs),
                "choose another folder, or add --rebuild to replace what is in this one");
  state_.manifest.settings = settings;
  start_over();
  return false;
}

/// What only a build that is not finished needs.
void Builder::remove_state() {
  for (const char* name : {"build-state.json", "build-seen.bin"})
    fs::remove(options_.folder / name);
}

void Builder::start_over() {
  fs::remove(options_.folder / "manifest.json");
  remove_state();
  nlohmann::json settings = std::move(state_.manifest.settings);
  state_ = {};
  state_.manifest.settings = std::move(settings);
  state_.manifest.tokenizer = options_.tokenizer->hash();
  state_.manifest.vocab_size = options_.tokenizer->vocab_size();
  for (std::size_t at = 0; at < options_.sources.size(); ++at) {
    ManifestSource& source = state_.manifest.sources.emplace_back();
    source.name = source.report.name = options_.sources[at].name;
    source.domain = options_.sources[at].domain;
    source.report.files = static_cast<std::int64_t>(readers_[at].files().size());
    source.report.passed_over = readers_[at].list().passed_over;
    source.report.hidden = readers_[at].list().hidden;
  }
}

/// Shards that no state lists: written, but not noted before the end came, or of an older build.
void Builder::remove_unfinished() {
  std::set<std::string> listed;
  for (const ManifestSource& source : state_.manifest.sources)
    for (const ManifestShard& shard : source.shards) listed.insert(shard.file);
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(options_.folder)) {
    const std::string name = entry.path().filename().string();
    // ".part" is what older versions wrote under.
    const bool part = name.ends_with(".tmp") || name.ends_with(".part"),
               shard = name.ends_with(".tokens");
    if (part || (shard && !listed.count(name))) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove(path);
}

void Builder::restore_seen() {
  seen_ = std::make_unique<Deduplicator>(options_.dedup);
  const fs::path path = options_.folder / "build-seen.bin";
  seen_file_ = std::make_unique<SeenFile>(path, state_.seen_bytes);
  std::ifstream file(path, std::ios::binary);
  Fingerprint print;
  while (file.read(reinterpret_cast<char*>(&print), sizeof print)) seen_->remember(print);
}

/// Filters and fingerprints on all threads, de-duplicates in order, tokenises what is left on all
/// threads.
std::vector<Item> Builder::judge(std::vector<Document> batch, const FilterOptions& filter) {
  const auto count = static_cast<std::int64_t>(batch.size());
  std::vector<Item> items(batch.size());
  const auto drop = [](Document& document, Drop reason) {
    document.dropped = true;
    document.reason = reason;
  };
  for_each_index(count, options_.threads, options_.stop, [&](std::int64_t at) {
    Item& item = items[static_cast<std::size_t>(at)];
    item.document = std::move(batch[static_cast<std::size_t>(at)]);
    if (item.document.dropped) return;
    if (const auto reason = check(item.document.text, filter))
      drop(item.document, *reason);
    else
      item.print = fingerprint(item.document.text);
  });
  for (Item& item : items)
    if (!item.document.dropped)
      if (const auto reason = seen_->see(item.print)) drop(item.document, *reason);
  for_each_index(count, options_.threads, options_.stop, [&](std::int64_t at) {
    Item& item = items[static_cast<std::size_t>(at)];
    if (!item.document.dropped) item.tokens = options_.tokenizer->encode(item.document.text);
  });
  return items;
}

void Builder::commit(Item& item, SourceReport& report) {
  const Document& document = item.document;
  state_.position = document.after;
  ++report.documents_read;
  if (document.dropped) {
    const auto source = static_cast<std::size_t>(state_.source);
    report.drop(document, readers_[source].files()[static_cast<std::size_t>(document.file)]);
    return;
  }
  // The half of the hash that buckets do not use, as a number in [0, 1).
  segment_.add(static_cast<double>(item.print.exact[1] >> 11) * 0x1p-53, item.tokens);
  ++report.documents_kept;
  report.tokens += static_cast<std::int64_t>(item.tokens.size());
  report.text_bytes += static_cast<std::int64_t>(document.text.size());
  report.from_latin1 += document.from_latin1;
  report.from_utf16 += document.from_utf16;
  seen_file_->add(item.print);
}

void Builder::close_segment(ManifestSource& source) {
  const Segment::Written written =
      segment_.write(options_.folder, source.name, state_.segment, *options_.tokenizer,
                     {options_.held_out, options_.held_out_min_tokens});
  source.shards.insert(source.shards.end(), written.shards.begin(), written.shards.end());
  source.report.documents_held_out += written.documents_held_out;
  source.report.tokens_held_out += written.tokens_held_out;
  source.report.tokens -= written.tokens_held_out;
  ++state_.segment;
  state_.seen_bytes += seen_file_->flush();
}

void Builder::build_source(std::size_t index) {
  ManifestSource& source = state_.manifest.sources[index];
  SourceReader& reader = readers_[index];
  reader.seek(state_.position);
  const auto chosen = options_.filters.find(source.domain);
  const FilterOptions filter =
      chosen == options_.filters.end() ? FilterOptions::for_domain(source.domain) : chosen->second;
  BatchReader batches(reader);
  for (auto batch = batches.next(); !batch.empty(); batch = batches.next()) {
    throw_if_stopped(options_.stop, "data build");
    auto items = judge(std::move(batch), filter);
    throw_if_stopped(options_.stop, "data build");
    for (Item& item : items) {
      commit(item, source.report);
      if (segment_.tokens() < options_.shard_tokens) continue;
      close_segment(source);
      write_state(options_.folder, state_);
    }
    report_progress(batches, false);
  }
  throw_if_stopped(options_.stop, "data build");  // the reader may have ended early
  report_progress(batches, true);
  source.report.remarks = reader.remarks();
  close_segment(source);
  state_.source = static_cast<std::int64_t>(index) + 1;
  state_.position = {};
  state_.segment = 0;
  write_state(options_.folder, state_);
}

void Builder::report_progress(const BatchReader& batches, bool always) {
  if (!options_.progress || (!pace_.due() && !always)) return;
  PhaseProgress progress{"shards", batches.bytes_read(), 0, "bytes"};
  for (std::size_t at = 0; at < readers_.size(); ++at) {
    progress.total += readers_[at].total_bytes();
    if (at < static_cast<std::size_t>(state_.source)) progress.done += readers_[at].total_bytes();
  }
  options_.progress(progress);
}

void Builder::finish() {
  std::int64_t kept = 0;
  for (const ManifestSource& source : state_.manifest.sources) kept += source.report.documents_kept;
  if (kept == 0)
    throw Error("data build",
                fmt::format("nothing is left of the sources\n{}\n{}", make_report(false).table(),
                            fmt::join(make_report(false).warnings, "\n")),
                "check the paths, text_field and the filters");
  state_.manifest.forgotten = seen_->forgotten();
  options_.tokenizer->save(options_.folder);
  write_manifest(options_.folder, state_.manifest);
  seen_file_.reset();
  remove_state();
}

BuildReport Builder::make_report(bool was_complete) const {
  return report_from(state_.manifest, was_complete);
}

BuildReport Builder::run() {
  check_options();
  open_sources();
  std::error_code failed;
  fs::create_directories(options_.folder, failed);
  if (failed)
    throw Error(options_.folder.string(),
                fmt::format("cannot make the folder: {}", failed.message()),
                "check the path and the permissions");
  const FolderLock lock(options_.folder);
  const bool complete = find_earlier_build();
  bool reweighted = false;
  for (std::size_t at = 0; at < options_.sources.size(); ++at) {
    double& weight = state_.manifest.sources[at].weight;
    reweighted = reweighted || weight != options_.sources[at].weight;
    weight = options_.sources[at].weight;
  }
  if (complete) {
    remove_state();  // an end between the manifest and this leaves it
    if (reweighted) write_manifest(options_.folder, state_.manifest);
    return make_report(true);
  }
  remove_unfinished();
  restore_seen();
  while (state_.source < static_cast<std::int64_t>(options_.sources.size()))
    build_source(static_cast<std::size_t>(state_.source));
  finish();
  return make_report(false);
}

}  // namespace

BuildReport build(const BuildOptions& options) {
  return Builder(options).run();
}

bool is_built(const fs::path& folder) {
  std::error_code ignored;
  return fs::exists(folder / "manifest.json", ignored);
}

BuildReport report_of(const fs::path& folder) {
  return report_from(read_manifest(folder), true);
}

std::string difference_from(const BuildOptions& options) {
  std::vector<SourceReader> readers;
  for (const Source& source : options.sources) readers.emplace_back(source, options.reader);
  return difference(read_manifest(options.folder).settings, settings_of(options, readers));
}

}  // namespace tessera::data
