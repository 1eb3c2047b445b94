// SPDX-License-Identifier: MIT
// Conversations as the API brings them, written out for a model.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/http/reasoning_split.h"
#include "core/infer/text_model.h"

namespace tessera {

struct ChatPrompt {
  std::string text;  ///< with special tokens spelled out
  std::vector<std::int32_t> ids;
  Thinking thinking = Thinking::Never;  ///< how the answer begins
  bool continues_last = false;          ///< it goes on with the last message
};

/// `messages`, `tools`, `add_generation_prompt`, `continue_final_message` and
/// `chat_template_kwargs` of a request; `sent` is the body as it came, whose objects templates
/// write out in their own order. What people wrote never becomes special tokens. Throws ApiError
/// naming the field that is wrong, for what the model's template refuses, and for tools where the
/// model has no template.
ChatPrompt chat_prompt(const nlohmann::json& body, const std::string& sent, const LoadedText& text);

}  // namespace tessera
