// SPDX-License-Identifier: MIT
// What the trainer reads: rows of tokens from a mixture of sources, in an order that depends on the
// seed and the position alone.
//
// Row r of the global order belongs to the source drawn with the weights from (seed, r). Each
// source is one endless stream: its documents in a new pseudo-random order every epoch, each as
//   BOS text EOS                                           or, at the rate fim_rate,
//   BOS <fim begin> prefix <fim hole> suffix <fim end> middle EOS,
// back to back. A row takes the next `length` tokens of its source and looks 1 + extra tokens ahead
// without taking them, so that every token is the target of its predecessor exactly once.
// Weights are therefore shares of tokens, at any length.
//
// FIM: shards hold tokens, so a document is cut between tokens, at two points drawn from (seed,
// source, epoch, document); the report's rate is 0.1 (section 4.1, PSM).
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/base/memory.h"
#include "core/base/tensor.h"
#include "core/data/dataset.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera::data {

struct MixturePart {
  std::string source;
  double weight = 1.0;
};

struct BatchStreamOptions {
  /// Empty: the sources of the dataset with the weights of its manifest, those without documents
  /// left out.
  std::vector<MixturePart> mixture{};
  std::uint64_t seed = 0;
  /// Tokens beyond the next one that each row shows: the MTP depth.
  int extra = 0;
  double fim_rate = 0.0;
  /// False: a row is one document, cut off at the end of the row or padded to it.
  bool packing = true;
  /// Row r goes to rank r % ranks.
  int rank = 0, ranks = 1;
  /// Instead each rank gets a run of the rows that all ranks ask for at once, in the order of
  /// ranks: rows that are beside each other on one rank are so on any number of ranks.
  bool consecutive = false;
};

/// Owns its memory; move only.
struct Batch {
  Buffer memory;
  /// (sequences, length + 1 + extra) I32. Input: columns [0, length); target of depth k (0: the
  /// next token): columns [1 + k, length + 1 + k).
  Tensor tokens;
  std::int64_t length = 0;
  /// Per row: columns [0, valid) are tokens, the rest is padding. With packing that is all of them.
  std::vector<std::int32_t> valid;
  /// Per row, ascending, first 0: the columns at which a document starts (its BOS), and 0 itself,
  /// where a document may go on from the row before. For the option that masks documents from each
  /// other.
  std::vector<std::vector<std::int32_t>> document_starts;
  /// Per row: index in BatchStream::sources().
  std::vector<std::int32_t> source;

  Batch() = default;
  /// Zeroed tokens of that shape.
  Batch(std::int64_t sequences, std::int64_t length, int extra);

  /// Writes the targets of depth 0..extra to (sequences, length) I32; -1 where there is none.
  void write_targets(int depth, const Tensor& out) const;
};

/// How far a source has been read.
struct SourceProgress {
  std::string source;
  double weight = 0;  ///< normalised
  std::int64_t tokens = 0;
  double epochs = 0;  ///< passes over its documents
};

/// Not thread-safe.
class BatchStream {
 public:
  /// `specials` of the dataset's vocabulary: bos and eos are needed, the FIM tokens when fim_rate >
  /// 0. Throws Error when a source is unknown or has no documents, or a weight is not positive.
  BatchStream(std::shared_ptr<const Dataset> dataset, const SpecialTokens& specials,
              BatchStreamOptions options);
  ~BatchStream();
  BatchStream(BatchStream&&) noexcept;
  BatchStream& operator=(BatchStream&&) noexcept;

  /// The next `sequences` rows of this rank. Asking for 2 + 3 rows gives the same rows as asking
  /// for 5, unless several ranks take consecutive rows; the length may change from call to call.
  Batch next(std::int64_t sequences, std::int64_t length);

  /// Where the stream stands. The same on every rank when each has taken equally many rows, and
  /// good for any other number of ranks.
  nlohmann::json state() const;
  /// Mixture, rank and length may differ from those it was saved with. Throws Error when the state
  /// is malformed, of another seed, or of other data.
  void restore(const nlohmann::json& state);

  /// Goes on with other weights, as the next stage of a curriculum. Every source keeps its place,
  /// one that is left out, too, for when it comes back. Throws as the constructor.
  void set_mixture(std::vector<MixturePart> mixture);

  /// Rows handed out so far to all ranks together.
  std::int64_t rows() const;
  const std::vector<std::string>& sources() const;
  std::vector<SourceProgress> progress() const;

  /// The first rows of the held-out documents of a source, in their stored order and without FIM:
  /// the same whenever they are asked for. Fewer rows than `sequences` when there are no more; when
  /// not even one can be filled, its documents are repeated to fill it. Throws Error when the
  /// source has no held-out document.
  Batch validation_batches(const std::string& source, std::int64_t sequences,
                           std::int64_t length) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tessera::data
