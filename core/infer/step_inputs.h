// SPDX-License-Identifier: MIT
// What a decoding step reads besides weights and cache: one token of each of some sequences. It
// lies at addresses that the numbers of rows and pages alone decide, and reaches the device in one
// copy.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/memory.h"
#include "core/infer/sampler.h"
#include "core/model/latent_cache.h"

namespace tessera {

class StepInputs {
 public:
  explicit StepInputs(Device device) : device_(device) {}

  /// Begins a step of `rows` rows, each with `pages` pages. Returns whether the memory has moved.
  bool begin(std::int64_t rows, std::int64_t pages);
  /// The token that stands at `position` of a sequence with these pages.
  void add(std::int32_t token, std::int64_t position, const std::vector<std::int32_t>& pages,
           const DeviceDraw& draw);
  /// Fills the rows that are left with tokens that nobody asked for: each writes to `page`, which
  /// is no sequence's.
  void pad(std::int32_t page);
  /// Sends all rows to the device.
  void send();

  const CachedTokens& tokens() const { return tokens_; }
  const Tensor& draws() const { return draws_; }  ///< (rows, kDrawColumns) F64

 private:
  template <class T>
  T* host(const Tensor& tensor);

  Device device_;
  Buffer memory_;
  std::vector<unsigned char> host_;
  std::int64_t rows_ = 0, filled_ = 0;
  CachedTokens tokens_;
  Tensor draws_;
};

/// Rows of the step that takes `count` sequences: the next of 1, 2, 3, 4, 6, 8, 12, 16, 24, ... so
/// that few different steps occur, and few of their rows are for nobody. At most `most`.
std::int64_t step_rows(std::int64_t count, std::int64_t most);
/// Columns of the table for sequences of at most `pages` pages: powers of two from 4 on, at most
/// `most`.
std::int64_t step_pages(std::int64_t pages, std::int64_t most);

}  // namespace tessera
