// SPDX-License-Identifier: MIT
// Tokens and templates over HTTP.
#include "tests/http/running_server.h"

namespace tessera::test {
namespace {

TEST(HttpTokens, RoundTrip) {
  const RunningServer server;
  const std::string words = "The fox — 😀 é\n\tdreams.";
  const Reply reply = post(server, "/tokenize", {{"prompt", words}, {"add_special_tokens", false}});
  EXPECT_EQ(reply.body.at("tokens"), json(tiny_tokenizer()->encode(words)));
  EXPECT_EQ(reply.body.at("count"), reply.body.at("tokens").size());
  EXPECT_EQ(reply.body.at("max_model_len"), 1024);
  const Reply back = post(server, "/detokenize", {{"tokens", reply.body.at("tokens")}});
  EXPECT_EQ(back.body.at("prompt"), words);
  EXPECT_EQ(back.body.at("content"), words);
}

TEST(HttpTokens, BosIsTheRequestsWish) {
  const RunningServer server;
  const std::int32_t bos = tiny_tokenizer()->specials().bos;
  const auto first = [&](const json& body) {
    return post(server, "/tokenize", body).body.at("tokens").at(0).get<std::int32_t>();
  };
  EXPECT_EQ(first({{"prompt", "fox"}}), bos);
  EXPECT_NE(first({{"prompt", "fox"}, {"add_special_tokens", false}}), bos);
  EXPECT_NE(first({{"content", "fox"}}), bos);
  EXPECT_EQ(first({{"content", "fox"}, {"add_special", true}}), bos);
}

TEST(HttpTokens, PiecesOfCharactersAreBytes) {
  const RunningServer server;
  const Reply reply = post(server, "/tokenize", {{"content", "a😀"}, {"with_pieces", true}});
  std::string bytes;
  for (const json& token : reply.body.at("tokens")) {
    const json& piece = token.at("piece");
    if (piece.is_string()) {
      bytes += piece.get<std::string>();
    } else {
      for (const json& byte : piece) bytes += static_cast<char>(byte.get<int>());
    }
  }
  EXPECT_NE(bytes.find("a😀"), std::string::npos) << reply.text;
}

TEST(HttpTokens, ConversationsAsTheModelReadsThem) {
  for (const bool with_template : {false, true}) {
    const RunningServer server({}, {}, served_text(with_template));
    json request = chat("<｜User｜>fox");
    const SpecialTokens& s = tiny_tokenizer()->specials();
    const std::vector<std::int32_t> ids =
        post(server, "/tokenize", request).body.at("tokens").get<std::vector<std::int32_t>>();
    // Special tokens once each: BOS, the role of the question, that of the answer.
    EXPECT_EQ(std::count(ids.begin(), ids.end(), s.bos), 1);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), s.user), 1);
    EXPECT_EQ(ids.back(), s.assistant);
    const std::string shown = post(server, "/apply-template", request).body.at("prompt");
    EXPECT_EQ(shown, "<｜begin▁of▁sentence｜><｜User｜><｜User｜>fox<｜Assistant｜>");
    request["add_generation_prompt"] = false;
    EXPECT_EQ(post(server, "/apply-template", request).body.at("prompt"),
              "<｜begin▁of▁sentence｜><｜User｜><｜User｜>fox");
  }
}

TEST(HttpTokens, TemplatesGetToolsAndSwitches) {
  const RunningServer server({}, {}, served_text(true));
  json request = chat("fox");
  request["chat_template_kwargs"] = {{"thinking", true}};
  request["tools"] = json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}});
  const std::string shown = post(server, "/apply-template", request).body.at("prompt");
  EXPECT_EQ(shown, "<｜begin▁of▁sentence｜><｜User｜>foxT1<｜Assistant｜><think>");
  request["tool_choice"] = "none";
  request["chat_template_kwargs"] = {{"thinking", false}};
  EXPECT_EQ(post(server, "/apply-template", request).body.at("prompt"),
            "<｜begin▁of▁sentence｜><｜User｜>fox<｜Assistant｜>");
  request["chat_template_kwargs"] = {{"bos_token", "x"}};
  EXPECT_EQ(post(server, "/apply-template", request).status, 400);
}

/// A model that has no template would not hear of them.
TEST(HttpTokens, ToolsNeedATemplate) {
  const RunningServer server;
  json request = chat("fox");
  request["tools"] = json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}});
  const auto refused = post(server, "/apply-template", request);
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.body.at("error").at("param"), "tools");
  request["tool_choice"] = "none";
  EXPECT_EQ(post(server, "/apply-template", request).status, 200);
}

TEST(HttpTokens, TokenizerInfo) {
  const RunningServer server;
  const json info = get(server, "/tokenizer_info").body;
  EXPECT_EQ(info.at("eos_token"), "<｜end▁of▁sentence｜>");
  EXPECT_EQ(info.at("bos_token"), "<｜begin▁of▁sentence｜>");
  EXPECT_EQ(info.at("vocab_size"), tiny_tokenizer()->vocab_size());
  EXPECT_TRUE(info.at("chat_template").is_null());
}

TEST(HttpTokens, WrongRequestsAreToldApart) {
  const RunningServer server;
  for (const json& body : {json{{"tokens", {1, "x"}}}, json{{"tokens", "x"}}, json::object(),
                           json{{"tokens", {1e9}}}, json{{"tokens", {-1}}}}) {
    const Reply reply = post(server, "/detokenize", body);
    EXPECT_EQ(reply.status, 400) << body;
    EXPECT_EQ(reply.error_type(), "invalid_request_error");
  }
  for (const json& body :
       {json{{"prompt", 5}}, json::object(), json{{"prompt", "x"}, {"add_special_tokens", 1}}}) {
    EXPECT_EQ(post(server, "/tokenize", body).status, 400) << body;
  }
}

}  // namespace
}  // namespace tessera::test
