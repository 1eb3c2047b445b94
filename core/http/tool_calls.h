// SPDX-License-Identifier: MIT
// Calls of tools as the families of models write them: found in an answer while it comes, and as
// part of a grammar where an answer must have them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/grammar/grammar.h"

namespace tessera {

/// calls_begin (call_begin NAME before_arguments ARGUMENTS call_end)+ calls_end
struct ToolForm {
  std::string_view calls_begin, calls_end;
  std::string_view call_begin, before_arguments, call_end;
  std::string_view between;               ///< from one call to the next
  bool is_numbered = false;               ///< behind the name: ":" and the number of the call
  std::string_view before_name;           ///< what the id of a numbered call begins with
  std::vector<std::string_view> marks{};  ///< special tokens that these are made of
};

/// The form whose marks stand in a chat template: that of DeepSeek-V3 and R1, of DeepSeek-V3.1, or
/// of Kimi-K2; nullptr: none of them.
const ToolForm* tool_form_of(const std::string& chat_template);

struct ToolCall {
  std::string id;  ///< the model's own, where its form has one; else made up by whoever answers
  std::string name, arguments;  ///< the arguments are a JSON object, as the model wrote it
};

/// Takes calls out of an answer. A call is told once it is whole; one that is not whole, is no JSON
/// object, or is of a function that is not there stays text.
class ToolCallSplit {
 public:
  /// `form`: nullptr: there are no calls, and all is text.
  ToolCallSplit(const ToolForm* form, std::vector<std::string> names)
      : form_(form), names_(std::move(names)) {}

  struct Piece {
    std::string content;
    std::vector<ToolCall> calls;
  };
  /// Takes the next characters and returns what is known of them.
  Piece push(std::string_view text);
  /// What was held back, at the end of the answer.
  Piece finish();

 private:
  bool look(Piece& piece, bool is_end);
  bool look_in_calls(Piece& piece, bool is_end);
  bool take_call(Piece& piece);
  void give_up(Piece& piece, std::size_t bytes);

  const ToolForm* form_;
  std::vector<std::string> names_;
  bool in_calls_ = false;
  bool any_call_ = false;  ///< one was told since calls_begin
  bool is_text_ = false;   ///< calls_begin was told as text
  std::string held_;
};

/// A function that may be called: its name, the schema of its arguments, and where that stands.
struct ToolFunction {
  std::string name, path;
  nlohmann::ordered_json parameters;
};

/// Adds a rule for calls of the functions: one, or with `several` one or more. With `may_say` any
/// text may come before them, and instead of them. Throws Error as add_json_schema().
std::int32_t add_tool_calls(GrammarBuilder& builder, const ToolForm& form,
                            const std::vector<ToolFunction>& functions, bool several, bool may_say);

}  // namespace tessera
