// SPDX-License-Identifier: MIT
#include "core/model/latent_cache.h"

#include "core/base/error.h"
#include "kernels/convert/convert.h"

namespace tessera {

LatentCache::LatentCache(const ModelConfig& config, std::int64_t pages, DType dtype,
                         Device device) {
  const std::int64_t width = config.kv_lora_rank + config.qk_rope_head_dim;
  const std::int64_t values = config.num_hidden_layers * pages * kPageTokens * width;
  memory_ = Buffer(static_cast<std::size_t>(values) * size_of(dtype), device);
  layers_ = memory_.view(dtype, {config.num_hidden_layers, pages, kPageTokens, width});
  for (std::int64_t page = pages; page-- > 0;) free_.push_back(static_cast<std::int32_t>(page));
  holders_.resize(static_cast<std::size_t>(pages));
}

std::int32_t LatentCache::take_page() {
  if (free_.empty()) {
    throw Error("cache",
                fmt::format("all {} pages of the latent cache are in use", layers_.size(1)),
                "shorten the conversation or give the cache more memory");
  }
  const std::int32_t page = free_.back();
  free_.pop_back();
  holders_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void LatentCache::share(std::int32_t page) {
  ++holders_[static_cast<std::size_t>(page)];
}

void LatentCache::give_back(const std::vector<std::int32_t>& pages) {
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) {
    if (--holders_[static_cast<std::size_t>(*page)] == 0) free_.push_back(*page);
  }
}

void LatentCache::copy_page(Context& context, std::int32_t from, std::int32_t to) const {
  for (std::int64_t i = 0; i < layers_.size(0); ++i) {
    kernels::convert(context, layer(i)[from], layer(i)[to]);
  }
}

}  // namespace tessera
