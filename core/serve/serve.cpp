// SPDX-License-Identifier: MIT
#include "core/serve/serve.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "core/base/backend.h"
#include "core/base/error.h"
#include "core/base/nearest_word.h"
#include "core/base/processors.h"
#include "core/base/threads.h"
#include "core/serve/serve_fields.h"

namespace tessera {

using nlohmann::json;

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
  throw Error("messages",
              fmt::format("`role` is \"{}\", expected system, user or assistant", name));
}

std::vector<Message> messages_of(const json& list) {
  if (!list.is_array() || list.empty()) {
    throw Error("messages", "expected a list of one message or more",
                R"("messages": [{"role": "user", "text": "..."}])");
  }
  std::vector<Message> messages;
  for (const json& one : list) {
    ServeFields fields(one, "messages");
    messages.push_back({role_of(fields.text("role")), fields.text("text")});
    fields.nothing_else();
  }
  return messages;
}

/// What a request asks about: a conversation, or a text under another name (`prompt`, `text`).
bool has_messages(ServeFields& fields, const char* text) {
  const bool messages = fields.has("messages"), plain = fields.has(text);
  if (messages == plain) {
    throw Error("request", fmt::format("expected either `messages` or `{}`{}", text,
                                       plain ? ", and both are there" : ""));
  }
  return messages;
}

SamplingOptions sampling_of(const json& body) {
  ServeFields fields(body, "sampling");
  SamplingOptions sampling;
  sampling.temperature = fields.number("temperature", sampling.temperature);
  sampling.top_k = fields.whole("top_k", sampling.top_k, 0, ServeFields::kMost);
  sampling.top_p = fields.number("top_p", sampling.top_p);
  sampling.min_p = fields.number("min_p", sampling.min_p);
  sampling.repetition_penalty = fields.number("repetition_penalty", sampling.repetition_penalty);
  sampling.seed = static_cast<std::uint64_t>(fields.whole("seed", 0, 0, ServeFields::kMost));
  fields.nothing_else();
  sampling.validate();
  return sampling;
}

Device device_of(const std::string& name) {
  if (name == "cpu") return Device::Cpu;
  if (name == "cuda") return Device::Cuda;
  if (name == "auto") return devices().empty() ? Device::Cpu : Device::Cuda;
  throw Error("request", fmt::format("`device` is \"{}\", expected cpu, cuda or auto", name));
}

Recipe recipe_of(const std::string& name) {
  if (name == "fp32" || name == "bf16") return recipe_from_name(name);
  throw Error("request", fmt::format("`precision` is \"{}\", expected fp32 or bf16", name));
}

constexpr std::int64_t kMostThreads = 4096;

/// 0: all of the machine's.
void use_threads(std::int64_t threads) {
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

json vocabulary_info(const Tokenizer& tokenizer) {
  json info{{"size", tokenizer.vocab_size()}, {"hash", tokenizer.hash()}};
  if (!tokenizer.alterations().empty()) info["alters"] = tokenizer.alterations();
  return info;
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
  if (!silent_) sink_(fields);
}

void Server::send_error(const json& id, const std::string& what, const std::string& where,
                        const std::string& hint) {
  const std::lock_guard lock(sink_mutex_);
  if (silent_) return;
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

Server::Request Server::request_of(std::string_view line) {
  json body = parse_request(line);
  ServeFields fields(body);
  const std::int64_t id = fields.whole("id", 1);
  return {id, {}, std::move(body)};
}

void Server::receive(std::string_view line) {
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return;
  Request request;
  try {
    request = request_of(line);
    const std::lock_guard lock(mutex_);
    const auto is_its = [&](const Request& one) { return one.id == request.id; };
    if ((current_ && is_its(*current_)) || std::any_of(queue_.begin(), queue_.end(), is_its)) {
      throw Error(
          "request",
          fmt::format("`id` is {}, which a request has that still runs or waits", request.id),
          "count the ids up");
    }
  } catch (const Error& error) {
    return send_error(nullptr, error.what_failed(), error.where(), error.hint());
  }
  const std::int64_t id = request.id;
  guarded(id, [&] { accept(std::move(request)); });
}

void Server::refuse_long_line(std::size_t longest_bytes) {
  send_error(nullptr,
             fmt::format("a line is longer than {} bytes; it was passed over", longest_bytes),
             "request", "send a shorter one");
}

void Server::accept(Request request) {
  static const std::vector<std::string> kKinds{"load",     "generate", "cancel", "count",
                                               "tokenize", "unload",   "quit"};
  request.kind = ServeFields(request.body).text("do");
  if (std::find(kKinds.begin(), kKinds.end(), request.kind) == kKinds.end()) {
    const std::string near = nearest_word(request.kind, kKinds);
    throw Error("request", fmt::format("unknown request `{}`", request.kind),
                near.empty() ? fmt::format("expected one of {}", fmt::join(kKinds, ", "))
                             : fmt::format("did you mean `{}`?", near));
  }
  {
    const std::lock_guard lock(mutex_);
    const bool takes_turns =
        request.kind == "load" || request.kind == "generate" || request.kind == "unload";
    if (takes_turns || waits_for_model(request)) {
      queue_.push_back(std::move(request));
      wake_.notify_one();
      return;
    }
  }
  handle_at_once(request);
}

/// A question about a text that stands behind a `load` is meant for the model of that one.
bool Server::waits_for_model(const Request& request) const {
  if (request.kind != "count" && request.kind != "tokenize") return false;
  const auto changes_model = [](const Request& one) {
    return one.kind == "load" || one.kind == "unload";
  };
  return (current_ && changes_model(*current_)) ||
         std::any_of(queue_.begin(), queue_.end(), changes_model);
}

void Server::handle_at_once(const Request& request) {
  ServeFields fields(request.body);
  if (request.kind == "quit") {
    fields.nothing_else();
    send(request.id, "ok");
    close();
  } else if (request.kind == "cancel") {
    const std::int64_t target = fields.whole("request", 1);
    fields.nothing_else();
    cancel(target);
    send(request.id, "ok");
  } else {
    count(request);
  }
}

/// Tells the client that an accepted request will not be done.
void Server::give_up(const Request& request) {
  if (request.kind == "generate") {
    return send(request.id, "done", {{"reason", "cancelled"}, {"tokens", 0}, {"text", ""}});
  }
  send_error(request.id, fmt::format("`{}` was given up: the program ends", request.kind), "serve",
             "");
}

void Server::cancel(std::int64_t target) {
  std::unique_lock lock(mutex_);
  if (current_ && current_->id == target) cancelled_ = target;
  const auto waiting = std::find_if(queue_.begin(), queue_.end(),
                                    [&](const Request& one) { return one.id == target; });
  if (waiting == queue_.end()) return;
  if (waiting->kind != "generate") {
    throw Error("request",
                fmt::format("request {} is a `{}`, and only a `generate` can be cancelled", target,
                            waiting->kind));
  }
  const Request given_up = std::move(*waiting);
  queue_.erase(waiting);
  lock.unlock();
  give_up(given_up);
}

Server::Words Server::words() const {
  const std::lock_guard lock(mutex_);
  if (!words_.tokenizer) throw Error("serve", "no model is loaded", "send `load` first");
  return words_;
}

void Server::count(const Request& request) {
  const Words use = words();
  ServeFields fields(request.body);
  const bool conversation = has_messages(fields, "text");
  const std::string text = conversation ? "" : fields.text("text");
  const json& messages = fields.object("messages");
  fields.nothing_else();
  const std::vector<std::int32_t> ids =
      conversation ? encode_conversation(*use.tokenizer, use.knows_chat, messages_of(messages),
                                         use.chat_template.get())
                   : use.tokenizer->encode(text);
  if (request.kind == "count") return send(request.id, "counted", {{"tokens", ids.size()}});
  json tokens = json::array(), special = json::array();
  for (const std::int32_t id : ids) {
    if (use.tokenizer->is_special(id)) special.push_back(tokens.size());
    tokens.push_back({id, use.tokenizer->display(id)});
  }
  send(request.id, "tokens", {{"tokens", std::move(tokens)}, {"special", std::move(special)}});
}

void Server::finish() {
  const std::lock_guard lock(mutex_);
  finishing_ = true;
  wake_.notify_one();
}

void Server::drop() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.notify_one();
}

void Server::close() {
  std::deque<Request> waiting;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting.swap(queue_);
    wake_.notify_one();
  }
  for (const Request& request : waiting) give_up(request);
}

void Server::abandon() {
  std::optional<Request> request;
  {
    const std::lock_guard lock(mutex_);
    request = current_;
  }
  if (request) give_up(*request);
  const std::lock_guard lock(sink_mutex_);
  silent_ = true;
}

// ---- The worker's side --------------------------------------------------------------------------

std::optional<Server::Request> Server::next() {
  std::unique_lock lock(mutex_);
  current_.reset();
  wake_.wait(lock, [&] { return closed_ || finishing_ || !queue_.empty(); });
  if (closed_ || queue_.empty()) return {};
  current_ = std::move(queue_.front());
  queue_.pop_front();
  cancelled_ = -1;
  return current_;
}

void Server::set_words(Words words) {
  const std::lock_guard lock(mutex_);
  words_ = std::move(words);
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
  if (request.kind != "unload") return count(request);
  ServeFields fields(request.body);
  fields.nothing_else();
  set_words({});
  model_.reset();
  send(request.id, "unloaded");
}

void Server::load(const Request& request) {
  ServeFields fields(request.body);
  const std::string path = fields.text("path");
  TextModelOptions options;
  options.weights = weight_form_from_name(fields.text("weights", ""));
  options.device = device_of(fields.text("device", "auto"));
  const std::string usual(name_of(reading_recipe("", options.device)));
  options.recipe = recipe_of(fields.text("precision", usual));
  if (fields.has("context")) options.context = fields.whole("context", 1);
  // A look for a cancel comes between: a CPU reads some hundred tokens a second.
  if (options.device == Device::Cpu) options.chunk_tokens = 128;
  const std::int64_t threads = fields.whole("threads", 0, 0, kMostThreads);
  fields.nothing_else();
  check_model_path(path);  // a slip of the pen costs nobody the model that is loaded

  use_threads(threads);
  const auto start = std::chrono::steady_clock::now();
  set_words({});
  model_.reset();  // both would need memory at once
  model_ = std::make_unique<TextModel>(TextModel::load(path, options));
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  set_words({model_->tokenizer(), model_->knows_chat(), model_->chat_template()});
  const Session& session = model_->session();
  send(request.id, "loaded",
       {{"folder", model_->folder().string()},
        {"step", model_->step()},
        {"model", model_info(*model_, session.experts().layers())},
        {"context", session.context()},
        {"vocabulary", vocabulary_info(*model_->tokenizer())},
        {"chat", model_->knows_chat()},
        {"device", model_->model().device() == Device::Cuda ? "cuda" : "cpu"},
        {"threads", omp_get_max_threads()},
        {"weights", model_->model().precision().weight_name()},
        {"weight_bytes", model_->model().weight_bytes()},
        {"seconds", rounded(took.count(), 1e3)}});
}

json Server::token_event(const SessionToken& token) const {
  const Tokenizer& tokenizer = *model_->tokenizer();
  const std::int32_t id = token.choice.chosen.id;
  json event{{"token", id},
             {"text", token.text},
             {"p", rounded(token.choice.chosen.probability, kProbabilityDigits)}};
  if (std::string shown = tokenizer.display(id); shown != token.text) {
    event["shown"] = std::move(shown);
  }
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
/// A request to generate; the fields of its object that concern no single answer are left to
/// others.
SessionRequest session_request(ServeFields& fields, const TextModel& model) {
  const Tokenizer& tokenizer = *model.tokenizer();
  SessionRequest request;
  const bool conversation = has_messages(fields, "prompt");
  request.prompt = conversation ? encode_conversation(tokenizer, model.knows_chat(),
                                                      messages_of(fields.object("messages")),
                                                      model.chat_template().get())
                                : encode_prompt(tokenizer, fields.text("prompt"));
  request.prefix = fields.ids("prefix");
  for (const std::int32_t id : request.prefix) tokenizer.bytes_of(id);  // throws for a wrong id
  request.stop_texts = fields.texts("stop");
  request.experts = fields.boolean("experts", false);
  GenerateOptions& options = request.generate;
  options.sampling = sampling_of(fields.object("sampling"));
  options.max_tokens =
      fields.whole("max_tokens", options.max_tokens, -ServeFields::kMost, ServeFields::kMost);
  options.validate();
  options.alternatives =
      static_cast<std::size_t>(fields.whole("alternatives", 0, 0, ServeFields::kMost));
  return request;
}

/// Characters of the prompt that the vocabulary cannot spell: the model reads them all as one
/// token.
std::int64_t unknown_tokens(const SessionRequest& request, const Tokenizer& tokenizer) {
  return std::count(request.prompt.begin(), request.prompt.end(), tokenizer.specials().unknown);
}
}  // namespace

void Server::generate(const Request& request) {
  if (!model_) throw Error("generate", "no model is loaded", "send `load` first");
  ServeFields fields(request.body);
  const SessionRequest wanted = session_request(fields, *model_);
  const bool sets_threads = fields.has("threads");
  const std::int64_t threads = fields.whole("threads", 0, 0, kMostThreads);
  fields.nothing_else();
  if (sets_threads) use_threads(threads);
  const auto goes_on = [&] { return cancelled_ != request.id && !closed_; };
  SessionHooks hooks;
  hooks.on_start = [&](const SessionAnswer& answer) {
    json started{{"prompt_tokens", answer.prompt_tokens},
                 {"reused_tokens", answer.reused_tokens},
                 {"prefix_text", answer.prefix_text}};
    const std::int64_t unknown = unknown_tokens(wanted, *model_->tokenizer());
    if (unknown > 0) started["unknown_tokens"] = unknown;
    send(request.id, "started", std::move(started));
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

}  // namespace tessera
