// SPDX-License-Identifier: MIT
// Tools that a request brings, and whether the answer must, may or must not call them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "core/http/api_request.h"

namespace tessera {

/// Throws ApiError where `tools` or `tool_choice` are none: before a template reads them.
void check_tools(const nlohmann::json& body, const std::string& text);

/// Reads `tools`, `tool_choice` and `parallel_tool_calls` of a chat into the request, whose
/// thinking and constraint are known. `text`: the body as it came. Throws ApiError naming the field
/// that is wrong or cannot be obeyed.
void add_tools(ApiRequest& request, const nlohmann::json& body, const std::string& text,
               const ServedModel& model, bool continues_last);

}  // namespace tessera
