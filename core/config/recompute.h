// SPDX-License-Identifier: MIT
// What a training step does not keep from forward to backward, as backward makes it again: less
// memory for more work, and the same bits.
#pragma once

#include <string>
#include <vector>

namespace tessera {

/// Which of a layer's tensors backward makes again. The output of SwiGLU is never kept.
struct Recompute {
  /// Outputs of RMS norms, from their inputs. The blockwise recipe does it in layers anyway.
  bool norms = false;
  /// Gate and up, which SwiGLU reads, by the product that made them; blockwise: their tiles.
  bool swiglu = false;
  /// MLA's queries, and keys and values, from the normed latents. The blockwise recipe does it for
  /// keys and values anyway. A query without a latent is kept.
  bool up_projections = false;
  /// Whole blocks, from their input and the router's decision, which are kept. What the others ask
  /// for holds for a block while it is made again, and swiglu in any case.
  bool blocks = false;
  bool operator==(const Recompute&) const = default;
};

/// "norms", "swiglu", "up_projections", "blocks".
const std::vector<std::string>& recompute_words();
/// The switch of a word. Throws Error where the word is none of recompute_words().
bool& recompute_switch(Recompute& recompute, const std::string& word);
bool recompute_switch(const Recompute& recompute, const std::string& word);

/// Words of the switches that are on, in the order of recompute_words().
std::vector<std::string> words_of(const Recompute& recompute);
/// Throws Error for an unknown word. A word may be there twice.
Recompute recompute_of(const std::vector<std::string>& words);

}  // namespace tessera
