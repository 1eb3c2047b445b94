// SPDX-License-Identifier: MIT
// SentencePiece vocabularies as other programs train them: with a space before the text, with
// normalisation, without byte tokens, without begin or end. The ids are SentencePiece's own.
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unordered_map>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/tokenizer/tokenizer.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Flags = std::unordered_map<std::string, std::string>;

class Lines final : public sentencepiece::SentenceIterator {
 public:
  explicit Lines(std::vector<std::string> lines) : lines_(std::move(lines)) {}
  bool done() const override { return at_ >= lines_.size(); }
  void Next() override { ++at_; }
  const std::string& value() const override { return lines_[at_]; }
  sentencepiece::util::Status status() const override { return {}; }

 private:
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

std::string train(const Flags& changes) {
  Flags flags{{"model_type", "bpe"},         {"vocab_size", "420"}, {"hard_vocab_limit", "false"},
              {"character_coverage", "1.0"}, {"num_threads", "1"},  {"minloglevel", "2"}};
  for (const auto& [key, value] : changes) flags[key] = value;
  std::vector<std::string> lines;
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(i * 37);
    lines.push_back("the cat sat on the mat and saw " + number + " birds in a tree");
    lines.push_back("a line of text, then another line; tables and boxes (" + number + ")");
    lines.push_back("Der Fluß fließt über die Wiese, naïve café " + number);
  }
  Lines iterator(std::move(lines));
  std::string model;
  const auto status = sentencepiece::SentencePieceTrainer::Train(flags, &iterator, &model);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return model;
}

/// A vocabulary as we load it, beside SentencePiece's own view of the same file.
struct Both {
  fs::path folder;
  std::shared_ptr<const Tokenizer> ours;
  sentencepiece::SentencePieceProcessor theirs;

  explicit Both(const Flags& flags) {
    std::string name = (fs::temp_directory_path() / "tessera-vocabulary-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    folder = name;
    const std::string model = train(flags);
    std::ofstream(folder / "tokenizer.model", std::ios::binary) << model;
    ours = Tokenizer::load(folder);
    EXPECT_TRUE(theirs.LoadFromSerializedProto(model).ok());
  }
  ~Both() {
    std::error_code ignored;
    fs::remove_all(folder, ignored);
  }

  std::vector<std::int32_t> expected(const std::string& text) const {
    std::vector<int> ids;
    EXPECT_TRUE(theirs.Encode(text, &ids).ok());
    return {ids.begin(), ids.end()};
  }
};

const std::vector<std::string> kTexts{
    "",          "the cat sat", " the cat",   "a  b",         "line\nline",       "a ",
    "tab\tx",    "123 456",     "   ",        "\n",           "  two  words ",    "ﬁne Ⅳ ½",
    "Fluß café", "今天 天气",   "<s></s>the", "a\u00A0b\r\n", "the\tcat\n\n the", "<unk> <pad>"};

const Flags kBytes{{"byte_fallback", "true"}};
Flags with(Flags flags, const Flags& more) {
  for (const auto& [key, value] : more) flags[key] = value;
  return flags;
}
const Flags kIdentity =
    with(kBytes, {{"normalization_rule_name", "identity"}, {"remove_extra_whitespaces", "false"}});

struct Kind {
  const char* name;
  Flags flags;
  bool gives_text_back;  ///< every text, byte for byte
};

class FieldVocabulary : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(
    Kinds, FieldVocabulary,
    testing::Values(
        Kind{"DummyPrefix", kIdentity, true},
        Kind{"UnigramDummyPrefix", with(kIdentity, {{"model_type", "unigram"}}), true},
        Kind{"Defaults", {}, false}, Kind{"UnigramDefaults", {{"model_type", "unigram"}}, false},
        Kind{"NoPrefixNoBytes",
             {{"normalization_rule_name", "identity"}, {"add_dummy_prefix", "false"}},
             false},
        Kind{"NfkcWithBytes", with(kBytes, {{"normalization_rule_name", "nfkc_cf"}}), false},
        Kind{"RemovesSpaces", with(kIdentity, {{"remove_extra_whitespaces", "true"}}), false},
        Kind{"SpaceBehindWord", with(kIdentity, {{"treat_whitespace_as_suffix", "true"}}), false},
        Kind{"NoBeginNoEnd", with(kIdentity, {{"bos_id", "-1"}, {"eos_id", "-1"}}), true},
        Kind{"WordsTogether", with(kIdentity, {{"split_by_whitespace", "false"}}), true},
        Kind{"LineEndsInPieces", with(kIdentity, {{"user_defined_symbols", "\n the,)\n"}}), false}),
    [](const auto& test) { return test.param.name; });

TEST_P(FieldVocabulary, HasTheIdsOfSentencePiece) {
  const Both both(GetParam().flags);
  for (const std::string& text : kTexts) {
    EXPECT_EQ(both.ours->encode(text), both.expected(text)) << testing::PrintToString(text);
  }
}

TEST_P(FieldVocabulary, TellsWhatItAlters) {
  const Both both(GetParam().flags);
  EXPECT_EQ(both.ours->alterations().empty(), GetParam().gives_text_back)
      << both.ours->alterations();
}

TEST_P(FieldVocabulary, GivesTextBackWithoutTheExtraSpace) {
  const Both both(GetParam().flags);
  const bool all = GetParam().gives_text_back;
  for (const std::string& text : all ? kTexts : std::vector<std::string>{"the cat sat", "a tree"}) {
    // With the space behind the word, SentencePiece itself leaves it there.
    const std::string end = std::string(GetParam().name) == "SpaceBehindWord" ? " " : "";
    const std::vector<std::int32_t> ids = both.ours->encode(text);
    EXPECT_EQ(both.ours->decode(ids), text + end) << testing::PrintToString(text);
    StreamDecoder decoder(both.ours);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += decoder.push(id);
    EXPECT_EQ(streamed + decoder.finish(), text + end) << testing::PrintToString(text);
  }
}

TEST_P(FieldVocabulary, TypedTextIsNoControlToken) {
  const Both both(GetParam().flags);
  for (const std::int32_t id : both.ours->encode("<s>hi</s><unk><0x41>")) {
    const bool unknown = id == both.ours->specials().unknown;
    EXPECT_TRUE(unknown || !both.ours->is_special(id)) << both.ours->piece(id);
  }
}

TEST(FieldVocabulary, ATextInTheMiddleKeepsItsSpace) {
  const Both both(kIdentity);
  ASSERT_TRUE(both.ours->adds_leading_space());
  const std::vector<std::int32_t> ids = both.ours->encode("the cat");
  StreamDecoder begins(both.ours), goes_on(both.ours, false, false);
  std::string begun, gone_on;
  for (const std::int32_t id : ids) begun += begins.push(id), gone_on += goes_on.push(id);
  EXPECT_EQ(begun, "the cat");
  EXPECT_EQ(gone_on, " the cat");
}

/// Two blanks in a row at the begin, one of the vocabulary's and one of the text's own: one goes.
TEST(FieldVocabulary, ATextThatBeginsWithASpaceKeepsIt) {
  const Both both(kIdentity);
  for (const std::string& text : {std::string(" leading x"), std::string("  leading x")}) {
    const std::vector<std::int32_t> ids = both.ours->encode(text);
    EXPECT_TRUE(both.ours->piece(ids.front()).starts_with("\u2581\u2581") ||
                both.ours->piece(ids.front()) == "\u2581");
    StreamDecoder decoder(both.ours);
    std::string streamed;
    for (const std::int32_t id : ids) streamed += decoder.push(id);
    EXPECT_EQ(streamed + decoder.finish(), text);
    EXPECT_EQ(both.ours->decode(ids), text);
  }
}

TEST(FieldVocabulary, AnyBytesComeBackBehindADummyPrefix) {
  const Both both(kIdentity);
  const Random random(5);
  for (std::uint64_t i = 0; i < 200; ++i) {
    std::string text;
    const auto length = random.below(i * 1000, 200);
    for (std::uint64_t k = 0; k < length; ++k) {
      text.push_back(static_cast<char>(random.bits(i * 1000 + k + 1)));
    }
    EXPECT_EQ(both.ours->decode(both.ours->encode(text)), text) << testing::PrintToString(text);
  }
}

TEST(FieldVocabulary, CharactersWithoutATokenAreTheUnknownOne) {
  const Both both({});
  const std::vector<std::int32_t> ids = both.ours->encode("the 天 cat");
  EXPECT_EQ(std::count(ids.begin(), ids.end(), both.ours->specials().unknown), 1);
  EXPECT_NE(both.ours->alterations().find("no token"), std::string::npos);
}

TEST(FieldVocabulary, RolesAsUserDefinedPiecesAreNotFoundInTypedText) {
  for (const bool bytes : {true, false}) {
    const Both both(with(bytes ? kIdentity : Flags{},
                         {{"user_defined_symbols", "<|im_start|>,<｜User｜>,<｜Assistant｜>"}}));
    const std::string text = "a <|im_start|>b<｜User｜> c";
    for (const std::int32_t id : both.ours->encode(text)) {
      EXPECT_TRUE(!both.ours->is_special(id) || id == both.ours->specials().unknown);
    }
    if (bytes) {
      EXPECT_EQ(both.ours->decode(both.ours->encode(text)), text);
    }
    const auto& s = both.ours->specials();
    EXPECT_GE(s.user, 0);
    EXPECT_GE(s.assistant, 0);
    const auto parsed = both.ours->encode(text, SpecialText::Parse);
    EXPECT_EQ(std::count(parsed.begin(), parsed.end(), s.user), 1);
  }
}

/// What is said of a path that holds no vocabulary.
std::string refusal(const fs::path& path) {
  try {
    Tokenizer::load(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(FieldVocabulary, FoldersWithoutOneAreToldApart) {
  Both both({});
  const fs::path file = both.folder / "tokenizer.model";
  EXPECT_NE(refusal(both.folder / "nowhere").find("no such file or folder"), std::string::npos);
  EXPECT_NE(refusal(both.folder / "no/such.model").find("no such file or folder"),
            std::string::npos);
  std::ofstream(file, std::ios::trunc)
      << "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
  EXPECT_NE(refusal(both.folder).find("Git LFS pointer"), std::string::npos);
  std::ofstream(file, std::ios::trunc) << "<!DOCTYPE html><html><title>Sign in</title>";
  EXPECT_NE(refusal(both.folder).find("is a web page"), std::string::npos);
  std::ofstream(file, std::ios::trunc) << "Entry not found";
  EXPECT_NE(refusal(both.folder).find("an error message of a server"), std::string::npos);
  fs::remove(file);
  EXPECT_NE(refusal(both.folder).find("there is no tokenizer.model"), std::string::npos);
  std::ofstream(both.folder / "vocab.json") << "{}";
  EXPECT_NE(refusal(both.folder).find("vocab.json"), std::string::npos);
  EXPECT_NE(refusal(both.folder).find("not read yet"), std::string::npos);
  std::ofstream(both.folder / "vocab.txt") << "a\n";
  EXPECT_NE(refusal(both.folder / "vocab.txt").find("not a vocabulary that can be read"),
            std::string::npos);
  std::ofstream(both.folder / "tokenizer.json") << "{}";
  EXPECT_NE(refusal(both.folder).find("tokenizer.json"), std::string::npos);
  EXPECT_NE(refusal(both.folder).find("has no model"), std::string::npos);
  fs::create_symlink("../blobs/gone", file);
  EXPECT_NE(refusal(both.folder).find("../blobs/gone"), std::string::npos);
}

}  // namespace
}  // namespace tessera
