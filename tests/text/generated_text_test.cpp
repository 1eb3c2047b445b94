// SPDX-License-Identifier: MIT
// The text that the program writes itself: the same everywhere, and good enough to learn from.
#include "core/text/generated_text.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <thread>

#include "core/base/error.h"
#include "core/base/random.h"
#include "core/data/dedup.h"
#include "core/data/filter.h"
#include "core/tokenizer/utf8.h"
#include "tests/build_paths.h"

namespace tessera::text {
namespace {

namespace fs = std::filesystem;

const fs::path kGrammars = fs::path(TESSERA_SOURCE_DIR) / "resources" / "grammar";
constexpr std::int64_t kSome = 200'000;

const std::map<std::string_view, data::Domain> kDomains = {
    {"web", data::Domain::Web},
    {"code", data::Domain::Code},
    {"mathematics", data::Domain::Mathematics},
    {"multilingual", data::Domain::Multilingual},
    {"chinese", data::Domain::Multilingual}};

class GeneratedText : public testing::TestWithParam<std::string_view> {
 protected:
  std::vector<std::string> some() const {
    return generated_documents(GetParam(), kGrammars, kSome);
  }
};

// Losses that are stored somewhere were measured on these bytes. Whoever changes a grammar changes
// them, and makes the stored losses anew (CONTRIBUTING.md).
TEST_P(GeneratedText, IsTheSameEverywhere) {
  const std::map<std::string_view, std::uint64_t> hashes = {{"web", 0x98cc1472d2654472},
                                                            {"code", 0xbac649833cc18962},
                                                            {"mathematics", 0xe7885016bb67d0d7},
                                                            {"multilingual", 0x9b8b40a997710a30},
                                                            {"chinese", 0xed245cd8281e1f29}};
  std::uint64_t hash = 0;
  for (const std::string& text : some()) hash = hash * 31 + stream_of(text);
  EXPECT_EQ(hash, hashes.at(GetParam())) << std::hex << "0x" << hash;
}

TEST_P(GeneratedText, PassesTheFilters) {
  const auto options = data::FilterOptions::for_domain(kDomains.at(GetParam()));
  const std::vector<std::string> texts = some();
  std::size_t dropped = 0;
  for (const std::string& text : texts) {
    EXPECT_TRUE(utf8::is_valid(text));
    dropped += data::check(text, options).has_value();
  }
  EXPECT_LE(dropped * 50, texts.size()) << dropped << " of " << texts.size();
}

TEST_P(GeneratedText, HardlyRepeatsADocument) {
  data::Deduplicator seen({});
  std::size_t repeats = 0;
  const std::vector<std::string> texts = some();
  for (const std::string& text : texts) repeats += seen.see(data::fingerprint(text)).has_value();
  EXPECT_LE(repeats * 50, texts.size()) << repeats << " of " << texts.size();
}

INSTANTIATE_TEST_SUITE_P(Parts, GeneratedText,
                         testing::Values("web", "code", "mathematics", "multilingual", "chinese"),
                         [](const auto& part) { return std::string(part.param); });

/// The number that a word is, with or without a full stop behind it.
std::optional<long> number_of(const std::string& word) {
  char* end = nullptr;
  const long value = std::strtol(word.c_str(), &end, 10);
  const std::string_view rest(end);
  if (end == word.c_str() || !(rest.empty() || rest == "." || rest == ",")) return std::nullopt;
  return value;
}

TEST(GeneratedSums, AreRight) {
  const auto is_operation = [](const std::string& word) {
    return word == "+" || word == "-" || word == "*" || word == "/" || word == "=";
  };
  int checked = 0;
  for (const std::string& text : generated_documents("mathematics", kGrammars, kSome)) {
    std::istringstream stream(text);
    std::vector<std::string> words = {"", ""};
    for (std::string word; stream >> word;) words.push_back(word);
    words.emplace_back();
    for (std::size_t at = 1; at + 5 < words.size(); ++at) {  // a + b = c, and no longer chain
      const std::string& operation = words[at + 1];
      if ((operation != "+" && operation != "*") || words[at + 3] != "=") continue;
      if (is_operation(words[at - 1]) || is_operation(words[at + 5])) continue;
      const auto a = number_of(words[at]), b = number_of(words[at + 2]);
      const auto c = number_of(words[at + 4]);
      if (!a || !b || !c) continue;
      ++checked;
      EXPECT_EQ(*c, operation == "+" ? *a + *b : *a * *b) << text;
    }
  }
  EXPECT_GT(checked, 300);
}

class GeneratedFolder : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "tessera-text-XXXXXX").string();
    ASSERT_TRUE(mkdtemp(name.data()));
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(GeneratedFolder, HoldsTheWholeTextAsJsonLines) {
  const fs::path made = generated_text("chinese", kGrammars, folder_);
  std::ifstream file(made / "chinese.jsonl");
  std::vector<std::string> texts;
  for (std::string line; std::getline(file, line);) {
    texts.push_back(nlohmann::json::parse(line).at("text"));
  }
  EXPECT_EQ(texts, generated_documents("chinese", kGrammars, generated_parts().back().bytes));
  EXPECT_EQ(generated_text("chinese", kGrammars, folder_), made);
}

TEST_F(GeneratedFolder, IsMadeOnceByManyAtATime) {
  std::vector<fs::path> made(4);
  std::vector<std::thread> threads;
  for (fs::path& path : made)
    threads.emplace_back([&] { path = generated_text("multilingual", kGrammars, folder_); });
  for (std::thread& thread : threads) thread.join();
  for (const fs::path& path : made) EXPECT_EQ(path, made[0]);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1);
}

TEST_F(GeneratedFolder, UnknownPartsAndUnwritableFoldersAreErrors) {
  EXPECT_THROW(generated_text("music", kGrammars, folder_), Error);
  std::ofstream(folder_ / "file") << "x";
  EXPECT_THROW(generated_text("chinese", kGrammars, folder_ / "file"), Error);
  EXPECT_THROW(generated_text("chinese", folder_, folder_), Error);
}

TEST(GeneratedParts, FollowTheDefaultMixture) {
  std::map<std::string_view, double> share;
  double total = 0;
  for (const GeneratedPart& part : generated_parts()) {
    share[part.name] = static_cast<double>(part.bytes);
    total += static_cast<double>(part.bytes);
  }
  EXPECT_NEAR(share["web"] / total, 0.70, 0.01);
  EXPECT_NEAR(share["code"] / total, 0.15, 0.01);
  EXPECT_NEAR(share["mathematics"] / total, 0.10, 0.01);
  EXPECT_NEAR(share["multilingual"] / total, 0.035, 0.001);
  EXPECT_NEAR(share["chinese"] / total, 0.015, 0.001);
}

}  // namespace
}  // namespace tessera::text
