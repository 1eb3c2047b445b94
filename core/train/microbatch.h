// SPDX-License-Identifier: MIT
// Rows of tokens laid out as the model reads them: put together on the host, then moved to the
// device as one micro-batch.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/base/memory.h"
#include "core/model/model.h"

namespace tessera {

/// How the columns of rows that are cut over ranks of context lie in the whole rows
/// (core/train/context_cut.h). Empty shares: rows are whole.
struct ContextColumns {
  std::vector<std::int64_t> shares;  ///< tokens of each rank
  /// Of each key that a token here sees: its rank, and its row among the tokens of that rank.
  std::vector<std::int32_t> key_ranks, key_rows;
  std::vector<std::int32_t> ranges;   ///< four for each range, as kernels/attention_ranges.h
  std::vector<std::int32_t> lengths;  ///< tokens of each whole sequence
  bool has_mtp = false;               ///< the columns of MTP are there, if only without a token

  bool is_cut() const { return !shares.empty(); }
  /// Adds those of `more`, whose tokens come behind `tokens` tokens.
  void append(const ContextColumns& more, std::int64_t tokens);
};

/// One or more sequences on the host: one entry for each token in every column, but for `starts`.
struct TokenColumns {
  std::vector<std::int32_t> tokens, positions;
  std::vector<std::int32_t> targets;        ///< the next token; -1: not a target
  std::vector<std::int32_t> mtp_tokens;     ///< the next token as input of MTP; empty without MTP
  std::vector<std::int32_t> mtp_targets;    ///< the token after it; -1: not a target
  std::vector<float> weights, mtp_weights;  ///< of the losses of targets; empty: 1
  std::vector<std::int32_t> starts{0};      ///< of each sequence, and the end of the last one
  std::int64_t max_length = 0;              ///< no sequence is longer than this
  ContextColumns context{};                 ///< of rows that are cut

  /// What is there so far ends a sequence.
  void end_sequence() { starts.push_back(static_cast<std::int32_t>(tokens.size())); }
  /// Adds the sequences of `more` behind these; both have the same columns.
  void append(const TokenColumns& more);
  /// Sum of the weights of tokens that have a target, for means over them.
  double target_weight() const;
  double mtp_target_weight() const;
};

/// The columns of a row of `length` + 1 + `extra` ids: inputs are the first `length`, targets the
/// next ones, with extra = 1 also those of MTP. `document_starts`, ascending columns, splits the
/// row into documents that do not attend to each other; empty: it is one sequence.
TokenColumns packed_row(std::span<const std::int32_t> ids, std::int64_t length, int extra,
                        std::span<const std::int32_t> document_starts = {});

/// As packed_row(), but of the ids [0, valid) alone: the padding behind a document is left out, so
/// that it is neither computed, nor trained on, nor counted as expert load.
TokenColumns document_row(std::span<const std::int32_t> ids, std::int64_t length, int extra,
                          std::int64_t valid);

/// `ids` (rows, length) I64 as whole sequences whose last token has no target.
TokenColumns next_token_rows(const Tensor& ids);

/// The tensors of a micro-batch and the memory they live in.
class MicrobatchBuffer {
 public:
  /// `memory`: that of an earlier micro-batch, used again where it is large enough.
  MicrobatchBuffer(const TokenColumns& columns, Device device, Buffer memory = {});

  /// Shapes without memory, for a dry run.
  static MicrobatchBuffer shapes(std::int64_t count, std::int64_t length, int extra, Device device,
                                 const ContextPlace& place = {});

  const Microbatch& batch() const { return batch_; }
  const void* address() const { return memory_.data(); }
  /// For the next micro-batch; this one is not to be used after it.
  Buffer take_memory() { return std::move(memory_); }

 private:
  MicrobatchBuffer() = default;

  Buffer memory_;
  Microbatch batch_;
};

}  // namespace tessera
