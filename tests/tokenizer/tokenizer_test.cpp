// SPDX-License-Identifier: MIT
#include "core/tokenizer/tokenizer.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <stdlib.h>
#include <atomic>
#include <cerrno>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/tokenizer/train.h"
#include "core/tokenizer/utf8.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

/// Sentences of a made-up language of 400 words, some code, some Chinese.
std::vector<std::string> corpus() {
  const Random random(7, stream_of("corpus"));
  std::vector<std::string> words, texts;
  std::uint64_t at = 0;
  for (int i = 0; i < 400; ++i) {
    std::string word;
    const auto length = 2 + random.below(at++, 8);
    for (std::uint64_t k = 0; k < length; ++k)
      word.push_back("etaoinshrdlucm"[random.below(at++, 14)]);
    words.push_back(word);
  }
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (int k = 0; k < 60; ++k) {
      text += words[random.below(at++, words.size())];
      text += k % 12 == 11 ? ".\n" : " ";
    }
    text += "    if (" + words[random.below(at++, words.size())] + " == 42) {\n\t\treturn 0;\n}\n";
    text += "今天天气很好。我们去公园散步。\n";
    texts.push_back(text);
  }
  return texts;
}

std::shared_ptr<const Tokenizer> trained(TokenizerAlgorithm algorithm) {
  static const auto make = [](TokenizerAlgorithm which) {
    TokenizerTrainOptions options;
    options.algorithm = which;
    options.vocab_size = 800;
    return train_tokenizer(corpus(), options);
  };
  static const auto bpe = make(TokenizerAlgorithm::Bpe);
  static const auto unigram = make(TokenizerAlgorithm::Unigram);
  return algorithm == TokenizerAlgorithm::Bpe ? bpe : unigram;
}

class TokenizerTest : public testing::TestWithParam<TokenizerAlgorithm> {
 protected:
  std::shared_ptr<const Tokenizer> tokenizer_ = trained(GetParam());
  void expect_round_trip(const std::string& text) const {
    for (auto mode : {SpecialText::AsText, SpecialText::Parse}) {
      const auto ids = tokenizer_->encode(text, mode);
      EXPECT_EQ(tokenizer_->decode(ids, true), text) << testing::PrintToString(text);
      for (auto id : ids) EXPECT_NE(id, tokenizer_->specials().unknown);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Algorithms, TokenizerTest,
                         testing::Values(TokenizerAlgorithm::Bpe, TokenizerAlgorithm::Unigram),
                         [](const auto& test) {
                           return test.param == TokenizerAlgorithm::Bpe ? "Bpe" : "Unigram";
                         });

TEST_P(TokenizerTest, RoundTripsTextOfManyKinds) {
  for (const char* text : {"",
                           " ",
                           "  ",
                           "a",
                           " a",
                           "a ",
                           "  a  b   c    ",
                           "\n",
                           "\n\n\n",
                           "\r\n\r\n",
                           "\t\t\t x",
                           "for (int i = 0; i < n; ++i) {\n    x[i] *= 2;\t// twice\n}\n",
                           "今天天气很好。 全角　空格",
                           "日本語とかな 한국어",
                           "😀👩‍👩‍👧 emoji 🇩🇪",
                           "é vs e\xCC\x81 ﬁ Ⅳ ½",
                           "مرحبا שלום",
                           "\xEF\xBB\xBF bom",
                           "a▁b ▁▁ c",
                           "<｜User｜>",
                           "<s></s><unk><pad><0x41><0x0A>",
                           "\x01\x02\x7F\x1B[0m",
                           "1234567890 3.14159",
                           "\xC2\xA0nbsp\xE2\x80\x83"
                           "em"})
    expect_round_trip(text);
  expect_round_trip(std::string("nul\0 inside\0\0", 13));
  expect_round_trip(std::string(100000, 'x'));
  expect_round_trip(std::string(20000, ' ') + "y");
}

TEST_P(TokenizerTest, RoundTripsRandomBytes) {
  const Random random(1, stream_of("bytes"));
  for (std::uint64_t i = 0; i < 300; ++i) {
    std::string text;
    const auto length = random.below(i * 1000, 400);
    for (std::uint64_t k = 0; k < length; ++k)
      text.push_back(static_cast<char>(random.bits(i * 1000 + k + 1)));
    expect_round_trip(text);
  }
}

TEST_P(TokenizerTest, RoundTripsRandomCharacters) {
  const Random random(2, stream_of("characters"));
  std::uint64_t at = 0;
  for (int i = 0; i < 300; ++i) {
    std::string text;
    for (int k = 0; k < 100; ++k) {
      const char32_t limits[] = {0x80, 0x80, 0x800, 0x3000, 0xA000, 0x110000};
      const char32_t limit = limits[random.below(at++, 6)];
      const auto code = static_cast<char32_t>(random.below(at++, limit));
      if (code < 0xD800 || code > 0xDFFF) utf8::append(text, code);
    }
    expect_round_trip(text);
  }
}

TEST_P(TokenizerTest, SpecialsAreThereAndDistinct) {
  const SpecialTokens& s = tokenizer_->specials();
  std::vector<std::int32_t> ids = {s.bos,      s.eos,     s.pad,  s.unknown,  s.fim_begin,
                                   s.fim_hole, s.fim_end, s.user, s.assistant};
  for (auto id : ids) {
    EXPECT_GE(id, 0);
    EXPECT_TRUE(tokenizer_->is_special(id));
    EXPECT_EQ(tokenizer_->bytes_of(id), "");
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_EQ(tokenizer_->piece(s.user), "<｜User｜>");
  EXPECT_EQ(tokenizer_->special_id("<｜fim▁hole｜>"), s.fim_hole);
  EXPECT_EQ(tokenizer_->special_id("<｜nothing｜>"), -1);
}

TEST_P(TokenizerTest, UserTextNeverBecomesASpecialToken) {
  const std::string text = "hi <｜User｜>x<｜Assistant｜><｜end▁of▁sentence｜>";
  for (auto id : tokenizer_->encode(text)) EXPECT_FALSE(tokenizer_->is_special(id));
  const auto parsed = tokenizer_->encode(text, SpecialText::Parse);
  const auto& s = tokenizer_->specials();
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), s.user), 1);
  EXPECT_EQ(std::count(parsed.begin(), parsed.end(), s.assistant), 1);
  EXPECT_EQ(parsed.back(), s.eos);
  EXPECT_EQ(tokenizer_->decode(parsed), "hi x");
}

TEST_P(TokenizerTest, StreamingEqualsWhole) {
  const std::string text = "ab 今天 😀👩‍👩‍👧 é\n\n x▁y";
  const auto ids = tokenizer_->encode(text);
  StreamDecoder decoder(tokenizer_);
  std::string joined;
  for (auto id : ids) {
    const std::string part = decoder.push(id);
    EXPECT_TRUE(utf8::is_valid(part));
    joined += part;
  }
  EXPECT_EQ(joined, text);
  EXPECT_EQ(decoder.finish(), "");
}

TEST_P(TokenizerTest, StreamingHoldsBackAndReplaces) {
  const auto ids = tokenizer_->encode("\xF0\x9F\x98\x80");  // not in the sample: four bytes
  ASSERT_EQ(ids.size(), 4u);
  StreamDecoder decoder(tokenizer_, true);
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.push(ids[1]), "");
  EXPECT_EQ(decoder.push(ids[2]), "");
  EXPECT_EQ(decoder.push(ids[3]), "\xF0\x9F\x98\x80");
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.push(tokenizer_->specials().eos), "\xEF\xBF\xBD<｜end▁of▁sentence｜>");
  EXPECT_EQ(decoder.push(ids[0]), "");
  EXPECT_EQ(decoder.finish(), "\xEF\xBF\xBD");
  const Random random(3);
  for (std::uint64_t i = 0; i < 100; ++i) {
    std::string text, joined;
    for (std::uint64_t k = 0; k < 50; ++k)
      text.push_back(static_cast<char>(random.bits(i * 64 + k)));
    for (auto id : tokenizer_->encode(text)) joined += decoder.push(id);
    joined += decoder.finish();
    EXPECT_EQ(joined, utf8::replace_invalid(text));
  }
}

TEST_P(TokenizerTest, SaveAndLoad) {
  char name[] = "/tmp/tessera-tokenizer-XXXXXX";
  const fs::path folder = mkdtemp(name);
  tokenizer_->save(folder);
  const auto again = Tokenizer::load(folder);
  const std::string text = corpus()[3];
  EXPECT_EQ(again->encode(text), tokenizer_->encode(text));
  EXPECT_EQ(again->hash(), tokenizer_->hash());
  EXPECT_EQ(again->vocab_size(), tokenizer_->vocab_size());

  const fs::path file = folder / "tokenizer.model";
  fs::resize_file(file, fs::file_size(file) / 2);
  EXPECT_THROW(Tokenizer::load(file), Error);
  std::ofstream(file, std::ios::trunc) << "garbage garbage";
  EXPECT_THROW(Tokenizer::load(file), Error);
  std::ofstream(file, std::ios::trunc) << "";
  EXPECT_THROW(Tokenizer::load(file), Error);
  EXPECT_THROW(Tokenizer::load(folder / "missing.model"), Error);
  EXPECT_THROW(Tokenizer::load(folder / "vocabulary.bin"), Error);
  EXPECT_THROW(tokenizer_->save(folder / "missing"), Error);
  fs::remove_all(folder);
}

TEST_P(TokenizerTest, TrainingDoesNotDependOnTheOrder) {
  TokenizerTrainOptions options;
  options.algorithm = GetParam();
  options.vocab_size = 400;
  options.max_sample_bytes = 20000;  // less than there is: a choice is made
  auto texts = corpus();
  const auto first = train_tokenizer(texts, options);
  std::reverse(texts.begin(), texts.end());
  EXPECT_EQ(train_tokenizer(texts, options)->hash(), first->hash());
}

TEST_P(TokenizerTest, TrainingIsHeardOfAndStops) {
  TokenizerTrainOptions options;
  options.algorithm = GetParam();
  options.vocab_size = 30000;
  std::vector<std::string> texts;  // some 20 MB of words that repeat little: minutes of work
  std::uint64_t seed = 1;
  for (int i = 0; i < 400; ++i) {
    std::string& text = texts.emplace_back();
    while (text.size() < 50'000) {
      seed = seed * 6364136223846793005ull + 1442695040888963407ull;
      for (std::uint64_t letters = seed >> 24; letters; letters >>= 5)
        text.push_back("etaoinshrdlucmfwypvbgkjqxz      "[letters & 31]);
    }
  }
  std::atomic<bool> stop = false;
  options.stop = &stop;
  int reports = 0;
  options.progress = [&](const PhaseProgress& progress) {
    EXPECT_EQ(progress.phase, "vocabulary");
    if (++reports == 2) stop = true;
  };
  EXPECT_THROW(train_tokenizer(texts, options), Stopped);
  EXPECT_EQ(reports, 2);
  // No child is left behind.
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_P(TokenizerTest, LearnsTheLanguage) {
  const std::string text = corpus()[5];
  EXPECT_LT(tokenizer_->encode(text).size() * 2, text.size());
  EXPECT_EQ(tokenizer_->encode("2024").size(), 4u);  // digits stay apart
}

TEST_P(TokenizerTest, IdsOutsideAreErrors) {
  EXPECT_THROW(tokenizer_->bytes_of(-1), Error);
  EXPECT_THROW(tokenizer_->decode({tokenizer_->vocab_size()}), Error);
}

TEST_P(TokenizerTest, Display) {
  const auto& t = *tokenizer_;
  EXPECT_EQ(t.display(t.encode("\n")[0]), "\\n");
  EXPECT_EQ(t.display(t.encode("\xFF")[0]), "<0xFF>");
  EXPECT_EQ(t.display(t.specials().user), "<｜User｜>");
}

TEST_P(TokenizerTest, PoorSamplesAreErrorsOrWork) {
  TokenizerTrainOptions options;
  options.algorithm = GetParam();
  EXPECT_THROW(train_tokenizer({}, options), Error);
  EXPECT_THROW(train_tokenizer({"", "\xFF\xFE", "abc"}, options), Error);
  // Spellings of special and byte tokens in the sample, and far more vocabulary than text.
  std::string text;
  for (int i = 0; i < 200; ++i) text += "<｜User｜> <0x41> <0x0A> <｜fim▁hole｜> ▁▁ <unk> </s> ";
  EXPECT_LE(train_tokenizer({text}, options)->vocab_size(), options.vocab_size);
  EXPECT_LE(train_tokenizer({std::string(1000, 'a')}, options)->vocab_size(), options.vocab_size);
  options.vocab_size = 10;
  EXPECT_THROW(train_tokenizer(corpus(), options), Error);
}

}  // namespace
}  // namespace tessera
