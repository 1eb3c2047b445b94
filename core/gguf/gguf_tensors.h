// SPDX-License-Identifier: MIT
// Private to core/gguf: the tensors of llama.cpp's architecture deepseek2, and which released
// tensors lie in each of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config/model_config.h"
#include "core/gguf/gguf_types.h"
#include "core/gguf/gguf_writer.h"

namespace tessera {

struct GgufPlace {
  enum class Layout : std::uint8_t {
    Plain,   ///< the released tensors one behind the other, row for row
    KeyUp,   ///< the keys' half of kv_b_proj, transposed for each head: (heads, kv_lora, nope)
    ValueUp  ///< its values' half: (heads, v, kv_lora)
  };
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<std::string> released;  ///< one, or all experts of a layer
  Layout layout = Layout::Plain;
  bool always_f32 = false;  ///< vectors, and the gate: llama.cpp keeps these
};

/// All of a model without its MTP layers, in the order in which they are written. `has_bias`: the
/// gates' selection biases are among them.
std::vector<GgufPlace> gguf_places(const ModelConfig& model, bool has_bias);

/// The names of the selection biases of `model`, released.
std::vector<std::string> selection_biases(const ModelConfig& model);

/// What a tensor is stored as where the file is of the type `wanted`: F32 where llama.cpp keeps it;
/// where rows are no whole blocks Q5_0 for Q4_K, else F16; embedding and head are Q8_0 in files of
/// 4 bits.
GgufType stored_type(const GgufPlace& place, GgufType wanted);

/// general.file_type of llama.cpp.
std::uint32_t gguf_file_type(GgufType wanted);

}  // namespace tessera
