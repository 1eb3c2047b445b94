// SPDX-License-Identifier: MIT
#include "core/http/api_error.h"

#include "core/base/error.h"

namespace tessera {

using nlohmann::json;

json ApiError::body() const {
  const auto or_null = [](const std::string& text) { return text.empty() ? json() : json(text); };
  json error{
      {"message", message}, {"type", type}, {"param", or_null(param)}, {"code", or_null(code)}};
  error.update(more);
  return {{"error", std::move(error)}};
}

ApiError wrong_request(std::string message, std::string param) {
  ApiError error(400, "invalid_request_error", std::move(message));
  error.param = std::move(param);
  return error;
}

ApiError too_long(std::int64_t prompt_tokens, std::int64_t context) {
  ApiError error(
      400, "exceed_context_size_error",
      fmt::format("the prompt has {} tokens, and the context has room for {} with the answer",
                  prompt_tokens, context));
  error.code = "context_length_exceeded";
  error.more = {{"n_prompt_tokens", prompt_tokens}, {"n_ctx", context}};
  return error;
}

ApiError failure_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const ApiError& error) {
    return error;
  } catch (const Error& error) {
    return {500, "server_error", error.what()};
  } catch (const std::exception& error) {
    return {500, "server_error", error.what()};
  }
}

}  // namespace tessera
