// SPDX-License-Identifier: MIT
// A GGUF file of llama.cpp's architecture deepseek2 as a folder in the released format.
#pragma once

#include <filesystem>

#include "core/checkpoint/checkpoint.h"

namespace tessera {

/// Writes the new folder `to` with config.json, weights of `options.dtype` (F32 or BF16), the
/// vocabulary and the chat template. The whole model is found before anything is written; memory is
/// some rows of one tensor. F32 to F32 and BF16 to BF16 are exact. Throws Error naming the file and
/// the key or tensor.
void import_gguf(const std::filesystem::path& file, const std::filesystem::path& to,
                 const ExportOptions& options = {});

}  // namespace tessera
