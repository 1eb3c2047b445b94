// SPDX-License-Identifier: MIT
// The answers of one request in the forms of the API, whole or in the chunks of a stream.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/http/api_request.h"
#include "core/http/exchange.h"
#include "core/http/reasoning_split.h"
#include "core/http/tool_calls.h"

namespace tessera {

class ApiAnswer {
 public:
  ApiAnswer(const ApiRequest& request, const ServedModel& model);

  /// Takes what came of one answer, and returns the chunks that a stream sends for it. Throws
  /// ApiError where the answer failed, or was ended from outside.
  std::vector<nlohmann::json> take(const AnswerEvent& event);
  /// All answers have ended.
  bool is_done() const { return open_ == 0; }

  /// All answers at once.
  nlohmann::json whole() const;
  /// The last chunk of a stream that asked for it.
  nlohmann::json usage_chunk() const;

 private:
  struct One {
    explicit One(const ApiRequest& request)
        : split(request.thinking), call_split(request.tools, request.functions) {}
    std::string text, reasoning;
    ReasoningSplit split;
    ToolCallSplit call_split;
    nlohmann::json calls = nlohmann::json::array();  ///< tools that it calls, as the API has them
    nlohmann::json logprobs;  ///< in the form of chat or of completions; null: none
    std::string finish_reason;
    std::int64_t prompt_tokens = 0, cached_tokens = 0, tokens = 0;
    std::size_t offset = 0;  ///< characters of the text before the next token
  };

  /// What came of an answer with some of its text.
  struct Piece {
    std::string reasoning, content;
    nlohmann::json calls = nlohmann::json::array();  ///< in the form of a stream

    bool is_empty() const { return reasoning.empty() && content.empty() && calls.empty(); }
  };

  nlohmann::json usage() const;
  nlohmann::json frame(const char* object) const;
  nlohmann::json chunk(std::size_t answer, const Piece& piece, nlohmann::json logprobs,
                       const nlohmann::json& finish_reason) const;
  Piece add_text(One& one, const std::string& text, bool is_end) const;
  nlohmann::json empty_logprobs() const;
  void add_logprobs(One& one, const TokenLogprobs& token, bool is_first,
                    nlohmann::json& list) const;
  nlohmann::json chat_entry(const TokenLogprobs& token) const;
  std::vector<nlohmann::json> begin(std::size_t answer, const ScheduledPrompt& prompt);
  std::vector<nlohmann::json> go_on(std::size_t answer, const TokenEvent& token);
  std::vector<nlohmann::json> finish(std::size_t answer, const ScheduledEnd& end);

  const ApiRequest& request_;
  const ServedModel& model_;
  std::string id_;
  std::int64_t created_;
  std::vector<One> answers_;
  std::size_t open_;
};

/// A token for clients: its characters, special tokens as they are spelled, and bytes that form no
/// character as "bytes:\xe2\x80".
std::string token_text(const Tokenizer& tokenizer, std::int32_t id);

}  // namespace tessera
