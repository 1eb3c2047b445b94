// SPDX-License-Identifier: MIT
// What a server answers: the shapes that clients read, streams equal to whole answers, the same
// text whatever else is asked, and the arithmetic of usage.
#include "tests/http/running_server.h"

namespace tessera::test {
namespace {

const std::string kWords = "The quick brown fox jumps over the lazy dog";

TEST(HttpAnswers, ChatHasTheShapeOfTheApi) {
  const RunningServer server;
  const Reply reply = post(server, kChat, chat(kWords, 7));
  ASSERT_EQ(reply.status, 200) << reply.text;
  EXPECT_EQ(reply.body.at("object"), "chat.completion");
  EXPECT_EQ(reply.body.at("model"), "tiny");
  EXPECT_TRUE(reply.body.at("created").is_number_integer());
  EXPECT_EQ(reply.body.at("id").get<std::string>().rfind("chatcmpl-", 0), 0u);
  const json& choice = reply.body.at("choices").at(0);
  EXPECT_EQ(choice.at("index"), 0);
  EXPECT_EQ(choice.at("message").at("role"), "assistant");
  EXPECT_TRUE(choice.at("message").at("content").is_string());
  EXPECT_EQ(choice.at("finish_reason"), "length");
  const json& usage = reply.body.at("usage");
  EXPECT_EQ(usage.at("completion_tokens"), 7);
  EXPECT_EQ(usage.at("total_tokens"), usage.at("prompt_tokens").get<int>() + 7);
}

TEST(HttpAnswers, CompletionHasTheShapeOfTheApi) {
  const RunningServer server;
  const Reply reply = post(server, kComplete, completion(kWords));
  ASSERT_EQ(reply.status, 200) << reply.text;
  EXPECT_EQ(reply.body.at("object"), "text_completion");
  EXPECT_EQ(reply.body.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_TRUE(reply.body.at("choices").at(0).at("logprobs").is_null());
  const int prompt = reply.body.at("usage").at("prompt_tokens");
  EXPECT_EQ(prompt, std::ssize(encode_prompt(*tiny_tokenizer(), kWords)));
}

TEST(HttpAnswers, PathsWithoutTheVersionAnswerAlike) {
  const RunningServer server;
  EXPECT_EQ(text_of(post(server, "/completions", completion(kWords))),
            text_of(post(server, kComplete, completion(kWords))));
  EXPECT_EQ(text_of(post(server, "/chat/completions", chat(kWords))),
            text_of(post(server, kChat, chat(kWords))));
  EXPECT_EQ(get(server, "/models").body.at("data"), get(server, "/v1/models").body.at("data"));
}

TEST(HttpAnswers, ChatStreamsWhatItSaysAtOnce) {
  const RunningServer server;
  const std::string whole = text_of(post(server, kChat, chat(kWords)));
  json request = chat(kWords);
  request["stream"] = true;
  const Reply reply = post(server, kChat, request);
  EXPECT_EQ(reply.headers.find("Content-Type")->second, "text/event-stream");
  const std::vector<json> events = events_of(reply.text);
  ASSERT_GT(events.size(), 2u);
  EXPECT_EQ(events[0].at("choices").at(0).at("delta"),
            json({{"role", "assistant"}, {"content", nullptr}}));
  std::string text;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].at("object"), "chat.completion.chunk");
    EXPECT_EQ(events[i].at("id"), events[0].at("id"));
    EXPECT_FALSE(events[i].contains("usage"));
    const json& choice = events[i].at("choices").at(0);
    const json& delta = choice.at("delta");
    if (i > 0) {
      EXPECT_FALSE(delta.contains("role"));
      text += delta.value("content", "");
    }
    const bool last = i + 1 == events.size();
    EXPECT_EQ(choice.at("finish_reason"), last ? json("length") : json());
    if (last) {
      EXPECT_TRUE(delta.empty());
    }
  }
  EXPECT_EQ(text, whole);
}

TEST(HttpAnswers, CompletionStreamsWhatItSaysAtOnce) {
  const RunningServer server;
  const std::string whole = text_of(post(server, kComplete, completion(kWords)));
  json request = completion(kWords);
  request["stream"] = true;
  std::string text;
  for (const json& event : events_of(post(server, kComplete, request).text)) {
    text += event.at("choices").at(0).at("text").get<std::string>();
  }
  EXPECT_EQ(text, whole);
}

TEST(HttpAnswers, StreamsTellUsageWhereAskedFor) {
  const RunningServer server;
  json request = chat(kWords, 5);
  request["stream"] = true;
  request["stream_options"] = {{"include_usage", true}};
  const std::vector<json> events = events_of(post(server, kChat, request).text);
  for (std::size_t i = 0; i + 1 < events.size(); ++i) EXPECT_TRUE(events[i].at("usage").is_null());
  EXPECT_TRUE(events.back().at("choices").empty());
  EXPECT_EQ(events.back().at("usage").at("completion_tokens"), 5);
  request["stream_options"] = {{"continuous_usage_stats", true}};
  int before = 0;
  for (const json& event : events_of(post(server, kChat, request).text)) {
    const int now = event.at("usage").at("completion_tokens");
    EXPECT_GE(now, before);
    before = now;
  }
  EXPECT_EQ(before, 5);
}

TEST(HttpAnswers, LimitsAreTakenUnderBothNamesAndMayBeNull) {
  const RunningServer server;
  json request = chat(kWords, 3);
  request["max_completion_tokens"] = 6;
  EXPECT_EQ(post(server, kChat, request).body.at("usage").at("completion_tokens"), 6);
  request["max_completion_tokens"] = nullptr;
  EXPECT_EQ(post(server, kChat, request).body.at("usage").at("completion_tokens"), 3);
  request["max_tokens"] = nullptr;
  const Reply whole = post(server, kChat, request);
  EXPECT_EQ(whole.body.at("choices").at(0).at("finish_reason"), "length");
  EXPECT_EQ(whole.body.at("usage").at("total_tokens"), 1024 + 1);
  json plain = completion(kWords);
  plain.erase("max_tokens");
  EXPECT_EQ(post(server, kComplete, plain).body.at("usage").at("completion_tokens"), 16);
}

TEST(HttpAnswers, CachedTokensAreCounted) {
  const RunningServer server;
  const auto cached = [&](const std::string& words) {
    const json usage = post(server, kComplete, completion(words, 4)).body.at("usage");
    return std::pair(usage.at("prompt_tokens").get<int>(),
                     usage.at("prompt_tokens_details").at("cached_tokens").get<int>());
  };
  EXPECT_EQ(cached(kWords).second, 0);
  const auto again = cached(kWords);
  EXPECT_EQ(again.second, again.first - 1);
  const auto longer = cached(kWords + " and rests");
  EXPECT_GT(longer.second, 0);
  EXPECT_LT(longer.second, longer.first);
  const auto other = cached("Then it rests under the old tree");
  EXPECT_LT(other.second, other.first / 2);
}

TEST(HttpAnswers, SeveralChoicesAndPrompts) {
  const RunningServer server;
  json request = completion("x");
  request["prompt"] = {kWords, "Then it rests"};
  request["n"] = 2;
  request["temperature"] = 1.2;
  request["seed"] = 4;
  const Reply reply = post(server, kComplete, request);
  ASSERT_EQ(reply.body.at("choices").size(), 4u) << reply.text;
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(reply.body["choices"][i].at("index"), i);
  EXPECT_NE(text_of(reply, 0), text_of(reply, 1));
  EXPECT_EQ(reply.body.at("usage").at("completion_tokens"), 4 * 12);
  // The first choice of a prompt is what it says alone.
  request["n"] = 1;
  request["prompt"] = "Then it rests";
  EXPECT_EQ(text_of(post(server, kComplete, request)), text_of(reply, 2));
  request["prompt"] = {kWords, "Then it rests"};
  request["n"] = 2;
  request["stream"] = true;
  std::map<std::size_t, std::string> texts;
  for (const json& event : events_of(post(server, kComplete, request).text)) {
    const json& choice = event.at("choices").at(0);
    texts[choice.at("index").get<std::size_t>()] += choice.at("text").get<std::string>();
  }
  ASSERT_EQ(texts.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(texts[i], text_of(reply, i));
}

TEST(HttpAnswers, PromptsMayBeIdsOrBoth) {
  const RunningServer server;
  const std::vector<std::int32_t> ids = encode_prompt(*tiny_tokenizer(), kWords);
  json request = completion(kWords);
  const std::string text = text_of(post(server, kComplete, request));
  request["prompt"] = ids;
  EXPECT_EQ(text_of(post(server, kComplete, request)), text);
  request["prompt"] = {ids, ids};
  const Reply both = post(server, kComplete, request);
  ASSERT_EQ(both.body.at("choices").size(), 2u);
  EXPECT_EQ(text_of(both, 1), text);
  request["prompt"] = {ids.front(), kWords};
  EXPECT_EQ(text_of(post(server, kComplete, request)), text);
}

TEST(HttpAnswers, SameSeedSameTextWhateverElseRuns) {
  const RunningServer server({}, {.most_running = 3, .step_tokens = 16});
  json request = completion(kWords, 30);
  request["temperature"] = 1.3;
  request["seed"] = 99;
  const std::string alone = text_of(post(server, kComplete, request));
  std::vector<std::thread> clients;
  std::vector<std::string> texts(6);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    clients.emplace_back([&, i] {
      json other = completion(std::to_string(i) + kWords, 25);
      other["temperature"] = 1.0;
      post(server, kComplete, other);
      texts[i] = text_of(post(server, kComplete, request));
    });
  }
  for (std::thread& client : clients) client.join();
  for (const std::string& text : texts) EXPECT_EQ(text, alone);
  request["seed"] = 100;
  EXPECT_NE(text_of(post(server, kComplete, request)), alone);
  request.erase("seed");
  EXPECT_NE(text_of(post(server, kComplete, request)), text_of(post(server, kComplete, request)));
}

TEST(HttpAnswers, StopTextsEndTheAnswer) {
  const RunningServer server;
  const std::string whole = text_of(post(server, kComplete, completion(kWords, 40)));
  // Two characters of one byte each.
  std::size_t at = whole.size() / 3;
  while (at + 2 < whole.size() && ((whole[at] | whole[at + 1]) & 0x80) != 0) ++at;
  const std::string stop = whole.substr(at, 2);
  json request = completion(kWords, 40);
  for (const json& form : {json(stop), json::array({"\x01nowhere", stop})}) {
    request["stop"] = form;
    request["stream"] = false;
    const Reply reply = post(server, kComplete, request);
    EXPECT_EQ(text_of(reply), whole.substr(0, whole.find(stop)));
    EXPECT_EQ(reply.body.at("choices").at(0).at("finish_reason"), "stop");
    request["stream"] = true;
    std::string text;
    for (const json& event : events_of(post(server, kComplete, request).text)) {
      text += event.at("choices").at(0).at("text").get<std::string>();
    }
    EXPECT_EQ(text, whole.substr(0, whole.find(stop)));
  }
}

TEST(HttpAnswers, LogprobsOfChat) {
  const RunningServer server;
  json request = chat(kWords, 6);
  request["logprobs"] = true;
  request["top_logprobs"] = 4;
  const Reply reply = post(server, kChat, request);
  const json& content = reply.body.at("choices").at(0).at("logprobs").at("content");
  ASSERT_EQ(content.size(), 6u) << reply.text;
  std::string bytes;
  for (const json& token : content) {
    EXPECT_LE(token.at("logprob").get<double>(), 0.0);
    ASSERT_EQ(token.at("top_logprobs").size(), 4u);
    // Greedy: the token is the likeliest.
    EXPECT_EQ(token.at("top_logprobs").at(0).at("token"), token.at("token"));
    for (const json& byte : token.at("bytes")) bytes += static_cast<char>(byte.get<int>());
  }
  EXPECT_NE(bytes.find(text_of(reply).substr(0, 3)), std::string::npos) << bytes;
  request["stream"] = true;
  json streamed = json::array();
  for (const json& event : events_of(post(server, kChat, request).text)) {
    const json& logprobs = event.at("choices").at(0).at("logprobs");
    if (logprobs.is_null()) continue;
    for (const json& token : logprobs.at("content")) streamed.push_back(token);
  }
  EXPECT_EQ(streamed, content);
}

TEST(HttpAnswers, LogprobsOfCompletionsWithEcho) {
  const RunningServer server;
  json request = completion(kWords, 1);
  request["echo"] = true;
  request["logprobs"] = 1;
  const Reply reply = post(server, kComplete, request);
  ASSERT_EQ(reply.status, 200) << reply.text;
  const json& logprobs = reply.body.at("choices").at(0).at("logprobs");
  const std::size_t prompt = reply.body.at("usage").at("prompt_tokens");
  for (const char* list : {"tokens", "token_logprobs", "top_logprobs", "text_offset"}) {
    EXPECT_EQ(logprobs.at(list).size(), prompt + 1) << list;
  }
  EXPECT_TRUE(logprobs.at("token_logprobs").at(0).is_null());
  EXPECT_TRUE(logprobs.at("top_logprobs").at(0).is_null());
  EXPECT_EQ(text_of(reply).rfind(kWords, 0), 0u) << text_of(reply);
  for (std::size_t i = 1; i <= prompt; ++i) {
    EXPECT_TRUE(logprobs.at("token_logprobs").at(i).is_number());
    EXPECT_TRUE(
        logprobs.at("top_logprobs").at(i).contains(logprobs.at("tokens").at(i).get<std::string>()));
    EXPECT_GE(logprobs.at("text_offset").at(i), logprobs.at("text_offset").at(i - 1));
  }
  // Without a token of an answer: the prompt alone.
  request["max_tokens"] = 0;
  const Reply read = post(server, kComplete, request);
  EXPECT_EQ(text_of(read), kWords);
  EXPECT_EQ(read.body["choices"][0]["logprobs"]["token_logprobs"].size(), prompt);
  EXPECT_EQ(read.body["choices"][0]["logprobs"]["token_logprobs"][2],
            logprobs.at("token_logprobs").at(2));
}

TEST(HttpAnswers, LogitBiasBansAndForces) {
  const RunningServer server;
  json request = completion(kWords, 5);
  request["logprobs"] = 0;
  const auto first_token = [&] {
    return post(server, kComplete, request)
        .body.at("choices")
        .at(0)
        .at("logprobs")
        .at("tokens")
        .at(0)
        .get<std::string>();
  };
  const std::string usual = first_token();
  const std::vector<std::int32_t> forced = tiny_tokenizer()->encode("fox");
  request["logit_bias"] = {{std::to_string(forced.back()), 100}};
  const std::string other = first_token();
  EXPECT_NE(other, usual);
  EXPECT_NE(std::string("fox").find(other.substr(other.size() - 1)), std::string::npos) << other;
  request["logit_bias"] = json::array({json::array({forced.back(), false})});
  EXPECT_EQ(first_token(), usual);
}

TEST(HttpAnswers, UnknownFieldsAndNullsAreNoFault) {
  const RunningServer server;
  json request = chat(kWords);
  const std::string text = text_of(post(server, kChat, request));
  for (const char* key :
       {"user", "metadata", "stop", "seed", "logprobs", "top_logprobs", "n", "stream_options",
        "logit_bias", "response_format", "tools", "presence_penalty", "top_k", "min_p"}) {
    request[key] = nullptr;
  }
  request["store"] = true;
  request["reasoning_effort"] = "low";
  request["response_format"] = {{"type", "text"}};
  EXPECT_EQ(text_of(post(server, kChat, request)), text);
}

TEST(HttpAnswers, ContentMayBeParts) {
  const RunningServer server;
  json request = chat("");
  const std::string text = text_of(post(server, kChat, chat(kWords)));
  request["messages"][0]["content"] =
      json::array({{{"type", "text"}, {"text", "The quick brown "}},
                   {{"type", "text"}, {"text", "fox jumps over the lazy dog"}}});
  EXPECT_EQ(text_of(post(server, kChat, request)), text);
}

TEST(HttpAnswers, AnswersGoOnWithTheLastMessage) {
  for (const bool with_template : {false, true}) {
    const RunningServer server({}, {}, served_text(with_template));
    json request = chat(kWords, 5);
    request["messages"].push_back({{"role", "assistant"}, {"content", "The fox"}});
    request["continue_final_message"] = true;
    const Reply both = post(server, kChat, request);
    EXPECT_EQ(both.status, 200) << both.text;
    request["add_generation_prompt"] = true;
    EXPECT_EQ(post(server, kChat, request).status, 400);
    request["add_generation_prompt"] = false;
    EXPECT_EQ(text_of(post(server, kChat, request)), text_of(both));
    request["messages"].erase(1);
    EXPECT_EQ(post(server, kChat, request).status, 400);
  }
}

TEST(HttpAnswers, ThoughtsAreApartFromTheAnswer) {
  const RunningServer server({}, {}, served_text(true));
  json request = chat(kWords);
  request["chat_template_kwargs"] = {{"thinking", true}};
  const json message = post(server, kChat, request).body.at("choices").at(0).at("message");
  // The prompt ends with <think>, and this model does not end its thoughts.
  EXPECT_EQ(message.at("content"), "");
  const std::string thoughts = message.at("reasoning_content");
  EXPECT_FALSE(thoughts.empty());
  request["stream"] = true;
  std::string streamed;
  for (const json& event : events_of(post(server, kChat, request).text)) {
    streamed += event["choices"][0]["delta"].value("reasoning_content", "");
  }
  EXPECT_EQ(streamed, thoughts);
  // What people say is not the model's.
  request = chat("<think>");
  EXPECT_FALSE(
      post(server, kChat, request).body["choices"][0]["message"].contains("reasoning_content"));
}

TEST(HttpAnswers, ModelsAndHealth) {
  const RunningServer server;
  EXPECT_EQ(get(server, "/health").body, json({{"status", "ok"}}));
  const json models = get(server, "/v1/models").body;
  EXPECT_EQ(models.at("object"), "list");
  ASSERT_EQ(models.at("data").size(), 1u);
  EXPECT_EQ(models["data"][0].at("id"), "tiny");
  EXPECT_EQ(models["data"][0].at("max_model_len"), 1024);
  EXPECT_EQ(get(server, "/v1/models/tiny").body.at("id"), "tiny");
  EXPECT_EQ(get(server, "/v1/models/other").status, 404);
}

TEST(HttpAnswers, MetricsAddUp) {
  const RunningServer server;
  int prompt = 0, written = 0, cached = 0;
  for (int i = 0; i < 3; ++i) {
    const json usage = post(server, kComplete, completion(kWords, 5 + i)).body.at("usage");
    prompt += usage.at("prompt_tokens").get<int>();
    written += usage.at("completion_tokens").get<int>();
    cached += usage.at("prompt_tokens_details").at("cached_tokens").get<int>();
  }
  post(server, kComplete, std::string("{"));
  server.wait_until([](const SchedulerStats& stats) { return stats.running == 0; });
  const Reply reply = get(server, "/metrics");
  EXPECT_EQ(reply.headers.find("Content-Type")->second.rfind("text/plain; version=0.0.4", 0), 0u);
  const auto value = [&](const std::string& name) {
    const std::size_t at = reply.text.find("\ntessera_" + name);
    EXPECT_NE(at, std::string::npos) << name;
    const std::size_t end = reply.text.find('\n', at + 1);
    const std::string line = reply.text.substr(at, end - at);
    return std::stod(line.substr(line.rfind(' ')));
  };
  EXPECT_EQ(value("prompt_tokens_total"), prompt);
  EXPECT_EQ(value("generation_tokens_total"), written);
  EXPECT_EQ(value("prefix_cache_hits_total"), cached);
  EXPECT_EQ(value("num_requests_running"), 0);
  EXPECT_EQ(value("num_requests_waiting"), 0);
  EXPECT_EQ(value("time_to_first_token_seconds_count"), 3);
  EXPECT_EQ(value("inter_token_latency_seconds_count"), written - 3);
  EXPECT_EQ(value("e2e_request_latency_seconds_bucket{model_name=\"tiny\",le=\"+Inf\"}"), 3);
  EXPECT_EQ(value("http_responses_total{model_name=\"tiny\",status=\"400\"}"), 1);
  EXPECT_EQ(reply.text.find("nan"), std::string::npos);
}

}  // namespace
}  // namespace tessera::test
