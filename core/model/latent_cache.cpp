// SPDX-License-Identifier: MIT
#include "core/model/latent_cache.h"

#include "core/base/error.h"

namespace tessera {

LatentCache::LatentCache(const ModelConfig& config, std::int64_t pages, DType dtype,
                         Device device) {
  const std::int64_t width = config.kv_lora_rank + config.qk_rope_head_dim;
  const std::int64_t values = config.num_hidden_layers * pages * kPageTokens * width;
  memory_ = Buffer(static_cast<std::size_t>(values) * size_of(dtype), device);
  layers_ = memory_.view(dtype, {config.num_hidden_layers, pages, kPageTokens, width});
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
}

std::int32_t LatentCache::take_page() {
  if (free_.empty()) {
    throw Error("cache",
                fmt::format("all {} pages of the latent cache are in use", layers_.size(1)),
                "shorten the conversation or give the cache more memory");
  }
  const std::int32_t page = free_.back();
  free_.pop_back();
  return page;
}

void LatentCache::give_back(const std::vector<std::int32_t>& pages) {
  free_.insert(free_.end(), pages.rbegin(), pages.rend());
}

}  // namespace tessera
