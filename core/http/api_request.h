// SPDX-License-Identifier: MIT
// Requests for chat and for completions, read into what the scheduler takes.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/http/reasoning_split.h"
#include "core/http/tool_calls.h"
#include "core/infer/scheduler.h"
#include "core/infer/text_model.h"

namespace tessera {

class AnswerFormats;

/// The model that a server speaks for.
struct ServedModel {
  const LoadedText* text = nullptr;
  std::string name;          ///< as clients call it
  std::int64_t created = 0;  ///< seconds since 1970
  std::int64_t context = 0;  ///< most tokens of one conversation
  std::shared_ptr<AnswerFormats> formats{};
};

/// One request for answers: for every prompt `choices` of them.
struct ApiRequest {
  bool chat = false;
  bool stream = false, include_usage = false, continuous_usage = false;
  bool echo = false;                     ///< the prompt comes before the answer
  Thinking thinking = Thinking::Never;   ///< what a chat asks for
  const ToolForm* tools = nullptr;       ///< how calls are read out of an answer; null: not at all
  std::vector<std::string> functions{};  ///< that may be called
  std::int64_t choices = 1;
  std::vector<std::vector<std::int32_t>> prompts;
  /// What all have in common; the prompt and the seed are filled in for each.
  ScheduledRequest form;
  std::uint64_t seed = 0;

  std::size_t answers() const { return prompts.size() * static_cast<std::size_t>(choices); }
  /// That of one answer, counted through the prompts: with the seed that the client gave, the first
  /// choice says what it says alone.
  ScheduledRequest of(std::size_t answer) const;
};

/// `text` is the body as it came. Both throw ApiError that names the field which is wrong.
ApiRequest chat_request(const nlohmann::json& body, const std::string& text,
                        const ServedModel& model);
ApiRequest completion_request(const nlohmann::json& body, const std::string& text,
                              const ServedModel& model);

/// Throws ApiError where the request is for another model; one that names none is for this one.
void check_model_name(const nlohmann::json& body, const ServedModel& model);

/// Ids of a prompt: a text, ids, or a list of both in turn. Texts at its begin get BOS where the
/// vocabulary begins texts with it and `with_bos` says so.
std::vector<std::int32_t> prompt_ids(const nlohmann::json& prompt, const Tokenizer& tokenizer,
                                     bool with_bos);

}  // namespace tessera
