// SPDX-License-Identifier: MIT
#include "core/checkpoint/weights.h"

#include <cmath>

#include "tests/checkpoint/golden_models.h"

namespace tessera {
namespace {

using namespace testing;

WeightSource source_of(const TemporaryFolder& folder, const std::vector<NamedTensor>& tensors) {
  static int count = 0;
  const fs::path path = folder / fmt::format("{}.safetensors", ++count);
  write_safetensors(path, tensors);
  return WeightSource(path);
}

bool same_float(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

/// Every bit pattern of a small type, read as F32, BF16 and F64.
template <class Small>
void expect_every_value() {
  const TemporaryFolder folder;
  Tensors memory;
  const auto count = std::int64_t{1} << (8 * sizeof(Small));
  const Tensor all = memory.zeros(dtype_of<Small>(), {count});
  for (std::int64_t i = 0; i < count; ++i) {
    all.data<Small>()[i].bits = static_cast<decltype(Small::bits)>(i);
  }
  WeightSource source = source_of(folder, {{"all", all}});
  const Tensor f32 = memory.zeros(DType::F32, {count}), b16 = memory.zeros(DType::BF16, {count});
  const Tensor f64 = memory.zeros(DType::F64, {count});
  source.read("all", f32);
  source.read("all", b16);
  source.read("all", f64);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(all.data<Small>()[i]);
    ASSERT_TRUE(same_float(f32.data<float>()[i], value)) << i;
    ASSERT_TRUE(
        same_float(static_cast<float>(b16.data<bf16>()[i]), static_cast<float>(bf16(value))))
        << i;
    ASSERT_TRUE(same_float(static_cast<float>(f64.data<double>()[i]), value)) << i;
  }
}

TEST(Weights, ConvertsEveryHalfAndEveryPowerOfTwo) {
  expect_every_value<f16>();
  expect_every_value<f8e8m0>();
}

TEST(Weights, CopiesTheSameTypeBitForBit) {
  const TemporaryFolder folder;
  Tensors memory;
  for (DType dtype : {DType::F64, DType::F32, DType::BF16, DType::F16, DType::F8E4M3, DType::I64,
                      DType::I32, DType::Bool}) {
    const Tensor tensor = memory.make(dtype, {5, 9}, 3), copy = memory.zeros(dtype, {5, 9});
    const Tensor part = memory.zeros(dtype, {2, 3});
    WeightSource source = source_of(folder, {{"t", tensor}});
    source.read("t", copy);
    EXPECT_TRUE(same_bytes(copy, tensor)) << name_of(dtype);
    source.read_part("t", 3, 4, part);
    const std::size_t element = size_of(dtype);
    for (std::size_t r = 0; r < 2; ++r) {
      EXPECT_EQ(std::memcmp(static_cast<std::byte*>(part.raw()) + r * 3 * element,
                            static_cast<std::byte*>(tensor.raw()) + ((3 + r) * 9 + 4) * element,
                            3 * element),
                0);
    }
  }
}

TEST(Weights, ConvertsBetweenTheWideTypes) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor f32 = memory.numbers({3, 7}, 1), f64 = memory.zeros(DType::F64, {3, 7});
  const Tensor b16 = memory.zeros(DType::BF16, {3, 7}), wide = memory.zeros(DType::F32, {3, 7});
  for (int i = 0; i < 21; ++i) f64.data<double>()[i] = f32.data<float>()[i];
  WeightSource source = source_of(folder, {{"f32", f32}, {"f64", f64}});
  source.read("f32", b16);
  source.read("f64", wide);
  EXPECT_TRUE(same_bytes(wide, f32));
  for (int i = 0; i < 21; ++i) {
    EXPECT_EQ(b16.data<bf16>()[i].bits, bf16(f32.data<float>()[i]).bits);
  }
  WeightSource narrow = source_of(folder, {{"b16", b16}});
  narrow.read("b16", wide);
  for (int i = 0; i < 21; ++i) {
    EXPECT_EQ(wide.data<float>()[i], static_cast<float>(b16.data<bf16>()[i]));
  }
}

TEST(Weights, Fp8ByHand) {
  // 130 x 3 with blocks of 128: two row blocks, the second of two rows. Codes of E4M3:
  // 0x38 = 1, 0x40 = 2, 0xc4 = -3, 0x7e = 448, 0x01 = 2^-9.
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor codes = memory.zeros(DType::F8E4M3, {130, 3});
  const Tensor scales = memory.zeros(DType::F32, {2, 1}), read = memory.zeros(DType::F32, {130, 3});
  const auto set = [&](int row, int column, std::uint8_t code) {
    codes.data<f8e4m3>()[row * 3 + column].bits = code;
  };
  set(0, 0, 0x38);
  set(127, 2, 0xc4);
  set(128, 0, 0x7e);
  set(129, 1, 0x01);
  set(129, 2, 0x40);
  scales.data<float>()[0] = 0.5f;
  scales.data<float>()[1] = 0.25f;
  WeightSource source = source_of(folder, {{"w.weight", codes}, {"w.weight_scale_inv", scales}});
  source.read("w.weight", read);
  const auto at = [&](int row, int column) { return read.data<float>()[row * 3 + column]; };
  EXPECT_EQ(at(0, 0), 0.5f);
  EXPECT_EQ(at(127, 2), -1.5f);
  EXPECT_EQ(at(128, 0), 112.f);
  EXPECT_EQ(at(129, 1), 0x1p-11f);
  EXPECT_EQ(at(129, 2), 0.5f);
  EXPECT_EQ(at(64, 1), 0.f);
  EXPECT_TRUE(source.unused().empty()) << "the scales were used too";
}

/// A ragged FP8 matrix as kv_a_proj_with_mqa is: 576 rows (5 blocks) and 200 columns (2 blocks).
class RaggedFp8 : public ::testing::TestWithParam<DType> {
 protected:
  static constexpr std::int64_t kRows = 576, kColumns = 200;
  void SetUp() override {
    codes_ = memory_.make(GetParam(), {kRows, kColumns}, 1);
    scales_ = memory_.numbers({5, 2}, 2);
    path_ = folder_ / "model.safetensors";
    write_safetensors(
        path_, std::vector<NamedTensor>{{"w.weight", codes_}, {"w.weight_scale_inv", scales_}});
  }
  float expected(std::int64_t row, std::int64_t column) const {
    const auto at = static_cast<std::size_t>(row * kColumns + column);
    const float value = GetParam() == DType::F8E4M3 ? static_cast<float>(codes_.data<f8e4m3>()[at])
                                                    : static_cast<float>(codes_.data<f8e5m2>()[at]);
    return value * scales_.data<float>()[row / 128 * 2 + column / 128];
  }
  TemporaryFolder folder_;
  Tensors memory_;
  Tensor codes_, scales_;
  fs::path path_;
};

TEST_P(RaggedFp8, ReadsWholeAndNarrow) {
  WeightSource source(path_);
  const Tensor f32 = memory_.zeros(DType::F32, {kRows, kColumns});
  const Tensor b16 = memory_.zeros(DType::BF16, {kRows, kColumns});
  source.read("w.weight", f32);
  source.read("w.weight", b16);
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t c = 0; c < kColumns; ++c) {
      const float value = expected(r, c);
      ASSERT_TRUE(same_float(f32.data<float>()[r * kColumns + c], value)) << r << "," << c;
      ASSERT_TRUE(same_float(static_cast<float>(b16.data<bf16>()[r * kColumns + c]),
                             static_cast<float>(bf16(value))));
    }
  }
}

TEST_P(RaggedFp8, PartsAcrossBlocksEqualTheWhole) {
  WeightSource source(path_);
  struct Part {
    std::int64_t row, column, rows, columns;
  };
  for (const Part& p : {Part{0, 0, 1, 1}, Part{127, 127, 2, 2}, Part{511, 3, 65, 197},
                        Part{100, 120, 300, 60}, Part{575, 199, 1, 1}, Part{128, 128, 128, 72}}) {
    const Tensor part = memory_.zeros(DType::F32, {p.rows, p.columns});
    source.read_part("w.weight", p.row, p.column, part);
    for (std::int64_t r = 0; r < p.rows; ++r) {
      for (std::int64_t c = 0; c < p.columns; ++c) {
        ASSERT_TRUE(
            same_float(part.data<float>()[r * p.columns + c], expected(p.row + r, p.column + c)))
            << p.row + r << "," << p.column + c;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Codes, RaggedFp8, ::testing::Values(DType::F8E4M3, DType::F8E5M2));

TEST(Weights, ScalesMayBePowersOfTwoByte) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor codes = memory.zeros(DType::F8E4M3, {2, 200}),
               scales = memory.zeros(DType::F8E8M0, {1, 2});
  for (int i = 0; i < 400; ++i) codes.data<f8e4m3>()[i] = f8e4m3(3.f);
  scales.data<f8e8m0>()[0].bits = 127 - 3;
  scales.data<f8e8m0>()[1].bits = 127 + 2;
  WeightSource source = source_of(folder, {{"w.weight", codes}, {"w.weight_scale_inv", scales}});
  const Tensor read = memory.zeros(DType::F32, {2, 200});
  source.read("w.weight", read);
  EXPECT_EQ(read.data<float>()[127], 0.375f);
  EXPECT_EQ(read.data<float>()[128], 12.f);
  EXPECT_EQ(read.data<float>()[200], 0.375f);
}

TEST(Weights, FillsExpertsOfAStackFromManyNames) {
  const TemporaryFolder folder;
  Tensors memory;
  std::vector<NamedTensor> tensors;
  for (std::uint64_t e = 0; e < 3; ++e) {
    tensors.push_back({fmt::format("experts.{}.gate_proj.weight", e), memory.numbers({4, 6}, e)});
    tensors.push_back(
        {fmt::format("experts.{}.up_proj.weight", e), memory.numbers({4, 6}, 10 + e)});
  }
  WeightSource source = source_of(folder, tensors);
  // (experts, 2 x width, hidden) with gate rows first, and rows wider than what is read.
  const Tensor stack = memory.zeros(DType::F32, {3, 8, 7}).slice(2, 0, 6);
  for (std::int64_t e = 0; e < 3; ++e) {
    source.read(fmt::format("experts.{}.gate_proj.weight", e), stack[e].slice(0, 0, 4));
    source.read(fmt::format("experts.{}.up_proj.weight", e), stack[e].slice(0, 4, 8));
  }
  EXPECT_TRUE(source.unused().empty());
  for (std::int64_t e = 0; e < 3; ++e) {
    for (std::int64_t r = 0; r < 8; ++r) {
      const Tensor& from = tensors[static_cast<std::size_t>(2 * e + (r >= 4))].data;
      for (std::int64_t c = 0; c < 6; ++c) {
        EXPECT_EQ(stack[e].data<float>()[r * 7 + c], from.data<float>()[r % 4 * 6 + c]);
      }
    }
  }
}

TEST(Weights, ReadsStacksAndPartsOfThem) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor stack = memory.numbers({3, 4, 5}, 1), wide = memory.zeros(DType::F64, {3, 4, 5});
  WeightSource source = source_of(folder, {{"stack", stack}, {"line", stack.reshape({60})}});
  source.read("stack", wide);
  const Tensor part = memory.zeros(DType::F32, {4, 2}), line = memory.zeros(DType::F32, {7});
  source.read_part("stack", 4, 3, part);  // the last columns of the second matrix
  source.read_part("line", 50, 0, line);
  for (std::int64_t i = 0; i < 60; ++i) {
    EXPECT_EQ(wide.data<double>()[i], stack.data<float>()[i]);
  }
  for (std::int64_t r = 0; r < 4; ++r) {
    EXPECT_EQ(part.data<float>()[r * 2 + 1], stack.data<float>()[(4 + r) * 5 + 4]);
  }
  EXPECT_EQ(line.data<float>()[6], stack.data<float>()[56]);
}

TEST(Weights, ErrorsNameTheTensor) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor codes = memory.make(DType::F8E4M3, {130, 4}, 1),
               f32 = memory.zeros(DType::F32, {130, 4});
  WeightSource source = source_of(folder, {{"bare.weight", codes},
                                           {"w.weight", codes},
                                           {"w.weight_scale_inv", memory.numbers({1, 2}, 1)},
                                           {"ids", memory.make(DType::I64, {4}, 1)}});
  const auto error = [&](const char* name, const Tensor& to) {
    return error_of([&] { source.read(name, to); });
  };
  EXPECT_TRUE(contains(error("bare.weight", f32), "\"bare.weight_scale_inv\" are missing"));
  EXPECT_TRUE(contains(error("w.weight", f32), "is F32(1, 2), expected F32(2, 1)"));
  EXPECT_TRUE(contains(error("w.weigh", f32), "nearest name is \"w.weight\""));
  EXPECT_TRUE(contains(error("w.weight", memory.zeros(DType::F32, {4, 130})),
                       "\"w.weight\" is F8_E4M3(130, 4), expected the shape of F32(4, 130)"));
  EXPECT_TRUE(contains(error("ids", memory.zeros(DType::F32, {4})), "cannot be read as F32"));
  for (auto [row, column] : {std::pair{129, 0}, std::pair{0, 3}, std::pair{-1, 0}}) {
    const Tensor part = memory.zeros(DType::F32, {2, 2});
    EXPECT_TRUE(contains(
        error_of([&, r = row, c = column] { source.read_part("bare.weight", r, c, part); }),
        "is not a part of it"));
  }
}

TEST(Weights, TellsWhatNobodyAskedFor) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor t = memory.numbers({2, 2}, 1), codes = memory.make(DType::F8E4M3, {2, 2}, 1);
  WeightSource source = source_of(
      folder,
      {{"a", t}, {"b", t}, {"c.weight", codes}, {"c.weight_scale_inv", memory.numbers({1, 1}, 1)}});
  EXPECT_TRUE(source.has("a"));
  EXPECT_FALSE(source.has("d"));
  EXPECT_TRUE(source.has_prefix("c.we"));
  EXPECT_FALSE(source.has_prefix("d"));
  source.read("b", memory.zeros(DType::F32, {2, 2}));
  EXPECT_EQ(source.unused(), (std::vector<std::string>{"a", "c.weight", "c.weight_scale_inv"}));
  source.mark_used("c.weight");
  EXPECT_TRUE(contains(error_of([&] { source.require_all_used(); }), "holds a tensor"));
  source.mark_used("a");
  EXPECT_NO_THROW(source.require_all_used());
}

/// An FP8 stack (2, 130, 3) of the code of 1, so that what is read are the scales.
class StackOfFp8 : public ::testing::Test {
 protected:
  StackOfFp8() : codes_(memory_.zeros(DType::F8E4M3, {2, 130, 3})) {
    for (std::int64_t i = 0; i < codes_.numel(); ++i) codes_.data<f8e4m3>()[i] = f8e4m3(1.f);
  }
  float at(std::int64_t matrix, std::int64_t row) const {
    return read_.data<float>()[(matrix * 130 + row) * 3];
  }
  void read_with(const char* end, const Tensor& scales) {
    WeightSource source = source_of(
        folder_, {{"experts.down_proj", codes_}, {std::string("experts.down_proj") + end, scales}});
    read_ = memory_.zeros(DType::F32, {2, 130, 3});
    source.read("experts.down_proj", read_);
    EXPECT_TRUE(source.unused().empty());
  }
  TemporaryFolder folder_;
  Tensors memory_;
  Tensor codes_, read_;
};

TEST_F(StackOfFp8, HasBlocksOfItsOwnInEachMatrix) {
  const Tensor scales = memory_.numbers({2, 2, 1}, 1);
  read_with("_scale_inv", scales);
  const float* s = scales.data<float>();
  EXPECT_EQ(at(0, 127), s[0]);
  EXPECT_EQ(at(0, 128), s[1]);
  EXPECT_EQ(at(1, 0), s[2]);
  EXPECT_EQ(at(1, 129), s[3]);
}

TEST_F(StackOfFp8, MayHaveAScalePerMatrixRowOrAltogether) {
  const Tensor each = memory_.numbers({2, 1, 1}, 1), rows = memory_.numbers({2, 130, 1}, 2);
  read_with("_scale", each);
  EXPECT_EQ(at(0, 129), each.data<float>()[0]);
  EXPECT_EQ(at(1, 0), each.data<float>()[1]);
  read_with("_scale", rows);
  EXPECT_EQ(at(0, 129), rows.data<float>()[129]);
  EXPECT_EQ(at(1, 5), rows.data<float>()[135]);
  const Tensor one = memory_.numbers({1}, 3);
  read_with("_scale_inv", one);
  EXPECT_EQ(at(1, 129), one.data<float>()[0]);
}

TEST(Weights, Fp8MayHaveAScalePerRowOrForTheWholeTensor) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor codes = memory.zeros(DType::F8E4M3, {3, 5});
  for (int i = 0; i < 15; ++i) codes.data<f8e4m3>()[i] = f8e4m3(2.f);
  const Tensor rows = memory.numbers({3, 1}, 1), flat = rows.reshape({3});
  const Tensor one = memory.numbers({1}, 2), read = memory.zeros(DType::F32, {3, 5});
  for (const Tensor& scales : {rows, flat}) {
    WeightSource source = source_of(folder, {{"w", codes}, {"w_scale", scales}});
    source.read("w", read);
    for (int i = 0; i < 15; ++i) {
      EXPECT_EQ(read.data<float>()[i], 2 * rows.data<float>()[i / 5]);
    }
  }
  WeightSource source = source_of(folder, {{"w", codes}, {"w_scale", one}});
  source.read("w", read);
  EXPECT_EQ(read.data<float>()[14], 2 * one.data<float>()[0]);
}

TEST(Weights, BlocksMayHaveOtherSizes) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor codes = memory.zeros(DType::F8E4M3, {4, 6}), scales = memory.numbers({2, 2}, 1);
  for (int i = 0; i < 24; ++i) codes.data<f8e4m3>()[i] = f8e4m3(1.f);
  write_safetensors(folder / "a.safetensors",
                    std::vector<NamedTensor>{{"w", codes}, {"w_scale_inv", scales}});
  WeightSource source(folder / "a.safetensors", {.rows = 2, .columns = 4});
  const Tensor read = memory.zeros(DType::F32, {4, 6});
  source.read("w", read);
  EXPECT_EQ(read.data<float>()[1 * 6 + 3], scales.data<float>()[0]);
  EXPECT_EQ(read.data<float>()[1 * 6 + 4], scales.data<float>()[1]);
  EXPECT_EQ(read.data<float>()[2 * 6 + 0], scales.data<float>()[2]);
  EXPECT_EQ(read.data<float>()[3 * 6 + 5], scales.data<float>()[3]);
}

TEST(Weights, ReadsEveryTensorOfTheGoldenModels) {
  for (const char* name : {"v3", "moonlight", "fp8"}) {
    WeightSource source(golden_models() / name);
    Tensors memory;
    for (const std::string& tensor : source.folder().names()) {
      if (tensor.ends_with("_scale_inv")) continue;
      const auto& shape = source.shape(tensor);
      const Tensor read = shape.size() == 1 ? memory.zeros(DType::F32, {shape[0]})
                                            : memory.zeros(DType::F32, {shape[0], shape[1]});
      source.read(tensor, read);
      for (std::int64_t i = 0; i < read.numel(); ++i) {
        ASSERT_LT(std::fabs(read.data<float>()[i]), 10.f) << name << " " << tensor;
      }
    }
    EXPECT_TRUE(source.unused().empty()) << name;
  }
}

}  // namespace
}  // namespace tessera
