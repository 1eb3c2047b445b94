// SPDX-License-Identifier: MIT
// A server with a small model behind it, and a client that speaks to it.
#pragma once

#include <gtest/gtest.h>
#include <httplib.h>

#include <array>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/http/http_server.h"
#include "tests/infer/tiny_model.h"

namespace tessera::test {

using nlohmann::json;

/// A released model without a chat template of its own, or with a small one.
inline const LoadedText& served_text(bool with_template = false) {
  static const ScratchFolder folder;
  static const std::array<LoadedText, 2> texts = [] {
    const auto load = [](const char* name, const std::string& written) {
      const std::filesystem::path path = folder.path / name;
      write_released_model(path);
      if (!written.empty()) std::ofstream(path / "chat_template.jinja") << written;
      return load_text(path, {});
    };
    return std::array{load("tiny", ""),
                      load("templated",
                           "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
                           "<｜User｜>{{ m.content }}{% elif m.role == 'assistant' %}"
                           "<｜Assistant｜>{{ m.content }}{{ eos_token }}{% else %}{{ m.content }}"
                           "{% endif %}{% endfor %}{% if tools %}T{{ tools | length }}{% endif %}"
                           "{% if add_generation_prompt %}<｜Assistant｜>"
                           "{% if thinking %}<think>{% endif %}{% endif %}")};
  }();
  return texts[with_template ? 1 : 0];
}

class RunningServer {
 public:
  explicit RunningServer(HttpOptions options = {}, SchedulerOptions scheduler = {},
                         const LoadedText& text = served_text(), std::int64_t cache_tokens = 4096)
      : server_(text, {.cache_tokens = cache_tokens}, scheduler, with_defaults(std::move(options))),
        thread_([this] { server_.run(); }) {}
  ~RunningServer() { end(std::chrono::milliseconds(0)); }

  void end(std::chrono::milliseconds patience) {
    if (!thread_.joinable()) return;
    server_.stop(patience);
    thread_.join();
  }

  httplib::Client client() const {
    httplib::Client made("127.0.0.1", server_.port());
    made.set_read_timeout(60);
    return made;
  }
  HttpServer& server() { return server_; }

  /// Waits until what is asked about the counters holds; a failure when it does not come.
  template <class Holds>
  void wait_until(const Holds& holds) const {
    for (int i = 0; i < 3000; ++i) {
      if (holds(server_.stats())) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "it did not come";
  }

 private:
  static HttpOptions with_defaults(HttpOptions options) {
    options.port = 0;
    if (options.name.empty()) options.name = "tiny";
    return options;
  }

  HttpServer server_;
  std::thread thread_;
};

struct Reply {
  int status = 0;
  json body;
  std::string text;
  httplib::Headers headers;

  std::string error_type() const { return body.value("error", json::object()).value("type", ""); }
  std::string message() const { return body.value("error", json::object()).value("message", ""); }
};

inline Reply reply_of(const httplib::Result& result) {
  EXPECT_TRUE(result) << httplib::to_string(result.error());
  if (!result) return {};
  return {result->status, json::parse(result->body, nullptr, false), result->body, result->headers};
}

inline Reply post(const RunningServer& server, const std::string& path, const std::string& body) {
  return reply_of(server.client().Post(path, body, "application/json"));
}
inline Reply post(const RunningServer& server, const std::string& path, const json& body) {
  return post(server, path, body.dump());
}
inline Reply get(const RunningServer& server, const std::string& path) {
  return reply_of(server.client().Get(path));
}

/// The events of a stream; the last must be [DONE].
inline std::vector<json> events_of(const std::string& stream) {
  std::vector<json> events;
  bool done = false;
  std::size_t at = 0;
  while (at < stream.size()) {
    const std::size_t end = stream.find("\n\n", at);
    EXPECT_NE(end, std::string::npos) << stream.substr(at);
    if (end == std::string::npos) break;
    const std::string line = stream.substr(at, end - at);
    EXPECT_EQ(line.rfind("data: ", 0), 0u) << line;
    EXPECT_FALSE(done) << "an event behind [DONE]: " << line;
    if (line == "data: [DONE]") {
      done = true;
    } else {
      events.push_back(json::parse(line.substr(6)));
    }
    at = end + 2;
  }
  EXPECT_TRUE(done) << stream;
  return events;
}

/// A request whose answer does not end by itself before its limit.
inline json completion(const std::string& prompt, int tokens = 12) {
  return {{"prompt", prompt}, {"max_tokens", tokens}, {"temperature", 0}, {"ignore_eos", true}};
}
inline json chat(const std::string& words, int tokens = 12) {
  return {{"messages", json::array({{{"role", "user"}, {"content", words}}})},
          {"max_tokens", tokens},
          {"temperature", 0},
          {"ignore_eos", true}};
}
inline std::string text_of(const Reply& reply, std::size_t choice = 0) {
  const json& one = reply.body.at("choices").at(choice);
  return one.contains("text") ? one.at("text") : one.at("message").at("content");
}

inline constexpr const char* kChat = "/v1/chat/completions";
inline constexpr const char* kComplete = "/v1/completions";

}  // namespace tessera::test
