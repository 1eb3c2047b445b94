// SPDX-License-Identifier: MIT
#include "core/http/tool_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/http/answer_format.h"
#include "core/http/api_error.h"
#include "core/http/api_fields.h"
#include "core/http/tool_calls.h"

namespace tessera {

using nlohmann::json;
using Ordered = nlohmann::ordered_json;

namespace {
struct Tools {
  std::vector<ToolFunction> functions;
  bool any_strict = false;
};

bool is_name(const std::string& name) {
  constexpr std::size_t kMostCharacters = 64;
  return !name.empty() && name.size() <= kMostCharacters &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '_' || c == '-' || c == '.';
         });
}

Tools tools_of(const json& body, const std::string& text) {
  const ApiFields fields(body);
  Tools made;
  const json* tools = fields.find("tools");
  if (!tools) return made;
  if (!tools->is_array()) fields.refuse("tools", "a list");
  const Ordered ordered = Ordered::parse(text);
  for (const Ordered& tool : ordered["tools"]) {
    const std::string path = fmt::format("tools[{}].function", made.functions.size());
    const bool is_function = tool.is_object() &&
                             tool.value("type", Ordered("function")) == "function" &&
                             tool.contains("function") && tool["function"].is_object();
    if (!is_function) {
      throw wrong_request(fmt::format("`{}` is not there, expected {{\"type\": \"function\", "
                                      "\"function\": {{\"name\": \"...\"}}}}",
                                      path),
                          "tools");
    }
    const Ordered& function = tool["function"];
    const Ordered name = function.value("name", Ordered());
    if (!name.is_string() || !is_name(name)) {
      throw wrong_request(
          fmt::format("`{}.name` is {}, expected up to 64 of a-z, A-Z, 0-9, _, - and "
                      ".",
                      path, name.dump()),
          "tools");
    }
    Ordered parameters = function.value("parameters", Ordered());
    if (parameters.is_null() || parameters == Ordered::object()) parameters = {{"type", "object"}};
    if (!parameters.is_object()) {
      throw wrong_request(fmt::format("`{}.parameters` is no schema", path), "tools");
    }
    if (!parameters.contains("type") && !parameters.contains("$ref")) parameters["type"] = "object";
    made.any_strict = made.any_strict || function.value("strict", Ordered()) == true;
    made.functions.push_back({name, path + ".parameters", std::move(parameters)});
  }
  return made;
}

/// What `tool_choice` asks for.
struct ToolChoice {
  bool calls = true;   ///< calls are read out of the answer
  bool must = false;   ///< and there must be one
  std::string name{};  ///< the one that must be called; empty: any may be
};

ToolChoice choice_of(const json& body) {
  const ApiFields fields(body);
  const json* choice = fields.find("tool_choice");
  if (!choice || *choice == "auto") return {};
  if (*choice == "none") return {.calls = false};
  if (*choice == "required") return {.must = true};
  const bool names = choice->is_object() && choice->contains("function") &&
                     (*choice)["function"].is_object() &&
                     (*choice)["function"].value("name", json()).is_string();
  if (!names) {
    fields.refuse("tool_choice",
                  "\"auto\", \"none\", \"required\" or {\"type\": \"function\", \"function\": "
                  "{\"name\": \"...\"}}");
  }
  return {.must = true, .name = (*choice)["function"]["name"]};
}

const ToolForm* form_of(const LoadedText& text) {
  return text.knows_chat && text.chat_template ? tool_form_of(text.chat_template->source())
                                               : nullptr;
}

void hold_to_calls(ApiRequest& request, const ServedModel& model,
                   std::vector<ToolFunction> functions, const ToolChoice& choice, bool several) {
  std::string name =
      fmt::format("calls {} {} {}", static_cast<int>(request.thinking), choice.must, several);
  for (const ToolFunction& function : functions) {
    name += fmt::format("\n{} {} {}", function.name, function.path, function.parameters.dump());
  }
  try {
    request.form.constraint = model.formats->get(
        name,
        [&] {
          GrammarBuilder builder;
          const std::int32_t rule =
              add_tool_calls(builder, *request.tools, functions, several, !choice.must);
          return behind_thoughts(std::move(builder), rule, request.thinking, false);
        },
        request.tools->marks);
  } catch (const Error& error) {
    throw wrong_request(error.what(), "tools");
  }
}
}  // namespace

void check_tools(const json& body, const std::string& text) {
  tools_of(body, text);
  choice_of(body);
}

void add_tools(ApiRequest& request, const json& body, const std::string& text,
               const ServedModel& model, bool continues_last) {
  const ApiFields fields(body);
  const bool several = fields.boolean("parallel_tool_calls", true);
  const ToolChoice choice = choice_of(body);
  Tools tools = tools_of(body, text);
  if (choice.must && tools.functions.empty()) {
    throw wrong_request("`tool_choice` asks for a call, and there are no `tools`", "tool_choice");
  }
  if (!choice.calls || tools.functions.empty()) return;
  request.tools = form_of(*model.text);
  if (!request.tools) {
    if (!choice.must) return;
    throw wrong_request(
        "`tool_choice` asks for a call, and the model's chat template does not say how it calls "
        "tools",
        "tool_choice");
  }
  for (const ToolFunction& function : tools.functions) request.functions.push_back(function.name);
  for (const std::string_view mark : request.tools->marks) {
    const std::int32_t id = model.text->tokenizer->special_id(mark);
    if (id >= 0) request.form.spelled.push_back(id);
  }
  if (!choice.name.empty()) {
    std::erase_if(tools.functions,
                  [&](const auto& function) { return function.name != choice.name; });
    if (tools.functions.empty()) {
      throw wrong_request(
          fmt::format("`tool_choice` names \"{}\", which is not one of the `tools`", choice.name),
          "tool_choice");
    }
  }
  if (request.form.constraint) {
    throw wrong_request(
        "`response_format` leaves no room for calls of `tools`: send one of them, or the "
        "`tool_choice` \"none\"",
        "response_format");
  }
  if (!choice.must && several && !tools.any_strict) return;
  if (continues_last) {
    throw wrong_request(
        "calls are to be held to a form here (`tool_choice`, `strict` or `parallel_tool_calls`), "
        "which does not go with `continue_final_message`",
        "continue_final_message");
  }
  hold_to_calls(request, model, std::move(tools.functions), choice, several && choice.name.empty());
}

}  // namespace tessera
