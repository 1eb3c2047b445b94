// SPDX-License-Identifier: MIT
// Choosing tokens on the CPU: the reference of the GPU's, with the tokens sorted.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/threads.h"
#include "kernels/choose/choose_contract.h"

namespace tessera::kernels::cpu {

namespace {
constexpr double kOne = 0x1p62;  // probability 1 in whole numbers

struct Likely {
  std::int32_t id;
  float probability;
};

std::uint64_t mass_of(float probability) {
  return static_cast<std::uint64_t>(static_cast<double>(probability) * kOne);
}

/// All tokens, the likeliest first.
template <class T>
std::vector<Likely> by_probability(const T* logits, std::int64_t count, double scale) {
  const double factor = scale > 0 ? scale : 1;
  double largest = logits[0], total = 0;
  for (std::int64_t i = 1; i < count; ++i) largest = std::max<double>(largest, logits[i]);
  std::vector<Likely> tokens(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const double weight = std::exp((static_cast<double>(logits[i]) - largest) * factor);
    tokens[static_cast<std::size_t>(i)] = {static_cast<std::int32_t>(i),
                                           static_cast<float>(weight)};
    total += weight;
  }
  for (Likely& token : tokens) token.probability /= static_cast<float>(total);
  std::sort(tokens.begin(), tokens.end(), [](const Likely& a, const Likely& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  return tokens;
}

Likely choose_from(const std::vector<Likely>& tokens, const double* draw) {
  if (draw[kDrawScale] == 0) return tokens.front();
  const double least = draw[kDrawMinP] * tokens.front().probability;
  const auto most = static_cast<std::size_t>(draw[kDrawTopK]);
  const double enough = draw[kDrawTopP] * kOne;
  std::uint64_t sum = 0;
  std::size_t allowed = 0;
  while (allowed < tokens.size() && (most == 0 || allowed < most)) {
    if (static_cast<double>(tokens[allowed].probability) < least) break;
    sum += mass_of(tokens[allowed++].probability);
    if (static_cast<double>(sum) >= enough) break;
  }
  // The product may be rounded up to the sum itself.
  const auto wanted =
      std::min(static_cast<std::uint64_t>(static_cast<double>(sum) * draw[kDrawUniform]), sum - 1);
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < allowed; ++i) {
    passed += mass_of(tokens[i].probability);
    if (passed > wanted) return tokens[i];
  }
  return tokens[allowed - 1];
}

template <class T>
void choose_row(const T* logits, std::int64_t width, const double* draw, std::int32_t* chosen) {
  std::int32_t broken = 0;
  for (std::int64_t i = 0; i < width; ++i) broken += std::isfinite(logits[i]) ? 0 : 1;
  chosen[kChosenBroken] = broken;
  chosen[kChosenId] = -1;
  chosen[kChosenProbability] = 0;
  if (broken > 0) return;
  const auto real = static_cast<std::int64_t>(draw[kDrawVocabulary]);
  const std::int64_t count = real > 0 ? std::min(real, width) : width;
  const Likely one = choose_from(by_probability(logits, count, draw[kDrawScale]), draw);
  chosen[kChosenId] = one.id;
  chosen[kChosenProbability] = std::bit_cast<std::int32_t>(one.probability);
}
}  // namespace

void choose(Context&, const Tensor& logits, const Tensor& draws, const Tensor& chosen) {
  contract::choose("choose", logits, draws, chosen);
  with_float("choose", "logits", logits, [&]<class T>(T) {
    parallel_for(logits.size(0), 1, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t row = from; row < to; ++row) {
        choose_row(row_of<T>(logits, row), logits.size(1),
                   draws.data<double>() + row * kDrawColumns,
                   chosen.data<std::int32_t>() + row * kChosenColumns);
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
