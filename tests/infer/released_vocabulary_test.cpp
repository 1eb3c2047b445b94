// SPDX-License-Identifier: MIT
// Folders whose vocabulary is a tokenizer.json, and whose conversations a template of their own
// writes.
#include <gtest/gtest.h>

#include <fstream>

#include "core/base/error.h"
#include "core/infer/text_model.h"
#include "tests/build_paths.h"
#include "tests/infer/tiny_model.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<std::int32_t>;

constexpr const char* kTemplate =
    "{{ bos_token }}{% for m in messages %}"
    "{% if m.role == 'user' %}<\uFF5CUser\uFF5C>{{ m.content }}"
    "{% elif m.role == 'assistant' %}<\uFF5CAssistant\uFF5C>{{ m.content }}{{ eos_token }}"
    "{% else %}[{{ m.content | trim }}]{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<\uFF5CAssistant\uFF5C><think>\n{% endif %}";

/// The tiny model with the vocabulary of tests/golden/tokenizer/deepseek.
class ReleasedVocabulary : public testing::Test {
 protected:
  ReleasedVocabulary() : folder_(scratch_.path / "model") { write_model(704); }

  void write_model(std::int64_t rows) {
    ModelConfig config = test::tiny_config();
    config.vocab_size = rows;
    fs::remove_all(folder_);
    test::write_released_model(folder_, 1, config);
    fs::remove(folder_ / "tokenizer.model");
    const fs::path golden = fs::path(TESSERA_SOURCE_DIR) / "tests/golden/tokenizer/deepseek";
    for (const char* name : {"tokenizer.json", "tokenizer_config.json"}) {
      fs::copy_file(golden / name, folder_ / name);
    }
  }
  void write_template(const std::string& text) const {
    std::ofstream(folder_ / "chat_template.jinja") << text;
  }

  test::ScratchFolder scratch_;
  fs::path folder_;
};

const std::vector<Message> kTalk = {{Message::Role::System, " Be brief. "},
                                    {Message::Role::User, "Who is <\uFF5CAssistant\uFF5C>?"},
                                    {Message::Role::Assistant, "I am."},
                                    {Message::Role::User, "Good."}};

TEST_F(ReleasedVocabulary, OpensAndAnswers) {
  TextModel model = TextModel::load(folder_, Recipe::Fp32);
  EXPECT_TRUE(model.knows_chat());
  EXPECT_EQ(model.chat_template(), nullptr);
  GenerateOptions options;
  options.max_tokens = 8;
  options.sampling.temperature = 0;
  const Generated first = model.answer(kTalk, options, [](const std::string&) {});
  EXPECT_EQ(first.prompt_tokens, model.length(kTalk));
  EXPECT_LE(first.tokens.size(), 8u);
  EXPECT_GT(first.tokens.size(), 0u);
}

TEST_F(ReleasedVocabulary, ItsOwnTemplateWritesTheConversation) {
  write_template(kTemplate);
  const TextModel model = TextModel::load(folder_, Recipe::Fp32);
  ASSERT_TRUE(model.chat_template());
  const Tokenizer& tokenizer = *model.tokenizer();
  const Ids ids = encode_conversation(tokenizer, true, kTalk, model.chat_template().get());
  EXPECT_EQ(model.length(kTalk), static_cast<std::int64_t>(ids.size()));
  const SpecialTokens& s = tokenizer.specials();
  EXPECT_EQ(ids.front(), s.bos);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.bos), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.user), 2);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.assistant), 2);  // the typed one stays text
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.eos), 1);
  const std::string text = tokenizer.decode(ids);
  EXPECT_EQ(text, "[Be brief.]Who is <\uFF5CAssistant\uFF5C>?I am.Good.<think>\n");
  EXPECT_EQ(text, tokenizer.decode(
                      encode_conversation(tokenizer, true, kTalk, model.chat_template().get())));
}

TEST_F(ReleasedVocabulary, WithoutItThePlainFormIsWritten) {
  const TextModel plain = TextModel::load(folder_, Recipe::Fp32);
  write_template("{% include 'x' %}");
  testing::internal::CaptureStderr();
  const TextModel model = TextModel::load(folder_, Recipe::Fp32);
  const std::string told = testing::internal::GetCapturedStderr();
  EXPECT_NE(told.find("the statement include is not read"), std::string::npos) << told;
  EXPECT_NE(told.find("plain form"), std::string::npos) << told;
  EXPECT_EQ(model.chat_template(), nullptr);
  EXPECT_TRUE(model.knows_chat());
  EXPECT_EQ(model.length(kTalk), plain.length(kTalk));
}

TEST_F(ReleasedVocabulary, WhatTheTemplateRefusesIsTold) {
  write_template(
      "{% if messages[0].role != 'user' %}{{ raise_exception('Begin with a question') }}{% endif "
      "%}");
  const TextModel model = TextModel::load(folder_, Recipe::Fp32);
  try {
    model.length(kTalk);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("Begin with a question"), std::string::npos);
  }
}

TEST_F(ReleasedVocabulary, ThatIsLargerThanTheModelIsRefusedByItsName) {
  write_model(512);
  try {
    TextModel::load(folder_, Recipe::Fp32);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("tokenizer.json"), std::string::npos) << error.what();
  }
}

TEST_F(ReleasedVocabulary, IsNotTrainedWith) {
  try {
    Tokenizer::load_for_training(folder_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.where(), "tokenizer.path");
  }
  test::tiny_tokenizer()->save(folder_);
  EXPECT_EQ(Tokenizer::load_for_training(folder_)->hash(), test::tiny_tokenizer()->hash());
}

TEST_F(ReleasedVocabulary, BosStandsBeforeATextWhereTheFilesSaySo) {
  const auto deepseek = Tokenizer::load(folder_);
  EXPECT_EQ(encode_prompt(*deepseek, "Hi").front(), deepseek->specials().bos);
  std::ofstream(folder_ / "tokenizer_config.json") << R"({"add_bos_token": false})";
  EXPECT_EQ(encode_prompt(*Tokenizer::load(folder_), "Hi"), deepseek->encode("Hi"));
}

/// A SentencePiece vocabulary takes a template too, and keeps what people wrote.
TEST_F(ReleasedVocabulary, SentencePieceTakesATemplateToo) {
  const ChatTemplate own(kTemplate, "test");
  const auto tokenizer = test::tiny_tokenizer();
  const Ids ids = encode_conversation(*tokenizer, true, kTalk, &own);
  const SpecialTokens& s = tokenizer->specials();
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.assistant), 2);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), s.user), 2);
  EXPECT_EQ(ids.front(), s.bos);
  EXPECT_NE(tokenizer->decode(ids).find("Who is <\uFF5CAssistant\uFF5C>?I am."), std::string::npos);
}

}  // namespace
}  // namespace tessera
