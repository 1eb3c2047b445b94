// SPDX-License-Identifier: MIT
// The paged latent cache of MLA: one latent and one rotary key per token and layer, 576 values in
// DeepSeek-V3 (report, section 2.1.1), in pages that sequences take as they grow.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/context.h"
#include "core/base/memory.h"
#include "core/config/model_config.h"
#include "core/model/sequences.h"

namespace tessera {

/// New tokens of one or more cached sequences, for one call of the model.
struct CachedTokens {
  /// Tokens, their places in their sequences as positions, and runs of one sequence as starts.
  Sequences sequences;
  Tensor pages;        ///< (T, max pages) I32: the pages of the token's sequence
  Tensor lengths;      ///< (T) I32: positions + 1, what each token sees
  Tensor slots;        ///< (T) I32: row of the cache, page * page tokens + place, to be written
  bool fresh = false;  ///< every sequence begins with this call: nothing is in the cache yet
};

/// Memory of all layers and the list of free pages. A sequence is a list of pages and a length.
/// Sequences that begin alike hold the same pages, each of which counts its holders; a page with
/// several is never written.
class LatentCache {
 public:
  static constexpr std::int64_t kPageTokens = 64;

  LatentCache(const ModelConfig& config, std::int64_t pages, DType dtype, Device device);

  /// (pages, page tokens, latent + rotary) of a layer.
  Tensor layer(std::int64_t layer) const { return layers_[layer]; }
  std::int64_t free_pages() const { return static_cast<std::int64_t>(free_.size()); }
  std::int64_t pages() const { return layers_.size(1); }
  /// A page with one holder. Throws Error when the cache is full.
  std::int32_t take_page();
  /// One more holder of a page that is in use.
  void share(std::int32_t page);
  bool is_shared(std::int32_t page) const { return holders_[static_cast<std::size_t>(page)] > 1; }
  /// One holder less of each; a page without any is free.
  void give_back(const std::vector<std::int32_t>& pages);
  /// What a page holds, in all layers.
  void copy_page(Context& context, std::int32_t from, std::int32_t to) const;
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  Buffer memory_;
  Tensor layers_;
  std::vector<std::int32_t> free_;
  std::vector<std::int32_t> holders_;  ///< by page
};

}  // namespace tessera
