// SPDX-License-Identifier: MIT
// Private to core/tokenizer: the Tokenizer over a SentencePiece model.
#pragma once

#include <memory>
#include <string>

#include "core/tokenizer/tokenizer.h"

namespace tessera {

/// `model` is a serialised SentencePiece model; `where` names its origin in messages. Throws Error
/// when it is damaged.
std::shared_ptr<const Tokenizer> make_sentencepiece_tokenizer(std::string model,
                                                              const std::string& where);

}  // namespace tessera
