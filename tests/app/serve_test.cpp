// SPDX-License-Identifier: MIT
// The protocol of `tessera serve`: what is answered, in what order, and that cancelling works at
// any time.
#include "core/serve/serve.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "tests/build_paths.h"
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
  EXPECT_EQ(talk.wait(3, "error").at("what"), "there is no such folder");
  talk.say(load_request(4));
  talk.wait(4, "loaded");
  json request = generate_request(5, 2);
  request["max_token"] = 4;
  talk.say(request);
  EXPECT_EQ(talk.wait(5, "error").at("what"), "unknown field `max_token`");
  request = generate_request(6, 2);
  request["sampling"]["top_p"] = "high";
  talk.say(request);
  EXPECT_EQ(talk.wait(6, "error").at("what"), "`top_p` is \"high\", expected a number");
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

/// What is answered to a line that is refused, whatever its id.
std::string refusal(const std::string& line, bool loaded = true) {
  Talk talk;
  if (loaded) {
    talk.say(load_request(1));
    talk.wait(1, "loaded");
  }
  talk.say_text(line);
  const json id = line.find("\"id\":7") != std::string::npos ? json(7) : json();
  return talk.wait(id, "error").at("what").get<std::string>();
}

TEST(FieldServe, UnknownFieldsOfEveryRequestAreNamed) {
  Talk talk;
  std::int64_t id = 0;
  talk.say(load_request(++id));
  talk.wait(id, "loaded");
  const std::vector<json> requests{
      {{"do", "load"}, {"path", released().string()}},
      {{"do", "generate"}, {"prompt", "a"}},
      {{"do", "cancel"}, {"request", 99}},
      {{"do", "count"}, {"text", "a"}},
      {{"do", "tokenize"}, {"text", "a"}},
      {{"do", "unload"}},
      {{"do", "quit"}},
  };
  for (json request : requests) {
    request["id"] = ++id;
    request["now"] = true;
    talk.say(request);
    EXPECT_EQ(talk.wait(id, "error").at("what"), "unknown field `now`") << request;
  }
  talk.say(generate_request(++id, 2));  // nothing was unloaded, nothing has ended
  talk.wait(id, "done");
}

TEST(FieldServe, FieldsOfInnerObjectsAreNamedToo) {
  EXPECT_EQ(refusal(R"({"id":7,"do":"generate","prompt":"a","sampling":{"id":1}})"),
            "unknown field `id`");
  EXPECT_EQ(refusal(R"({"id":7,"do":"count","messages":[{"role":"user","text":"a","name":"b"}]})"),
            "unknown field `name`");
}

TEST(FieldServe, LinesThatAreNoRequestsSayWhy) {
  const std::vector<std::pair<std::string, std::string>> lines{
      {R"({"id":1,"do":)", "the line is no JSON: there is a mistake at byte 14"},
      {R"([1, 2])", "the line is no JSON object"},
      {R"({"do":"unload"})", "`id` is missing"},
      {R"({"id":0,"do":"unload"})", "`id` is 0, expected a whole number, 1 or more"},
      {R"({"id":-1,"do":"unload"})", "`id` is -1, expected a whole number, 1 or more"},
      {R"({"id":1.5,"do":"unload"})", "`id` is 1.5, expected a whole number, 1 or more"},
      {R"({"id":"1","do":"unload"})", "`id` is \"1\", expected a whole number, 1 or more"},
      {R"({"id":18446744073709551615,"do":"unload"})",
       "`id` is 18446744073709551615, expected a whole number, 1 or more"},
      {R"({"id":7})", "`do` is missing"},
      {R"({"id":7,"do":5})", "`do` is 5, expected a text"},
      // The id of an object with a key twice is not trusted.
      {R"({"id":8,"do":"load","do":"unload"})", "`do` is there twice in one object"},
      {R"({"id":7,"do":"genrate"})", "unknown request `genrate`"},
  };
  for (const auto& [line, what] : lines) {
    EXPECT_EQ(refusal(line, false), what) << line;
  }
  EXPECT_NE(refusal("{\"id\":1e999,\"do\":\"unload\"}", false), "");
  EXPECT_NE(refusal("\xFF\xFE", false), "");
}

TEST(FieldServe, ValuesOutOfRangeAreNamedWithTheirRange) {
  const std::vector<std::pair<std::string, std::string>> fields{
      {R"("max_tokens":0)", "max_tokens is 0, expected 1 or more"},
      {R"("max_tokens":-5)", "max_tokens is -5, expected 1 or more"},
      {R"("max_tokens":1.5)", "`max_tokens` is 1.5, expected a whole number"},
      {R"("max_tokens":99999999999999999999)", "`max_tokens` is 1e+20, expected a whole number"},
      {R"("sampling":{"seed":-1})", "`seed` is -1, expected a whole number, 0 or more"},
      {R"("sampling":{"seed":"any"})", "`seed` is \"any\", expected a whole number, 0 or more"},
      {R"("sampling":{"temperature":-0.1})", "temperature is -0.1, expected 0 to 100"},
      {R"("sampling":{"temperature":1e9})", "temperature is 1000000000, expected 0 to 100"},
      {R"("sampling":{"top_p":0})", "top_p is 0, expected more than 0, up to 1"},
      {R"("sampling":{"top_p":true})", "`top_p` is true, expected a number"},
      {R"("sampling":{"top_k":-2})", "`top_k` is -2, expected a whole number, 0 or more"},
      {R"("sampling":{"min_p":2})", "min_p is 2, expected 0 to 1"},
      {R"("sampling":{"repetition_penalty":0})",
       "repetition_penalty is 0, expected 0.01 to 100 (1: none)"},
      {R"("sampling":[])", "is a list, expected an object"},
      {R"("alternatives":-1)", "`alternatives` is -1, expected a whole number, 0 or more"},
      {R"("experts":1)", "`experts` is 1, expected true or false"},
      {R"("threads":-1)", "`threads` is -1, expected a whole number from 0 to 4096"},
      {R"("threads":5000)", "`threads` is 5000, expected a whole number from 0 to 4096"},
      {R"("prefix":[4294967296])", "`prefix` is a list, expected a list of the numbers of tokens"},
      {R"("prefix":[-1])", "`prefix` is a list, expected a list of the numbers of tokens"},
      {R"("stop":"end")", "`stop` is \"end\", expected a list of texts"},
      {R"("stop":[""])", "a text that ends the answer is empty"},
      {R"("messages":[])", "expected either `messages` or `prompt`, and both are there"},
  };
  for (const auto& [field, what] : fields) {
    EXPECT_EQ(refusal(R"({"id":7,"do":"generate","prompt":"a",)" + field + "}"), what) << field;
  }
  EXPECT_EQ(refusal(R"({"id":7,"do":"generate","messages":[]})"),
            "expected a list of one message or more");
  EXPECT_EQ(refusal(R"({"id":7,"do":"generate"})"), "expected either `messages` or `prompt`");
  EXPECT_EQ(refusal(R"({"id":7,"do":"cancel","request":"all"})"),
            "`request` is \"all\", expected a whole number, 1 or more");
  EXPECT_EQ(refusal(R"({"id":7,"do":"tokenize","messages":[{"role":"tool","text":""}]})"),
            "`role` is \"tool\", expected system, user or assistant");
  const std::string load = R"({"id":7,"do":"load","path":")" + released().string() + R"(",)";
  EXPECT_EQ(refusal(load + R"("context":0})"),
            "`context` is 0, expected a whole number, 1 or more");
  EXPECT_EQ(refusal(load + R"("device":"cpu","context":4096})"),
            "4096 tokens, expected 1 to 1024, the positions of this model");
  EXPECT_EQ(refusal(load + R"("device":"tpu"})"),
            "`device` is \"tpu\", expected cpu, cuda or auto");
  EXPECT_EQ(refusal(load + R"("precision":"fp8"})"),
            "`precision` is \"fp8\", expected fp32 or bf16");
}

TEST(FieldServe, AnIdInUseIsRefusedAndItsRequestGoesOn) {
  Talk talk;
  talk.say(load_request(1));
  talk.wait(1, "loaded");
  talk.say(generate_request(2, 900));
  talk.wait(2, "token");
  talk.say({{"id", 2}, {"do", "count"}, {"text", "a"}});
  EXPECT_EQ(talk.wait(nullptr, "error").at("what"),
            "`id` is 2, which a request has that still runs or waits");
  talk.say({{"id", 3}, {"do", "cancel"}, {"request", 2}});
  EXPECT_EQ(talk.wait(2, "done").at("reason"), "cancelled");
  talk.say({{"id", 4}, {"do", "unload"}});
  talk.wait(4, "unloaded");
  talk.say(load_request(2));  // free again
  talk.wait(2, "loaded");
}

TEST(FieldServe, AWrongPathCostsNobodyTheModelThatIsLoaded) {
  const test::ScratchFolder scratch;
  std::ofstream(scratch.path / "file") << "x";
  Talk talk;
  talk.say(load_request(1));
  const auto refused = [&](std::int64_t id, const std::filesystem::path& path) {
    talk.say({{"id", id}, {"do", "load"}, {"path", path.string()}, {"device", "cpu"}});
    return talk.wait(id, "error");
  };
  EXPECT_EQ(refused(2, "/no/such/folder").at("what"), "there is no such folder");
  const json file = refused(3, released() / "model.safetensors");
  EXPECT_EQ(file.at("what"), "is a file, expected the folder of a model");
  EXPECT_EQ(file.at("hint"), "did you mean " + released().string() + "?");
  EXPECT_EQ(refused(4, scratch.path).at("what"),
            "is no model: the folder has no config.json, and no run.toml of a run");
  EXPECT_EQ(refused(5, scratch.path / "file" / "below").at("what"), "there is no such folder");
  std::filesystem::create_symlink("gone", scratch.path / "link");
  EXPECT_EQ(refused(6, scratch.path / "link").at("what"), "is a link to gone, which is not there");
  talk.say(generate_request(7, 2));
  talk.wait(7, "done");
}

TEST(FieldServe, AModelThatDoesNotOpenLeavesNoWordsBehind) {
  const test::ScratchFolder scratch;
  std::filesystem::copy(released(), scratch.path / "model");
  std::filesystem::resize_file(scratch.path / "model/model.safetensors", 1000);
  Talk talk;
  talk.say(load_request(1));
  talk.say(
      {{"id", 2}, {"do", "load"}, {"path", (scratch.path / "model").string()}, {"device", "cpu"}});
  talk.say({{"id", 3}, {"do", "count"}, {"text", "a"}});  // meant for the model of 2
  talk.wait(2, "error");
  EXPECT_EQ(talk.wait(3, "error").at("what"), "no model is loaded");
}

TEST(FieldServe, AVocabularyLargerThanTheModelIsRefused) {
  const test::ScratchFolder scratch;
  ModelConfig config = test::tiny_config();
  config.vocab_size -= 5;
  test::write_released_model(scratch.path / "model", 1, config);
  Talk talk;
  talk.say(
      {{"id", 1}, {"do", "load"}, {"path", (scratch.path / "model").string()}, {"device", "cpu"}});
  EXPECT_EQ(talk.wait(1, "error").at("what"),
            fmt::format("the vocabulary has {} tokens, and the model only {} (vocab_size)",
                        config.vocab_size + 5, config.vocab_size));
}

TEST(FieldServe, QuestionsBehindALoadWaitForIt) {
  Talk talk;
  talk.say(load_request(1));
  talk.say({{"id", 2}, {"do", "tokenize"}, {"text", "The fox"}});
  EXPECT_FALSE(talk.wait(2, "tokens").at("tokens").empty());
}

/// What the model reads, with its special tokens told apart from text that spells them.
TEST(Serve, TellsWhichTokensAreSpecial) {
  Talk talk;
  talk.say(load_request(1));
  talk.say({{"id", 2},
            {"do", "tokenize"},
            {"messages", {{{"role", "user"}, {"text", "say <s> or </s>"}}}}});
  const nlohmann::json tokens = talk.wait(2, "tokens");
  ASSERT_TRUE(tokens.at("special").is_array());
  std::size_t special = 0;
  for (std::size_t i = 0; i < tokens.at("tokens").size(); ++i) {
    const std::int32_t id = tokens.at("tokens").at(i).at(0).get<std::int32_t>();
    if (!test::tiny_tokenizer()->is_special(id)) continue;
    ASSERT_LT(special, tokens.at("special").size());
    EXPECT_EQ(tokens.at("special").at(special++), i);
  }
  EXPECT_EQ(special, tokens.at("special").size());
  talk.say({{"id", 3}, {"do", "tokenize"}, {"text", "plain"}});
  EXPECT_TRUE(talk.wait(3, "tokens").at("special").empty());
}

/// A copy of the tiny model with rows [from, to) of its head set to a value.
std::filesystem::path with_head_rows(const test::ScratchFolder& scratch, std::int64_t from,
                                     std::int64_t to, float value) {
  const ModelConfig config = test::tiny_config();
  Model model(config, Precision{}, false, Device::Cpu);
  model.initialise(1);
  const std::vector<NamedTensor> weights = released_weights(model);
  for (const NamedTensor& tensor : weights) {
    if (tensor.name != "lm_head.weight") continue;
    float* values = tensor.data.data<float>();
    std::fill(values + from * config.hidden_size, values + to * config.hidden_size, value);
  }
  const std::filesystem::path folder = scratch.path / fmt::format("row-{}", from);
  test::tiny_tokenizer()->save(scratch.path);
  HfConfig written;
  written.model = config;
  export_folder(folder, written, weights,
                {.dtype = DType::F32, .files = {scratch.path / "tokenizer.model"}});
  return folder;
}

TEST(FieldServe, LogitsThatAreNotFiniteAreAnErrorAndNoToken) {
  const test::ScratchFolder scratch;
  const std::int64_t last = test::tiny_config().vocab_size - 1;
  for (const std::int64_t row : {std::int64_t{0}, last / 2, last}) {
    Talk talk;
    talk.say({{"id", 1},
              {"do", "load"},
              {"path", with_head_rows(scratch, row, row + 1, NAN).string()},
              {"device", "cpu"}});
    for (const double temperature : {0.0, 1.0}) {
      const std::int64_t id = temperature > 0 ? 2 : 3;
      talk.say({{"id", id},
                {"do", "generate"},
                {"prompt", "The fox"},
                {"alternatives", 3},
                {"sampling", {{"temperature", temperature}}}});
      const std::string what = talk.wait(id, "error").at("what");
      EXPECT_NE(what.find("the logits are not finite"), std::string::npos) << what;
      EXPECT_TRUE(talk.all(id, "token").empty());
    }
  }
}

TEST(FieldServe, StopTextsEndTheAnswer) {
  Talk talk;
  talk.say(load_request(1));
  talk.say(generate_request(2, 40));
  talk.wait(2, "done");
  const auto text_of = [&](std::int64_t id) {
    std::string text;
    for (const json& token : talk.all(id, "token")) text += token.at("text").get<std::string>();
    return text + talk.wait(id, "done").at("text").get<std::string>();
  };
  const std::string whole = text_of(2);
  ASSERT_GT(whole.size(), 14u);
  // It ends at a whole character, as one may take several bytes.
  std::size_t from = 8, to = 12;
  while (from < whole.size() && (whole[from] & 0xC0) == 0x80) ++from;
  while (to < whole.size() && (whole[to] & 0xC0) == 0x80) ++to;
  const std::string stop = whole.substr(from, to - from);
  json request = generate_request(3, 40);
  request["stop"] = {stop};
  talk.say(request);
  EXPECT_EQ(talk.wait(3, "done").at("reason"), "stop");
  EXPECT_EQ(text_of(3), whole.substr(0, whole.find(stop)));
}

TEST(FieldServe, EveryEndOfTheFolderEndsAnAnswer) {
  const test::ScratchFolder scratch;
  std::filesystem::copy(released(), scratch.path / "model");
  const auto answer = [&](const json& generation_config) {
    std::ofstream(scratch.path / "model/generation_config.json") << generation_config.dump();
    Talk talk;
    talk.say({{"id", 1},
              {"do", "load"},
              {"path", (scratch.path / "model").string()},
              {"device", "cpu"}});
    talk.say(generate_request(2, 12));
    json result{{"done", talk.wait(2, "done")}, {"tokens", json::array()}};
    for (const json& token : talk.all(2, "token")) result["tokens"].push_back(token.at("token"));
    return result;
  };
  const json whole = answer({{"eos_token_id", nullptr}});
  ASSERT_GE(whole["tokens"].size(), 6u);
  for (const json& ends : {json({1, whole["tokens"][5]}), json(whole["tokens"][5])}) {
    const json cut = answer({{"eos_token_id", ends}, {"temperature", 0.6}});
    EXPECT_EQ(cut["done"].at("reason"), "stop");
    EXPECT_LE(cut["tokens"].size(), 5u);
    for (const json& token : cut["tokens"]) EXPECT_NE(token, whole["tokens"][5]);
  }
}

TEST(FieldServe, SpecialTokensInAnAnswerAreShown) {
  // All logits are equal, so that the first token is the likeliest, and that is a special one.
  const test::ScratchFolder scratch;
  Talk talk;
  talk.say({{"id", 1},
            {"do", "load"},
            {"path", with_head_rows(scratch, 0, test::tiny_config().vocab_size, 0.f).string()},
            {"device", "cpu"}});
  talk.say({{"id", 2},
            {"do", "generate"},
            {"prompt", "a"},
            {"max_tokens", 2},
            {"sampling", {{"temperature", 0}}}});
  talk.wait(2, "done");
  ASSERT_EQ(talk.all(2, "token").size(), 2u);
  ASSERT_TRUE(test::tiny_tokenizer()->is_special(0));
  for (const json& token : talk.all(2, "token")) {
    EXPECT_EQ(token.at("token"), 0);
    EXPECT_EQ(token.at("text"), "");
    EXPECT_EQ(token.at("shown"), test::tiny_tokenizer()->piece(0));
  }
}

TEST(Serve, FinishesWhatWasAccepted) {
  std::vector<json> events;
  std::mutex mutex;
  Server server([&](const json& event) {
    const std::lock_guard lock(mutex);
    events.push_back(event);
  });
  std::thread worker([&] { server.run(); });
  server.receive(load_request(1).dump());
  server.receive(generate_request(2, 3).dump());
  server.finish();
  worker.join();
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.back().at("event"), "done");
  EXPECT_EQ(events.back().at("id"), 2);
  EXPECT_EQ(events.back().at("tokens"), 3);
}

TEST(Serve, TellsWhatItGivesUp) {
  Talk talk;
  talk.say(load_request(1));
  talk.wait(1, "loaded");
  talk.say(generate_request(2, 900));
  talk.wait(2, "token");
  talk.say(generate_request(3, 900));
  talk.say({{"id", 4}, {"do", "unload"}});
  talk.say({{"id", 5}, {"do", "quit"}});
  talk.wait(5, "ok");
  EXPECT_EQ(talk.wait(2, "done").at("reason"), "cancelled");
  EXPECT_EQ(talk.wait(3, "done").at("reason"), "cancelled");
  EXPECT_EQ(talk.wait(4, "error").at("what"), "`unload` was given up: the program ends");
}

/// The lines of the page's example, from "-> " and "<- " on.
std::vector<std::string> example_of_page() {
  std::ifstream file(TESSERA_SOURCE_DIR "/docs/chat-protocol.md");
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("-> ") || line.starts_with("<- ")) lines.push_back(line);
  }
  return lines;
}

TEST(FieldServe, ThePageIsWhatIsAnswered) {
  Talk talk;
  std::set<std::string> kinds;
  for (const std::string& line : example_of_page()) {
    json said = json::parse(line.substr(3), nullptr, false);
    ASSERT_TRUE(said.is_object()) << line;
    if (line.starts_with("-> ")) {
      kinds.insert(said.at("do"));
      if (said.contains("path")) said["path"] = released().string();
      talk.say(said);
      continue;
    }
    const json answer = talk.wait(said.at("id"), said.at("event"));
    for (const auto& [key, value] : said.items()) {
      ASSERT_TRUE(answer.contains(key)) << key << " is not in " << answer;
      const bool numbers = value.is_number() && answer.at(key).is_number();
      EXPECT_TRUE(numbers || value.type() == answer.at(key).type()) << key << " in " << line;
      if (value.is_string() && said.at("event") == "error") {
        EXPECT_EQ(answer.at(key), value);
      }
    }
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"cancel", "count", "generate", "load", "quit", "tokenize",
                                          "unload"}));
}

struct Ended {
  std::vector<json> events;
  int status = -1;  // the shell's: 128 plus the signal's number for a signal

  std::vector<json> of(std::int64_t id) const {
    std::vector<json> found;
    for (const json& event : events) {
      if (event.at("id") == id) found.push_back(event);
    }
    return found;
  }
};

/// Runs the program in a shell: `script` pipes something into "$T" serve.
Ended run_script(const std::string& script) {
  Ended ended;
  const std::string command =
      fmt::format("T='{}'; M='{}'; {}", TESSERA_PROGRAM, released().string(), script);
  FILE* pipe = ::popen(("bash -c \"$(cat <<'EOF'\n" + command + "\nEOF\n)\"").c_str(), "r");
  if (!pipe) return ended;
  std::string output;
  std::array<char, 4096> buffer;
  while (std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    json event = json::parse(line, nullptr, false);
    EXPECT_TRUE(event.is_object()) << output;
    if (event.is_object()) ended.events.push_back(std::move(event));
  }
  return ended;
}

constexpr const char* kRequests =
    R"('{"id":1,"do":"load","path":"'$M'","device":"cpu"}\n{"id":2,"do":"generate",)"
    R"("prompt":"the cat","max_tokens":4,"sampling":{"temperature":0}}')";

TEST(FieldServe, RequestsThroughAPipeAreAllDone) {
  // The last line has no line end.
  const Ended ended = run_script(fmt::format("printf {} | \"$T\" serve 2>/dev/null", kRequests));
  EXPECT_EQ(ended.status, 0);
  ASSERT_FALSE(ended.of(1).empty());
  EXPECT_EQ(ended.of(1).front().at("event"), "loaded");
  ASSERT_FALSE(ended.of(2).empty());
  EXPECT_EQ(ended.of(2).back().at("event"), "done");
}

TEST(FieldServe, AnOutputThatTakesNothingIsAFailure) {
  const Ended ended =
      run_script(fmt::format("printf {} | \"$T\" serve 2>/dev/null >/dev/full", kRequests));
  EXPECT_EQ(ended.status, 1);
}

TEST(FieldServe, ASignalEndsWhatRuns) {
  const Ended ended =
      run_script(R"(mkfifo "$M/../in"; "$T" serve <"$M/../in" & P=$!; exec 4>"$M/../in"; )"
                 R"(printf '{"id":1,"do":"load","path":"'$M'","device":"cpu"}\n' >&4; )"
                 R"(printf '{"id":2,"do":"generate","prompt":"a","max_tokens":-1}\n' >&4; )"
                 R"(sleep 2; kill -TERM $P; wait $P; S=$?; rm "$M/../in"; exit $S)");
  EXPECT_EQ(ended.status, 0);
  ASSERT_FALSE(ended.of(2).empty());
  EXPECT_EQ(ended.of(2).back().at("event"), "done");
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
