// SPDX-License-Identifier: MIT
// Trains a vocabulary on a sample of text with SentencePiece (Kudo and Richardson, EMNLP 2018).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {

enum class TokenizerAlgorithm {
  Bpe,      ///< byte-pair encoding (Sennrich et al., arXiv:1508.07909)
  Unigram,  ///< unigram language model (Kudo, arXiv:1804.10959)
};

struct TokenizerTrainOptions {
  TokenizerAlgorithm algorithm = TokenizerAlgorithm::Bpe;
  /// Rows of the vocabulary with all special and byte tokens. A sample too small for so many
  /// pieces gives fewer: read vocab_size() of the result.
  std::int32_t vocab_size = 8192;
  /// Share of the sample's characters that get a token of their own; the rest is spelled in bytes.
  double character_coverage = 0.9995;
  /// Every digit is a token, so that numbers have one spelling.
  bool split_digits = true;
  /// Longest piece in characters.
  int max_piece_length = 16;
  /// At most this much of the sample is used (the first texts by hash, so that order does not
  /// matter). Memory while training is about 20 times this for BPE and 40 times for unigram.
  std::int64_t max_sample_bytes = 16 << 20;
  /// Once it is true, train_tokenizer() throws Stopped within a fraction of a second.
  const std::atomic<bool>* stop = nullptr;
  /// Called from the calling thread a few times a second, phase "vocabulary".
  ReportPhase progress;
};

/// The same texts and options give the same vocabulary on every machine with the same version of
/// SentencePiece. `texts` are documents or parts of them, in any order; bytes that are not UTF-8
/// are passed over. Throws Error when the sample is empty or the vocabulary too small for its
/// characters.
/// SentencePiece works in a child process: it cannot be interrupted from inside, it ends its
/// process on some inputs, and what it allocates is given back at once.
std::shared_ptr<const Tokenizer> train_tokenizer(const std::vector<std::string>& texts,
                                                 const TokenizerTrainOptions& options = {});

}  // namespace tessera
