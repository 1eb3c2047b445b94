// SPDX-License-Identifier: MIT
// Vocabularies out to GGUF and back: the ids of a text stay.
#include "core/gguf/gguf_values.h"
#include "core/tokenizer/tokenizer.h"
#include "core/tokenizer/train.h"
#include "core/tokenizer/vocabulary_lists.h"
#include "tests/gguf/gguf_models.h"

namespace tessera {
namespace {

using namespace testing;
using Json = nlohmann::json;

fs::path golden_tokenizer(const std::string& name) {
  return fs::path(TESSERA_SOURCE_DIR) / "tests" / "golden" / "tokenizer" / name;
}

const std::vector<std::string>& probes() {
  static const std::vector<std::string> all{
      "",
      " ",
      "The river runs past 1234 trees, doesn't it?  Two  spaces.\n\n\tTabs\r\n",
      "x = (a + b) * 3.14159; // sum\n",
      "Fluß naïve café \u4e2d\u6587\u3042 \U0001F600",
      "<\uFF5CUser\uFF5C>hello<s></s>",
      "\u2581 true underline",
  };
  return all;
}

void expect_same_ids(const Tokenizer& a, const Tokenizer& b) {
  for (const std::string& text : probes()) {
    for (const SpecialText specials : {SpecialText::AsText, SpecialText::Parse}) {
      EXPECT_EQ(a.encode(text, specials), b.encode(text, specials)) << text;
    }
  }
  EXPECT_EQ(a.specials().bos, b.specials().bos);
  EXPECT_EQ(a.specials().eos, b.specials().eos);
  EXPECT_EQ(a.adds_bos(), b.adds_bos());
  EXPECT_EQ(a.adds_leading_space(), b.adds_leading_space());
  ASSERT_LE(b.vocab_size(), a.vocab_size());
  for (std::int32_t id = 0; id < b.vocab_size(); ++id) {
    EXPECT_EQ(a.piece(id), b.piece(id));
    EXPECT_EQ(a.is_special(id), b.is_special(id)) << a.piece(id);
    EXPECT_EQ(a.bytes_of(id), b.bytes_of(id));
  }
}

/// A model of `rows` rows with the vocabulary `files` copied in.
void write_with_vocabulary(const fs::path& folder, std::int64_t rows, std::int64_t end,
                           const std::vector<fs::path>& files) {
  ModelConfig c = gguf_shape();
  c.vocab_size = rows;
  write_model(c, folder, DType::F32, /*bos=*/0, end);
  for (const fs::path& file : files) fs::copy_file(file, folder / file.filename());
}

std::shared_ptr<const Tokenizer> trained(TokenizerAlgorithm algorithm = TokenizerAlgorithm::Bpe) {
  std::vector<std::string> texts;
  for (int i = 0; i < 200; ++i) {
    texts.push_back("The river runs past the trees and the mill, and " + std::to_string(i * 37) +
                    " birds sit in the old tree; two of them sing.\n");
  }
  TokenizerTrainOptions options;
  options.algorithm = algorithm;
  options.vocab_size = 420;
  return train_tokenizer(texts, options);
}

TEST(GgufVocabulary, SentencePieceComesBack) {
  const TemporaryFolder folder;
  const auto tokenizer = trained();
  tokenizer->save(folder.path());
  write_with_vocabulary(folder / "a", tokenizer->vocab_size() + 5, 7, {folder / "tokenizer.model"});
  write_file(folder / "a" / "chat_template.jinja", "{{ bos_token }}{% odd construct %}\n");
  export_gguf(folder / "a", folder / "m.gguf", GgufType::F16);
  const GgufFile file(folder / "m.gguf");
  const GgufValues values(file);
  EXPECT_EQ(values.text("tokenizer.ggml.model"), "llama");
  EXPECT_EQ(std::ssize(values.texts("tokenizer.ggml.tokens")), tokenizer->vocab_size() + 5)
      << "a token for every row";
  EXPECT_EQ(values.integers("tokenizer.ggml.token_type").back(), 5);
  EXPECT_EQ(values.flag("tokenizer.ggml.add_space_prefix"), false);
  import_gguf(folder / "m.gguf", folder / "b");
  expect_same_ids(*tokenizer, *Tokenizer::load(folder / "b"));
  EXPECT_EQ(Tokenizer::load(folder / "b")->vocab_size(), tokenizer->vocab_size());
  EXPECT_EQ(read_file(folder / "b" / "chat_template.jinja"),
            "{{ bos_token }}{% odd construct %}\n");
  const HfConfig config = read_hf_config(folder / "b");
  EXPECT_EQ(config.bos_token_id, tokenizer->specials().bos) << "before config.json's";
  EXPECT_EQ(config.eos_token_ids, (std::vector<std::int64_t>{tokenizer->specials().eos, 7}));
}

TEST(GgufVocabulary, UnigramComesBackWithANote) {
  const TemporaryFolder folder;
  const auto tokenizer = trained(TokenizerAlgorithm::Unigram);
  tokenizer->save(folder.path());
  write_with_vocabulary(folder / "a", tokenizer->vocab_size(), tokenizer->specials().eos,
                        {folder / "tokenizer.model"});
  const GgufExport done = export_gguf(folder / "a", folder / "m.gguf", GgufType::F16);
  ASSERT_EQ(done.notes.size(), 1u);
  EXPECT_TRUE(contains(done.notes[0], "is the unknown token for llama.cpp"));
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(GgufValues(file).text("tokenizer.ggml.model"), "t5");
  EXPECT_EQ(GgufValues(file).flag("tokenizer.ggml.remove_extra_whitespaces"), false);
  import_gguf(folder / "m.gguf", folder / "b");
  expect_same_ids(*tokenizer, *Tokenizer::load(folder / "b"));
}

TEST(GgufVocabulary, BytePairsOfDeepSeekComeBack) {
  const TemporaryFolder folder;
  const fs::path from = golden_tokenizer("deepseek");
  const auto tokenizer = Tokenizer::load(from);
  write_with_vocabulary(folder / "a", tokenizer->vocab_size(), tokenizer->specials().eos,
                        {from / "tokenizer.json", from / "tokenizer_config.json"});
  export_gguf(folder / "a", folder / "m.gguf", GgufType::F16);
  const GgufFile file(folder / "m.gguf");
  EXPECT_EQ(GgufValues(file).text("tokenizer.ggml.model"), "gpt2");
  EXPECT_EQ(GgufValues(file).text("tokenizer.ggml.pre"), "deepseek-v3");
  import_gguf(folder / "m.gguf", folder / "b");
  expect_same_ids(*tokenizer, *Tokenizer::load(folder / "b"));
}

/// The parts of a tokenizer.json that decide how a text is split.
Json edited(const Json& steps, bool ignore_merges = false) {
  Json json = Json::parse(read_file(golden_tokenizer("deepseek") / "tokenizer.json"));
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", steps}};
  json["model"]["ignore_merges"] = ignore_merges;
  return json;
}

Json split_step(const std::string& pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json byte_step(bool as_gpt2, bool prefix = false) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", prefix},
          {"trim_offsets", true},
          {"use_regex", as_gpt2}};
}

std::string name_of_splits(const Json& json) {
  const TemporaryFolder folder;
  write_file(folder / "tokenizer.json", json.dump());
  return read_vocabulary_lists(folder.path()).splits;
}

TEST(GgufVocabulary, SplitsAreNamed) {
  EXPECT_EQ(name_of_splits(edited(Json::array({byte_step(true)}))), "gpt-2");
  const std::string words =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| "
      "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
  EXPECT_EQ(name_of_splits(edited({split_step(words), byte_step(false)}, true)), "llama-bpe");
  EXPECT_EQ(name_of_splits(edited({split_step(words), byte_step(false)})), "chatglm-bpe");
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const std::string chinese = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+";
  EXPECT_EQ(name_of_splits(
                edited({split_step("[\r\n]"), split_step("\\s?\\p{L}+"), split_step("\\s?\\p{P}+"),
                        split_step(chinese), digits, byte_step(false)})),
            "deepseek-coder");
}

TEST(GgufVocabulary, WhatListsCannotSayIsRefused) {
  const auto error = [](const Json& json) { return error_of([&] { name_of_splits(json); }); };
  EXPECT_TRUE(contains(error(edited({split_step("[0-9]"), byte_step(false)})),
                       "splits text in a way without a name"));
  EXPECT_TRUE(contains(error(edited(Json::array({byte_step(true)}), true)), "without a name"));
  EXPECT_TRUE(
      contains(error(edited(Json::array({byte_step(true, true)}))), "a space before every text"));
  Json json = edited(Json::array({byte_step(true)}));
  json["normalizer"] = {{"type", "NFC"}};
  EXPECT_TRUE(contains(error(json), "it normalises text"));
  json = edited(Json::array({byte_step(true)}));
  json["added_tokens"][0]["lstrip"] = true;
  EXPECT_TRUE(contains(error(json), "takes white space along"));
  EXPECT_TRUE(contains(error_of([] { read_vocabulary_lists(golden_tokenizer("sentence")); }),
                       "of characters, and not of bytes"));
  const TemporaryFolder folder;
  const auto tokenizer = trained();
  tokenizer->save(folder.path());
  write_with_vocabulary(folder / "a", 100, 1, {folder / "tokenizer.model"});
  EXPECT_TRUE(
      contains(error_of([&] { export_gguf(folder / "a", folder / "m.gguf", GgufType::F16); }),
               "tokens, and the model 100 rows"));
  EXPECT_FALSE(fs::exists(folder / "m.gguf"));
}

TEST(GgufVocabulary, ListsThatDoNotAgreeAreRefused) {
  VocabularyLists lists;
  lists.tokens = {"<unk>", "a"};
  lists.types = {2, 1};
  lists.scores = {0.f, -1.f};
  lists.unknown = 0;
  EXPECT_EQ(vocabulary_files(lists, "file").size(), 2u);
  const auto error = [&](auto change) {
    VocabularyLists changed = lists;
    change(changed);
    return error_of([&] { vocabulary_files(changed, "file"); });
  };
  EXPECT_TRUE(contains(error([](auto& l) { l.tokens.clear(); }), "has no tokens"));
  EXPECT_TRUE(contains(error([](auto& l) { l.types.pop_back(); }), "2 tokens and 1 types"));
  EXPECT_TRUE(contains(error([](auto& l) { l.scores.pop_back(); }), "2 tokens and 1 scores"));
  EXPECT_TRUE(contains(error([](auto& l) { l.types[1] = 7; }), "token 1 has the type 7"));
  EXPECT_TRUE(contains(error([](auto& l) { l.tokens[1] = "<unk>"; }), "comes twice"));
  EXPECT_TRUE(contains(error([](auto& l) { l.tokens[1] = "\xff"; }), "no UTF-8"));
  EXPECT_TRUE(contains(error([](auto& l) { l.bos = 2; }), "the token 2 has a role"));
  for (const char* merge : {"ab", "a b c", " b", "a ", "a \xff"}) {
    EXPECT_TRUE(contains(error([&](auto& l) { l.merges = {merge}; }), "is not two tokens"));
  }
  EXPECT_TRUE(contains(error([](auto& l) {
                         l.types[0] = 1;
                         l.unknown = -1;
                       }),
                       "has no unknown token"));
  EXPECT_TRUE(contains(error([](auto& l) {
                         l.kind = VocabularyLists::Kind::BytePairs;
                         l.splits = "odd";
                       }),
                       "splits text as \"odd\" does, which is not known"));
}

}  // namespace
}  // namespace tessera
