// SPDX-License-Identifier: MIT
// What is wrong is told with its status and the error object, and disturbs nobody else: malformed
// bodies, wrong types, unknown models, long prompts, full queues, clients that leave, keys.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "tests/http/running_server.h"

namespace tessera::test {
namespace {

const std::string kWords = "The quick brown fox jumps over the lazy dog";

void expect_refused(const Reply& reply, int status, const std::string& type,
                    const std::string& word) {
  EXPECT_EQ(reply.status, status) << reply.text;
  ASSERT_TRUE(reply.body.is_object() && reply.body.contains("error")) << reply.text;
  const json& error = reply.body.at("error");
  for (const char* key : {"message", "type", "param", "code"}) {
    EXPECT_TRUE(error.contains(key)) << key;
  }
  EXPECT_EQ(reply.error_type(), type);
  EXPECT_NE(reply.message().find(word), std::string::npos) << reply.message();
}

TEST(HttpFaults, BodiesThatAreNoRequest) {
  const RunningServer server;
  const std::string usual = text_of(post(server, kComplete, completion(kWords)));
  for (const char* path : {kChat, kComplete, "/tokenize", "/detokenize", "/apply-template"}) {
    for (const std::string& body :
         {std::string(), std::string("{"), std::string("[]"), std::string("\"x\""),
          std::string("{\"prompt\": \"\xff\xfe\"}"), std::string("{\"prompt\": \"x\"} y"),
          std::string("null"), std::string(100000, '['), std::string("\0", 1)}) {
      const Reply reply = post(server, path, body);
      expect_refused(reply, 400, "invalid_request_error", "");
    }
  }
  expect_refused(post(server, kChat, std::string("{\"messages\": ")), 400, "invalid_request_error",
                 "JSON");
  EXPECT_EQ(text_of(post(server, kComplete, completion(kWords))), usual);
}

TEST(HttpFaults, MessagesThatAreNone) {
  const RunningServer server;
  const auto refused = [&](const json& messages, const std::string& word) {
    json request = chat(kWords);
    request["messages"] = messages;
    expect_refused(post(server, kChat, request), 400, "invalid_request_error", word);
  };
  refused(nullptr, "messages");
  refused("x", "a string");
  refused(json::array(), "empty");
  const std::pair<const char*, const char*> lists[] = {
      {R"([123])", "messages[0]"},
      {R"([{}])", "role"},
      {R"([{"role": 1, "content": "x"}])", "role"},
      {R"([{"role": "king", "content": "x"}])", "\"king\""},
      {R"([{"role": "user"}])", "content"},
      {R"([{"role": "user", "content": 5}])", "content"},
      {R"([{"role": "user", "content": [{"type": "image_url"}]}])", "text"},
      {R"([{"role": "user", "content": [{"type": "text", "text": 1}]}])", "text"},
      {R"([{"role": "user", "content": "x"}, {"role": "tool", "content": "x"}])", "tools"}};
  for (const auto& [list, word] : lists) refused(json::parse(list), word);
  json none = chat(kWords);
  none.erase("messages");
  expect_refused(post(server, kChat, none), 400, "invalid_request_error", "not there");
}

TEST(HttpFaults, FieldsOfTheWrongTypeOrRange) {
  const RunningServer server;
  const std::pair<const char*, std::vector<json>> wrong[] = {
      {"max_tokens", {"x", -1, 0, 1.5, json::array(), 1e30}},
      {"temperature", {"hot", -0.1, 1000, json::object()}},
      {"top_p", {"x", 0, -1, 1.1}},
      {"top_k", {"x", 1.5, -2}},
      {"min_p", {2, "x"}},
      {"repetition_penalty", {0, "x", 1000}},
      {"presence_penalty", {3, "x"}},
      {"frequency_penalty", {-3, true}},
      {"n", {0, "x", 100000, 1.5}},
      {"best_of", {5}},
      {"stop", {5, json::array({1}), "", json::array({"a", ""}), json::object()}},
      {"seed", {"x", 1.5}},
      {"stream", {"yes", 1}},
      {"stream_options", {5, json::array()}},
      {"logit_bias",
       {5, {{"x", 1}}, {{"1", "y"}}, {{"100000", 1}}, {{"-1", 1}}, {{"1", 101}}, {{1, 2, 3}}}},
      {"logprobs", {"x", -1, 21}},
      {"echo", {"x"}},
      {"model", {5}},
      {"ignore_eos", {1}},
      {"suffix", {"end"}},
      {"response_format", {"json", {{"type", 5}}, {{"type", "no_such"}}}},
      {"grammar", {"root ::= x", "x ::= \"a\"", 5}},
      {"tool_choice", {"required", {{"type", "function"}}}}};
  for (const auto& [key, values] : wrong) {
    for (const json& value : values) {
      json request = completion(kWords);
      request[key] = value;
      const Reply reply = post(server, kComplete, request);
      EXPECT_EQ(reply.status, 400) << key << " " << value << " " << reply.text;
      EXPECT_EQ(reply.error_type(), "invalid_request_error");
      EXPECT_NE(reply.message().find(key), std::string::npos) << reply.message();
      // A stream is refused before it begins.
      if (std::string(key) == "stream") continue;
      request["stream"] = true;
      EXPECT_EQ(post(server, kComplete, request).status, 400) << key << " " << value;
    }
  }
  json request = chat(kWords);
  request["top_logprobs"] = 3;
  expect_refused(post(server, kChat, request), 400, "invalid_request_error", "logprobs");
}

TEST(HttpFaults, PromptsThatAreNone) {
  const RunningServer server;
  for (const json& prompt :
       {json(nullptr), json(5), json::array(), json{{"a", 1}}, json({true}), json({{1, 2}, 5.5}),
        json({-1}), json({100000}), json({1, nullptr}), json({{1}, json::array()})}) {
    json request = completion(kWords);
    request["prompt"] = prompt;
    const Reply reply = post(server, kComplete, request);
    EXPECT_EQ(reply.status, 400) << prompt << " " << reply.text;
    EXPECT_EQ(reply.error_type(), "invalid_request_error");
  }
  json many = completion(kWords);
  many["prompt"] = std::vector<std::string>(100, "x");
  many["n"] = 2;
  expect_refused(post(server, kComplete, many), 400, "invalid_request_error", "answers");
}

TEST(HttpFaults, PromptsThatAreTooLong) {
  const RunningServer server;
  std::string words;
  for (int i = 0; i < 2000; ++i) words += "fox ";
  for (const bool stream : {false, true}) {
    json request = chat(words);
    request["stream"] = stream;
    const Reply reply = post(server, kChat, request);
    expect_refused(reply, 400, "exceed_context_size_error", "1024");
    EXPECT_EQ(reply.body.at("error").at("n_ctx"), 1024);
    EXPECT_GT(reply.body.at("error").at("n_prompt_tokens"), 1024);
    EXPECT_EQ(reply.body.at("error").at("code"), "context_length_exceeded");
  }
  EXPECT_EQ(server.client().Get("/health")->status, 200);
}

TEST(HttpFaults, OtherModelsAndAddresses) {
  const RunningServer server;
  json request = chat(kWords);
  request["model"] = "gpt-9";
  expect_refused(post(server, kChat, request), 404, "not_found_error", "gpt-9");
  request["model"] = "tiny";
  EXPECT_EQ(post(server, kChat, request).status, 200);
  expect_refused(post(server, "/v1/embeddings", json::object()), 404, "not_found_error", "");
  expect_refused(get(server, "/nothing/here"), 404, "not_found_error", "");
  expect_refused(get(server, kChat), 405, "invalid_request_error", "POST");
  expect_refused(reply_of(server.client().Put(kChat, "{}", "application/json")), 404,
                 "not_found_error", "");
}

TEST(HttpFaults, BodiesThatAreTooLarge) {
  HttpOptions options;
  options.most_body_bytes = 100000;
  const RunningServer server(options);
  const std::string large = completion(std::string(200000, 'x')).dump();
  expect_refused(post(server, kComplete, large), 413, "invalid_request_error", "100000");
  expect_refused(post(server, "/nothing", large), 413, "invalid_request_error", "");
  // In chunks, whose sum nobody has said.
  std::size_t sent = 0;
  const auto result = server.client().Post(
      kComplete,
      [&](std::size_t, httplib::DataSink& sink) {
        if (sent < large.size()) {
          const std::size_t count = std::min<std::size_t>(1000, large.size() - sent);
          sink.write(large.data() + sent, count);
          sent += count;
        } else {
          sink.done();
        }
        return true;
      },
      "application/json");
  if (result) {
    EXPECT_EQ(result->status, 413);
  }
  EXPECT_EQ(post(server, kComplete, completion(kWords)).status, 200);
}

TEST(HttpFaults, KeysAreAskedFor) {
  HttpOptions options;
  options.key = "0123456789abcdef0123";
  const RunningServer server(options);
  EXPECT_EQ(get(server, "/health").status, 200);
  const std::string body = chat(kWords).dump();
  const auto with = [&](const httplib::Headers& headers) {
    return reply_of(server.client().Post(kChat, headers, body, "application/json"));
  };
  expect_refused(with({}), 401, "authentication_error", "key");
  expect_refused(with({{"Authorization", "Bearer 0123456789abcdef0124"}}), 401,
                 "authentication_error", "key");
  expect_refused(with({{"Authorization", options.key}}), 401, "authentication_error", "key");
  expect_refused(with({{"X-Api-Key", options.key + "0123456789abcdef0123"}}), 401,
                 "authentication_error", "key");
  EXPECT_EQ(with({{"Authorization", "Bearer " + options.key}}).status, 200);
  EXPECT_EQ(with({{"Authorization", "bearer " + options.key}}).status, 200);
  EXPECT_EQ(with({{"X-Api-Key", options.key}}).status, 200);
  for (const char* path : {"/v1/models", "/metrics", "/tokenizer_info", "/v1/models/tiny"}) {
    EXPECT_EQ(get(server, path).status, 401) << path;
  }
  // One connection: what was refused leaves nothing behind that the next request meets.
  httplib::Client client = server.client();
  client.set_keep_alive(true);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.Post(kChat, body, "application/json")->status, 401);
    EXPECT_EQ(client.Post(kChat, {{"X-Api-Key", options.key}}, body, "application/json")->status,
              200);
  }
}

TEST(HttpFaults, WebPagesOfOthersAreRefusedWithoutAKey) {
  const RunningServer server;
  const auto with = [&](const httplib::Headers& headers) {
    return reply_of(server.client().Post(kChat, headers, chat(kWords).dump(), "application/json"));
  };
  expect_refused(with({{"Origin", "https://example.org"}}), 403, "permission_error", "Origin");
  expect_refused(with({{"Host", "example.org"}}), 403, "permission_error", "Host");
  expect_refused(with({{"Origin", "http://127.example.org"}}), 403, "permission_error", "Origin");
  expect_refused(with({{"Origin", "null"}}), 403, "permission_error", "Origin");
  EXPECT_EQ(with({{"Origin", "http://localhost:3000"}}).status, 200);
  EXPECT_EQ(with({{"Host", "[::1]:8080"}}).status, 200);
}

TEST(HttpFaults, AddressesAndKeysOfTheCommandLine) {
  HttpOptions options;
  set_address(options, "0.0.0.0:81");
  EXPECT_EQ(options.address + std::to_string(options.port), "0.0.0.081");
  EXPECT_THROW(check_access(options), Error);
  options.key = "0123456789abcdef";
  check_access(options);
  set_address(options, "[::1]:8080");
  EXPECT_EQ(options.address, "::1");
  options.key.clear();
  check_access(options);
  for (const char* text : {"", "x", "70000", "-1", ":80", "1.2.3.4:", "80x", "a:b"}) {
    EXPECT_THROW(set_address(options, text), Error) << text;
  }
  const ScratchFolder folder;
  const std::string path = folder.path / "key";
  const auto key_of = [&](const std::string& text) {
    std::ofstream(path) << text;
    return read_key(path);
  };
  EXPECT_EQ(key_of("0123456789abcdef\n"), "0123456789abcdef");
  EXPECT_EQ(key_of("0123456789abcdef \r\n"), "0123456789abcdef");
  for (const char* text :
       {"", "\n", "short\n", "0123456789 abcdef\n", "0123456789abcdef\nmore\n"}) {
    EXPECT_THROW(key_of(text), Error) << text;
  }
  EXPECT_THROW(read_key(folder.path / "none"), Error);
}

TEST(HttpFaults, AFullQueueSaysWhenToComeAgain) {
  const RunningServer server({}, {.most_running = 1, .most_waiting = 1});
  json endless = completion(kWords);
  endless["max_tokens"] = 100000;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] { EXPECT_EQ(post(server, kComplete, endless).status, 200); });
    server.wait_until([&](const SchedulerStats& s) { return s.running == 1 && s.waiting == i; });
  }
  // It is answered while the others are: either they still run, or there is room again.
  const Reply reply = post(server, kComplete, completion(kWords, 2));
  if (reply.status != 200) {
    expect_refused(reply, 429, "rate_limit_error", "full");
    ASSERT_TRUE(reply.headers.contains("Retry-After"));
    EXPECT_GT(std::stoi(reply.headers.find("Retry-After")->second), 0);
  }
  json many = completion(kWords, 1);
  many["n"] = 3;
  expect_refused(post(server, kComplete, many), 429, "rate_limit_error", "full");
  for (std::thread& client : clients) client.join();
}

/// A connection that says what it likes.
class RawClient {
 public:
  explicit RawClient(int port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), connected_(other.connected_) {}
  ~RawClient() {
    if (socket_ >= 0) ::close(socket_);
  }
  bool connected() const { return connected_; }
  void send(const std::string& text) const {
    EXPECT_EQ(::send(socket_, text.data(), text.size(), MSG_NOSIGNAL), std::ssize(text));
  }
  void send_request(const char* path, const json& body) const {
    const std::string text = body.dump();
    send(std::string("POST ") + path +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\n\r\n" + text);
  }
  /// What comes until the server closes the connection, or until `enough` bytes are there.
  std::string receive(std::size_t enough = std::string::npos) const {
    std::string text;
    std::array<char, 4096> buffer;
    while (text.size() < enough) {
      const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int socket_;
  bool connected_ = false;
};

TEST(HttpFaults, ClientsThatLeaveFreeTheirPlace) {
  for (const bool stream : {false, true}) {
    RunningServer server({}, {.most_running = 1}, served_text(), 1024);
    json endless = completion(kWords);
    endless["stream"] = stream;
    endless["max_tokens"] = 100000;
    endless["n"] = 20;  // one after another: more than a test has time for
    {
      const RawClient client(server.server().port());
      client.send_request(kComplete, endless);
      if (stream) client.receive(1);
      server.wait_until([](const SchedulerStats& stats) { return stats.running == 1; });
    }
    server.wait_until(
        [](const SchedulerStats& stats) { return stats.running + stats.waiting == 0; });
    EXPECT_GT(server.server().stats().ended[static_cast<std::size_t>(StopReason::Cancelled)], 0);
    EXPECT_EQ(post(server, kComplete, completion(kWords)).status, 200);
  }
}

TEST(HttpFaults, WhatIsNoHttpDisturbsNobody) {
  RunningServer server;
  const int port = server.server().port();
  const std::string usual = text_of(post(server, kComplete, completion(kWords)));
  std::vector<RawClient> open;
  for (const std::string& text :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(20000, 'x'),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("\x16\x03\x01\x02"),
        "GET /" + std::string(10000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nX: " + std::string(10000, 'b') + "\r\n\r\n",
        std::string("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
                    "\r\n{\"prompt\""),
        std::string("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n"
                    "\r\n{}"),
        std::string("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\nzz\r\n")}) {
    open.emplace_back(port);
    open.back().send(text);
  }
  EXPECT_EQ(text_of(post(server, kComplete, completion(kWords))), usual);
}

TEST(HttpFaults, ARequestWithoutALengthHasNoBody) {
  RunningServer server;
  const RawClient client(server.server().port());
  client.send("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.receive().find("has no body"), std::string::npos);
}

TEST(HttpFaults, ManyConnectionsAtOnce) {
  RunningServer server;
  std::vector<RawClient> clients;
  for (int i = 0; i < 256; ++i) {
    clients.emplace_back(server.server().port());
    ASSERT_TRUE(clients.back().connected());
  }
  for (const RawClient& client : clients) {
    client.send("GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  for (const RawClient& client : clients) {
    EXPECT_NE(client.receive().find("200 OK"), std::string::npos);
  }
}

TEST(HttpFaults, AnAnswerThatTakesTooLongEnds) {
  HttpOptions options;
  options.most_time = std::chrono::seconds(0);
  RunningServer server(options);
  json endless = completion(kWords);
  endless["max_tokens"] = 100000;
  endless["n"] = 100;
  expect_refused(post(server, kComplete, endless), 503, "unavailable_error", "longer");
  endless["stream"] = true;
  const Reply reply = post(server, kComplete, endless);
  EXPECT_EQ(reply.status, 200);
  const std::vector<json> events = events_of(reply.text);
  EXPECT_EQ(events.back().at("error").at("type"), "unavailable_error");
  server.wait_until([](const SchedulerStats& stats) { return stats.running + stats.waiting == 0; });
}

TEST(HttpFaults, TheEndLetsAnswersEndOrGivesThemUp) {
  const auto ask = [](RunningServer& server, int tokens, Reply& reply) {
    json request = completion(kWords, tokens);
    request["n"] = tokens > 1000 ? 60 : 1;
    return std::thread([&server, &reply, request] { reply = post(server, kComplete, request); });
  };
  Reply whole, given_up;
  {
    RunningServer server;
    std::thread client = ask(server, 200, whole);
    server.wait_until([](const SchedulerStats& stats) { return stats.first_token.count > 0; });
    server.end(std::chrono::seconds(60));
    client.join();
  }
  EXPECT_EQ(whole.status, 200) << whole.text;
  {
    RunningServer server({}, {.most_running = 1});
    std::thread client = ask(server, 100000, given_up);
    server.wait_until([](const SchedulerStats& stats) { return stats.running > 0; });
    server.end(std::chrono::milliseconds(0));
    client.join();
  }
  expect_refused(given_up, 503, "unavailable_error", "ends");
}

TEST(HttpFaults, AddressesInUseAreTold) {
  RunningServer server;
  HttpOptions options;
  options.port = server.server().port();
  options.name = "second";
  try {
    const HttpServer second(served_text(), {.cache_tokens = 128}, {}, options);
    ADD_FAILURE() << "two servers at one port";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("cannot listen"), std::string::npos);
  }
  // Before a model is loaded as well.
  EXPECT_THROW(check_can_listen(options), Error);
  options.address = "192.0.2.1";  // another machine's (RFC 5737)
  EXPECT_THROW(check_can_listen(options), Error);
  options.address = "no such name";
  EXPECT_THROW(check_can_listen(options), Error);
  for (const char* here : {"127.0.0.1", "localhost", "0.0.0.0"}) {
    options.address = here;
    options.port = 0;
    EXPECT_NO_THROW(check_can_listen(options)) << here;
  }
}

}  // namespace
}  // namespace tessera::test
