// SPDX-License-Identifier: MIT
// The inference engine: sequences over a paged latent cache. Chat, samples during training,
// evaluation and the server all go through append().
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/communicator.h"
#include "core/infer/decode_recordings.h"
#include "core/infer/step_inputs.h"
#include "core/model/model.h"

namespace tessera {

struct EngineOptions {
  std::int64_t cache_tokens = 8192;  ///< room for all open sequences together
  std::int64_t chunk_tokens = 512;   ///< most new tokens in one pass through the model
  DType cache_dtype = DType::F32;  ///< F32 or BF16 (F64 for a model in F64); see Precision::narrow
  /// On the CPU: logits of a sequence have the same bits whatever runs beside it and however its
  /// tokens come in (kernels/product/rows_alone.h; attention always in the absorbed form). Off: the
  /// products and the form of attention that are fastest for each pass. On the GPU see
  /// `rows_alone_on_gpu`.
  bool rows_alone = true;
  /// The same on the GPU, where it costs speed: long prompts are read several times more slowly,
  /// and so is a token of more than kernels::kFewRows sequences. For models that take it
  /// (Model::takes_few_rows); for others the constructor throws Error.
  bool rows_alone_on_gpu = false;
  /// On the GPU: decoding steps as CUDA graphs.
  bool graphs = true;
  /// Decoding steps as the GPU has them, on the CPU too: padded to few different sizes, by the
  /// kernels for few rows, and with tokens chosen on the device. For tests of just that.
  bool steps_of_gpu = false;
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
  /// The token that follows is chosen on the device, see Engine::chosen(); it is to choose from the
  /// logits of the last token. For engines that choose.
  std::optional<DeviceDraw> draw{};
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

  /// Whether tokens are chosen on the device, where that is asked for: not while somebody observes.
  bool chooses() const { return in_steps_ && !observer_; }
  /// Whether append() has passes of their own for prompts, and for those that begin.
  bool reads_prompts_apart() const { return in_steps_; }
  /// Whether a token of a prompt that begins a sequence is read about twice as fast as one that
  /// goes on with a sequence in the cache: the form of attention is another.
  bool reads_beginnings_faster() const { return in_steps_ && !rows_alone_; }
  /// What the last append() chose for work[index]; nothing where that was not asked for, or where
  /// logits are not finite: whoever looks at these finds out which.
  const std::optional<Candidate>& chosen(std::size_t index) const { return chosen_.at(index); }
  /// How decoding steps were launched, so far.
  const StepLaunches& step_launches() const { return recordings_.launches(); }

  /// Reads a prompt and goes on with it, for nobody: what is made at the first use (kernels,
  /// handles, workspaces, the graph of a step) is there when somebody comes. For a cache with room.
  void warm_up();

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
  std::int64_t pages() const { return cache_.pages() - (in_steps_ ? 1 : 0); }
  /// Pages that the sequence must take before it can go on by `tokens`.
  std::int64_t pages_needed(const CachedSequence& sequence, std::int64_t tokens) const;

 private:
  /// New tokens of one sequence that go through the model in one pass.
  struct Piece {
    CachedSequence* sequence = nullptr;
    std::span<const std::int32_t> tokens;
    std::int64_t logits = 0;  ///< how many of its last tokens' logits are wanted
  };
  struct Need;
  void reserve(std::span<const Need> needs);
  bool writes_to_shared_page(const CachedSequence& sequence) const;
  void take_logits(std::int64_t rows, std::int64_t padding);
  void append_in_chunks(std::span<const Append> work, std::int64_t logit_row, bool apart);
  void append_in_steps(std::span<const Append> work);
  std::size_t steps_of(std::span<const Append> work) const;
  void run_step(std::span<const Append> work, std::int64_t logit_row);
  void choose_for_rest(std::span<const Append> work, std::int64_t logit_row);
  void hear_choices(std::span<const Append> work);
  bool takes_few(std::int64_t rows) const;
  Pass pass_over(std::int64_t rows);
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
  bool in_steps_ = false;           ///< decoding tokens go through run_step()
  std::int32_t nobodys_page_ = -1;  ///< what padding rows write to
  Stream stream_;
  StepInputs step_inputs_, rest_inputs_;
  DecodeRecordings recordings_;
  Buffer choices_memory_;
  Tensor choices_;  ///< (rows of logits, kChosenColumns) I32
  bool any_choice_ = false;
  std::vector<std::optional<Candidate>> chosen_;  ///< by work
  RouterObserver* observer_ = nullptr;
  Buffer logits_memory_;
  Tensor logits_;
};

}  // namespace tessera
