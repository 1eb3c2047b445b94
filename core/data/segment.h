// SPDX-License-Identifier: MIT
// Private to core/data: the documents that go into one pair of shards, to train on and held out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "core/data/manifest.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera::data {

/// How documents are held out; see BuildOptions.
struct HeldOut {
  double share = 0;
  std::int64_t min_tokens = 0;
};

class Segment {
 public:
  struct Written {
    std::vector<ManifestShard> shards;
    std::int64_t documents_held_out = 0, tokens_held_out = 0;
  };

  /// `draw` in [0, 1) is that of the document's text.
  void add(double draw, std::span<const std::int32_t> tokens);
  std::int64_t tokens() const { return static_cast<std::int64_t>(tokens_.size()); }

  /// Writes source-train-NUMBER.tokens and source-held_out-NUMBER.tokens, each unless empty. The
  /// segment is then empty again.
  Written write(const std::filesystem::path& folder, const std::string& source, std::int64_t number,
                const Tokenizer& tokenizer, const HeldOut& held_out);

 private:
  std::vector<bool> choose_held_out(const HeldOut& held_out, bool first) const;
  std::vector<std::int32_t> tokens_;
  std::vector<std::int64_t> ends_;  ///< where each document ends in tokens_
  std::vector<double> draws_;
};

}  // namespace tessera::data
