// SPDX-License-Identifier: MIT
#include "core/eval/perplexity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/error.h"
#include "core/infer/engine.h"

namespace tessera {

namespace {
/// -log of the softmax at `id`.
double loss_of_row(const float* logits, std::int64_t vocabulary, std::int32_t id) {
  const double top = static_cast<double>(*std::max_element(logits, logits + vocabulary));
  double sum = 0;
  for (std::int64_t i = 0; i < vocabulary; ++i) {
    sum += std::exp(static_cast<double>(logits[i]) - top);
  }
  return top + std::log(sum) - static_cast<double>(logits[id]);
}

/// Adds the losses of all but the first token of a window. Pieces keep the logits small.
void add_window(Engine& engine, const std::vector<std::int32_t>& window, TextLoss& loss) {
  constexpr std::int64_t kPiece = 64;
  CachedSequence sequence = engine.open();
  const std::int64_t read = std::ssize(window) - 1;  // nothing follows the last
  for (std::int64_t at = 0; at < read; at += kPiece) {
    const std::int64_t count = std::min(kPiece, read - at);
    const auto piece =
        std::span(window).subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
    const Append work{&sequence, piece, count};
    const Tensor logits = engine.append(std::span(&work, 1));
    for (std::int64_t i = 0; i < count; ++i) {
      loss.nats += loss_of_row(logits.data<float>() + i * logits.size(1), logits.size(1),
                               window[static_cast<std::size_t>(at + i + 1)]);
    }
    loss.tokens += count;
  }
}
}  // namespace

double TextLoss::perplexity() const {
  return std::exp(nats);
}

TextLoss text_loss(const Model& model, const Tokenizer& tokenizer,
                   std::span<const std::int32_t> ids, std::int64_t window) {
  require(model.device() == Device::Cpu, "perplexity", "the logits are read on the CPU");
  const std::int64_t most = model.config().max_position_embeddings - 1;
  if (window < 2 || window > most) {
    throw Error("perplexity", fmt::format("windows of {} tokens, expected 2 to {}", window, most),
                "the model's positions less one are the longest");
  }
  Engine engine(model, {.cache_tokens = window + 1});
  const std::int32_t bos = tokenizer.adds_bos() ? tokenizer.specials().bos : -1;
  TextLoss loss;
  for (std::size_t at = 0; at < ids.size(); at += static_cast<std::size_t>(window)) {
    std::vector<std::int32_t> part;
    if (bos >= 0) part.push_back(bos);
    const auto some = ids.subspan(at, std::min(static_cast<std::size_t>(window), ids.size() - at));
    part.insert(part.end(), some.begin(), some.end());
    if (part.size() > 1) add_window(engine, part, loss);
  }
  if (loss.tokens == 0) {
    throw Error("perplexity", "the text has no two tokens, one of which could foretell the other",
                "give a longer text");
  }
  loss.nats /= static_cast<double>(loss.tokens);
  return loss;
}

}  // namespace tessera
