// SPDX-License-Identifier: MIT
// Weights that are packed as they are loaded have the numbers of files in GGUF.
#include "kernels/packed_product/packed_weight.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "core/base/random.h"
#include "core/gguf/blocks.h"

namespace tessera {
namespace {

using kernels::Packing;

/// Blocks of many sizes, of zeros, of one number, of ties between levels, and of negative extremes.
std::vector<float> numbers_to_pack() {
  const Random random(5, 1);
  std::vector<float> numbers;
  for (std::uint64_t i = 0; i < 96 * 32; ++i) {
    const double size = std::exp2(static_cast<double>(i / 32 % 48) - 30);
    numbers.push_back(static_cast<float>(size * random.normal(i)));
  }
  numbers.insert(numbers.end(), 32, 0.f);
  numbers.insert(numbers.end(), 32, -0.f);
  numbers.insert(numbers.end(), 32, 1.5f);
  for (int i = 0; i < 32; ++i) numbers.push_back(static_cast<float>(i - 16) / 2.f);
  for (int i = 0; i < 32; ++i) numbers.push_back(static_cast<float>(i - 16) * 1e-42f);
  for (int i = 0; i < 32; ++i) numbers.push_back(static_cast<float>(127 - 8 * i) * 0.5f);
  return numbers;
}

TEST(PackedWeight, HasTheBytesOfGguf) {
  std::vector<float> numbers = numbers_to_pack();
  const auto blocks = static_cast<std::int64_t>(numbers.size() / 32);
  for (const Packing packing : {Packing::Q8_0, Packing::Q4_0}) {
    const GgufType type = packing == Packing::Q8_0 ? GgufType::Q8_0 : GgufType::Q4_0;
    const std::size_t each = packing == Packing::Q8_0 ? 32 : 16;
    std::vector<std::byte> file(static_cast<std::size_t>(blocks) * (each + 2));
    ASSERT_EQ(encode_blocks(type, numbers.data(), blocks * 32, file.data()), -1);

    std::vector<std::byte> values(static_cast<std::size_t>(blocks) * each),
        scales(static_cast<std::size_t>(blocks) * 2);
    const auto take = [&](DType dtype, std::int64_t a, std::int64_t b, std::int64_t c) {
      return Tensor(dtype == DType::F16 ? scales.data() : values.data(), dtype, {a, b, c});
    };
    const kernels::PackedWeight weight = kernels::packed_layout(packing, 1, blocks, 32, take);
    const Tensor from(numbers.data(), DType::F32, {blocks, 32});
    ASSERT_EQ(kernels::pack_weight(from, weight), -1);
    for (std::size_t i = 0; i < static_cast<std::size_t>(blocks); ++i) {
      const std::byte* block = file.data() + i * (each + 2);
      EXPECT_EQ(std::memcmp(block, scales.data() + 2 * i, 2), 0) << "scale of block " << i;
      EXPECT_EQ(std::memcmp(block + 2, values.data() + each * i, each), 0) << "block " << i;
    }

    std::vector<float> read(numbers.size()), unpacked(numbers.size());
    decode_blocks(type, file.data(), blocks * 32, read.data());
    kernels::unpack_weight(weight, Tensor(unpacked.data(), DType::F32, {blocks, 32}));
    EXPECT_EQ(unpacked, read);
  }
}

}  // namespace
}  // namespace tessera
