// SPDX-License-Identifier: MIT
// The inference engine: sequences over a paged latent cache. Chat, samples during training,
// evaluation and the server all go through append().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/base/communicator.h"
#include "core/model/model.h"

namespace tessera {

struct EngineOptions {
  std::int64_t cache_tokens = 8192;  ///< room for all open sequences together
  std::int64_t chunk_tokens = 512;   ///< most new tokens in one pass through the model
  DType cache_dtype = DType::F32;  ///< F32 or BF16 (F64 for a model in F64); see Precision::narrow
  /// On the CPU: logits of a sequence have the same bits whatever runs beside it and however its
  /// tokens come in (kernels/product/rows_alone.h; attention always in the absorbed form). Off: the
  /// products and the form of attention that are fastest for each pass. On the GPU it is off.
  bool rows_alone = true;
  /// Where the model is spread over a pipeline: its ranks, all of which make the same calls and get
  /// the logits, and the rank of each stage. Null: the model is whole.
  Communicator* pipeline = nullptr;
  std::vector<std::int32_t> route{};
};

/// A sequence that the engine holds in its cache. Pages go back when it is destroyed, so it must
/// not outlive its engine.
class CachedSequence {
 public:
  std::int64_t length() const { return length_; }
  CachedSequence(CachedSequence&&) noexcept;
  CachedSequence& operator=(CachedSequence&&) noexcept;
  ~CachedSequence();

  /// Forgets everything from position `length` on: a conversation goes back to an earlier point.
  void truncate(std::int64_t length);

 private:
  friend class Engine;
  explicit CachedSequence(LatentCache& cache) : cache_(&cache) {}
  LatentCache* cache_ = nullptr;
  std::vector<std::int32_t> pages_;
  std::int64_t length_ = 0;
};

/// Tokens to be added to one sequence.
struct Append {
  CachedSequence* sequence = nullptr;
  std::span<const std::int32_t> tokens;  ///< at least one
  std::int64_t logit_rows = 1;           ///< logits wanted: those of the last tokens, 0 or more
};

/// Uses one model; weights may change between calls (samples during training). Not thread-safe.
class Engine {
 public:
  Engine(const Model& model, const EngineOptions& options, Profile* profile = nullptr);

  CachedSequence open();
  /// A sequence that holds the first `length` tokens of another, without reading them: both hold
  /// the same pages until one of them writes to a page.
  CachedSequence fork(const CachedSequence& sequence, std::int64_t length);

  /// Runs all the new tokens and returns logits (rows wanted, vocabulary), F32 or F64, in the order
  /// of the work; valid until the next call. Throws Error when the cache is full or a sequence
  /// would pass max_position_embeddings; the sequences are then as before.
  const Tensor& append(std::span<const Append> work);
  const Tensor& append(CachedSequence& sequence, std::span<const std::int32_t> tokens);

  /// Takes the pages of `tokens` more tokens of the sequence now, so that none of the appends that
  /// bring them can fail for want of room. Throws as append(); the sequence is then as before.
  void reserve(CachedSequence& sequence, std::int64_t tokens);
  /// How many more tokens of the sequence the model's positions and the cache have room for.
  std::int64_t room(const CachedSequence& sequence) const;

  /// Is told what the routers decide, from the next append on; null: nobody.
  void observe(RouterObserver* observer) { observer_ = observer; }

  const Model& model() const { return model_; }
  std::int64_t chunk_tokens() const { return options_.chunk_tokens; }
  std::size_t cache_bytes() const { return cache_.bytes(); }
  std::int64_t free_tokens() const { return cache_.free_pages() * LatentCache::kPageTokens; }
  std::int64_t free_pages() const { return cache_.free_pages(); }
  std::int64_t pages() const { return cache_.pages(); }
  /// Pages that the sequence must take before it can go on by `tokens`.
  std::int64_t pages_needed(const CachedSequence& sequence, std::int64_t tokens) const;

 private:
  struct Piece;
  struct Need;
  void reserve(std::span<const Need> needs);
  bool writes_to_shared_page(const CachedSequence& sequence) const;
  /// Logits go to rows from `logit_row` on; returns how many.
  std::int64_t run_chunk(std::span<const Piece> pieces, std::int64_t logit_row);
  void run_stages(Pass& pass, const CachedTokens& tokens, const Tensor& x);
  void run_model(const CachedTokens& tokens, const std::vector<std::int64_t>& wanted,
                 std::int64_t logit_row);
  void logits_of_rows(Pass& pass, const Tensor& x, const std::vector<std::int64_t>& wanted,
                      const Tensor& logits);

  const Model& model_;
  EngineOptions options_;
  LatentCache cache_;
  Arena keep_, scratch_;
  Context context_;
  bool rows_alone_ = false;
  RouterObserver* observer_ = nullptr;
  Buffer logits_memory_;
  Tensor logits_;
};

}  // namespace tessera
