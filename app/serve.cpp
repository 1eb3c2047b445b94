// SPDX-License-Identifier: MIT
#include "app/serve.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/processors.h"

namespace tessera::app {

using nlohmann::json;

/// The fields of a request: each is asked for once, and what nobody asked for is an error.
class ServeFields {
 public:
  explicit ServeFields(const json& body, std::string where = "request")
      : body_(body), where_(std::move(where)) {
    if (!body.is_object()) throw Error(where_, "expected a JSON object");
  }

  bool has(const char* key) {
    known_.insert(key);
    return body_.contains(key);
  }
  template <class T>
  T get(const char* key, const T& otherwise) {
    return has(key) ? required<T>(key) : otherwise;
  }
  template <class T>
  T required(const char* key) {
    if (!has(key)) throw Error(where_, fmt::format("`{}` is missing", key));
    const json& value = body_.at(key);
    if (!fits<T>(value)) {
      throw Error(where_,
                  fmt::format("`{}` is {}, expected {}", key, value.type_name(), name<T>()));
    }
    return value.get<T>();
  }
  const json& object(const char* key) {
    static const json kEmpty = json::object();
    return has(key) ? body_.at(key) : kEmpty;
  }
  void nothing_else() const {
    for (const auto& [key, value] : body_.items()) {
      if (!known_.contains(key)) {
        throw Error(where_, fmt::format("unknown field `{}`", key),
                    "docs/chat-protocol.md lists the fields");
      }
    }
  }

 private:
  template <class T>
  static bool fits(const json& value) {
    if constexpr (std::is_same_v<T, bool>) return value.is_boolean();
    if constexpr (std::is_same_v<T, std::string>) return value.is_string();
    if constexpr (std::is_same_v<T, double>) return value.is_number();
    if constexpr (std::is_same_v<T, std::uint64_t>) return value.is_number_unsigned();
    if constexpr (std::is_integral_v<T>) return value.is_number_integer();
    return value.is_array() && std::all_of(value.begin(), value.end(),
                                           [](const json& one) { return one.is_number_integer(); });
  }
  template <class T>
  static const char* name() {
    if constexpr (std::is_same_v<T, bool>) return "true or false";
    if constexpr (std::is_same_v<T, std::string>) return "a text";
    if constexpr (std::is_same_v<T, double>) return "a number";
    if constexpr (std::is_integral_v<T>) return "a whole number";
    return "a list of whole numbers";
  }

  const json& body_;
  std::string where_;
  std::set<std::string, std::less<>> known_{"id", "do"};
};

namespace {
/// Fewer digits on the wire than a double has.
double rounded(double value, double digits) {
  return std::round(value * digits) / digits;
}
constexpr double kProbabilityDigits = 1e8, kGateDigits = 1e6;

Message::Role role_of(const std::string& name) {
  if (name == "system") return Message::Role::System;
  if (name == "user") return Message::Role::User;
  if (name == "assistant") return Message::Role::Assistant;
  throw Error("messages", fmt::format("`{}` is no role", name), "system, user or assistant");
}

std::vector<Message> messages_of(const json& list) {
  if (!list.is_array()) throw Error("messages", "expected a list");
  std::vector<Message> messages;
  for (const json& one : list) {
    ServeFields fields(one, "messages");
    messages.push_back(
        {role_of(fields.required<std::string>("role")), fields.required<std::string>("text")});
    fields.nothing_else();
  }
  return messages;
}

SamplingOptions sampling_of(const json& body) {
  ServeFields fields(body, "sampling");
  SamplingOptions sampling;
  sampling.temperature = fields.get("temperature", sampling.temperature);
  sampling.top_k = fields.get("top_k", sampling.top_k);
  sampling.top_p = fields.get("top_p", sampling.top_p);
  sampling.min_p = fields.get("min_p", sampling.min_p);
  sampling.repetition_penalty = fields.get("repetition_penalty", sampling.repetition_penalty);
  sampling.seed = fields.get("seed", sampling.seed);
  fields.nothing_else();
  sampling.validate();
  return sampling;
}

Device device_of(const std::string& name) {
  if (name == "cpu") return Device::Cpu;
  if (name == "cuda") return Device::Cuda;
  if (name == "auto") return devices().empty() ? Device::Cpu : Device::Cuda;
  throw Error("device", fmt::format("`{}` is no device", name), "cpu, cuda or auto");
}

void use_threads(std::int64_t threads) {
  require(threads >= 0 && threads <= 4096, "threads", "{} threads, expected 0 (all) to 4096",
          threads);
  omp_set_num_threads(threads > 0 ? static_cast<int>(threads) : usable_threads());
}

const char* name_of(StopReason reason) {
  switch (reason) {
    case StopReason::Stop:
      return "stop";
    case StopReason::Length:
      return "length";
    case StopReason::Cancelled:
      return "cancelled";
    case StopReason::Full:
      return "full";
  }
  return "";
}

json model_info(const TextModel& text, std::int64_t moe_layers) {
  const ModelConfig& c = text.model().config();
  const ParameterCount parameters = count_parameters(c);
  return {{"layers", c.num_hidden_layers},
          {"moe_layers", moe_layers},
          {"first_moe_layer", moe_layers > 0 ? c.first_k_dense_replace : 0},
          {"experts", c.n_routed_experts},
          {"shared_experts", c.n_shared_experts},
          {"top_k", c.num_experts_per_tok},
          {"hidden_size", c.hidden_size},
          {"parameters", parameters.total},
          {"active_parameters", parameters.active}};
}

json usage_of(const ExpertRecord& record) {
  const std::vector<std::int64_t> counts = record.usage();
  json layers = json::array();
  for (std::int64_t layer = 0; layer < record.layers(); ++layer) {
    const auto from = counts.begin() + layer * record.experts();
    layers.push_back(std::vector<std::int64_t>(from, from + record.experts()));
  }
  return layers;
}

double rate(std::int64_t tokens, double seconds) {
  return seconds > 0 ? rounded(static_cast<double>(tokens) / seconds, 1e3) : 0;
}
}  // namespace

Server::Server(Sink sink) : sink_(std::move(sink)) {}

void Server::send(std::int64_t id, const char* event, json fields) {
  fields["id"] = id;
  fields["event"] = event;
  const std::lock_guard lock(sink_mutex_);
  sink_(fields);
}

void Server::send_error(const json& id, const std::string& what, const std::string& where,
                        const std::string& hint) {
  const std::lock_guard lock(sink_mutex_);
  sink_({{"id", id}, {"event", "error"}, {"what", what}, {"where", where}, {"hint", hint}});
}

template <class Body>
void Server::guarded(std::int64_t id, Body&& body) {
  try {
    body();
  } catch (const Error& error) {
    send_error(id, error.what_failed(), error.where(), error.hint());
  } catch (const std::exception& error) {
    send_error(id, error.what(), "serve", "");
  }
}

// ---- The reader's side --------------------------------------------------------------------------

void Server::receive(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  json body = json::parse(line, nullptr, false);
  if (!body.is_object() || !body.contains("id") || !body["id"].is_number_unsigned() ||
      !body.contains("do") || !body["do"].is_string()) {
    send_error(nullptr, "a line is no request", "request",
               R"(send {"id": 1, "do": "...", ...}, one object a line)");
    return;
  }
  Request request{body["id"].get<std::int64_t>(), body["do"].get<std::string>(), std::move(body)};
  guarded(request.id, [&] {
    if (handle_at_once(request)) return;
    if (request.kind != "load" && request.kind != "generate" && request.kind != "unload") {
      throw Error("request", fmt::format("unknown request `{}`", request.kind),
                  "load, generate, cancel, count, tokenize, unload or quit");
    }
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(request));
    wake_.notify_one();
  });
}

bool Server::handle_at_once(const Request& request) {
  if (request.kind == "quit") {
    send(request.id, "ok");
    close();
  } else if (request.kind == "cancel") {
    cancel(ServeFields(request.body).required<std::int64_t>("request"));
    send(request.id, "ok");
  } else if (request.kind == "count" || request.kind == "tokenize") {
    count(request);
  } else {
    return false;
  }
  return true;
}

void Server::cancel(std::int64_t target) {
  std::unique_lock lock(mutex_);
  if (current_ == target) cancelled_ = target;
  const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                    [&](const Request& one) { return one.id == target; });
  if (waiting == queue_.end()) return;
  queue_.erase(waiting);
  lock.unlock();
  send(target, "done", {{"reason", "cancelled"}, {"tokens", 0}, {"text", ""}});
}

Server::Words Server::words() const {
  const std::lock_guard lock(mutex_);
  if (!words_.tokenizer) throw Error("serve", "no model is loaded", "send `load` first");
  return words_;
}

void Server::count(const Request& request) {
  const Words use = words();
  ServeFields fields(request.body);
  std::vector<std::int32_t> ids;
  if (fields.has("messages")) {
    ids =
        encode_conversation(*use.tokenizer, use.knows_chat, messages_of(fields.object("messages")));
  } else {
    ids = use.tokenizer->encode(fields.required<std::string>("text"));
  }
  fields.nothing_else();
  if (request.kind == "count") return send(request.id, "counted", {{"tokens", ids.size()}});
  json tokens = json::array();
  for (const std::int32_t id : ids) tokens.push_back({id, use.tokenizer->display(id)});
  send(request.id, "tokens", {{"tokens", std::move(tokens)}});
}

void Server::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.notify_one();
}

// ---- The worker's side --------------------------------------------------------------------------

std::optional<Server::Request> Server::next() {
  std::unique_lock lock(mutex_);
  current_ = -1;
  wake_.wait(lock, [&] { return closed_ || !queue_.empty(); });
  if (closed_) return {};
  Request request = std::move(queue_.front());
  queue_.pop_front();
  current_ = request.id;
  cancelled_ = -1;
  return request;
}

void Server::run() {
  send(0, "ready",
       {{"protocol", kServeProtocol},
        {"program", TESSERA_VERSION},
        {"process", ::getpid()},
        {"threads", usable_threads()}});
  while (const std::optional<Request> request = next()) {
    guarded(request->id, [&] { handle(*request); });
  }
}

void Server::handle(const Request& request) {
  if (request.kind == "load") return load(request);
  if (request.kind == "generate") return generate(request);
  {
    const std::lock_guard lock(mutex_);
    words_ = {};
  }
  model_.reset();
  send(request.id, "unloaded");
}

void Server::load(const Request& request) {
  ServeFields fields(request.body);
  const auto path = fields.required<std::string>("path");
  TextModelOptions options;
  options.recipe = recipe_from_name(fields.get<std::string>("precision", "fp32"));
  options.device = device_of(fields.get<std::string>("device", "auto"));
  options.cache_tokens = fields.get("context", options.cache_tokens);
  options.chunk_tokens = 128;
  use_threads(fields.get("threads", std::int64_t{0}));
  fields.nothing_else();
  require(options.cache_tokens > 0, "context", "{} tokens, expected at least 1",
          options.cache_tokens);

  const auto start = std::chrono::steady_clock::now();
  model_.reset();  // both would need memory at once
  model_ = std::make_unique<TextModel>(TextModel::load(path, options));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  {
    const std::lock_guard lock(mutex_);
    words_ = {model_->tokenizer(), model_->knows_chat()};
  }
  const Session& session = model_->session();
  send(request.id, "loaded",
       {{"folder", model_->folder().string()},
        {"step", model_->step()},
        {"model", model_info(*model_, session.experts().layers())},
        {"context", session.context()},
        {"vocabulary",
         {{"size", words_.tokenizer->vocab_size()}, {"hash", words_.tokenizer->hash()}}},
        {"chat", model_->knows_chat()},
        {"device", model_->model().device() == Device::Cuda ? "cuda" : "cpu"},
        {"threads", omp_get_max_threads()},
        {"seconds", rounded(took.count(), 1e3)}});
}

json Server::token_event(const SessionToken& token) const {
  const Tokenizer& tokenizer = *words_.tokenizer;
  const std::int32_t id = token.choice.chosen.id;
  json event{{"token", id},
             {"text", token.text},
             {"p", rounded(token.choice.chosen.probability, kProbabilityDigits)}};
  if (tokenizer.bytes_of(id) != token.text) event["shown"] = tokenizer.display(id);
  if (!token.choice.best.empty()) {
    json& list = event["alternatives"] = json::array();
    for (const Candidate& one : token.choice.best) {
      list.push_back(
          {one.id, tokenizer.display(one.id), rounded(one.probability, kProbabilityDigits)});
    }
  }
  if (token.record_row < 0) return event;
  const ExpertRecord& record = model_->session().experts();
  json &experts = event["experts"] = json::array(), &gates = event["gates"] = json::array();
  for (std::int64_t layer = 0; layer < record.layers(); ++layer) {
    const auto picks = record.picks(token.record_row, layer);
    experts.push_back(std::vector<std::int32_t>(picks.begin(), picks.end()));
    json row = json::array();
    for (const float gate : record.weights(token.record_row, layer)) {
      row.push_back(rounded(gate, kGateDigits));
    }
    gates.push_back(std::move(row));
  }
  return event;
}

namespace {
SessionRequest session_request(const json& body, const Tokenizer& tokenizer, bool knows_chat) {
  ServeFields fields(body);
  SessionRequest request;
  if (fields.has("messages") == fields.has("prompt")) {
    throw Error("generate", "expected either `messages` or `prompt`");
  }
  request.prompt =
      fields.has("messages")
          ? encode_conversation(tokenizer, knows_chat, messages_of(fields.object("messages")))
          : encode_prompt(tokenizer, fields.required<std::string>("prompt"));
  request.prefix = fields.get<std::vector<std::int32_t>>("prefix", {});
  for (const std::int32_t id : request.prefix) tokenizer.bytes_of(id);  // throws for a wrong id
  request.experts = fields.get("experts", false);
  request.generate.sampling = sampling_of(fields.object("sampling"));
  request.generate.max_tokens = fields.get("max_tokens", request.generate.max_tokens);
  request.generate.alternatives =
      static_cast<std::size_t>(fields.get("alternatives", std::uint64_t{0}));
  if (fields.has("threads")) use_threads(fields.required<std::int64_t>("threads"));
  fields.nothing_else();
  return request;
}
}  // namespace

void Server::generate(const Request& request) {
  if (!model_) throw Error("generate", "no model is loaded", "send `load` first");
  const SessionRequest wanted =
      session_request(request.body, *model_->tokenizer(), model_->knows_chat());
  const auto goes_on = [&] { return cancelled_ != request.id && !closed_; };
  SessionHooks hooks;
  hooks.on_start = [&](const SessionAnswer& answer) {
    send(request.id, "started",
         {{"prompt_tokens", answer.prompt_tokens},
          {"reused_tokens", answer.reused_tokens},
          {"prefix_text", answer.prefix_text}});
  };
  hooks.on_read = [&](std::int64_t read, std::int64_t total) {
    send(request.id, "reading", {{"read", read}, {"total", total}});
    return goes_on();
  };
  std::int64_t index = static_cast<std::int64_t>(wanted.prefix.size());
  hooks.on_token = [&](const SessionToken& token) {
    json event = token_event(token);
    event["index"] = index++;
    send(request.id, "token", std::move(event));
    return goes_on();
  };
  const SessionAnswer answer = model_->session().run(wanted, hooks);
  const Generated& out = answer.generated;
  const auto written = static_cast<std::int64_t>(out.tokens.size());
  json done{{"reason", name_of(out.reason)},
            {"text", answer.tail_text},
            {"tokens", written},
            {"prompt_tokens", answer.prompt_tokens},
            {"reused_tokens", answer.reused_tokens},
            {"context_used", answer.context_used},
            {"prompt_tokens_per_second", rate(out.prompt_tokens, out.prompt_seconds)},
            {"tokens_per_second", rate(written, out.answer_seconds)},
            {"seconds", rounded(out.prompt_seconds + out.answer_seconds, 1e4)}};
  if (wanted.experts) done["usage"] = usage_of(model_->session().experts());
  send(request.id, "done", std::move(done));
}

}  // namespace tessera::app
