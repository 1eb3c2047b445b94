// SPDX-License-Identifier: MIT
// A folder of token shards as `tessera data build` writes it:
//   manifest.json               sources, shards, counts, tokenizer hash, settings, and the report
//   of
//                               what was read, kept and dropped, and why; written last
//   tokenizer.model             the vocabulary the ids are of
//   NAME-train-00000.tokens     shards of source NAME (format: shard.h)
//   NAME-held_out-00000.tokens
// and while a build is not finished: build-state.json, build-seen.bin (fingerprints of documents).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/data/source.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera::data {

class Shard;

/// Documents of one source and split, numbered over all its shards. Read-only; thread-safe.
class DocumentStore {
 public:
  std::int64_t documents() const { return documents_; }
  std::int64_t tokens() const { return tokens_; }
  /// Tokens of one document, without BOS and EOS.
  std::int64_t length(std::int64_t document) const;
  /// Appends tokens [from, to) of a document. Throws Error naming the shard when an id is outside
  /// the vocabulary (a damaged file).
  void read(std::int64_t document, std::int64_t from, std::int64_t to,
            std::vector<std::int32_t>& out) const;

 private:
  friend class Dataset;
  void add(std::shared_ptr<const Shard> shard);
  std::pair<const Shard*, std::int64_t> locate(std::int64_t document) const;
  std::vector<std::shared_ptr<const Shard>> shards_;
  std::vector<std::int64_t> first_;  ///< number of the first document of each shard
  std::int64_t documents_ = 0, tokens_ = 0;
};

struct DatasetSource {
  std::string name;
  Domain domain = Domain::Web;
  double weight = 1.0;
  DocumentStore train, held_out;
};

class Dataset {
 public:
  /// Opens and validates all shards (headers, sizes, indexes; the tokens themselves only when
  /// `verify_tokens`, which reads everything). Throws Error naming the file and what to do.
  static std::shared_ptr<const Dataset> open(const std::filesystem::path& folder,
                                             bool verify_tokens = false);

  const std::vector<DatasetSource>& sources() const { return sources_; }
  /// Null when there is no such source.
  const DatasetSource* find(const std::string& name) const;
  /// Throws Error naming the known sources.
  const DatasetSource& source(const std::string& name) const;
  std::int64_t train_tokens() const;
  std::int32_t vocab_size() const { return vocab_size_; }
  const std::string& tokenizer_hash() const { return tokenizer_hash_; }
  /// The file to load the vocabulary from.
  std::filesystem::path tokenizer_path() const { return folder_ / "tokenizer.model"; }
  const std::filesystem::path& folder() const { return folder_; }

  /// Throws Error naming the folder when the shards were made with another vocabulary.
  void check_tokenizer(const Tokenizer& tokenizer) const;

 private:
  std::filesystem::path folder_;
  std::vector<DatasetSource> sources_;
  std::string tokenizer_hash_;
  std::int32_t vocab_size_ = 0;
};

}  // namespace tessera::data
