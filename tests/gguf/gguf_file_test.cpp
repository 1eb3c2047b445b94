// SPDX-License-Identifier: MIT
// Damaged GGUF files of every kind: an Error with the place, and never a read outside the file.
#include "core/gguf/gguf_file.h"

#include <functional>

#include "core/gguf/gguf_values.h"
#include "core/gguf/gguf_writer.h"
#include "tests/checkpoint/checkpoint_testing.h"

namespace tessera {
namespace {

using namespace testing;

/// The bytes of a file, put together by hand.
class Raw {
 public:
  explicit Raw(std::uint64_t tensors, std::uint64_t values, std::uint32_t version = 3) {
    text_ = "GGUF";
    put(version).put(tensors).put(values);
  }
  template <class Number>
  Raw& put(Number value) {
    text_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Raw& text(std::string_view value) {
    put(std::uint64_t{value.size()});
    text_ += value;
    return *this;
  }
  Raw& key(std::string_view name, GgufKind kind) {
    return text(name).put(static_cast<std::uint32_t>(kind));
  }
  Raw& tensor(std::string_view name, std::vector<std::uint64_t> extents, std::uint32_t type,
              std::uint64_t offset) {
    text(name).put(static_cast<std::uint32_t>(extents.size()));
    for (const std::uint64_t extent : extents) put(extent);
    return put(type).put(offset);
  }
  /// The end of the header, and `bytes` of data.
  Raw& data(std::size_t bytes) {
    text_.resize((text_.size() + 31) / 32 * 32 + bytes, '\0');
    return *this;
  }
  GgufContents parse() const {
    return parse_gguf({reinterpret_cast<const std::byte*>(text_.data()), text_.size()}, "file");
  }
  std::string error() const {
    return error_of([&] { parse(); });
  }
  std::string& bytes() { return text_; }

 private:
  std::string text_;
};

Raw valid() {
  Raw raw(2, 4);
  raw.key("a", GgufKind::U32).put(std::uint32_t{7});
  raw.key("b", GgufKind::Text).text("words");
  raw.key("c", GgufKind::List)
      .put(static_cast<std::uint32_t>(GgufKind::Text))
      .put(std::uint64_t{2});
  raw.text("x").text("yz");
  raw.key("d", GgufKind::List).put(static_cast<std::uint32_t>(GgufKind::I32)).put(std::uint64_t{2});
  raw.put(std::int32_t{-1}).put(std::int32_t{5});
  raw.tensor("t", {4, 2}, 0, 0).tensor("u", {32, 3}, 8, 32).data(32 + 3 * 34);
  return raw;
}

TEST(GgufFile, ReadsValuesAndTensors) {
  const GgufContents contents = valid().parse();
  const GgufValues values(contents, "file");
  EXPECT_EQ(values.integer("a"), 7);
  EXPECT_EQ(values.text("b"), "words");
  EXPECT_EQ(values.texts("c"), (std::vector<std::string>{"x", "yz"}));
  EXPECT_EQ(values.integers("d"), (std::vector<std::int32_t>{-1, 5}));
  EXPECT_EQ(contents.tensors.at("t").shape, (std::vector<std::int64_t>{2, 4}));
  EXPECT_EQ(contents.tensors.at("u").bytes.size(), 3u * 34u);
  EXPECT_EQ(Raw(valid()).bytes().size(), valid().bytes().size());
  EXPECT_TRUE(contains(error_of([&] { values.need_integer("none"); }), "has no key none"));
  EXPECT_TRUE(contains(error_of([&] { values.number("b"); }), "b is \"words\", expected"));
  EXPECT_TRUE(
      contains(error_of([&] { values.integers("c"); }), "expected a list of whole numbers"));
}

TEST(GgufFile, EveryCutIsAnError) {
  const std::string whole = valid().bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const std::vector<std::byte> part(reinterpret_cast<const std::byte*>(whole.data()),
                                      reinterpret_cast<const std::byte*>(whole.data()) + size);
    EXPECT_THROW(parse_gguf(part, "file"), Error) << size;
  }
}

TEST(GgufFile, TheBeginIsChecked) {
  Raw other = valid();
  other.bytes()[0] = 'X';
  EXPECT_TRUE(contains(other.error(), "does not begin with the word GGUF"));
  EXPECT_TRUE(contains(Raw(0, 0, 1).error(), "has version 1 of the format; versions 2 and 3"));
  EXPECT_TRUE(contains(Raw(0, 0, 4).error(), "has version 4"));
  EXPECT_TRUE(contains(Raw(0, 0, 0).error(), "has version 0"));
  EXPECT_TRUE(contains(Raw(0, 0, 0x03000000).error(), "the other order of bytes"));
  EXPECT_TRUE(Raw(0, 0, 2).parse().tensors.empty());
}

TEST(GgufFile, AbsurdCountsAreRefused) {
  for (const std::uint64_t count :
       {std::uint64_t{1000}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    EXPECT_TRUE(contains(Raw(count, 0).data(64).error(), "more than its"));
    EXPECT_TRUE(contains(Raw(0, count).data(64).error(), "more than its"));
    Raw list(0, 1);
    list.key("k", GgufKind::List).put(static_cast<std::uint32_t>(GgufKind::U64)).put(count);
    EXPECT_TRUE(contains(list.data(64).error(), "key \"k\" has"));
    Raw texts(0, 1);
    texts.key("k", GgufKind::List).put(static_cast<std::uint32_t>(GgufKind::Text)).put(count);
    EXPECT_TRUE(contains(texts.data(64).error(), "key \"k\" has"));
    Raw text(0, 1);
    text.key("k", GgufKind::Text).put(count);
    EXPECT_TRUE(contains(text.data(64).error(), "is cut short"));
    Raw name(0, 1);
    name.put(count);
    EXPECT_TRUE(contains(name.data(64).error(), "is cut short"));
  }
}

TEST(GgufFile, KindsAndKeysAreChecked) {
  const auto kind = [](std::uint32_t number) {
    Raw raw(0, 1);
    raw.text("k").put(number).put(std::uint64_t{0});
    return raw.data(64).error();
  };
  EXPECT_TRUE(contains(kind(13), "key \"k\" has the kind 13"));
  EXPECT_TRUE(contains(kind(0xffffffff), "has the kind"));
  Raw flag(0, 1);
  EXPECT_TRUE(contains(flag.key("k", GgufKind::Bool).put(std::uint8_t{2}).data(8).error(),
                       "key \"k\" is 2, and neither true nor false"));
  Raw nested(0, 1);
  nested.key("k", GgufKind::List).put(static_cast<std::uint32_t>(GgufKind::List));
  EXPECT_TRUE(contains(nested.put(std::uint64_t{1}).data(64).error(), "a list of lists"));
  Raw twice(0, 2);
  for (int i = 0; i < 2; ++i) twice.key("k", GgufKind::U8).put(std::uint8_t{1});
  EXPECT_TRUE(contains(twice.data(8).error(), "the key \"k\" comes twice"));
  Raw unnamed(0, 1);
  EXPECT_TRUE(
      contains(unnamed.key("", GgufKind::U8).put(std::uint8_t{1}).data(8).error(), "has no name"));
  for (const std::uint32_t alignment : {0u, 4u, 24u, 0x80000000u}) {
    Raw raw(0, 1);
    raw.key("general.alignment", GgufKind::U32).put(alignment);
    EXPECT_TRUE(contains(raw.data(64).error(), "no power of two")) << alignment;
  }
}

std::string tensor_error(std::vector<std::uint64_t> extents, std::uint32_t type,
                         std::uint64_t offset) {
  Raw raw(1, 0);
  return raw.tensor("t", std::move(extents), type, offset).data(256).error();
}

TEST(GgufFile, TensorsAreChecked) {
  constexpr std::uint64_t kHuge = std::uint64_t{1} << 61;
  EXPECT_TRUE(contains(tensor_error({}, 0, 0), "has 0 dimensions"));
  EXPECT_TRUE(contains(tensor_error({1, 1, 1, 1, 1}, 0, 0), "has 5 dimensions"));
  EXPECT_TRUE(contains(tensor_error({0, 4}, 0, 0), "has the extent 0"));
  EXPECT_TRUE(contains(tensor_error({~std::uint64_t{0}}, 0, 0), "has the extent"));
  EXPECT_TRUE(contains(tensor_error({kHuge}, 0, 0), "is too large"));
  EXPECT_TRUE(contains(tensor_error({4, kHuge, kHuge, kHuge}, 0, 0), "is too large"));
  EXPECT_TRUE(contains(tensor_error({33, 2}, 8, 0), "no whole blocks of 32"));
  EXPECT_TRUE(contains(tensor_error({32, 2}, 12, 0), "no whole blocks of 256"));
  EXPECT_TRUE(contains(tensor_error({256}, 10, 0), "of the type Q2_K, which is not read"));
  EXPECT_TRUE(contains(tensor_error({256}, 77, 0), "of the type number 77"));
  EXPECT_TRUE(contains(tensor_error({4}, 0, 8), "no multiple of 32"));
  EXPECT_TRUE(contains(tensor_error({64}, 0, 32), "is cut short: it has"));
  EXPECT_TRUE(contains(tensor_error({4}, 0, ~std::uint64_t{31}), "lies at byte"));
  EXPECT_TRUE(contains(tensor_error({4}, 0, std::uint64_t{1} << 50), "is cut short"));
}

TEST(GgufFile, TensorsLieApart) {
  Raw overlap(2, 0);
  overlap.tensor("t", {16}, 0, 0).tensor("u", {4}, 0, 32).data(128);
  EXPECT_TRUE(contains(overlap.error(), "\"u\" begins at byte 32 of the data, before the end"));
  Raw twice(2, 0);
  twice.tensor("t", {8}, 0, 0).tensor("t", {8}, 0, 32).data(64);
  EXPECT_TRUE(contains(twice.error(), "the tensor \"t\" comes twice"));
  Raw unnamed(1, 0);
  EXPECT_TRUE(contains(unnamed.tensor("", {8}, 0, 0).data(32).error(), "tensor 0 has no name"));
}

TEST(GgufFile, OtherFilesAreTold) {
  const TemporaryFolder folder;
  write_file(folder / "empty.gguf", "");
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder / "empty.gguf"); }), "the file is empty"));
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder / "none.gguf"); }), "cannot open"));
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder.path()); }), "is not a file"));
  write_file(folder / "lfs.gguf", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_TRUE(contains(error_of([&] { GgufFile(folder / "lfs.gguf"); }), "Git LFS pointer"));
  write_file(folder / "named", valid().bytes());
  EXPECT_TRUE(is_gguf(folder / "named"));
  write_file(folder / "other", "something else");
  EXPECT_FALSE(is_gguf(folder / "other"));
  EXPECT_FALSE(is_gguf(folder.path()));
}

TEST(GgufFile, WriterAndReaderAgree) {
  const TemporaryFolder folder;
  GgufMetadata metadata;
  metadata.add("number", std::uint32_t{5});
  metadata.add("real", 0.5f);
  metadata.add("flag", true);
  metadata.add("text", "here");
  metadata.add("reals", std::vector<float>{1.f, -2.f});
  const std::vector<GgufTensorPlan> plan{{"first", GgufType::F32, {3}},
                                         {"second", GgufType::Q8_0, {2, 32}}};
  std::vector<std::byte> bytes(68, std::byte{9});
  GgufWriter writer(folder / "a.gguf", metadata, plan);
  writer.append(std::span(bytes).first(12));
  writer.append(std::span(bytes).first(34));
  writer.append(std::span(bytes).first(34));
  EXPECT_EQ(writer.finish().bytes, GgufWriter::file_bytes(metadata, plan));
  const GgufFile file(folder / "a.gguf");
  const GgufValues values(file);
  EXPECT_EQ(values.integer("number"), 5);
  EXPECT_EQ(values.number("real"), 0.5);
  EXPECT_EQ(values.flag("flag"), true);
  EXPECT_EQ(values.numbers("reals"), (std::vector<float>{1.f, -2.f}));
  EXPECT_EQ(file.at("second").bytes.size(), 68u);
  EXPECT_EQ(fs::file_size(folder / "a.gguf") % 32, 0u);
  EXPECT_TRUE(contains(error_of([&] { file.at("third"); }), "holds no tensor \"third\""));
}

TEST(GgufFile, WriterKeepsToItsPlan) {
  const TemporaryFolder folder;
  const std::vector<GgufTensorPlan> plan{{"t", GgufType::F32, {3}}};
  std::vector<std::byte> bytes(16);
  {
    GgufWriter writer(folder / "a", GgufMetadata(), plan);
    EXPECT_TRUE(contains(error_of([&] { writer.append(bytes); }), "more bytes than were planned"));
  }
  {
    GgufWriter writer(folder / "b", GgufMetadata(), plan);
    EXPECT_TRUE(contains(error_of([&] { writer.finish(); }), "was not written whole"));
  }
  EXPECT_TRUE(contains(error_of([&] {
                         GgufWriter(folder / "c", GgufMetadata(),
                                    {{"t", GgufType::F32, {1}}, {"t", GgufType::F32, {1}}});
                       }),
                       "two tensors have the name \"t\""));
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

}  // namespace
}  // namespace tessera
