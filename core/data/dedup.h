// SPDX-License-Identifier: MIT
// Finds documents that were seen before: exactly, and nearly by MinHash with locality-sensitive
// hashing (Broder, 1997; Leskovec et al., Mining of Massive Datasets, section 3.4).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "core/data/source.h"

namespace tessera::data {

/// 14 bands of 8 values: two documents whose sets of word 5-grams have Jaccard similarity s share a
/// band with probability 1 - (1 - s^8)^14: 0.09 at 0.5, 0.56 at 0.7, 0.77 at 0.75, 0.92 at 0.8.
inline constexpr int kBands = 14, kBandRows = 8;

/// What is remembered of a document: 128 bytes.
struct Fingerprint {
  std::array<std::uint64_t, 2> exact{};  ///< XXH3-128 of the text, runs of white space as one
  std::array<std::uint64_t, kBands> bands{};
};

/// Near duplicates are compared by words: runs of letters and digits in any script, ideographs as
/// words of one; punctuation, white space and ASCII case do not count. Pure: any number of threads.
Fingerprint fingerprint(std::string_view text);

struct DedupOptions {
  bool exact = true, near = true;
  /// Most memory for what is remembered. When it is full the oldest entries of a bucket are
  /// forgotten (see Deduplicator::forgotten()): duplicates further apart than that survive.
  std::int64_t memory_bytes = std::int64_t{1} << 30;
};

/// Documents are shown in order; the first of equals stays. The same order gives the same answers.
class Deduplicator {
 public:
  explicit Deduplicator(const DedupOptions& options);
  ~Deduplicator();

  /// The reason to drop the document, or none: then it is remembered.
  std::optional<Drop> see(const Fingerprint& document);
  /// Remembers without asking: what a build that goes on has kept before.
  void remember(const Fingerprint& document);
  std::int64_t forgotten() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::data
