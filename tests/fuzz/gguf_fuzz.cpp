// SPDX-License-Identifier: MIT
// The GGUF reader on arbitrary bytes: it throws Error, or what it returns is sound; and so do the
// keys of a model and of a vocabulary in it.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "core/base/error.h"
#include "core/gguf/gguf_config.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_values.h"
#include "core/gguf/gguf_vocabulary.h"

namespace {

using namespace tessera;

void expect_sound(bool sound) {
  if (!sound) std::abort();
}

/// Tensors lie inside the file, one behind the other, and all of their numbers can be read.
void check_gguf(const GgufContents& contents, std::span<const std::byte> file) {
  std::vector<std::span<const std::byte>> places;
  std::vector<float> row;
  for (const auto& [name, tensor] : contents.tensors) {
    expect_sound(name == tensor.name && !tensor.describe().empty());
    expect_sound(tensor.bytes.data() >= file.data() &&
                 tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
    row.resize(static_cast<std::size_t>(tensor.columns()));
    for (std::int64_t i = 0; i < tensor.rows(); ++i) tensor.read_rows(i, 1, row.data());
    places.push_back(tensor.bytes);
  }
  std::sort(places.begin(), places.end(),
            [](const auto& a, const auto& b) { return a.data() < b.data(); });
  for (std::size_t i = 1; i < places.size(); ++i) {
    expect_sound(places[i - 1].data() + places[i - 1].size() <= places[i].data());
  }
  for (const auto& [key, value] : contents.values) {
    unsigned sum = 0;
    if (const auto* list = std::get_if<GgufList>(&value)) {
      for (const std::byte byte : list->numbers) sum += static_cast<unsigned>(byte);
      for (const std::string_view text : list->texts) sum += static_cast<unsigned>(text.size());
    }
    if (const auto* text = std::get_if<std::string_view>(&value)) {
      for (const char c : *text) sum += static_cast<unsigned char>(c);
    }
    expect_sound(sum != ~0u && !key.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  try {
    const GgufContents contents = parse_gguf(file, "fuzzed");
    check_gguf(contents, file);
    const GgufValues values(contents, "fuzzed");
    HfConfig config = read_model_keys(values, size % 2 == 0, size % 3 == 0);
    read_vocabulary_keys(values, config);
  } catch (const Error&) {
    // What bad input is for.
  }
  return 0;
}
