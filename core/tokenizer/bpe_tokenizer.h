// SPDX-License-Identifier: MIT
// Private to core/tokenizer: byte pairs as a tokenizer.json describes them. Ids are those of the
// tokenizers library (tests/peers/tokenizer_json.py compares).
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "core/tokenizer/tokenizer.h"

namespace tessera {

/// `text`: what the file at `path` holds. Reads the files with roles beside it. Throws Error.
std::shared_ptr<const Tokenizer> make_bpe_tokenizer(std::string text,
                                                    const std::filesystem::path& path);

}  // namespace tessera
