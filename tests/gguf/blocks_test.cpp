// SPDX-License-Identifier: MIT
// Blocks against the `gguf` package, as tests/peers/gguf_quantise.py recorded it.
#include "core/gguf/blocks.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/dtype.h"
#include "core/gguf/gguf_file.h"
#include "core/gguf/gguf_values.h"
#include "tests/build_paths.h"
#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera {
namespace {

using namespace testing;

const GgufFile& recorded() {
  static const GgufFile file(fs::path(TESSERA_SOURCE_DIR) / "tests/golden/gguf/blocks.gguf");
  return file;
}

std::vector<float> row_of(const std::string& name, std::int64_t row) {
  const GgufTensor& tensor = recorded().at(name);
  std::vector<float> numbers(static_cast<std::size_t>(tensor.columns()));
  tensor.read_rows(row, 1, numbers.data());
  return numbers;
}

std::vector<std::byte> encoded(GgufType type, const std::vector<float>& numbers,
                               std::int64_t expected = -1) {
  const GgufTypeInfo& info = info_of(type);
  std::vector<std::byte> bytes(numbers.size() / static_cast<std::size_t>(info.block) * info.bytes);
  EXPECT_EQ(encode_blocks(type, numbers.data(), std::ssize(numbers), bytes.data()), expected)
      << info.name;
  return bytes;
}

std::vector<float> decoded(GgufType type, const std::vector<std::byte>& bytes) {
  const GgufTypeInfo& info = info_of(type);
  std::vector<float> numbers(bytes.size() / info.bytes * static_cast<std::size_t>(info.block));
  decode_blocks(type, bytes.data(), std::ssize(numbers), numbers.data());
  return numbers;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

TEST(Blocks, ReaderTakesWhatTheGgufPackageWrites) {
  const GgufValues values(recorded());
  EXPECT_EQ(values.text("general.architecture"), "blocks");
  EXPECT_EQ(values.texts("blocks.words"), (std::vector<std::string>{"one", "zwei", "\u4e09"}));
  EXPECT_EQ(values.integers("blocks.counts"), (std::vector<std::int32_t>{1, -2, 3}));
  EXPECT_EQ(recorded().at("x").shape, (std::vector<std::int64_t>{16, 256}));
}

TEST(Blocks, BytesEqualThoseOfTheGgufPackage) {
  std::int64_t compared = 0;
  for (const GgufType type :
       {GgufType::Q8_0, GgufType::Q4_0, GgufType::Q5_0, GgufType::F16, GgufType::BF16}) {
    const GgufTensor& theirs = recorded().at(std::string("x.") + info_of(type).name);
    const std::size_t row_bytes = theirs.bytes.size() / static_cast<std::size_t>(theirs.rows());
    for (std::int64_t row = 0; row < theirs.rows(); ++row) {
      const std::vector<float> numbers = row_of("x", row);
      const bool too_large =
          type == GgufType::F16 &&
          std::any_of(numbers.begin(), numbers.end(), [](float x) { return std::fabs(x) > 65519; });
      if (too_large) continue;  // the package writes infinity, and this program refuses
      const std::vector<std::byte> ours = encoded(type, numbers);
      EXPECT_EQ(
          std::memcmp(ours.data(), theirs.bytes.data() + static_cast<std::size_t>(row) * row_bytes,
                      row_bytes),
          0)
          << info_of(type).name << ", row " << row;
      ++compared;
    }
  }
  EXPECT_GE(compared, 5 * 15);
}

TEST(Blocks, NumbersReadEqualThoseOfTheGgufPackage) {
  for (const char* name : {"x.F16", "x.BF16", "x.Q8_0", "x.Q4_0", "x.Q5_0", "x.Q4_1", "x.Q5_1",
                           "y.Q4_K", "y.Q5_K", "y.Q6_K"}) {
    for (std::int64_t row = 0; row < recorded().at(name).rows(); ++row) {
      EXPECT_TRUE(same_bits(row_of(name, row), row_of(std::string(name) + ".read", row)))
          << name << ", row " << row;
    }
  }
}

TEST(Blocks, EveryHalfComesBack) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    f16 half;
    half.bits = static_cast<std::uint16_t>(bits);
    const float value = static_cast<float>(half);
    if (std::isnan(value)) {
      EXPECT_EQ(half_bits(value) & 0x7c00, 0x7c00);
      EXPECT_NE(half_bits(value) & 0x3ff, 0);
    } else {
      ASSERT_EQ(half_bits(value), bits);
    }
  }
}

TEST(Blocks, HalvesRoundToNearestEven) {
  EXPECT_EQ(half_bits(1.f + 0x1p-11f), 0x3c00);      // a tie, down to even
  EXPECT_EQ(half_bits(1.f + 3 * 0x1p-11f), 0x3c02);  // a tie, up to even
  EXPECT_EQ(half_bits(1.f + 0x1p-11f + 0x1p-20f), 0x3c01);
  EXPECT_EQ(half_bits(65519.f), 0x7bff);
  EXPECT_EQ(half_bits(65520.f), 0x7c00);   // infinite
  EXPECT_EQ(half_bits(0x1p-25f), 0x0000);  // a tie between 0 and the least
  EXPECT_EQ(half_bits(0x1p-25f + 0x1p-40f), 0x0001);
  EXPECT_EQ(half_bits(-0x1p-24f), 0x8001);
  EXPECT_EQ(half_bits(0x1p-14f - 0x1p-26f), 0x0400);  // small ones round up to normal
}

TEST(Blocks, NumbersThatDoNotFitAreFound) {
  std::vector<float> numbers(256, 0.5f);
  numbers[70] = std::numeric_limits<float>::quiet_NaN();
  for (const GgufType type : {GgufType::Q8_0, GgufType::Q4_0, GgufType::Q5_0, GgufType::Q4_K}) {
    encoded(type, numbers, 70);
  }
  numbers[70] = -std::numeric_limits<float>::infinity();
  encoded(GgufType::Q4_0, numbers, 70);
  encoded(GgufType::F16, numbers);  // F16 has an infinity of its own
  numbers[70] = 1e30f;
  for (const GgufType type :
       {GgufType::F16, GgufType::Q8_0, GgufType::Q4_0, GgufType::Q5_0, GgufType::Q4_K}) {
    encoded(type, numbers, 70);
  }
  numbers[70] = 3e38f;
  numbers[71] = -3e38f;
  encoded(GgufType::Q4_K, numbers, 70);
  EXPECT_TRUE(same_bits(decoded(GgufType::F32, encoded(GgufType::F32, numbers)), numbers));
}

TEST(Blocks, RowsAreWholeBlocks) {
  std::vector<float> numbers(48, 1.f);
  std::vector<std::byte> bytes(256);
  EXPECT_TRUE(
      contains(error_of([&] { encode_blocks(GgufType::Q8_0, numbers.data(), 48, bytes.data()); }),
               "no whole blocks of Q8_0"));
  EXPECT_TRUE(
      contains(error_of([&] { encode_blocks(GgufType::Q6_K, numbers.data(), 0, bytes.data()); }),
               "read and not written"));
}

double mean_square(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += std::pow(double{a[i]} - b[i], 2);
  return sum / static_cast<double>(a.size());
}

/// Q4_K has 16 levels over the range of 32 numbers; Q4_0, whose levels lie around 0, is the
/// measure.
TEST(Blocks, Q4KIsNearerThanQ40) {
  for (std::int64_t row = 0; row < recorded().at("x").rows(); ++row) {
    const std::vector<float> numbers = row_of("x", row);
    const auto k = decoded(GgufType::Q4_K, encoded(GgufType::Q4_K, numbers));
    const auto plain = decoded(GgufType::Q4_0, encoded(GgufType::Q4_0, numbers));
    // Scales are rounded to F16: by 2^-11 of the largest number, or to multiples of 2^-24.
    const auto larger = [](float a, float b) { return std::fabs(a) < std::fabs(b); };
    const double largest = std::fabs(*std::max_element(numbers.begin(), numbers.end(), larger));
    const double rounding = std::max(largest * 0x1p-11, 0x1p-24 * 63 * 16);
    EXPECT_LE(mean_square(k, numbers), 1.02 * mean_square(plain, numbers) + rounding * rounding)
        << "row " << row;
  }
}

TEST(Blocks, Q4KErrorsAreWithinAStep) {
  for (std::int64_t row : {2, 3, 4, 5, 13, 14}) {  // normal numbers, and those of one sign
    const std::vector<float> numbers = row_of("x", row);
    const std::vector<std::byte> bytes = encoded(GgufType::Q4_K, numbers);
    const std::vector<float> read = decoded(GgufType::Q4_K, bytes);
    f16 d, dmin;
    std::memcpy(&d.bits, bytes.data(), 2);
    std::memcpy(&dmin.bits, bytes.data() + 2, 2);
    const auto* packed = reinterpret_cast<const std::uint8_t*>(bytes.data() + 4);
    for (int i = 0; i < 256; ++i) {
      const float step =
          static_cast<float>(d) * static_cast<float>(gguf_internal::k_scale(packed, i / 32).scale);
      const auto at = static_cast<std::size_t>(i);
      EXPECT_LE(std::fabs(read[at] - numbers[at]), step + static_cast<float>(dmin))
          << "row " << row << ", number " << i;
    }
  }
}

TEST(Blocks, Q4KHoldsItsOwnLevelsExactly) {
  std::vector<float> numbers(256);
  for (std::size_t i = 0; i < 256; ++i) {  // steps of 1/4 from -1, and every run has both ends
    numbers[i] = 0.25f * static_cast<float>(i % 16) - 1.f;
  }
  // The largest scale, 63 steps of d, is 1/4: d is rounded to F16.
  const auto read = decoded(GgufType::Q4_K, encoded(GgufType::Q4_K, numbers));
  for (std::size_t i = 0; i < 256; ++i) EXPECT_NEAR(read[i], numbers[i], 4e-3) << i;
  const std::vector<float> zeros(256, 0.f);
  EXPECT_TRUE(same_bits(decoded(GgufType::Q4_K, encoded(GgufType::Q4_K, zeros)), zeros));
}

TEST(Blocks, TypesHaveNames) {
  EXPECT_EQ(gguf_type_name(12), "Q4_K");
  EXPECT_EQ(gguf_type_name(23), "IQ4_XS");
  EXPECT_EQ(gguf_type_name(99), "number 99");
  EXPECT_EQ(gguf_type_from_option("q4_k"), GgufType::Q4_K);
  EXPECT_TRUE(contains(error_of([] { gguf_type_from_option("q2_k"); }), "the types are f32, f16"));
}

}  // namespace
}  // namespace tessera
