// SPDX-License-Identifier: MIT
#include "core/http/chat_prompt.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/http/api_error.h"
#include "core/http/api_fields.h"

namespace tessera {

using nlohmann::json;
using Ordered = ChatTemplate::Json;

namespace {
/// A text, or a list of parts that are texts. Null is allowed where a message has tool calls.
std::string content_of(const json& message, const std::string& where) {
  const auto content = message.find("content");
  const bool absent = content == message.end() || content->is_null();
  if (absent && message.contains("tool_calls")) return {};
  if (absent)
    throw wrong_request(fmt::format("`{}content` is not there", where), where + "content");
  if (content->is_string()) return content->get<std::string>();
  const auto refuse = [&](const std::string& what) {
    throw wrong_request(
        fmt::format("`{}content` {}, expected a string or a list of {{\"type\": \"text\", "
                    "\"text\": \"...\"}}; this model reads text alone",
                    where, what),
        where + "content");
  };
  if (!content->is_array()) refuse("is " + describe_json(*content));
  std::string text;
  for (const json& part : *content) {
    const bool is_text = part.is_object() && part.value("type", json()) == "text" &&
                         part.contains("text") && part["text"].is_string();
    if (!is_text) refuse("has a part that is no text");
    text += part["text"].get<std::string>();
  }
  return text;
}

/// One message as templates of the family read them; `sent` is the same in the order it came in.
Ordered message_of(const json& message, const Ordered& sent, const std::string& where) {
  if (!message.is_object()) {
    throw wrong_request(fmt::format("`{}` is {}, expected an object with `role` and `content`",
                                    where, describe_json(message)),
                        where);
  }
  const std::string inside = where + ".";
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string()) {
    throw wrong_request(fmt::format("`{}role` is {}, expected a string", inside,
                                    role == message.end() ? "not there" : describe_json(*role)),
                        inside + "role");
  }
  static const std::vector<std::string> kRoles{"system", "developer", "user", "assistant", "tool"};
  if (std::find(kRoles.begin(), kRoles.end(), role->get<std::string>()) == kRoles.end()) {
    throw wrong_request(fmt::format("`{}role` is {}, expected one of {}", inside, role->dump(),
                                    fmt::join(kRoles, ", ")),
                        inside + "role");
  }
  Ordered made{{"role", *role == "developer" ? "system" : role->get<std::string>()},
               {"content", content_of(message, inside)}};
  for (const char* key : {"name", "tool_calls", "tool_call_id", "reasoning_content"}) {
    if (message.contains(key) && !message[key].is_null()) made[key] = sent[key];
  }
  const auto reasoning = message.find("reasoning");
  if (reasoning != message.end() && reasoning->is_string() && !made.contains("reasoning_content")) {
    made["reasoning_content"] = Ordered(*reasoning);
  }
  return made;
}

Ordered messages_in(const json& body, const Ordered& sent) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty()) {
    throw wrong_request(fmt::format("`messages` is {}, expected a list of one message or more",
                                    messages == body.end() ? "not there"
                                    : messages->is_array() ? "empty"
                                                           : describe_json(*messages)),
                        "messages");
  }
  Ordered made = Ordered::array();
  for (const json& message : *messages) {
    const std::size_t at = made.size();
    made.push_back(message_of(message, sent["messages"][at], fmt::format("messages[{}]", at)));
  }
  return made;
}

/// How the conversation is to end.
struct Ending {
  bool begins_answer = true;    ///< with the begin of a new turn of the assistant
  bool continues_last = false;  ///< within the last message, which is the assistant's
};

Ending ending_of(const json& body, const Ordered& messages) {
  const ApiFields fields(body);
  Ending ending;
  const json& last = body["messages"].back();
  const bool is_prefix = last.value("prefix", json()) == true;
  ending.continues_last = fields.boolean("continue_final_message", is_prefix);
  ending.begins_answer = fields.boolean("add_generation_prompt", !ending.continues_last);
  if (ending.continues_last && ending.begins_answer) {
    throw wrong_request(
        "`continue_final_message` and `add_generation_prompt` are both true: an answer either goes "
        "on with the last message or begins a new one",
        "continue_final_message");
  }
  if (ending.continues_last && messages.back()["role"] != "assistant") {
    throw wrong_request(
        "`continue_final_message` is true, and the last message is not the "
        "assistant's",
        "continue_final_message");
  }
  return ending;
}

/// The tools that the model is to hear of, as they were sent; null: none.
Ordered tools_in(const json& body, const Ordered& sent) {
  const ApiFields fields(body);
  const json* tools = fields.find("tools");
  if (!tools) return nullptr;
  if (!tools->is_array()) fields.refuse("tools", "a list");
  if (tools->empty() || body.value("tool_choice", json()) == "none") return nullptr;
  return sent["tools"];
}

/// With the model's own template.
MarkedText by_template(const json& body, const Ordered& sent, const LoadedText& text,
                       const Ordered& messages, const Ending& ending) {
  Ordered own{
      {"add_generation_prompt", ending.begins_answer}, {"tools", nullptr}, {"documents", nullptr}};
  const SpecialTokens& s = text.tokenizer->specials();
  const std::pair<const char*, std::int32_t> roles[] = {
      {"bos_token", s.bos}, {"eos_token", s.eos}, {"pad_token", s.pad}, {"unk_token", s.unknown}};
  for (const auto& [name, id] : roles) {
    if (id >= 0) own[name] = text.tokenizer->piece(id);
  }
  Ordered people{{"messages", messages}};
  const ApiFields fields(body);
  if (Ordered tools = tools_in(body, sent); !tools.is_null()) {
    people["tools"] = std::move(tools);
    own.erase("tools");
  }
  for (const auto& [key, value] : fields.object("chat_template_kwargs").items()) {
    if (own.contains(key) || key == "messages" || key == "tools") {
      throw wrong_request(
          fmt::format("`chat_template_kwargs.{}` is what the server itself says", key),
          "chat_template_kwargs");
    }
    people[key] = Ordered(value);
  }
  try {
    return text.chat_template->render(own, people);
  } catch (const Error& error) {
    throw wrong_request(fmt::format("the model's chat template refuses this: {}", error.what()),
                        "messages");
  }
}

/// Cuts what the template writes behind the last message, so that the answer goes on within it.
void cut_behind(MarkedText& rendered, const std::string& content) {
  const auto last = content.find_last_not_of(" \t\r\n");
  const std::string kept = last == std::string::npos ? "" : content.substr(0, last + 1);
  const std::size_t at = rendered.text.rfind(kept);
  if (kept.empty() || at == std::string::npos) {
    throw wrong_request(
        "the model's chat template does not write the last message as it is: it "
        "cannot be continued",
        "continue_final_message");
  }
  const std::size_t length = at + kept.size();
  rendered.text.resize(length);
  rendered.marks.resize(length);
}

/// Only a model whose template knows thoughts has any; others may say <think> as any other word.
Thinking thinking_of(const ChatTemplate& own_template, const MarkedText& rendered,
                     const Ordered& messages, const Ending& ending) {
  constexpr std::string_view kBegin = "<think>", kEnd = "</think>";
  if (own_template.source().find("think>") == std::string::npos) return Thinking::Never;
  if (ending.continues_last) {
    const std::string said = messages.back()["content"];
    const std::size_t begin = said.rfind(kBegin), end = said.rfind(kEnd);
    const bool inside = begin != std::string::npos && (end == std::string::npos || end < begin);
    return inside ? Thinking::Inside : Thinking::Never;
  }
  const std::string_view text = rendered.text;
  const std::string_view spoken = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  // A model that was told not to think, with an empty thought, answers at once.
  if (spoken.ends_with(kEnd)) return Thinking::Never;
  return spoken.ends_with(kBegin) ? Thinking::Inside : Thinking::May;
}

/// In the family's plain form, for a model without a template of its own.
ChatPrompt in_plain_form(const LoadedText& text, const Ordered& messages, const Ending& ending) {
  std::vector<Message> turns;
  for (const Ordered& message : messages) {
    const std::string role = message["role"];
    if (role == "tool" || message.contains("tool_calls")) {
      throw wrong_request("this model has no chat template, and knows no tools", "messages");
    }
    turns.push_back({role == "system" ? Message::Role::System
                     : role == "user" ? Message::Role::User
                                      : Message::Role::Assistant,
                     message["content"]});
  }
  const Tokenizer& tokenizer = *text.tokenizer;
  std::string last;
  if (ending.continues_last) {
    last = turns.back().text;
    turns.pop_back();
  }
  ChatPrompt made;
  if (text.knows_chat) {
    made.ids = encode_chat(tokenizer, turns);
    if (!ending.begins_answer && !ending.continues_last) made.ids.pop_back();
    const std::vector<std::int32_t> more = tokenizer.encode(last);
    made.ids.insert(made.ids.end(), more.begin(), more.end());
  } else {
    for (const Message& turn : turns) made.text += turn.text + "\n";
    made.ids = encode_prompt(tokenizer, made.text + last);
  }
  made.text = tokenizer.decode(made.ids, true);
  made.continues_last = ending.continues_last;
  return made;
}
}  // namespace

namespace {
/// The body with the keys of its objects as they came. One that has a key twice is taken as `body`.
Ordered as_sent(const json& body, const std::string& text) {
  Ordered sent = Ordered::parse(text);
  return json(sent) == body ? sent : Ordered(body);
}
}  // namespace

ChatPrompt chat_prompt(const json& body, const std::string& sent_text, const LoadedText& text) {
  const Ordered sent = as_sent(body, sent_text);
  const Ordered messages = messages_in(body, sent);
  const Ending ending = ending_of(body, messages);
  if (!text.knows_chat || !text.chat_template) {
    if (!tools_in(body, sent).is_null()) {
      throw wrong_request(
          "this model has no chat template, and does not hear of tools; send none, or the "
          "`tool_choice` \"none\"",
          "tools");
    }
    return in_plain_form(text, messages, ending);
  }
  MarkedText rendered = by_template(body, sent, text, messages, ending);
  const Thinking thinking = thinking_of(*text.chat_template, rendered, messages, ending);
  if (ending.continues_last) cut_behind(rendered, messages.back()["content"]);
  return {rendered.text, text.tokenizer->encode_marked(rendered), thinking, ending.continues_last};
}

}  // namespace tessera
