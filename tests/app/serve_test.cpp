// SPDX-License-Identifier: MIT
// The protocol of `tessera serve`: what is answered, in what order, and that cancelling works at
// any time.
#include "app/serve.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>

#include "tests/infer/tiny_model.h"

namespace tessera::app {
namespace {

using nlohmann::json;

/// A server on a thread of its own, with everything it said.
class Talk {
 public:
  Talk()
      : server_([this](const json& event) { hear(event); }), worker_([this] { server_.run(); }) {}
  ~Talk() {
    server_.close();
    worker_.join();
  }

  void say(const json& request) { server_.receive(request.dump()); }
  void say_text(const std::string& line) { server_.receive(line); }

  /// The first event of this kind for a request, waiting for it; a failure when it does not come.
  json wait(const json& id, const std::string& event) {
    std::unique_lock lock(mutex_);
    json found;
    const auto there = [&] {
      for (const json& one : events_) {
        if (one.at("id") == id && one.at("event") == event) found = one;
        if (!found.is_null()) return true;
      }
      return false;
    };
    if (!came_.wait_for(lock, std::chrono::seconds(60), there)) {
      ADD_FAILURE() << "no " << event << " for " << id << " in " << json(events_).dump(1);
      return json::object();
    }
    return found;
  }
  std::vector<json> all(std::int64_t id, const std::string& event) {
    const std::lock_guard lock(mutex_);
    std::vector<json> found;
    for (const json& one : events_) {
      if (one.at("id") == id && one.at("event") == event) found.push_back(one);
    }
    return found;
  }

 private:
  void hear(const json& event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
    came_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<json> events_;
  Server server_;
  std::thread worker_;
};

const std::filesystem::path& released() {
  static const test::ScratchFolder folder;
  static const std::filesystem::path path = [] {
    test::write_released_model(folder.path / "tiny");
    return folder.path / "tiny";
  }();
  return path;
}

json load_request(std::int64_t id) {
  return {{"id", id}, {"do", "load"}, {"path", released().string()}, {"device", "cpu"}};
}
json generate_request(std::int64_t id, std::int64_t tokens) {
  return {{"id", id},
          {"do", "generate"},
          {"messages", {{{"role", "user"}, {"text", "What does the fox do?"}}}},
          {"sampling", {{"temperature", 1.0}, {"seed", 3}}},
          {"max_tokens", tokens}};
}

TEST(Serve, SaysWhatItIsAndLoads) {
  Talk talk;
  EXPECT_EQ(talk.wait(0, "ready").at("protocol"), kServeProtocol);
  talk.say(load_request(1));
  const json loaded = talk.wait(1, "loaded");
  EXPECT_EQ(loaded.at("step"), -1);
  EXPECT_EQ(loaded.at("context"), 1024);
  EXPECT_EQ(loaded.at("chat"), true);
  EXPECT_EQ(loaded.at("vocabulary").at("size"), test::tiny_tokenizer()->vocab_size());
  EXPECT_EQ(loaded.at("model").at("moe_layers"), 2);
  EXPECT_EQ(loaded.at("model").at("first_moe_layer"), 1);
  EXPECT_EQ(loaded.at("model").at("top_k"), 3);
}

TEST(Serve, TokensComeWithWhatWasAskedFor) {
  Talk talk;
  talk.say(load_request(1));
  json request = generate_request(2, 12);
  request["alternatives"] = 4;
  request["experts"] = true;
  talk.say(request);
  const json done = talk.wait(2, "done");
  const std::vector<json> tokens = talk.all(2, "token");
  ASSERT_EQ(done.at("tokens"), tokens.size());
  ASSERT_FALSE(tokens.empty());
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const json& token = tokens[i];
    text += token.at("text").get<std::string>();
    EXPECT_EQ(token.at("index"), i);
    ASSERT_EQ(token.at("alternatives").size(), 4u);
    EXPECT_GE(token.at("alternatives")[0][2], token.at("alternatives")[1][2]);
    ASSERT_EQ(token.at("experts").size(), 2u);
    ASSERT_EQ(token.at("experts")[0].size(), 3u);
    ASSERT_EQ(token.at("gates")[1].size(), 3u);
    double sum = 0;
    for (const json& gate : token.at("gates")[1]) sum += gate.get<double>();
    EXPECT_NEAR(sum, 1.0, 1e-4);  // normalised, and the scaling factor is 1
  }
  EXPECT_FALSE((text + done.at("text").get<std::string>()).empty());
  // Every position of the conversation went to top-k experts of each layer.
  std::int64_t picks = 0;
  for (const json& count : done.at("usage")[0]) picks += count.get<std::int64_t>();
  EXPECT_EQ(picks, 3 * done.at("context_used").get<std::int64_t>());
  // Without being asked, nothing of it.
  talk.say(generate_request(3, 3));
  talk.wait(3, "done");
  ASSERT_FALSE(talk.all(3, "token").empty());
  EXPECT_FALSE(talk.all(3, "token")[0].contains("experts"));
  EXPECT_FALSE(talk.all(3, "token")[0].contains("alternatives"));
  EXPECT_GT(talk.wait(3, "started").at("reused_tokens"), 0);
}

TEST(Serve, RegrowsFromAPrefix) {
  Talk talk;
  talk.say(load_request(1));
  talk.say(generate_request(2, 10));
  talk.wait(2, "done");
  json prefix = json::array();
  std::string kept;
  for (const json& token : talk.all(2, "token")) {
    if (prefix.size() == 4) break;
    prefix.push_back(token.at("token"));
    kept += token.at("text").get<std::string>();
  }
  json request = generate_request(3, 6);
  request["prefix"] = prefix;
  talk.say(request);
  talk.wait(3, "done");
  EXPECT_EQ(talk.wait(3, "started").at("prefix_text"), kept);
  const std::vector<json> again = talk.all(3, "token"), before = talk.all(2, "token");
  ASSERT_FALSE(again.empty());
  EXPECT_EQ(again[0].at("index"), 4);
  EXPECT_EQ(again[0].at("token"), before[4].at("token"));
}

TEST(Serve, CancelsWhatRunsAndWhatWaits) {
  Talk talk;
  talk.say(load_request(1));
  talk.say(generate_request(2, 900));
  talk.say(generate_request(3, 900));
  talk.wait(2, "token");
  talk.say({{"id", 4}, {"do", "count"}, {"text", "The lazy dog"}});  // while it generates
  EXPECT_GT(talk.wait(4, "counted").at("tokens"), 0);
  talk.say({{"id", 5}, {"do", "cancel"}, {"request", 3}});
  talk.say({{"id", 6}, {"do", "cancel"}, {"request", 2}});
  EXPECT_EQ(talk.wait(2, "done").at("reason"), "cancelled");
  EXPECT_LT(talk.all(2, "token").size(), 900u);
  EXPECT_EQ(talk.wait(3, "done").at("reason"), "cancelled");
  EXPECT_TRUE(talk.all(3, "token").empty());
  talk.say({{"id", 7}, {"do", "cancel"}, {"request", 2}});  // long over: no harm
  talk.say(generate_request(8, 2));
  EXPECT_NE(talk.wait(8, "done").at("reason"), "cancelled");
}

TEST(Serve, MistakesAreAnsweredAndForgiven) {
  Talk talk;
  talk.say_text("this is no JSON");
  EXPECT_EQ(talk.wait(nullptr, "error").at("where"), "request");
  talk.say(generate_request(1, 2));
  EXPECT_EQ(talk.wait(1, "error").at("what"), "no model is loaded");
  talk.say({{"id", 2}, {"do", "dance"}});
  EXPECT_EQ(talk.wait(2, "error").at("what"), "unknown request `dance`");
  talk.say({{"id", 3}, {"do", "load"}, {"path", "/no/such/model"}, {"device", "cpu"}});
  EXPECT_NE(talk.wait(3, "error").at("what").get<std::string>(), "");
  talk.say(load_request(4));
  talk.wait(4, "loaded");
  json request = generate_request(5, 2);
  request["max_token"] = 4;
  talk.say(request);
  EXPECT_EQ(talk.wait(5, "error").at("what"), "unknown field `max_token`");
  request = generate_request(6, 2);
  request["sampling"]["top_p"] = "high";
  talk.say(request);
  EXPECT_EQ(talk.wait(6, "error").at("what"), "`top_p` is string, expected a number");
  request = generate_request(7, 2);
  request["prefix"] = {1000000};
  talk.say(request);
  talk.wait(7, "error");
  request = generate_request(8, 2);
  request["messages"][0]["text"] = std::string(20000, 'z');
  talk.say(request);
  EXPECT_EQ(talk.wait(8, "error").at("hint"), "shorten the conversation");
  talk.say(generate_request(9, 2));
  talk.wait(9, "done");
}

TEST(Serve, UnloadsAndLoadsACheckpoint) {
  const test::ScratchFolder run;
  test::write_checkpoint(run.path, 40);
  Talk talk;
  talk.say(load_request(1));
  talk.say({{"id", 2}, {"do", "unload"}});
  talk.wait(2, "unloaded");
  talk.say(generate_request(3, 2));
  talk.wait(3, "error");
  talk.say({{"id", 4},
            {"do", "load"},
            {"path", (run.path / "checkpoints/step-40").string()},
            {"device", "cpu"},
            {"threads", 1},
            {"context", 128}});
  const json loaded = talk.wait(4, "loaded");
  EXPECT_EQ(loaded.at("step"), 40);
  EXPECT_EQ(loaded.at("chat"), false);
  EXPECT_EQ(loaded.at("context"), 128);
  EXPECT_EQ(loaded.at("threads"), 1);
  talk.say(generate_request(5, 4));
  const json done = talk.wait(5, "done");
  EXPECT_EQ(done.at("tokens"), talk.all(5, "token").size());
}

/// What the program prints for these lines.
std::string output_of(const std::string& lines) {
  const std::string command =
      fmt::format("printf '{}' | '{}' serve --nice 5 2>/dev/null", lines, TESSERA_PROGRAM);
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) return {};
  std::string output;
  std::array<char, 4096> buffer;
  while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), n);
  }
  return ::pclose(pipe) == 0 ? output : "failed: " + output;
}

TEST(Serve, TheProgramTalksInLinesAndEnds) {
  const std::string output = output_of(R"({"id":1,"do":"dance"}\n{"id":2,"do":"quit"}\n)");
  std::istringstream lines(output);
  std::vector<std::string> events;
  for (std::string line; std::getline(lines, line);) {
    const json event = json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << output;
    events.push_back(event.at("event"));
  }
  std::sort(events.begin(), events.end());
  EXPECT_EQ(events, (std::vector<std::string>{"error", "ok", "ready"})) << output;
  EXPECT_NE(output_of("").find("ready"), std::string::npos);  // the end of input is an end
}

}  // namespace
}  // namespace tessera::app
