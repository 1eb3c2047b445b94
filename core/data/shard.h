// SPDX-License-Identifier: MIT
// One file of tokens, read through mmap. Little endian:
//   0    "TSSHARD\n"                          8 bytes
//   8    version (1)                          u32
//   12   bytes of the JSON header             u32
//   16   XXH3-64 of the JSON header           u64
//   24   JSON: documents, tokens, token_bytes (2 or 4), vocab_size, tokenizer, source, split,
//        payload_hash (XXH3-64 of everything from the tokens to the end of the file)
//   ...  zeros up to a multiple of 64
//   ...  tokens                               u16 or u32 each
//   ...  zeros up to a multiple of 8
//   ...  offsets of the documents in tokens   u64 (documents + 1)
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tessera::data {

struct ShardInfo {
  std::int64_t documents = 0, tokens = 0;
  std::int32_t vocab_size = 0;
  std::string tokenizer;  ///< Tokenizer::hash()
  std::string source, split;
  std::string payload_hash;  ///< 16 hexadecimal digits
  int token_bytes() const { return vocab_size <= 65536 ? 2 : 4; }
};

/// A validated, read-only shard. Thread-safe.
class Shard {
 public:
  /// Throws Error naming the file when it is missing, cut off, damaged in its header or index, or
  /// of a newer version; with `verify_tokens` also when the payload does not match its hash.
  static std::shared_ptr<const Shard> open(const std::filesystem::path& path,
                                           bool verify_tokens = false);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  const ShardInfo& info() const { return info_; }
  const std::filesystem::path& path() const { return path_; }
  std::int64_t length(std::int64_t document) const {
    return static_cast<std::int64_t>(offsets_[document + 1] - offsets_[document]);
  }
  /// Appends tokens [from, to) of a document; throws Error when an id is outside the vocabulary.
  void read(std::int64_t document, std::int64_t from, std::int64_t to,
            std::vector<std::int32_t>& out) const;

 private:
  Shard() = default;
  void parse();
  std::filesystem::path path_;
  ShardInfo info_;
  const std::byte* base_ = nullptr;
  std::size_t bytes_ = 0;
  const std::byte* tokens_ = nullptr;
  const std::uint64_t* offsets_ = nullptr;
};

/// Collects documents of one shard and writes the file in one go: it is there and whole, or not.
class ShardWriter {
 public:
  /// `info` gives vocab_size, tokenizer, source and split; the rest is counted.
  explicit ShardWriter(ShardInfo info);

  void add(std::span<const std::int32_t> tokens);
  std::int64_t tokens() const { return info_.tokens; }
  std::int64_t documents() const { return info_.documents; }

  /// Writes under a temporary name, flushes to the disk, renames. The writer is then empty again.
  /// Throws Error when the disk is full.
  ShardInfo write(const std::filesystem::path& path);

 private:
  ShardInfo info_;
  std::vector<std::byte> payload_;
  std::vector<std::uint64_t> offsets_{0};
};

}  // namespace tessera::data
