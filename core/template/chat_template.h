// SPDX-License-Identifier: MIT
// The chat template of a model: a program in Jinja that writes a conversation as the text the model
// was trained on. Written out as jinja2 does with the settings of transformers
// (apply_chat_template: trim_blocks, lstrip_blocks, its tojson, raise_exception, strftime_now,
// generation, break and continue); tests/peers/templates.py compares.
#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/base/marked_text.h"

namespace tessera {

class ChatTemplate {
 public:
  using Json = nlohmann::ordered_json;

  /// Throws Error naming `where`, line and column of what is not read.
  ChatTemplate(std::string_view source, std::string where);
  ~ChatTemplate();

  /// The template of a model's folder: chat_template.jinja, or `chat_template` of
  /// tokenizer_config.json (of a list the one named "default"). nullptr: it has none.
  static std::shared_ptr<const ChatTemplate> find(const std::filesystem::path& folder);

  /// `own` and `people` are objects whose members are the template's variables: the program's
  /// (bos_token, add_generation_prompt) and what people or their tools wrote (messages, tools).
  /// Every byte of the result that came out of `people` is marked so, but for roles that are
  /// system, user, assistant, tool, developer or function. Throws Error: what the template itself
  /// refuses, and what cannot be written out, with line and column.
  MarkedText render(const Json& own, const Json& people,
                    std::time_t now = std::time(nullptr)) const;

  /// The template itself, and where it was found.
  const std::string& source() const { return source_; }
  const std::string& where() const { return where_; }

 private:
  struct Tree;
  std::string source_, where_;
  std::unique_ptr<const Tree> tree_;
};

}  // namespace tessera
