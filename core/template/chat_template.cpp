// SPDX-License-Identifier: MIT
#include "core/template/chat_template.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

#include "core/base/error.h"
#include "core/base/mistaken_file.h"
#include "core/template/interpreter.h"
#include "core/template/lexer.h"

namespace tessera {

namespace fs = std::filesystem;

namespace {
constexpr std::array<std::string_view, 6> kRoles = {"system", "user",      "assistant",
                                                    "tool",   "developer", "function"};

/// Roles of messages are the program's words once they are of the known ones: templates build
/// special tokens out of them.
void own_roles(jinja::Value& messages) {
  const auto* list = std::get_if<std::shared_ptr<jinja::List>>(&messages.any);
  if (!list) return;
  for (jinja::Value& message : (*list)->items) {
    const auto* dict = std::get_if<std::shared_ptr<jinja::Dict>>(&message.any);
    if (!dict) continue;
    for (auto& [key, value] : (*dict)->items) {
      auto* text = std::get_if<MarkedText>(&value.any);
      const bool is_known = key.text == "role" && text &&
                            std::find(kRoles.begin(), kRoles.end(), text->text) != kRoles.end();
      if (is_known) *text = jinja::own_text(text->text);
    }
  }
}

std::string content_of(const fs::path& path) {
  refuse_dangling_link(path);
  std::ifstream file(path, std::ios::binary);
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>(file), {});
  if (!file) throw Error(path.string(), "cannot read the file", "check that it may be read");
  refuse_mistaken_content(path, text);
  return text;
}

/// A text, or of a list of {name, template} the one named "default".
std::shared_ptr<const ChatTemplate> of_configuration(const fs::path& path) {
  const ChatTemplate::Json json = ChatTemplate::Json::parse(content_of(path), nullptr, false);
  if (json.is_discarded() || !json.is_object()) {
    throw Error(path.string(), "this is no JSON object", "copy or download the file again");
  }
  const auto found = json.find("chat_template");
  if (found == json.end() || found->is_null()) return nullptr;
  const std::string where = path.string() + ", chat_template";
  if (found->is_string()) return std::make_shared<ChatTemplate>(found->get<std::string>(), where);
  if (found->is_array()) {
    for (const auto& one : *found) {
      const bool is_default = one.is_object() &&
                              one.value("name", ChatTemplate::Json()) == "default" &&
                              one.contains("template") && one["template"].is_string();
      if (is_default)
        return std::make_shared<ChatTemplate>(one["template"].get<std::string>(), where);
    }
  }
  throw Error(where, "expected a text, or a list with a template named \"default\"",
              "copy or download the file again");
}
}  // namespace

struct ChatTemplate::Tree {
  jinja::Block block;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string where)
    : source_(jinja::prepared(source)), where_(std::move(where)) {
  tree_ = std::make_unique<const Tree>(Tree{jinja::parse(source_, where_)});
}

ChatTemplate::~ChatTemplate() = default;

std::shared_ptr<const ChatTemplate> ChatTemplate::find(const fs::path& folder) {
  std::error_code error;
  const fs::path file = folder / "chat_template.jinja", config = folder / "tokenizer_config.json";
  if (fs::exists(fs::symlink_status(file, error))) {
    return std::make_shared<ChatTemplate>(content_of(file), file.string());
  }
  if (fs::exists(fs::symlink_status(config, error))) return of_configuration(config);
  return nullptr;
}

MarkedText ChatTemplate::render(const Json& own, const Json& people, std::time_t now) const {
  jinja::Variables variables;
  try {
    for (const auto& [name, value] : own.items()) {
      variables[name] = jinja::from_json(value, MarkedText::kOwn);
    }
    for (const auto& [name, value] : people.items()) {
      variables[name] = jinja::from_json(value, MarkedText::kForeign);
    }
  } catch (const std::invalid_argument& failure) {
    throw Error(where_, failure.what(), "change the messages");
  }
  const auto messages = variables.find("messages");
  if (messages != variables.end()) own_roles(messages->second);
  return jinja::write_out(tree_->block, source_, where_, std::move(variables), now);
}

}  // namespace tessera
