// SPDX-License-Identifier: MIT
// The safetensors reader on arbitrary bytes: it throws Error, or what it returns is sound.
#include <cstdint>
#include <cstdlib>
#include <set>

#include "core/base/error.h"
#include "core/checkpoint/safetensors.h"

namespace {

void expect(bool sound) {
  if (!sound) std::abort();
}

/// Tensors lie inside the file, cover its data once, and are as large as their shapes say.
void check(const tessera::SafetensorsContents& contents, std::span<const std::byte> file) {
  std::set<std::string> names;
  std::size_t data_bytes = 0;
  for (const tessera::StoredTensor& tensor : contents.tensors) {
    expect(names.insert(tensor.name).second);
    std::uint64_t wanted = tessera::size_of(tensor.dtype);
    for (std::int64_t extent : tensor.shape) {
      expect(extent >= 0);
      expect(!__builtin_mul_overflow(wanted, static_cast<std::uint64_t>(extent), &wanted));
    }
    expect(wanted == tensor.bytes.size());
    expect(tensor.bytes.data() >= file.data() + 8);
    expect(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
    data_bytes += tensor.bytes.size();
    unsigned sum = 0;
    for (std::byte byte : tensor.bytes) sum += static_cast<unsigned>(byte);
    expect(sum != ~0u);
    expect(!tensor.describe().empty());
  }
  expect(data_bytes + 8 <= file.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  try {
    const tessera::SafetensorsContents contents = tessera::parse_safetensors(file, "fuzzed");
    check(contents, file);
    for (const tessera::StoredTensor& tensor : contents.tensors) {
      if (!tensor.bytes.empty()) expect(tensor.view().bytes() == tensor.bytes.size());
    }
  } catch (const tessera::Error&) {
    // What bad input is for.
  }
  return 0;
}
