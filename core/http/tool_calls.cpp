// SPDX-License-Identifier: MIT
#include "core/http/tool_calls.h"

#include <algorithm>
#include <utility>

#include "core/grammar/json_schema.h"
#include "core/http/begun_mark.h"

namespace tessera {

using nlohmann::json;

namespace {
/// DeepSeek-V3 and R1: chat_template of their tokenizer_config.json.
const ToolForm kV3{.calls_begin = "<｜tool▁calls▁begin｜>",
                   .calls_end = "<｜tool▁calls▁end｜>",
                   .call_begin = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>",
                   .before_arguments = "\n```json\n",
                   .call_end = "\n```<｜tool▁call▁end｜>",
                   .between = "\n",
                   .is_numbered = false,
                   .before_name = "",
                   .marks = {"<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>",
                             "<｜tool▁call▁begin｜>", "<｜tool▁call▁end｜>", "<｜tool▁sep｜>"}};
const ToolForm kV31{.calls_begin = kV3.calls_begin,
                    .calls_end = kV3.calls_end,
                    .call_begin = "<｜tool▁call▁begin｜>",
                    .before_arguments = "<｜tool▁sep｜>",
                    .call_end = "<｜tool▁call▁end｜>",
                    .between = "",
                    .is_numbered = false,
                    .before_name = "",
                    .marks = kV3.marks};
const ToolForm kKimi{
    .calls_begin = "<|tool_calls_section_begin|>",
    .calls_end = "<|tool_calls_section_end|>",
    .call_begin = "<|tool_call_begin|>functions.",
    .before_arguments = "<|tool_call_argument_begin|>",
    .call_end = "<|tool_call_end|>",
    .between = "",
    .is_numbered = true,
    .before_name = "functions.",
    .marks = {"<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>",
              "<|tool_call_argument_begin|>", "<|tool_call_end|>"}};

std::string trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(kBlanks), text.size());
  const std::size_t end = text.find_last_not_of(kBlanks);
  return begin == text.size() ? "" : std::string(text.substr(begin, end + 1 - begin));
}
}  // namespace

const ToolForm* tool_form_of(const std::string& chat_template) {
  const auto has = [&](std::string_view text) {
    return chat_template.find(text) != std::string::npos;
  };
  if (has(kKimi.calls_begin)) return &kKimi;
  if (!has(kV3.calls_begin)) return nullptr;
  return has("```json") ? &kV3 : &kV31;
}

ToolCallSplit::Piece ToolCallSplit::push(std::string_view text) {
  Piece piece;
  held_ += text;
  while (look(piece, false)) {
  }
  return piece;
}

ToolCallSplit::Piece ToolCallSplit::finish() {
  Piece piece;
  while (look(piece, true)) {
  }
  return piece;
}

/// Takes what is known of what is held. Returns whether to look again.
bool ToolCallSplit::look(Piece& piece, bool is_end) {
  if (in_calls_) return look_in_calls(piece, is_end);
  const std::size_t begin = form_ ? held_.find(form_->calls_begin) : std::string::npos;
  const std::size_t kept = begin != std::string::npos ? begin
                           : form_ && !is_end ? held_.size() - begun(held_, form_->calls_begin)
                                              : held_.size();
  piece.content += held_.substr(0, kept);
  held_.erase(0, kept);
  if (begin == std::string::npos) return false;
  held_.erase(0, form_->calls_begin.size());
  in_calls_ = true;
  any_call_ = is_text_ = false;
  return true;
}

bool ToolCallSplit::look_in_calls(Piece& piece, bool is_end) {
  const std::size_t blanks = std::min(held_.find_first_not_of(kBlanks), held_.size());
  const std::string_view text = std::string_view(held_).substr(blanks);
  if (text.starts_with(form_->calls_end) && (any_call_ || is_text_)) {
    const std::size_t bytes = blanks + form_->calls_end.size();
    if (is_text_) piece.content += held_.substr(0, bytes);
    held_.erase(0, bytes);
    in_calls_ = false;
    return true;
  }
  if (text.starts_with(form_->call_begin) && text.find(form_->call_end) != std::string_view::npos) {
    held_.erase(0, blanks);
    return take_call(piece);
  }
  const bool may_come = text.starts_with(form_->call_begin) ||
                        form_->call_begin.starts_with(text) || form_->calls_end.starts_with(text);
  if (!is_end && may_come) return false;
  // The model may end its answer behind a call without the mark.
  if (is_end && text.empty() && any_call_ && !is_text_) {
    held_.clear();
    return false;
  }
  give_up(piece, 0);
  return true;
}

/// The call that begins what is held. Returns true: there is more to look at.
bool ToolCallSplit::take_call(Piece& piece) {
  const std::size_t end = held_.find(form_->call_end), begin = form_->call_begin.size();
  const std::size_t whole = end + form_->call_end.size();
  const std::string_view inside = std::string_view(held_).substr(begin, end - begin);
  const std::size_t border = inside.find(form_->before_arguments);
  ToolCall call;
  if (border != std::string_view::npos) {
    call.name = trimmed(inside.substr(0, border));
    call.arguments = trimmed(inside.substr(border + form_->before_arguments.size()));
    if (form_->is_numbered) {
      call.id = std::string(form_->before_name) + call.name;
      call.name.resize(std::min(call.name.rfind(':'), call.name.size()));
    }
  }
  const bool is_known = std::find(names_.begin(), names_.end(), call.name) != names_.end();
  if (!is_known || !json::parse(call.arguments, nullptr, false).is_object()) {
    give_up(piece, whole);
    return true;
  }
  held_.erase(0, whole);
  any_call_ = true;
  piece.calls.push_back(std::move(call));
  return true;
}

/// What is held stays text: `bytes` of it, or where that is 0 all that follows.
void ToolCallSplit::give_up(Piece& piece, std::size_t bytes) {
  if (!any_call_ && !is_text_) {
    piece.content += form_->calls_begin;
    is_text_ = true;
  }
  if (bytes == 0) in_calls_ = false;
  piece.content += held_.substr(0, bytes);
  held_.erase(0, bytes);
}

std::int32_t add_tool_calls(GrammarBuilder& builder, const ToolForm& form,
                            const std::vector<ToolFunction>& functions, bool several,
                            bool may_say) {
  GrammarBuilder& b = builder;
  const std::int32_t call = b.rule("call of a tool");
  for (const ToolFunction& function : functions) {
    std::int32_t at = b.text(b.text(b.begin_of(call), form.call_begin), function.name);
    if (form.is_numbered) {
      const std::int32_t digit = b.state();
      b.bytes(b.text(at, ":"), '0', '9', digit);
      at = b.state();
      b.empty(digit, at);
      b.bytes(digit, '0', '9', at);
    }
    at = b.call(b.text(at, form.before_arguments),
                add_json_schema(b, function.parameters, function.path));
    b.empty(b.text(at, form.call_end), b.end_of(call));
  }
  const std::int32_t rule = b.rule("calls of tools"), begin = b.begin_of(rule);
  const std::int32_t end = b.end_of(rule);
  const std::int32_t calls =
      may_say ? b.text_through(begin, form.calls_begin, end) : b.text(begin, form.calls_begin);
  const std::int32_t behind = b.call(calls, call);
  if (several) b.call(b.text(behind, form.between), call, behind);
  b.empty(b.text(behind, form.calls_end), end);
  return rule;
}

}  // namespace tessera
