// SPDX-License-Identifier: MIT
// Answers that are held to a form.
#include "core/http/answer_format.h"

#include "core/grammar/json_grammar.h"
#include "tests/http/running_server.h"

namespace tessera::test {
namespace {

json small_schema() {
  return json::parse(R"({"type": "object", "properties": {
      "kind": {"enum": ["fox", "dog"]}, "age": {"type": "integer", "minimum": 1, "maximum": 20}},
      "required": ["kind", "age"], "additionalProperties": false})");
}
json schema_format(const json& schema) {
  return {{"type", "json_schema"}, {"json_schema", {{"name", "s"}, {"schema", schema}}}};
}
void expect_small(const std::string& text) {
  const json made = json::parse(text, nullptr, false);
  ASSERT_TRUE(made.is_object()) << text;
  EXPECT_EQ(made.size(), 2u);
  EXPECT_TRUE(made.at("kind") == "fox" || made.at("kind") == "dog") << text;
  EXPECT_TRUE(made.at("age").is_number_integer()) << text;
  EXPECT_TRUE(made.at("age") >= 1 && made.at("age") <= 20) << text;
}
json asked(const json& format, int seed = 1) {
  json request = chat("Tell me of the fox", 120);
  request["response_format"] = format;
  request["temperature"] = 1.5;
  request["seed"] = seed;
  return request;
}

TEST(AnswerFormat, SchemasHoldInEveryKindOfRequest) {
  const RunningServer server;
  for (int seed = 1; seed <= 5; ++seed) {
    json request = asked(schema_format(small_schema()), seed);
    request["n"] = 2;
    request["top_p"] = 0.9;
    request["repetition_penalty"] = 1.3;
    const Reply reply = post(server, kChat, request);
    ASSERT_EQ(reply.status, 200) << reply.text;
    for (std::size_t choice = 0; choice < 2; ++choice) {
      expect_small(text_of(reply, choice));
      EXPECT_EQ(reply.body["choices"][choice]["finish_reason"], "stop");
    }
    json prompt = completion("The fox", 120);
    prompt["response_format"] = schema_format(small_schema());
    prompt["seed"] = seed;
    prompt["temperature"] = seed - 1;
    expect_small(text_of(post(server, kComplete, prompt)));
  }
  // The forms of other servers.
  expect_small(
      text_of(post(server, kChat, asked({{"type", "json_object"}, {"schema", small_schema()}}))));
  json request = asked(nullptr);
  request["json_schema"] = small_schema();
  expect_small(text_of(post(server, kChat, request)));
}

TEST(AnswerFormat, PropertiesComeInTheOrderOfTheSchema) {
  const RunningServer server;
  const std::string text = text_of(post(
      server, kChat,
      std::string(R"({"messages": [{"role": "user", "content": "fox"}], "max_tokens": 60, "seed": 3,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {
        "properties": {"z": {"type": "null"}, "a": {"type": "null"}}, "required": ["a", "z"]}}}})")));
  EXPECT_LT(text.find("\"z\""), text.find("\"a\"")) << text;
  EXPECT_NE(text.find("\"a\""), std::string::npos) << text;
}

TEST(AnswerFormat, StreamsSayTheSame) {
  const RunningServer server;
  json request = asked(schema_format(small_schema()));
  request["logprobs"] = true;
  const Reply plain = post(server, kChat, request);
  request["stream"] = true;
  std::string streamed, finish, tokens;
  for (const json& event : events_of(post(server, kChat, request).text)) {
    const json& choice = event["choices"][0];
    if (choice["delta"].contains("content") && choice["delta"]["content"].is_string()) {
      streamed += choice["delta"]["content"].get<std::string>();
    }
    if (choice["finish_reason"].is_string()) finish = choice["finish_reason"];
  }
  EXPECT_EQ(streamed, text_of(plain));
  EXPECT_EQ(finish, "stop");
  for (const json& token : plain.body["choices"][0]["logprobs"]["content"]) {
    tokens += token["token"].get<std::string>();
    EXPECT_LE(token["logprob"].get<double>(), 0.0);
  }
  EXPECT_EQ(tokens, text_of(plain));
}

TEST(AnswerFormat, NeighboursChangeNothing) {
  const RunningServer server;
  const json held = asked(schema_format(small_schema())), free = chat("The lazy dog", 40);
  const std::string held_alone = text_of(post(server, kChat, held)),
                    free_alone = text_of(post(server, kChat, free));
  std::vector<std::thread> others;
  std::vector<std::string> texts(6);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    others.emplace_back(
        [&, i] { texts[i] = text_of(post(server, kChat, i % 2 == 0 ? held : free)); });
  }
  for (std::thread& other : others) other.join();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i], i % 2 == 0 ? held_alone : free_alone);
  }
}

TEST(AnswerFormat, AnswersMayBeCutShortOrStopped) {
  const RunningServer server;
  json request = asked({{"type", "json_object"}});
  request["max_tokens"] = 1;
  EXPECT_EQ(post(server, kChat, request).body["choices"][0]["finish_reason"], "length");
  request = asked(schema_format(small_schema()));
  request["stop"] = "\"kind\"";
  const Reply reply = post(server, kChat, request);
  EXPECT_EQ(reply.body["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(text_of(reply).find("kind"), std::string::npos);
  EXPECT_NE(text_of(reply).find("age"), std::string::npos);
}

TEST(AnswerFormat, WhatCannotBeObeyedIsRefusedByName) {
  const RunningServer server;
  const std::pair<json, const char*> cases[] = {
      {{{"type", "json_schema"}}, "json_schema"},
      {{{"type", "json_schema"}, {"json_schema", {{"name", "x"}}}}, "schema"},
      {{{"type", "json_schema"}, {"json_schema", 5}}, "json_schema"},
      {schema_format(5), "response_format.json_schema.schema"},
      {schema_format({{"type", "strange"}}), "response_format.json_schema.schema.type"},
      {schema_format({{"properties", {{"a", {{"pattern", "x"}}}}}}),
       "response_format.json_schema.schema.properties.a.pattern"},
      {{{"type", "grammar"}}, "json_schema"}};
  for (const auto& [format, word] : cases) {
    for (const bool streams : {false, true}) {
      json request = asked(format);
      request["stream"] = streams;
      const Reply reply = post(server, kChat, request);
      EXPECT_EQ(reply.status, 400) << format;
      EXPECT_EQ(reply.error_type(), "invalid_request_error");
      EXPECT_NE(reply.message().find(word), std::string::npos) << reply.message();
    }
  }
  json both = asked({{"type", "json_object"}});
  both["json_schema"] = small_schema();
  EXPECT_EQ(post(server, kChat, both).status, 400);
  json goes_on = asked({{"type", "json_object"}});
  goes_on["messages"].push_back({{"role", "assistant"}, {"content", "{"}});
  goes_on["continue_final_message"] = true;
  EXPECT_EQ(post(server, kChat, goes_on).status, 400);
  const std::string deep = "{\"prompt\": " + std::string(100000, '[');
  EXPECT_EQ(post(server, kComplete, deep).status, 400);
}

TEST(AnswerFormat, GrammarsHold) {
  const RunningServer server;
  json request = chat("Yes or no?", 30);
  request["grammar"] = "root ::= (\"yes\" | \"no\") \".\"";
  const Reply reply = post(server, kChat, request);
  ASSERT_EQ(reply.status, 200) << reply.text;
  EXPECT_TRUE(text_of(reply) == "yes." || text_of(reply) == "no.") << reply.text;
  EXPECT_EQ(reply.body["choices"][0]["finish_reason"], "stop");
  request["response_format"] = {{"type", "json_object"}};
  EXPECT_EQ(post(server, kChat, request).status, 400);
}

TEST(AnswerFormat, TheFormBeginsBehindThoughts) {
  const auto takes = [](Thinking thinking, const std::string& text) {
    GrammarBuilder builder;
    const std::int32_t object = JsonRules(builder).object();
    const Grammar grammar = behind_thoughts(std::move(builder), object, thinking);
    StackMachine machine(grammar);
    std::int32_t set = machine.start();
    for (const char byte : text) set = machine.step(set, byte);
    return machine.ended(set);
  };
  EXPECT_TRUE(takes(Thinking::Never, "{}"));
  EXPECT_TRUE(takes(Thinking::Never, "\n{}"));
  EXPECT_FALSE(takes(Thinking::Never, "<think>x</think>{}"));
  EXPECT_TRUE(takes(Thinking::May, "{}"));
  EXPECT_TRUE(takes(Thinking::May, "<think>{ é</think>\n\n{}"));
  EXPECT_FALSE(takes(Thinking::May, "x</think>{}"));
  EXPECT_TRUE(takes(Thinking::Inside, "so </thin {}</think>{}"));
  EXPECT_FALSE(takes(Thinking::Inside, "{}"));
}

}  // namespace
}  // namespace tessera::test
