// SPDX-License-Identifier: MIT
// How well a model foretells a text.
#pragma once

#include <cstdint>
#include <span>

#include "core/infer/text_model.h"

namespace tessera {

struct TextLoss {
  double nats = 0;          ///< mean -log p of the tokens that count
  std::int64_t tokens = 0;  ///< those that count: all but the first of each window
  double perplexity() const;
};

/// Cuts the ids into windows of `window` tokens, each read by itself behind the token that begins a
/// text where the vocabulary has one, and averages over the tokens that have others before them.
/// The last window may be shorter. Throws Error where no token counts, and for a window that is
/// longer than the model's positions.
TextLoss text_loss(const Model& model, const Tokenizer& tokenizer,
                   std::span<const std::int32_t> ids, std::int64_t window);

}  // namespace tessera
