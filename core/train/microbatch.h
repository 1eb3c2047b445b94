// SPDX-License-Identifier: MIT
// Rows of tokens laid out as the model reads them.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "core/base/memory.h"
#include "core/model/model.h"

namespace tessera {

/// The integer tensors of a micro-batch and the memory they live in.
class MicrobatchBuffer {
 public:
  /// Rows [first, first + count) of `tokens` (rows, length + 1 + extra) I32: inputs are the first
  /// `length` columns, targets the next ones, with extra = 1 also those of MTP.
  /// `document_starts`, one ascending list of columns for each row, splits rows into documents that
  /// do not attend to each other; empty: rows are whole sequences.
  /// `memory`: that of an earlier micro-batch, used again where it is large enough.
  static MicrobatchBuffer packed(const Tensor& tokens, std::int64_t first, std::int64_t count,
                                 std::int64_t length, int extra,
                                 const std::vector<std::vector<std::int32_t>>& document_starts,
                                 Device device, Buffer memory = {});

  /// As packed(), but of each row only its columns [0, valid[row]): the padding behind a document
  /// is left out, so that it is neither computed, nor trained on, nor counted as expert load.
  static MicrobatchBuffer documents(const Tensor& tokens, std::int64_t first, std::int64_t count,
                                    std::int64_t length, int extra,
                                    const std::vector<std::int32_t>& valid, Device device,
                                    Buffer memory = {});

  /// `ids` (rows, length) I64 as whole sequences whose last token has no target.
  static MicrobatchBuffer next_token(const Tensor& ids, Device device);

  /// Shapes without memory, for a dry run.
  static MicrobatchBuffer shapes(std::int64_t count, std::int64_t length, int extra, Device device);

  const Microbatch& batch() const { return batch_; }
  const void* address() const { return memory_.data(); }
  /// For the next micro-batch; this one is not to be used after it.
  Buffer take_memory() { return std::move(memory_); }
  /// Tokens that have a target, for the mean loss.
  std::int64_t targets() const { return targets_; }
  std::int64_t mtp_targets() const { return mtp_targets_; }

 private:
  struct Columns;
  MicrobatchBuffer() = default;
  MicrobatchBuffer(const Columns& columns, std::int64_t max_length, Device device, Buffer memory);

  Buffer memory_;
  Microbatch batch_;
  std::int64_t targets_ = 0, mtp_targets_ = 0;
};

}  // namespace tessera
