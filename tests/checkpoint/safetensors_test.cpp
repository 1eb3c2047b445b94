// SPDX-License-Identifier: MIT
#include "core/checkpoint/safetensors.h"

#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera {
namespace {

using namespace testing;

constexpr DType kAll[] = {DType::F64,    DType::F32,  DType::BF16,  DType::F16, DType::F8E4M3,
                          DType::F8E5M2, DType::I64,  DType::I32,   DType::I16, DType::I8,
                          DType::U8,     DType::Bool, DType::F8E8M0};

std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// A whole file from a header, and data of so many bytes.
std::string file_of(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t length = header.size();
  std::string file(reinterpret_cast<const char*>(&length), sizeof(length));
  return file + header + std::string(data_bytes, 'x');
}

TEST(Safetensors, RoundTripIsBitExactInEveryDType) {
  const TemporaryFolder folder;
  Tensors memory;
  std::vector<NamedTensor> tensors;
  std::uint64_t seed = 1;
  for (DType dtype : kAll) {
    const std::string name(name_of(dtype));
    tensors.push_back({name + ".vector", memory.make(dtype, {7}, seed++)});
    tensors.push_back({name + ".empty", memory.make(dtype, {0}, seed++)});
    tensors.push_back({name + ".no_rows", memory.make(dtype, {0, 5}, seed++)});
    tensors.push_back({name + ".matrix", memory.make(dtype, {3, 129}, seed++)});
    tensors.push_back({name + ".stack", memory.make(dtype, {2, 3, 1, 5}, seed++)});
  }
  const SafetensorsMetadata metadata{{"format", "pt"}, {"note", "ünïcode \"quoted\"\n"}};
  write_safetensors(folder / "a.safetensors", tensors, metadata);

  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const NamedTensor& tensor : tensors) {
    const StoredTensor& stored = file.at(tensor.name);
    EXPECT_EQ(stored.dtype, tensor.data.dtype());
    ASSERT_EQ(stored.bytes.size(), tensor.data.bytes()) << tensor.name;
    EXPECT_EQ(std::memcmp(stored.bytes.data(), tensor.data.raw(), stored.bytes.size()), 0);
  }
}

TEST(Safetensors, WriterAlignsTheDataAndReportsItsHash) {
  const TemporaryFolder folder;
  Tensors memory;
  for (const char* name : {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"}) {
    const fs::path path = folder / (std::string(name) + ".safetensors");
    const std::vector<NamedTensor> tensors{{name, memory.numbers({5, 3}, 1)}};
    const WrittenFile written = write_safetensors(path, tensors);
    EXPECT_EQ(written.bytes, fs::file_size(path));
    EXPECT_EQ(written.bytes, SafetensorsWriter::file_bytes(plan_of(tensors)));
    EXPECT_EQ(written.xxh3, hash_file(path).xxh3);
    std::uint64_t length = 0;
    std::memcpy(&length, read_file(path).data(), sizeof(length));
    EXPECT_EQ(length % 8, 0u);
    EXPECT_TRUE(same_bytes(SafetensorsFile(path).at(name).view(), tensors[0].data));
  }
}

TEST(Safetensors, WritesAndReadsRowsOfStridedViews) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor stack = memory.numbers({3, 8, 5}, 1);
  const Tensor lower = stack.slice(1, 4, 8), columns = stack.slice(2, 1, 4);
  write_safetensors(folder / "a.safetensors",
                    std::vector<NamedTensor>{{"lower", lower}, {"columns", columns}});
  const SafetensorsFile file(folder / "a.safetensors");
  const Tensor stored = file.at("lower").view();
  const Tensor narrow = file.at("columns").view();
  const Tensor copy = memory.zeros(DType::F32, {3, 8, 5});
  file.at("lower").copy_to(copy.slice(1, 4, 8));
  for (int e = 0; e < 3; ++e) {
    for (int r = 0; r < 8; ++r) {
      for (int c = 0; c < 5; ++c) {
        const float value = stack.data<float>()[(e * 8 + r) * 5 + c];
        if (r >= 4) {
          EXPECT_EQ(stored.data<float>()[(e * 4 + r - 4) * 5 + c], value);
        }
        if (c >= 1 && c < 4) {
          EXPECT_EQ(narrow.data<float>()[(e * 8 + r) * 3 + c - 1], value);
        }
        EXPECT_EQ(copy.data<float>()[(e * 8 + r) * 5 + c], r >= 4 ? value : 0.f);
      }
    }
  }
}

TEST(Safetensors, WriterStreamsPartsAndConverts) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor large = memory.numbers({300, 1001}, 1);
  const Tensor halves = memory.zeros(DType::BF16, {4});
  halves.data<bf16>()[2] = bf16(1.5f);
  SafetensorsWriter writer(folder / "a.safetensors", {{"rounded", DType::BF16, {300, 1001}},
                                                      {"nothing", DType::I64, {0}},
                                                      {"widened", DType::F32, {4}}});
  writer.append(large.slice(0, 0, 7));
  writer.append(large.slice(0, 7, 300));
  writer.append(halves);
  writer.finish();
  const SafetensorsFile file(folder / "a.safetensors");
  const auto* rounded = file.at("rounded").view().data<bf16>();
  for (std::int64_t i = 0; i < large.numel(); ++i) {
    ASSERT_EQ(rounded[i].bits, bf16(large.data<float>()[i]).bits) << i;
  }
  EXPECT_EQ(file.at("widened").view().data<float>()[2], 1.5f);
  EXPECT_EQ(file.at("nothing").numel(), 0);
}

TEST(Safetensors, WriterRefusesWhatWasNotPlanned) {
  const TemporaryFolder folder;
  Tensors memory;
  const Tensor four = memory.numbers({4}, 1);
  const fs::path path = folder / "a.safetensors";
  const auto named = [&](const char* a, const char* b) {
    write_safetensors(path, std::vector<NamedTensor>{{a, four}, {b, four}});
  };
  EXPECT_TRUE(contains(error_of([&] { named("x", "x"); }), "two tensors have the name \"x\""));
  EXPECT_TRUE(contains(error_of([&] { named("x", ""); }), "cannot have the name"));
  EXPECT_TRUE(contains(error_of([&] { named("__metadata__", "x"); }), "cannot have the name"));
  const auto planned = [&](std::int64_t size, DType dtype, int times) {
    SafetensorsWriter writer(path, {{"x", dtype, {size}}});
    for (int i = 0; i < times; ++i) writer.append(four);
    writer.finish();
  };
  EXPECT_TRUE(contains(error_of([&] { planned(5, DType::F32, 1); }), "was not written whole"));
  EXPECT_TRUE(contains(error_of([&] { planned(4, DType::F32, 2); }), "more tensors than"));
  EXPECT_TRUE(contains(error_of([&] { planned(3, DType::F32, 1); }), "more than was planned"));
  EXPECT_TRUE(contains(error_of([&] { planned(4, DType::I32, 1); }), "cannot be written as I32"));
  EXPECT_FALSE(fs::exists(path)) << "an unfinished file must not stay";
  planned(4, DType::F32, 1);
  EXPECT_TRUE(contains(error_of([&] { planned(4, DType::F32, 1); }), "File exists"));
}

TEST(Safetensors, EveryTruncationIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  Tensors memory;
  const fs::path whole = folder / "whole.safetensors", cut = folder / "cut.safetensors";
  write_safetensors(whole, std::vector<NamedTensor>{{"a", memory.numbers({3, 5}, 1)},
                                                    {"b", memory.make(DType::U8, {9}, 2)}});
  const std::string bytes = read_file(whole);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    write_file(cut, bytes.substr(0, length));
    const std::string message = error_of([&] { SafetensorsFile file(cut); });
    ASSERT_TRUE(contains(message, cut.string())) << length;
    ASSERT_TRUE(contains(message, "fetch or copy it again")) << length;
  }
  write_file(cut, bytes + "x");
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(cut); }), "1 bytes follow"));
}

/// What is read must be inside the file and of one mind, whatever the header says.
void expect_sound(const SafetensorsContents& contents, std::span<const std::byte> file) {
  for (const StoredTensor& tensor : contents.tensors) {
    std::uint64_t wanted = size_of(tensor.dtype);
    for (std::int64_t extent : tensor.shape) wanted *= static_cast<std::uint64_t>(extent);
    ASSERT_EQ(wanted, tensor.bytes.size());
    ASSERT_GE(tensor.bytes.data(), file.data());
    ASSERT_LE(tensor.bytes.data() + tensor.bytes.size(), file.data() + file.size());
  }
}

TEST(Safetensors, BitFlipsInTheHeaderAreErrorsOrStaySound) {
  const TemporaryFolder folder;
  Tensors memory;
  write_safetensors(folder / "a.safetensors",
                    std::vector<NamedTensor>{{"first", memory.numbers({3, 5}, 1)},
                                             {"second", memory.make(DType::I16, {9}, 2)}},
                    {{"format", "pt"}});
  const std::string whole = read_file(folder / "a.safetensors");
  const std::size_t header_end = whole.size() - 3 * 5 * 4 - 9 * 2;
  int errors = 0;
  for (std::size_t byte = 0; byte < header_end; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string flipped = whole;
      flipped[byte] = static_cast<char>(flipped[byte] ^ (1 << bit));
      try {
        expect_sound(parse_safetensors(as_bytes(flipped), "flipped"), as_bytes(flipped));
      } catch (const Error&) {
        ++errors;
      }
    }
  }
  // Only flips inside names and the metadata's text can pass.
  EXPECT_GT(errors, static_cast<int>(header_end) * 8 * 2 / 3);
}

struct BadHeader {
  const char* header;
  std::size_t data_bytes;
  const char* message;
};

class BadHeaders : public ::testing::TestWithParam<BadHeader> {};

TEST_P(BadHeaders, AreErrors) {
  const std::string file = file_of(GetParam().header, GetParam().data_bytes);
  const std::string message = error_of([&] { parse_safetensors(as_bytes(file), "the-file"); });
  EXPECT_TRUE(contains(message, "[the-file]"));
  EXPECT_TRUE(contains(message, GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadHeaders,
    ::testing::Values(
        BadHeader{"", 0, "does not begin with {"}, BadHeader{"[]", 0, "does not begin with {"},
        BadHeader{"{", 0, "not JSON"}, BadHeader{"{\"a\xff\":1}", 0, "not JSON"},
        BadHeader{R"({}{})", 0, "not JSON"}, BadHeader{R"({"a":1})", 0, "not an object"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1]}})", 4, "\"a\": has no data_offsets"},
        BadHeader{R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4, "has no dtype"},
        BadHeader{R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4, "has no shape"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}})", 4,
                  "unknown key \"x\""},
        BadHeader{R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4,
                  "\"a\": unknown element type \"F31\""},
        BadHeader{R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})", 4, "dtype is not"},
        BadHeader{R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})", 4, "shape is not"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4, "not a count"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})", 4, "not a count"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1e30],"data_offsets":[0,4]}})", 4, "not a count"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})", 4, "list of two"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}})", 4, "list of two"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4, "not inside"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4, "is cut short"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4,
                  "F32(2) needs 8 bytes, and has 4"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,3]}})", 3,
                  "needs 4 bytes, and has 3"},
        BadHeader{R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})",
                  0, "too large"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
                  "not a count"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[0],"data_offsets":[0,18446744073709551616]}})", 0,
                  "not a count"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},
                      "b":{"dtype":"I8","shape":[4],"data_offsets":[2,6]}})",
                  6, "begins at byte 2, before the end of the one before it, 4"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},
                      "b":{"dtype":"I8","shape":[4],"data_offsets":[0,4]}})",
                  4, "before the end"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]},
                      "b":{"dtype":"I8","shape":[2],"data_offsets":[3,5]}})",
                  5, "begins at byte 3, behind the end of the one before it, 2"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[2],"data_offsets":[0,2]}})", 3, "1 bytes follow"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]},
                      "a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}})",
                  1, "the key \"a\" comes twice"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1,
                  "the key \"shape\" comes twice"},
        BadHeader{R"({"a":{"dtype":"I8","shape":[[1]],"data_offsets":[0,1]}})", 1, "nested"},
        BadHeader{R"({"a":{"dtype":"I8","shape":{"x":{"y":1}},"data_offsets":[0,1]}})", 1,
                  "nested"},
        BadHeader{R"({"__metadata__":[]})", 0, "__metadata__ is not an object"},
        BadHeader{R"({"__metadata__":{"a":1}})", 0, "\"a\" is not a string"}));

TEST(Safetensors, HeaderLengthIsCheckedAgainstTheFile) {
  for (std::uint64_t length :
       {std::uint64_t{3}, std::uint64_t{1} << 40, ~std::uint64_t{0}, ~std::uint64_t{0} - 7}) {
    std::string file = file_of("{}", 0);
    std::memcpy(file.data(), &length, sizeof(length));
    EXPECT_TRUE(contains(error_of([&] { parse_safetensors(as_bytes(file), "f"); }),
                         "its header should have"));
  }
  EXPECT_TRUE(parse_safetensors(as_bytes(file_of("{}", 0)), "f").tensors.empty());
  EXPECT_TRUE(parse_safetensors(as_bytes(file_of("{}      ", 0)), "f").tensors.empty());
}

TEST(Safetensors, ScalarsUnalignedDataAndHighRanksAreRead) {
  // A header of an odd length, as old writers made: the F32 scalar lies at an odd address.
  const std::string header = R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
                             R"("five":{"dtype":"I8","shape":[1,1,2,1,1],"data_offsets":[4,6]}} )";
  const float value = 2.5f;
  std::string file(1 + (7 + header.size()) % 2, '\0');  // makes the data's address odd
  const std::size_t start = file.size();
  file += file_of(header, 6);
  std::memcpy(file.data() + start + 8 + header.size(), &value, sizeof(value));
  const SafetensorsContents contents = parse_safetensors(as_bytes(file).subspan(start), "old-file");
  ASSERT_EQ(contents.tensors.size(), 2u);
  const StoredTensor& scalar = contents.tensors[0];
  EXPECT_EQ(scalar.numel(), 1);
  float copy = 0;
  scalar.copy_to(Tensor(&copy, DType::F32, {1}));
  EXPECT_EQ(copy, 2.5f);
  if (reinterpret_cast<std::uintptr_t>(scalar.bytes.data()) % 4 != 0) {
    EXPECT_TRUE(contains(error_of([&] { scalar.view(); }), "not aligned"));
  }
  EXPECT_EQ(contents.tensors[1].describe(), "I8(1, 1, 2, 1, 1)");
  EXPECT_TRUE(contains(error_of([&] { contents.tensors[1].view(); }), "four dimensions"));
}

TEST(Safetensors, FileErrorsSayWhatIsWrong) {
  const TemporaryFolder folder;
  Tensors memory;
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder / "none"); }), "No such file"));
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder.path()); }), "is not a file"));
  write_file(folder / "empty", "");
  EXPECT_TRUE(contains(error_of([&] { SafetensorsFile file(folder / "empty"); }), "is empty"));
  write_safetensors(folder / "a", std::vector<NamedTensor>{{"weights.7", memory.numbers({4}, 1)}});
  SafetensorsFile file(folder / "a");
  EXPECT_EQ(file.find("weights.8"), nullptr);
  EXPECT_TRUE(contains(error_of([&] { file.at("weights.8"); }), "nearest name is \"weights.7\""));
  const SafetensorsFile moved = std::move(file);
  EXPECT_EQ(moved.at("weights.7").numel(), 4);
}

}  // namespace
}  // namespace tessera
