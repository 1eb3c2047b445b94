// SPDX-License-Identifier: MIT
// A model in the released format, or a checkpoint of a run, as one GGUF file for llama.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/gguf/gguf_types.h"

namespace tessera {

struct GgufExport {
  std::uint64_t bytes = 0;             ///< length of the file
  std::map<std::string, int> tensors;  ///< how many there are of each type
  std::vector<std::string> notes;      ///< one sentence each; in the log already
};

/// Reads `from` (a folder, or a checkpoint) and writes the new file `to`, whose tensors are of
/// `type` where llama.cpp allows it (stored_type()). The whole model is found, and what llama.cpp
/// cannot run is refused, before anything is written. Memory: some rows of one tensor. The file
/// stands under a temporary name until it is whole. A file that is there already is an error.
/// Throws Error naming the folder, the tensor or the file; also where a number does not fit the
/// type.
GgufExport export_gguf(const std::filesystem::path& from, const std::filesystem::path& to,
                       GgufType type);

}  // namespace tessera
