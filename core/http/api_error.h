// SPDX-License-Identifier: MIT
// What went wrong with a request, as clients of the API read it.
#pragma once

#include <exception>
#include <nlohmann/json.hpp>
#include <string>

namespace tessera {

/// Thrown while a request is handled; becomes its answer.
struct ApiError : std::exception {
  int status = 400;
  std::string type, message;
  std::string param;                               ///< the field that is wrong; empty: none
  std::string code;                                ///< a word for programs; empty: none
  nlohmann::json more = nlohmann::json::object();  ///< further members of the error object

  ApiError(int http_status, std::string error_type, std::string text)
      : status(http_status), type(std::move(error_type)), message(std::move(text)) {}
  const char* what() const noexcept override { return message.c_str(); }

  /// {"error": {message, type, param, code, ...}}
  nlohmann::json body() const;
};

/// 400: the request itself is wrong. `param` is the field.
ApiError wrong_request(std::string message, std::string param = {});
/// 400, with both counts for programs that shorten a conversation.
ApiError too_long(std::int64_t prompt_tokens, std::int64_t context);
/// What an exception of the engine means for whoever asked: an Error of a request is 400, anything
/// else is 500.
ApiError failure_of(const std::exception_ptr& failure);

}  // namespace tessera
