// SPDX-License-Identifier: MIT
// tokenizer.json: ids as the tokenizers library gave them (tests/golden/tokenizer, made by
// tests/peers/tokenizer_json.py), and what is not read.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/tokenizer/tokenizer.h"
#include "core/tokenizer/utf8.h"
#include "tests/build_paths.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

fs::path golden(const std::string& name) {
  return fs::path(TESSERA_SOURCE_DIR) / "tests" / "golden" / "tokenizer" / name;
}

Json read_json(const fs::path& path) {
  std::ifstream file(path);
  return Json::parse(file);
}

/// A folder with a vocabulary, gone with the object.
struct Folder {
  fs::path path = fs::temp_directory_path() / fmt::format("tessera-bpe-{}", ::getpid());
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  void write(const char* name, const std::string& content) const {
    std::ofstream(path / name, std::ios::binary | std::ios::trunc) << content;
  }
  std::shared_ptr<const Tokenizer> load(const Json& file, const Json& config = nullptr) const {
    write("tokenizer.json", file.dump());
    fs::remove(path / "tokenizer_config.json");
    if (!config.is_null()) write("tokenizer_config.json", config.dump());
    return Tokenizer::load(path);
  }
  std::string refusal(const Json& file, const Json& config = nullptr) const {
    try {
      load(file, config);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

/// Bytes a to d and three merges, as the library writes it.
Json small() {
  return Json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [
      {"id": 7, "content": "<|end|>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": true},
      {"id": 8, "content": "<note>", "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false, "special": false}],
    "normalizer": null,
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
                      "use_regex": false},
    "post_processor": null,
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true,
                "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
              "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
              "ignore_merges": false,
              "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "bc": 5, "abc": 6},
              "merges": [["b", "c"], ["a", "b"], ["a", "bc"]]}})");
}

class TokenizerJson : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerJson, GivesTheIdsOfTheLibrary) {
  const auto tokenizer = Tokenizer::load(golden(GetParam()));
  const Json cases = read_json(golden(GetParam()) / "cases.json");
  ASSERT_GT(cases.size(), 200u);
  int with_specials = 0;
  for (const Json& one : cases) {
    const std::string text = one[0];
    const Ids parsed = one[1], plain = one.size() > 2 ? one[2] : one[1];
    with_specials += one.size() > 2 ? 1 : 0;
    ASSERT_EQ(tokenizer->encode(text, SpecialText::Parse), parsed) << Json(text).dump();
    ASSERT_EQ(tokenizer->encode(text), plain) << Json(text).dump();
    for (const std::int32_t id : plain) {
      ASSERT_TRUE(id == tokenizer->specials().unknown || !tokenizer->is_special(id)) << text;
    }
    // One author's text, marked: the same.
    MarkedText marked;
    marked.append(text, MarkedText::kForeign);
    ASSERT_EQ(tokenizer->encode_marked(marked), plain) << Json(text).dump();
    if (tokenizer->alterations().empty()) {
      ASSERT_EQ(tokenizer->decode(plain), text);
    }
  }
  EXPECT_GT(with_specials, 3);
}

INSTANTIATE_TEST_SUITE_P(All, TokenizerJson,
                         testing::Values("deepseek", "han", "gpt2", "nfc", "sentence", "unknowns",
                                         "splits"),
                         [](const auto& test) { return std::string(test.param); });

TEST(TokenizerJsonFile, RolesComeFromTheFilesBesideIt) {
  const auto deepseek = Tokenizer::load(golden("deepseek"));
  const SpecialTokens& s = deepseek->specials();
  EXPECT_EQ(deepseek->piece(s.bos), special::kBos);
  EXPECT_EQ(deepseek->piece(s.eos), special::kEos);
  EXPECT_EQ(deepseek->piece(s.pad), special::kEos);  // as tokenizer_config.json says
  EXPECT_EQ(deepseek->piece(s.user), special::kUser);
  EXPECT_EQ(deepseek->piece(s.assistant), special::kAssistant);
  EXPECT_TRUE(deepseek->adds_bos());
  EXPECT_EQ(deepseek->file_name(), "tokenizer.json");
  const auto gpt2 = Tokenizer::load(golden("gpt2"));  // only the template names it
  EXPECT_EQ(gpt2->piece(gpt2->specials().bos), "<s>");
  EXPECT_TRUE(gpt2->adds_bos());
  const auto nfc = Tokenizer::load(golden("nfc"));
  EXPECT_EQ(nfc->specials().bos, -1);
  EXPECT_FALSE(nfc->adds_bos());
  EXPECT_EQ(nfc->piece(nfc->specials().eos), "<|endoftext|>");
}

TEST(TokenizerJsonFile, TheMapOfSpecialTokensCountsWhereTheConfigurationIsSilent) {
  const Folder folder;
  folder.write("special_tokens_map.json", R"({"eos_token": {"content": "<note>"}})");
  EXPECT_EQ(folder.load(small())->specials().eos, 8);
  EXPECT_TRUE(folder.load(small())->is_special(8));
  EXPECT_EQ(folder.load(small(), {{"eos_token", "<|end|>"}})->specials().eos, 7);
}

TEST(TokenizerJsonFile, WhatPeopleWroteNeverBecomesASpecialToken) {
  const auto tokenizer = Tokenizer::load(golden("deepseek"));
  const std::string user(special::kUser), typed = "Hi " + user + " you";
  const Ids plain = tokenizer->encode(typed);
  EXPECT_EQ(std::count(plain.begin(), plain.end(), tokenizer->specials().user), 0);
  EXPECT_EQ(tokenizer->decode(plain), typed);
  MarkedText text;
  text.append(user, MarkedText::kOwn);
  text.append(typed, MarkedText::kForeign);
  text.append(std::string(special::kAssistant), MarkedText::kOwn);
  const Ids ids = tokenizer->encode_marked(text);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), tokenizer->specials().user), 1);
  EXPECT_EQ(ids.front(), tokenizer->specials().user);
  EXPECT_EQ(ids.back(), tokenizer->specials().assistant);
  EXPECT_EQ(Ids(ids.begin() + 1, ids.end() - 1), plain);
  // A token that both authors spell together is nobody's.
  MarkedText halves;
  halves.append(user.substr(0, 5), MarkedText::kOwn);
  halves.append(user.substr(5), MarkedText::kForeign);
  EXPECT_EQ(tokenizer->encode_marked(halves), tokenizer->encode(user));
}

/// Words reach over the border between authors, as in the text as a whole.
TEST(TokenizerJsonFile, TheBorderBetweenAuthorsIsNoBorderOfWords) {
  for (const char* name : {"deepseek", "han", "gpt2", "nfc", "sentence"}) {
    const auto tokenizer = Tokenizer::load(golden(name));
    MarkedText text;
    text.append("The answer of the mea", MarkedText::kOwn);
    text.append("sure is the caf\u00e9", MarkedText::kForeign);
    text.append(" there", MarkedText::kOwn);
    EXPECT_EQ(tokenizer->encode_marked(text), tokenizer->encode(text.text)) << name;
  }
}

TEST(TokenizerJsonFile, BytesThatAreNoTextComeBack) {
  for (const char* name : {"deepseek", "han", "sentence"}) {
    const auto tokenizer = Tokenizer::load(golden(name));
    for (const std::string text : {"\xFF", "a\xC3", "\xE4\xB8 b\x80\x80",
                                   "\xF0\x9F\x98\xED\xA0\x80", "\xC3\xA9\xFE the \xC0\x80"}) {
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text) << name;
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text, SpecialText::Parse)), text) << name;
    }
  }
}

TEST(TokenizerJsonFile, OneWordOfAMegabyteIsEncoded) {
  const auto tokenizer = Tokenizer::load(golden("deepseek"));
  std::string word;
  for (int i = 0; i < 1 << 20; ++i) word.push_back(static_cast<char>('a' + i % 7 * i % 26));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(word)), word);
}

TEST(TokenizerJsonFile, StreamedTextEqualsTheWhole) {
  const auto tokenizer = Tokenizer::load(golden("sentence"));
  const std::string text = "The caf\u00e9 \u65e5\u672c \U0001F600 ends.";
  StreamDecoder stream(tokenizer);
  std::string streamed;
  for (const std::int32_t id : tokenizer->encode(text)) streamed += stream.push(id);
  EXPECT_EQ(streamed + stream.finish(), text);
}

TEST(TokenizerJsonFile, SavingKeepsAllThatLoadingReads) {
  const Folder folder;
  const auto first = Tokenizer::load(golden("nfc"));
  first->save(folder.path);
  const auto again = Tokenizer::load(folder.path);
  EXPECT_EQ(again->hash(), first->hash());
  EXPECT_EQ(again->specials().eos, first->specials().eos);
  EXPECT_EQ(again->vocab_size(), first->vocab_size());
  const Json cases = read_json(golden("nfc") / "cases.json");
  for (const Json& one : cases) {
    EXPECT_EQ(again->encode(one[0].get<std::string>(), SpecialText::Parse), one[1].get<Ids>());
  }
}

TEST(TokenizerJsonFile, MergesAreReadInBothForms) {
  const Folder folder;
  Json pairs = small(), texts = small(), early = small();
  texts["model"]["merges"] = {"#version: 0.2", "b c", "a b", "a bc"};
  early["model"].erase("type");
  for (const Json& file : {pairs, texts, early}) {
    const auto tokenizer = folder.load(file);
    EXPECT_EQ(tokenizer->encode("abcd"), (Ids{6, 3}));
    EXPECT_EQ(tokenizer->encode("abb"), (Ids{4, 1}));
    EXPECT_EQ(tokenizer->encode("a<|end|>b", SpecialText::Parse), (Ids{0, 7, 1}));
    EXPECT_EQ(tokenizer->encode("a<note>b"), (Ids{0, 8, 1}));
    EXPECT_EQ(tokenizer->alterations(), "has no token for characters it does not know");
  }
}

/// A change of the small file, and what the error must name.
struct Fault {
  const char* named;
  std::function<void(Json&)> make;
};

TEST(TokenizerJsonFile, WhatIsNotReadIsNamed) {
  const Folder folder;
  ASSERT_EQ(folder.refusal(small()), "");
  const Fault faults[] = {
      {"model is of the type Unigram", [](Json& f) { f["model"]["type"] = "Unigram"; }},
      {"model is of the type WordPiece", [](Json& f) { f["model"]["type"] = "WordPiece"; }},
      {"model.dropout is 0.1", [](Json& f) { f["model"]["dropout"] = 0.1; }},
      {"model.end_of_word_suffix", [](Json& f) { f["model"]["end_of_word_suffix"] = "</w>"; }},
      {"model.continuing_subword_prefix",
       [](Json& f) { f["model"]["continuing_subword_prefix"] = "##"; }},
      {"model.new_key is a key that is not known", [](Json& f) { f["model"]["new_key"] = 1; }},
      {"other is a key that is not known", [](Json& f) { f["other"] = 1; }},
      {"version is \"2.0\"", [](Json& f) { f["version"] = "2.0"; }},
      {"normalizer is of the type Lowercase",
       [](Json& f) { f["normalizer"]["type"] = "Lowercase"; }},
      {"normalizer.normalizers[0] is of the type NFKC",
       [](Json& f) {
         f["normalizer"] = {{"type", "Sequence"},
                            {"normalizers", Json::array({Json{{"type", "NFKC"}}})}};
       }},
      {"pre_tokenizer is of the type Metaspace",
       [](Json& f) { f["pre_tokenizer"]["type"] = "Metaspace"; }},
      {"pre_tokenizer.pretokenizers[1] stands behind ByteLevel",
       [](Json& f) {
         const Json level = f["pre_tokenizer"];
         f["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", {level, level}}};
       }},
      {"post_processor is of the type RobertaProcessing",
       [](Json& f) {
         f["post_processor"] = {{"type", "RobertaProcessing"}};
       }},
      {"decoder is of the type WordPiece", [](Json& f) { f["decoder"]["type"] = "WordPiece"; }},
      {"the decoder is missing", [](Json& f) { f["decoder"] = nullptr; }},
      {"not both ByteLevel", [](Json& f) { f["pre_tokenizer"] = nullptr; }},
      {"the property Greek",
       [](Json& f) {
         f["pre_tokenizer"] = {{"type", "Sequence"},
                               {"pretokenizers",
                                {{{"type", "Split"},
                                  {"pattern", {{"Regex", "\\p{Greek}+"}}},
                                  {"behavior", "Isolated"},
                                  {"invert", false}},
                                 f["pre_tokenizer"]}}};
       }},
  };
  for (const Fault& fault : faults) {
    Json file = small();
    fault.make(file);
    const std::string error = folder.refusal(file);
    EXPECT_NE(error.find(fault.named), std::string::npos) << fault.named << "\n" << error;
    EXPECT_NE(error.find("tokenizer.json"), std::string::npos) << error;
  }
}

TEST(TokenizerJsonFile, WhatIsDamagedIsNamed) {
  const Folder folder;
  const Fault faults[] = {
      {"model.merges[1] needs the token \"x\"",
       [](Json& f) {
         f["model"]["merges"][1] = {"a", "x"};
       }},
      {"needs the token \"ac\"",
       [](Json& f) {
         f["model"]["merges"][1] = {"a", "c"};
       }},
      {"model.merges[0] is \"bc\"", [](Json& f) { f["model"]["merges"][0] = "bc"; }},
      {"model.merges[0] is a list",
       [](Json& f) {
         f["model"]["merges"][0] = {"a", "b", "c"};
       }},
      {"the id 1 to \"b\" and to \"c\"", [](Json& f) { f["model"]["vocab"]["c"] = 1; }},
      {"model.vocab[\"a\"] is -1", [](Json& f) { f["model"]["vocab"]["a"] = -1; }},
      {"model.vocab[\"a\"] is 1e+300", [](Json& f) { f["model"]["vocab"]["a"] = 1e300; }},
      {"model.vocab[\"a\"] is 18446744073709551615",
       [](Json& f) { f["model"]["vocab"]["a"] = ~std::uint64_t{0}; }},
      {"model.vocab[\"a\"] is 2097152", [](Json& f) { f["model"]["vocab"]["a"] = 1 << 21; }},
      {"model.vocab is a list", [](Json& f) { f["model"]["vocab"] = Json::array(); }},
      {"model.vocab is an object, expected a vocabulary with tokens",
       [](Json& f) { f["model"]["vocab"] = Json::object(); }},
      {"model.unk_token \"?\"", [](Json& f) { f["model"]["unk_token"] = "?"; }},
      {"the file has no model", [](Json& f) { f.erase("model"); }},
      {"expected an object", [](Json& f) { f = Json::array(); }},
      {"the added token \"a\" has the id 7",
       [](Json& f) { f["added_tokens"][0]["content"] = "a"; }},
      {"the id 3 stands for \"d\"", [](Json& f) { f["added_tokens"][0]["id"] = 3; }},
      {"added_tokens[1].content is 5", [](Json& f) { f["added_tokens"][1]["content"] = 5; }},
      {"added_tokens[0] has no id", [](Json& f) { f["added_tokens"][0].erase("id"); }},
  };
  for (const Fault& fault : faults) {
    Json file = small();
    fault.make(file);
    const std::string error = folder.refusal(file);
    EXPECT_NE(error.find(fault.named), std::string::npos) << fault.named << "\n" << error;
  }
  const std::pair<const char*, Json> configs[] = {
      {"bos_token is \"<none>\"", {{"bos_token", "<none>"}}},
      {"names the added token 9 \"x\"", {{"added_tokens_decoder", {{"9", {{"content", "x"}}}}}}},
      {"the key -3", {{"added_tokens_decoder", {{"-3", {{"content", "x"}}}}}}},
      {"the key x", {{"added_tokens_decoder", {{"x", {{"content", "x"}}}}}}},
      {"eos_token is 4", {{"eos_token", 4}}},
      {"no JSON object", Json::array()},
  };
  for (const auto& [named, config] : configs) {
    const std::string error = folder.refusal(small(), config);
    EXPECT_NE(error.find(named), std::string::npos) << named << "\n" << error;
  }
}

TEST(TokenizerJsonFile, ATextThatIsNoJsonIsAnError) {
  const Folder folder;
  const std::string whole = small().dump();
  const auto refused = [&](const std::string& content) {
    folder.write("tokenizer.json", content);
    try {
      Tokenizer::load(folder.path / "tokenizer.json");
      return false;
    } catch (const Error&) {
      return true;
    }
  };
  for (std::size_t cut = 0; cut < whole.size(); cut += 7)
    EXPECT_TRUE(refused(whole.substr(0, cut)));
  for (const char open : {'[', '{'}) EXPECT_TRUE(refused(std::string(1 << 20, open)));
  std::string nested;
  for (int i = 0; i < 200000; ++i) nested += "{\"model\":";
  EXPECT_TRUE(refused(nested));
  EXPECT_TRUE(refused(nested + "1" + std::string(200000, '}')));
  EXPECT_TRUE(refused("{\"model\": {\"vocab\": {\"\xFF\": 0}}}"));
}

/// Any byte of a file may be wrong: an error, or a vocabulary that works.
TEST(TokenizerJsonFile, AnyByteMayBeWrong) {
  const Folder folder;
  const std::string whole = small().dump();
  int loaded = 0, refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string broken = whole;
    broken[at] = static_cast<char>(at % 3 == 0   ? '9'
                                   : at % 3 == 1 ? '"'
                                                 : whole[(7 * at) % whole.size()]);
    folder.write("tokenizer.json", broken);
    try {
      const auto tokenizer = Tokenizer::load(folder.path);
      for (const std::int32_t id : tokenizer->encode("abcd<|end|> \xFF", SpecialText::Parse)) {
        ASSERT_LT(id, tokenizer->vocab_size());
        ASSERT_GE(id, 0);
      }
      ++loaded;
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GT(loaded, 10);
  EXPECT_GT(refused, 500);
}

}  // namespace
}  // namespace tessera
