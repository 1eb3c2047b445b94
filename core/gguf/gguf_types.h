// SPDX-License-Identifier: MIT
// Element types of GGUF files (github.com/ggml-org/ggml, docs/gguf.md): plain numbers, and
// blocks in which 32 or 256 numbers share scales.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tessera {

/// Numbered as in the files. Those that this program reads; encode_blocks() says which it writes.
enum class GgufType : std::uint32_t {
  F32 = 0,
  F16 = 1,
  Q4_0 = 2,
  Q4_1 = 3,
  Q5_0 = 6,
  Q5_1 = 7,
  Q8_0 = 8,
  Q4_K = 12,
  Q5_K = 13,
  Q6_K = 14,
  BF16 = 30,
};

struct GgufTypeInfo {
  GgufType type;
  const char* name;    ///< as llama.cpp prints it: "Q4_K"
  std::int64_t block;  ///< numbers of a block; rows are whole blocks
  std::size_t bytes;   ///< bytes that a block takes
};

/// Null: the number stands for no type, or for one that this program does not read.
const GgufTypeInfo* find_gguf_type(std::uint32_t number);
const GgufTypeInfo& info_of(GgufType type);

/// The name of a type, read here or not ("IQ4_XS"); "number 99" for one that is not known.
std::string gguf_type_name(std::uint32_t number);

/// What `tessera export --type` takes: f32, f16, bf16, q8_0, q4_0, q4_k.
const std::vector<std::string>& gguf_type_options();
/// Throws Error for a text that is none of these.
GgufType gguf_type_from_option(std::string_view text);

}  // namespace tessera
