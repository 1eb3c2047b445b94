// SPDX-License-Identifier: MIT
#include "core/data/dataset.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/manifest.h"
#include "core/data/shard.h"

namespace tessera::data {

namespace fs = std::filesystem;

std::pair<const Shard*, std::int64_t> DocumentStore::locate(std::int64_t document) const {
  require(document >= 0 && document < documents_, "dataset", "document {} of {} does not exist",
          document, documents_);
  const auto after = std::upper_bound(first_.begin(), first_.end(), document);
  const auto at = static_cast<std::size_t>(after - first_.begin()) - 1;
  return {shards_[at].get(), document - first_[at]};
}

std::int64_t DocumentStore::length(std::int64_t document) const {
  const auto [shard, at] = locate(document);
  return shard->length(at);
}

void DocumentStore::read(std::int64_t document, std::int64_t from, std::int64_t to,
                         std::vector<std::int32_t>& out) const {
  const auto [shard, at] = locate(document);
  shard->read(at, from, to, out);
}

void DocumentStore::add(std::shared_ptr<const Shard> shard) {
  first_.push_back(documents_);
  documents_ += shard->info().documents;
  tokens_ += shard->info().tokens;
  shards_.push_back(std::move(shard));
}

std::shared_ptr<const Dataset> Dataset::open(const fs::path& folder, bool verify_tokens) {
  if (!fs::exists(folder / "manifest.json"))
    throw Error(folder.string(),
                fs::exists(folder / "build-state.json") ? "the data build here is not finished"
                                                        : "no data built here",
                "run `tessera data build` with this folder as output; it goes on where it stopped");
  const Manifest manifest = read_manifest(folder);
  auto dataset = std::make_shared<Dataset>();
  dataset->folder_ = folder;
  dataset->tokenizer_hash_ = manifest.tokenizer;
  dataset->vocab_size_ = manifest.vocab_size;
  for (const ManifestSource& source : manifest.sources) {
    DatasetSource& result = dataset->sources_.emplace_back();
    result.name = source.name;
    result.domain = source.domain;
    result.weight = source.weight;
    for (const ManifestShard& entry : source.shards) {
      auto shard = Shard::open(folder / entry.file, verify_tokens);
      const ShardInfo& info = shard->info();
      if (info.tokenizer != manifest.tokenizer || info.vocab_size != manifest.vocab_size)
        throw Error((folder / entry.file).string(),
                    fmt::format("made with the vocabulary {}, the manifest says {}", info.tokenizer,
                                manifest.tokenizer),
                    "the shard is of another build: build the data again");
      if (info.documents != entry.documents || info.tokens != entry.tokens ||
          info.source != source.name || info.split != entry.split)
        throw Error((folder / entry.file).string(), "not the shard that the manifest lists",
                    "the files were mixed up: build the data again");
      (entry.split == kTrainSplit ? result.train : result.held_out).add(std::move(shard));
    }
  }
  return dataset;
}

const DatasetSource* Dataset::find(const std::string& name) const {
  for (const DatasetSource& source : sources_) {
    if (source.name == name) return &source;
  }
  return nullptr;
}

const DatasetSource& Dataset::source(const std::string& name) const {
  if (const DatasetSource* found = find(name)) return *found;
  std::string known;
  for (const DatasetSource& source : sources_) {
    known += (known.empty() ? "" : ", ") + source.name;
  }
  throw Error(folder_.string(), fmt::format("no source named '{}'", name),
              fmt::format("the data has: {}", known));
}

std::int64_t Dataset::train_tokens() const {
  std::int64_t tokens = 0;
  for (const DatasetSource& source : sources_) tokens += source.train.tokens();
  return tokens;
}

void Dataset::check_tokenizer(const Tokenizer& tokenizer) const {
  if (tokenizer.hash() == tokenizer_hash_) return;
  throw Error(folder_.string(),
              fmt::format("the data was built with the vocabulary {}, not with {}", tokenizer_hash_,
                          tokenizer.hash()),
              fmt::format("use {}, or build the data again", tokenizer_path().string()));
}

}  // namespace tessera::data
