// SPDX-License-Identifier: MIT
#include "core/eval/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/base/error.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

struct Written {
  test::ScratchFolder scratch;
  LoadedText text;
  std::vector<std::int32_t> ids;

  Written() {
    test::write_released_model(scratch.path / "model", 3);
    text = load_text(scratch.path / "model", {});
    ids = text.tokenizer->encode("The lazy fox dreams of rivers, and the old tree rests 7 times.");
  }
  TextLoss loss(std::int64_t window) const {
    return text_loss(*text.loaded.model, *text.tokenizer, ids, window);
  }
};

/// The definition: token by token, with all logits of the vocabulary.
double slow_loss(const Written& w, std::int64_t window, std::int64_t& counted) {
  double nats = 0;
  counted = 0;
  for (std::size_t first = 0; first < w.ids.size(); first += static_cast<std::size_t>(window)) {
    Engine engine(*w.text.loaded.model, {.cache_tokens = 512});
    CachedSequence sequence = engine.open();
    std::vector<std::int32_t> part;
    if (w.text.tokenizer->adds_bos()) part.push_back(w.text.tokenizer->specials().bos);
    for (std::size_t i = first;
         i < std::min(w.ids.size(), first + static_cast<std::size_t>(window)); ++i) {
      part.push_back(w.ids[i]);
    }
    for (std::size_t i = 0; i + 1 < part.size(); ++i, ++counted) {
      const Tensor logits = engine.append(sequence, std::span(part).subspan(i, 1));
      double sum = 0;
      for (std::int64_t v = 0; v < logits.size(1); ++v) {
        sum += std::exp(static_cast<double>(logits.data<float>()[v]));
      }
      nats += std::log(sum) - static_cast<double>(logits.data<float>()[part[i + 1]]);
    }
  }
  return nats / static_cast<double>(counted);
}

TEST(Perplexity, IsItsDefinitionForAnyWindow) {
  const Written w;
  ASSERT_GT(w.ids.size(), 10u);
  for (const std::int64_t window : {2, 7, 1000}) {
    std::int64_t counted = 0;
    const double wanted = slow_loss(w, window, counted);
    const TextLoss loss = w.loss(window);
    EXPECT_NEAR(loss.nats, wanted, 1e-9) << window;
    EXPECT_EQ(loss.tokens, counted);
    EXPECT_DOUBLE_EQ(loss.perplexity(), std::exp(loss.nats));
  }
}

TEST(Perplexity, RefusesTextsAndWindowsWithNothingToFortell) {
  Written w;
  EXPECT_THROW(w.loss(1), Error);
  EXPECT_THROW(w.loss(1024), Error);  // the model's positions, and no room for the first token
  w.ids.clear();
  EXPECT_THROW(w.loss(16), Error);
}

}  // namespace
}  // namespace tessera
