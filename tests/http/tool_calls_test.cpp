// SPDX-License-Identifier: MIT
// Calls of tools: read out of answers, and forced.
#include "core/http/tool_calls.h"

#include "core/grammar/constraint.h"
#include "tests/http/running_server.h"

namespace tessera::test {
namespace {

const ToolForm& form(const std::string& mark) {
  const ToolForm* found = tool_form_of(mark);
  EXPECT_NE(found, nullptr) << mark;
  return *found;
}
const ToolForm& v3() {
  return form("<｜tool▁calls▁begin｜> ```json");
}
const ToolForm& v31() {
  return form("<｜tool▁calls▁begin｜>");
}
const ToolForm& kimi() {
  return form("<|tool_calls_section_begin|>");
}

const std::string kV3 =
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get\n```json\n{\"a\": 1}\n"
    "```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>put\n```json\n{}\n"
    "```<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
const std::string kV31 =
    "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get<｜tool▁sep｜>{\"a\": 1}<｜tool▁call▁end｜>"
    "<｜tool▁call▁begin｜>put<｜tool▁sep｜>{}<｜tool▁call▁end｜><｜tool▁calls▁end｜>";
const std::string kKimi =
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.get:0<|tool_call_argument_begin|>"
    "{\"a\": 1}<|tool_call_end|><|tool_call_begin|>functions.put:1<|tool_call_argument_begin|>{}"
    "<|tool_call_end|><|tool_calls_section_end|>";

ToolCallSplit::Piece split(const ToolForm* how, const std::string& text, std::size_t bytes) {
  ToolCallSplit made(how, {"get", "put"});
  ToolCallSplit::Piece all;
  const auto add = [&](ToolCallSplit::Piece piece) {
    all.content += piece.content;
    all.calls.insert(all.calls.end(), piece.calls.begin(), piece.calls.end());
  };
  for (std::size_t at = 0; at < text.size(); at += bytes) add(made.push(text.substr(at, bytes)));
  add(made.finish());
  return all;
}

TEST(ToolCalls, AreReadInEveryFormHoweverTheTextComes) {
  const std::pair<const ToolForm*, std::string> forms[] = {
      {&v3(), kV3}, {&v31(), kV31}, {&kimi(), kKimi}};
  for (const auto& [how, text] : forms) {
    for (const std::size_t bytes : {1, 2, 3, 7, 1000}) {
      const ToolCallSplit::Piece piece = split(how, "I look: <" + text, bytes);
      EXPECT_EQ(piece.content, "I look: <");
      ASSERT_EQ(piece.calls.size(), 2u) << text;
      EXPECT_EQ(piece.calls[0].name, "get");
      EXPECT_EQ(piece.calls[0].arguments, "{\"a\": 1}");
      EXPECT_EQ(piece.calls[1].name, "put");
      EXPECT_EQ(piece.calls[1].arguments, "{}");
      EXPECT_EQ(piece.calls[1].id, how == &kimi() ? "functions.put:1" : "");
    }
    // The model may end its answer without the last mark.
    const std::string cut = text.substr(0, text.size() - how->calls_end.size());
    EXPECT_EQ(split(how, cut, 4).calls.size(), 2u);
    EXPECT_EQ(split(nullptr, text, 4).content, text);
  }
}

TEST(ToolCalls, BrokenOnesStayText) {
  const std::string begin = "<｜tool▁calls▁begin｜>", call = "<｜tool▁call▁begin｜>",
                    sep = "<｜tool▁sep｜>", end = "<｜tool▁call▁end｜>",
                    all_end = "<｜tool▁calls▁end｜>";
  for (const std::string& text :
       {begin + call + "get" + sep + "{\"a\": 1", begin + call + "get" + sep + "{\"a\": }" + end,
        begin + call + "get" + sep + "[1]" + end, begin + call + "other" + sep + "{}" + end,
        begin + call + "get" + end, begin + "words", begin, begin + call,
        begin + call + "other" + sep + "{}" + end + all_end,
        begin + call + "get" + sep + "[1]" + end + " \n" + all_end + " and more",
        begin + all_end}) {
    for (const std::size_t bytes : {1, 5, 1000}) {
      const ToolCallSplit::Piece piece = split(&v31(), "so " + text, bytes);
      EXPECT_EQ(piece.content, "so " + text);
      EXPECT_TRUE(piece.calls.empty()) << text;
    }
  }
  const ToolCallSplit::Piece both =
      split(&v31(), begin + call + "get" + sep + "{}" + end + call + "get" + sep + "{" + end, 3);
  EXPECT_EQ(both.calls.size(), 1u);
  EXPECT_EQ(both.content, call + "get" + sep + "{" + end);
}

TEST(ToolCalls, GrammarsTakeWhatIsRead) {
  const auto takes = [](const ToolForm& how, const std::string& text, bool several, bool may_say) {
    const nlohmann::ordered_json any{{"type", "object"}};
    GrammarBuilder builder;
    const std::int32_t rule =
        add_tool_calls(builder, how, {{"get", "a", any}, {"put", "b", any}}, several, may_say);
    const Grammar grammar = std::move(builder).build(rule);
    StackMachine machine(grammar);
    std::int32_t set = machine.start();
    for (const char byte : text) set = machine.step(set, byte);
    return machine.ended(set);
  };
  const std::pair<const ToolForm*, std::string> forms[] = {
      {&v3(), kV3}, {&v31(), kV31}, {&kimi(), kKimi}};
  for (const auto& [how, text] : forms) {
    EXPECT_TRUE(takes(*how, text, true, false)) << text;
    EXPECT_FALSE(takes(*how, text, false, false)) << text;
    EXPECT_FALSE(takes(*how, "so " + text, true, false)) << text;
    EXPECT_TRUE(takes(*how, "so " + text, true, true)) << text;
    EXPECT_TRUE(takes(*how, "so", true, true)) << text;
    EXPECT_FALSE(takes(*how, "so " + text + "x", true, true)) << text;
    EXPECT_FALSE(takes(*how, "", true, false)) << text;
  }
}

/// A model whose template says that it calls tools as DeepSeek-V3.1 does.
const LoadedText& calling_text() {
  static const ScratchFolder folder;
  static const LoadedText text = [] {
    const std::filesystem::path path = folder.path / "calling";
    write_released_model(path);
    std::ofstream(path / "chat_template.jinja")
        << "{{ bos_token }}{% for m in messages %}<｜User｜>{{ m.content }}{% endfor %}"
           "{% if tools %}{% for t in tools %}<｜tool▁calls▁begin｜>{{ t.function.name }}{% endfor "
           "%}"
           "{% endif %}{% if add_generation_prompt %}<｜Assistant｜>{% endif %}";
    return load_text(path, {});
  }();
  return text;
}

json asked(const json& choice) {
  json request = chat("What does the fox do?", 600);
  request["temperature"] = 1.2;
  request["seed"] = 4;
  request["tools"] =
      json::parse(R"([{"type": "function", "function": {"name": "get", "parameters": {
      "type": "object", "properties": {"place": {"enum": ["tree", "river"]},
      "days": {"type": "integer", "minimum": 1, "maximum": 9}},
      "required": ["place", "days"], "additionalProperties": false}}},
      {"type": "function", "function": {"name": "put", "parameters": {"type": "object",
      "properties": {}, "additionalProperties": false}}}])");
  request["tool_choice"] = choice;
  return request;
}
const json kNamed{{"type", "function"}, {"function", {{"name", "get"}}}};

TEST(ToolCalls, AreForced) {
  const RunningServer server({}, {}, calling_text());
  for (const json& choice : {json("required"), kNamed}) {
    json request = asked(choice);
    request["parallel_tool_calls"] = false;
    const Reply reply = post(server, kChat, request);
    ASSERT_EQ(reply.status, 200) << reply.text;
    const json& answer = reply.body["choices"][0];
    EXPECT_EQ(answer["finish_reason"], "tool_calls") << reply.text;
    EXPECT_TRUE(answer["message"]["content"].is_null()) << reply.text;
    ASSERT_EQ(answer["message"]["tool_calls"].size(), 1u);
    const json& call = answer["message"]["tool_calls"][0];
    EXPECT_EQ(call["type"], "function");
    EXPECT_FALSE(call["id"].get<std::string>().empty());
    const json arguments = json::parse(call["function"]["arguments"].get<std::string>());
    if (choice == kNamed) {
      EXPECT_EQ(call["function"]["name"], "get");
      EXPECT_TRUE(arguments["place"] == "tree" || arguments["place"] == "river");
      EXPECT_TRUE(arguments["days"] >= 1 && arguments["days"] <= 9);
    }
    // A stream tells the same.
    request["stream"] = true;
    json calls = json::array();
    std::string finish;
    for (const json& event : events_of(post(server, kChat, request).text)) {
      const json& one = event["choices"][0];
      for (const json& delta : one["delta"].value("tool_calls", json::array()))
        calls.push_back(delta);
      if (one["finish_reason"].is_string()) finish = one["finish_reason"];
    }
    ASSERT_EQ(calls.size(), 1u);
    EXPECT_EQ(calls[0]["index"], 0);
    EXPECT_EQ(calls[0]["function"], call["function"]);
    EXPECT_EQ(finish, "tool_calls");
  }
  json cut = asked("required");
  cut["max_tokens"] = 5;
  const Reply reply = post(server, kChat, cut);
  EXPECT_EQ(reply.body["choices"][0]["finish_reason"], "length");
  EXPECT_TRUE(std::string("<｜tool▁calls▁begin｜>").starts_with(text_of(reply).substr(0, 1)));
}

TEST(ToolCalls, MayBeLeftToTheModel) {
  const RunningServer server({}, {}, calling_text());
  json request = asked("none");
  request["max_tokens"] = 12;
  request["temperature"] = 0;
  json plain = request;
  plain.erase("tools");
  plain.erase("tool_choice");
  EXPECT_EQ(text_of(post(server, kChat, request)), text_of(post(server, kChat, plain)));
  request["tool_choice"] = "auto";
  EXPECT_EQ(post(server, kChat, request).status, 200);
  // A schema that nothing can be held to is refused where calls are to be held to it, and only
  // there.
  request["tools"][0]["function"]["parameters"]["properties"]["place"] = {{"type", "string"},
                                                                          {"pattern", "a+"}};
  EXPECT_EQ(post(server, kChat, request).status, 200);
  json strict = request, one_at_most = request;
  strict["tools"][0]["function"]["strict"] = true;
  one_at_most["parallel_tool_calls"] = false;
  for (const json& held : {strict, one_at_most}) {
    const Reply reply = post(server, kChat, held);
    EXPECT_EQ(reply.status, 400) << reply.text;
    EXPECT_NE(reply.message().find("pattern"), std::string::npos) << reply.message();
  }
}

TEST(ToolCalls, WrongOnesAreRefusedByName) {
  const RunningServer server({}, {}, calling_text());
  const auto refused = [&](json request, const std::string& word) {
    const Reply reply = post(server, kChat, request);
    EXPECT_EQ(reply.status, 400) << request;
    EXPECT_NE(reply.message().find(word), std::string::npos) << reply.message();
  };
  refused(asked("always"), "tool_choice");
  refused(asked({{"type", "function"}}), "tool_choice");
  refused(asked({{"type", "function"}, {"function", {{"name", "none"}}}}), "none");
  json request = asked("required");
  request["tools"] = json::array();
  refused(request, "tools");
  for (const json& tool : {json(5), json{{"type", "retrieval"}},
                           json{{"function", {{"name", "a b"}}}}, json{{"function", {{"name", 5}}}},
                           json{{"function", {{"name", "f"}, {"parameters", 5}}}}}) {
    request["tools"] = json::array({tool});
    refused(request, "tools[0].function");
  }
  request["tools"] = {
      {{"type", "function"},
       {"function", {{"name", "f"}, {"parameters", {{"properties", {{"d", {{"not", true}}}}}}}}}}};
  refused(request, "tools[0].function.parameters.properties.d.not");
  request = asked("required");
  request["response_format"] = {{"type", "json_object"}};
  refused(request, "response_format");
  const RunningServer other({}, {}, served_text(true));
  const Reply reply = post(other, kChat, asked("required"));
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.message().find("template"), std::string::npos) << reply.message();
}

}  // namespace
}  // namespace tessera::test
