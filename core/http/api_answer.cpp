// SPDX-License-Identifier: MIT
#include "core/http/api_answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <random>
#include <utility>

#include "core/http/api_error.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

using nlohmann::json;

namespace {
std::string new_id(const char* kind) {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  return fmt::format("{}-{:016x}{:08x}", kind, random(), static_cast<std::uint32_t>(random()));
}

/// JSON has no infinities: a token that the model excludes.
double finite(float logprob) {
  constexpr double kLeast = -9999.0;
  return std::isfinite(logprob) ? static_cast<double>(logprob) : kLeast;
}

std::string_view bytes_for_clients(const Tokenizer& tokenizer, std::int32_t id) {
  return tokenizer.is_special(id) ? tokenizer.piece(id) : tokenizer.bytes_of(id);
}

json bytes_list(std::string_view bytes) {
  json list = json::array();
  for (const char byte : bytes) list.push_back(static_cast<unsigned char>(byte));
  return list;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) at += utf8::next(text, at).bytes;
  return count;
}

const char* finish_reason_of(StopReason reason) {
  return reason == StopReason::Stop ? "stop" : "length";
}
}  // namespace

std::string token_text(const Tokenizer& tokenizer, std::int32_t id) {
  const std::string_view bytes = bytes_for_clients(tokenizer, id);
  if (utf8::is_valid(bytes)) return std::string(bytes);
  std::string text = "bytes:";
  for (const char byte : bytes) {
    text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
  }
  return text;
}

ApiAnswer::ApiAnswer(const ApiRequest& request, const ServedModel& model)
    : request_(request),
      model_(model),
      id_(new_id(request.chat ? "chatcmpl" : "cmpl")),
      created_(std::chrono::duration_cast<std::chrono::seconds>(
                   std::chrono::system_clock::now().time_since_epoch())
                   .count()),
      answers_(request.answers(), One(request)),
      open_(answers_.size()) {
  if (request.form.logprobs < 0) return;
  for (One& one : answers_) one.logprobs = empty_logprobs();
}

json ApiAnswer::empty_logprobs() const {
  if (request_.form.logprobs < 0) return nullptr;
  if (request_.chat) return {{"content", json::array()}};
  return {{"tokens", json::array()},
          {"token_logprobs", json::array()},
          {"top_logprobs", json::array()},
          {"text_offset", json::array()}};
}

json ApiAnswer::chat_entry(const TokenLogprobs& token) const {
  const Tokenizer& tokenizer = *model_.text->tokenizer;
  const auto entry = [&](std::int32_t id, float logprob) {
    return json{{"token", token_text(tokenizer, id)},
                {"logprob", finite(logprob)},
                {"bytes", bytes_list(bytes_for_clients(tokenizer, id))}};
  };
  json made = entry(token.id, token.logprob);
  json& top = made["top_logprobs"] = json::array();
  for (const auto& [id, logprob] : token.best) top.push_back(entry(id, logprob));
  return made;
}

/// Adds a token to the list of the answer or of a chunk. The first token of a prompt has no
/// probability: nothing stands before it.
void ApiAnswer::add_logprobs(One& one, const TokenLogprobs& token, bool is_first,
                             json& list) const {
  if (request_.chat) {
    list["content"].push_back(chat_entry(token));
    return;
  }
  const Tokenizer& tokenizer = *model_.text->tokenizer;
  const std::string text = token_text(tokenizer, token.id);
  list["tokens"].push_back(text);
  list["text_offset"].push_back(one.offset);
  one.offset += count_characters(tokenizer.bytes_of(token.id));
  if (is_first) {
    list["token_logprobs"].push_back(nullptr);
    list["top_logprobs"].push_back(nullptr);
    return;
  }
  list["token_logprobs"].push_back(finite(token.logprob));
  json top = json::object();
  for (const auto& [id, logprob] : token.best) {
    // The likeliest of two that are spelled alike.
    const std::string name = token_text(tokenizer, id);
    if (!top.contains(name)) top[name] = finite(logprob);
  }
  if (!top.contains(text)) top[text] = finite(token.logprob);
  list["top_logprobs"].push_back(std::move(top));
}

json ApiAnswer::frame(const char* object) const {
  return {{"id", id_},
          {"object", object},
          {"created", created_},
          {"model", model_.name},
          {"system_fingerprint", "tessera-" TESSERA_VERSION}};
}

json ApiAnswer::usage() const {
  std::int64_t prompt = 0, cached = 0, written = 0;
  for (std::size_t answer = 0; answer < answers_.size(); ++answer) {
    const One& one = answers_[answer];
    written += one.tokens;
    // Choices of one prompt read it once.
    if (answer % static_cast<std::size_t>(request_.choices) != 0) continue;
    prompt += one.prompt_tokens;
    cached += one.cached_tokens;
  }
  return {{"prompt_tokens", prompt},
          {"completion_tokens", written},
          {"total_tokens", prompt + written},
          {"prompt_tokens_details", {{"cached_tokens", cached}}}};
}

json ApiAnswer::chunk(std::size_t answer, const Piece& piece, json logprobs,
                      const json& finish_reason) const {
  json made = frame(request_.chat ? "chat.completion.chunk" : "text_completion");
  json choice{
      {"index", answer}, {"logprobs", std::move(logprobs)}, {"finish_reason", finish_reason}};
  if (request_.chat) {
    json& delta = choice["delta"] = json::object();
    if (!piece.reasoning.empty()) delta["reasoning_content"] = piece.reasoning;
    if (!piece.content.empty()) delta["content"] = piece.content;
    if (!piece.calls.empty()) delta["tool_calls"] = piece.calls;
  } else {
    choice["text"] = piece.content;
  }
  made["choices"] = json::array({std::move(choice)});
  if (request_.continuous_usage) {
    made["usage"] = usage();
  } else if (request_.include_usage) {
    made["usage"] = nullptr;
  }
  return made;
}

/// Adds to the answer, and returns what a stream says of it.
ApiAnswer::Piece ApiAnswer::add_text(One& one, const std::string& text, bool is_end) const {
  ReasoningSplit::Piece sides = one.split.push(text);
  if (is_end) {
    const ReasoningSplit::Piece rest = one.split.finish();
    sides.reasoning += rest.reasoning;
    sides.content += rest.content;
  }
  ToolCallSplit::Piece said = one.call_split.push(sides.content);
  if (is_end) {
    ToolCallSplit::Piece rest = one.call_split.finish();
    said.content += rest.content;
    std::move(rest.calls.begin(), rest.calls.end(), std::back_inserter(said.calls));
  }
  Piece piece{sides.reasoning, said.content};
  for (const ToolCall& call : said.calls) {
    const std::string id = call.id.empty() ? new_id("call") : call.id;
    json made{{"id", id},
              {"type", "function"},
              {"function", {{"name", call.name}, {"arguments", call.arguments}}}};
    one.calls.push_back(made);
    made["index"] = one.calls.size() - 1;
    piece.calls.push_back(std::move(made));
  }
  one.reasoning += piece.reasoning;
  one.text += piece.content;
  return piece;
}

std::vector<json> ApiAnswer::take(const AnswerEvent& event) {
  if (const auto* prompt = std::get_if<ScheduledPrompt>(&event.what)) {
    return begin(event.answer, *prompt);
  }
  if (const auto* token = std::get_if<TokenEvent>(&event.what)) return go_on(event.answer, *token);
  return finish(event.answer, std::get<ScheduledEnd>(event.what));
}

std::vector<json> ApiAnswer::begin(std::size_t answer, const ScheduledPrompt& prompt) {
  One& one = answers_[answer];
  one.prompt_tokens = prompt.tokens;
  one.cached_tokens = prompt.reused;
  if (request_.chat) {
    json first = chunk(answer, {}, nullptr, nullptr);
    first["choices"][0]["delta"] = {{"role", "assistant"}, {"content", nullptr}};
    return {std::move(first)};
  }
  if (!request_.echo) return {};
  const auto& ids = request_.prompts[answer / static_cast<std::size_t>(request_.choices)];
  const std::string text = utf8::replace_invalid(model_.text->tokenizer->decode(ids));
  one.text += text;
  json logprobs = empty_logprobs();
  bool is_first = true;
  for (const TokenLogprobs& token : prompt.logprobs) {
    if (!request_.stream) {
      add_logprobs(one, token, is_first, one.logprobs);
    } else {
      add_logprobs(one, token, is_first, logprobs);
    }
    is_first = false;
  }
  return {chunk(answer, {.reasoning = {}, .content = text}, std::move(logprobs), nullptr)};
}

std::vector<json> ApiAnswer::go_on(std::size_t answer, const TokenEvent& token) {
  One& one = answers_[answer];
  ++one.tokens;
  const Piece piece = add_text(one, token.text, false);
  json logprobs = empty_logprobs();
  if (token.logprobs) {
    add_logprobs(one, *token.logprobs, false, request_.stream ? logprobs : one.logprobs);
  }
  if (piece.is_empty() && !token.logprobs) return {};
  return {chunk(answer, piece, std::move(logprobs), nullptr)};
}

std::vector<json> ApiAnswer::finish(std::size_t answer, const ScheduledEnd& end) {
  if (end.failure) throw failure_of(end.failure);
  if (end.reason == StopReason::Cancelled) {
    throw ApiError(503, "unavailable_error", "the server ends, and gave this answer up");
  }
  One& one = answers_[answer];
  --open_;
  const Piece piece = add_text(one, end.text, true);
  one.finish_reason = finish_reason_of(end.reason);
  if (end.reason == StopReason::Stop && !one.calls.empty()) one.finish_reason = "tool_calls";
  std::vector<json> chunks;
  if (!piece.is_empty()) {
    chunks.push_back(chunk(answer, piece, nullptr, nullptr));
  }
  chunks.push_back(chunk(answer, {}, nullptr, one.finish_reason));
  return chunks;
}

json ApiAnswer::whole() const {
  json made = frame(request_.chat ? "chat.completion" : "text_completion");
  json& choices = made["choices"] = json::array();
  for (std::size_t answer = 0; answer < answers_.size(); ++answer) {
    const One& one = answers_[answer];
    json choice{
        {"index", answer}, {"logprobs", one.logprobs}, {"finish_reason", one.finish_reason}};
    if (request_.chat) {
      choice["message"] = {{"role", "assistant"}, {"content", one.text}};
      if (!one.calls.empty()) {
        choice["message"]["tool_calls"] = one.calls;
        if (one.text.empty()) choice["message"]["content"] = nullptr;
      }
      if (!one.reasoning.empty()) choice["message"]["reasoning_content"] = one.reasoning;
    } else {
      choice["text"] = one.text;
    }
    choices.push_back(std::move(choice));
  }
  made["usage"] = usage();
  return made;
}

json ApiAnswer::usage_chunk() const {
  json made = frame(request_.chat ? "chat.completion.chunk" : "text_completion");
  made["choices"] = json::array();
  made["usage"] = usage();
  return made;
}

}  // namespace tessera
