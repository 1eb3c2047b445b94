// SPDX-License-Identifier: MIT
#include "core/data/shard.h"

#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

using Tokens = std::vector<std::int32_t>;

ShardInfo info_of(std::int32_t vocab) {
  ShardInfo info;
  info.vocab_size = vocab;
  info.tokenizer = "0123456789abcdef";
  info.source = "books";
  info.split = "train";
  return info;
}

TEST(Shard, RoundTripOfBothWidths) {
  const Folder folder;
  for (const std::int32_t vocab : {300, 65536, 65537, 129280}) {
    const std::vector<Tokens> documents = {{1, 2, 3}, {}, {vocab - 1}, {7, 7, 7, 7, 7, 0}};
    ShardWriter writer(info_of(vocab));
    for (const Tokens& tokens : documents) writer.add(tokens);
    EXPECT_EQ(writer.write(folder / "a.tokens").tokens, 10);
    EXPECT_EQ(writer.documents(), 0);
    const auto shard = Shard::open(folder / "a.tokens", true);
    EXPECT_EQ(shard->info().documents, 4);
    EXPECT_EQ(shard->info().token_bytes(), vocab <= 65536 ? 2 : 4);
    EXPECT_EQ(shard->info().source, "books");
    for (std::size_t at = 0; at < documents.size(); ++at) {
      Tokens read;
      const auto length = shard->length(static_cast<std::int64_t>(at));
      ASSERT_EQ(length, static_cast<std::int64_t>(documents[at].size()));
      shard->read(static_cast<std::int64_t>(at), 0, length, read);
      EXPECT_EQ(read, documents[at]);
    }
    Tokens part;
    shard->read(3, 2, 6, part);
    EXPECT_EQ(part, (Tokens{7, 7, 7, 0}));
    EXPECT_THROW(shard->read(3, 2, 7, part), Error);
    EXPECT_THROW(shard->read(4, 0, 0, part), Error);
    for (const auto& entry : fs::directory_iterator(folder)) {
      EXPECT_NE(entry.path().extension(), ".tmp");
    }
  }
}

TEST(Shard, EmptyShard) {
  const Folder folder;
  ShardWriter(info_of(300)).write(folder / "a.tokens");
  EXPECT_EQ(Shard::open(folder / "a.tokens", true)->info().documents, 0);
}

class DamagedShard : public testing::Test {
 protected:
  void SetUp() override {
    ShardWriter writer(info_of(300));
    for (int i = 0; i < 5; ++i) writer.add(Tokens{10 + i, 20, 30});
    writer.write(path_);
    bytes_ = read_file(path_);
  }
  std::string error_with(const std::string& bytes) {
    folder_.write("a.tokens", bytes);
    return error_of([&] { Shard::open(path_, true); });
  }
  const Folder folder_;
  const fs::path path_ = folder_ / "a.tokens";
  std::string bytes_;
};

TEST_F(DamagedShard, EveryTruncationIsAnErrorThatNamesTheFile) {
  for (std::size_t size = 0; size < bytes_.size(); ++size) {
    const std::string message = error_with(bytes_.substr(0, size));
    EXPECT_NE(message.find("a.tokens"), std::string::npos);
    EXPECT_NE(message.find("hint"), std::string::npos);
  }
  error_with(bytes_ + "x");
}

TEST_F(DamagedShard, EveryFlippedBitIsAnError) {
  const std::size_t json =
      static_cast<unsigned char>(bytes_[12]) + 256u * static_cast<unsigned char>(bytes_[13]);
  const std::size_t padding_from = 24 + json, padding_to = (padding_from + 63) / 64 * 64;
  for (std::size_t bit = 0; bit < bytes_.size() * 8; ++bit) {
    if (bit / 8 >= padding_from && bit / 8 < padding_to) continue;  // means nothing
    std::string flipped = bytes_;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(error_with(flipped).find("a.tokens"), std::string::npos) << bit;
  }
}

TEST_F(DamagedShard, TokensOutsideTheVocabularyAreFoundWithoutVerifying) {
  const auto at = bytes_.find(std::string("\x0A\0\x14\0", 4));
  ASSERT_NE(at, std::string::npos);
  std::string flipped = bytes_;
  flipped[at + 1] = '\x40';
  folder_.write("a.tokens", flipped);
  Tokens out;
  const auto shard = Shard::open(path_);
  EXPECT_NE(error_of([&] { shard->read(0, 0, 3, out); }).find("vocabulary"), std::string::npos);
}

TEST_F(DamagedShard, MissingAndForeignFiles) {
  EXPECT_THROW(Shard::open(folder_ / "missing.tokens"), Error);
  EXPECT_NE(error_with(prose(1, 200)).find("not a token shard"), std::string::npos);
  std::string newer = bytes_;
  newer[8] = 2;
  EXPECT_NE(error_with(newer).find("version 2"), std::string::npos);
}

}  // namespace
}  // namespace tessera::data
