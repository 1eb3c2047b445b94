// SPDX-License-Identifier: MIT
#include "core/http/answer_format.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/grammar/gbnf.h"
#include "core/grammar/json_grammar.h"
#include "core/grammar/json_schema.h"
#include "core/http/api_error.h"
#include "core/http/api_fields.h"

namespace tessera {

using nlohmann::json;
using Ordered = nlohmann::ordered_json;

std::shared_ptr<const Constraint> AnswerFormats::get(const std::string& name,
                                                     const std::function<Grammar()>& make,
                                                     const std::vector<std::string_view>& marks) {
  constexpr std::size_t kMostEntries = 32;
  const std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end(); ++entry) {
    if (entry->name != name) continue;
    entries_.splice(entries_.begin(), entries_, entry);
    return entry->constraint;
  }
  Grammar grammar = make();
  std::shared_ptr<const TokenTrie>& trie = marks.empty() ? trie_ : marked_trie_;
  if (!trie) trie = std::make_shared<const TokenTrie>(*tokenizer_, marks);
  auto made = std::make_shared<const Constraint>(std::move(grammar), trie);
  entries_.push_front({name, made});
  if (entries_.size() > kMostEntries) entries_.pop_back();
  return made;
}

Grammar behind_thoughts(GrammarBuilder builder, std::int32_t rule, Thinking thinking, bool spaced) {
  constexpr std::string_view kBegin = "<think>", kEnd = "</think>";
  JsonRules json_rules(builder);
  const std::int32_t root = builder.rule("answer"), answer = builder.state();
  const std::int32_t begin = builder.call(builder.begin_of(root), json_rules.space());
  if (thinking == Thinking::Never) {
    builder.empty(spaced ? begin : builder.begin_of(root), answer);
  } else {
    // NOTE: thoughts begin at once, where the prompt ends within them.
    const bool is_inside = thinking == Thinking::Inside;
    const std::int32_t thoughts = is_inside ? builder.begin_of(root) : builder.text(begin, kBegin);
    builder.call(builder.text_through(thoughts, kEnd), json_rules.space(), answer);
    if (!is_inside) builder.empty(spaced ? begin : builder.begin_of(root), answer);
  }
  builder.call(answer, rule, builder.end_of(root));
  return std::move(builder).build(root);
}

namespace {
/// A form that was asked for.
struct Form {
  std::string key;                ///< the field that asks
  std::string path;               ///< where the schema stands in the body, for messages
  std::optional<Ordered> schema;  ///< nothing: any object
};

std::optional<Form> response_format(const json& body, const Ordered& ordered) {
  const ApiFields fields(body);
  const json* format = fields.find("response_format");
  if (!format) return {};
  if (!format->is_object() || !format->contains("type") || !(*format)["type"].is_string()) {
    fields.refuse("response_format", "an object with a `type`");
  }
  const std::string key = "response_format", type = (*format)["type"];
  const Ordered& as_written = ordered[key];
  if (type == "text") return {};
  if (type == "json_object") {
    if (!as_written.contains("schema")) return Form{key, {}, {}};
    return Form{key, key + ".schema", as_written["schema"]};
  }
  if (type != "json_schema") {
    throw wrong_request(fmt::format("`response_format` is of type \"{}\", expected \"text\", "
                                    "\"json_object\" or \"json_schema\"",
                                    type),
                        key);
  }
  if (!as_written.contains("json_schema") || !as_written["json_schema"].is_object() ||
      !as_written["json_schema"].contains("schema")) {
    throw wrong_request(
        "`response_format.json_schema` is not there, expected an object with `schema`", key);
  }
  return Form{key, key + ".json_schema.schema", as_written["json_schema"]["schema"]};
}

std::shared_ptr<const Constraint> gbnf_of(const json& body, const std::string& gbnf,
                                          AnswerFormats& formats, Thinking thinking) {
  const ApiFields fields(body);
  const json* format = fields.find("response_format");
  const bool is_text = format && format->is_object() && format->value("type", json()) == "text";
  if ((format && !is_text) || fields.find("json_schema")) {
    throw wrong_request("`grammar` stands beside a JSON schema or a format: send one of them",
                        "grammar");
  }
  try {
    return formats.get(fmt::format("grammar {} {}", static_cast<int>(thinking), gbnf), [&] {
      GrammarBuilder builder;
      const std::int32_t root = add_gbnf(builder, gbnf);
      return behind_thoughts(std::move(builder), root, thinking, false);
    });
  } catch (const Error& error) {
    throw wrong_request(fmt::format("`grammar`: {}", error.what()), "grammar");
  }
}
}  // namespace

std::shared_ptr<const Constraint> constraint_of(const json& body, const std::string& text,
                                                AnswerFormats& formats, Thinking thinking) {
  const ApiFields fields(body);
  const std::string gbnf = fields.text("grammar", "");
  if (!gbnf.empty()) return gbnf_of(body, gbnf, formats, thinking);
  const bool has_schema = fields.find("json_schema") != nullptr;
  if (!has_schema && !fields.find("response_format")) return {};
  const Ordered ordered = Ordered::parse(text);
  std::optional<Form> form = response_format(body, ordered);
  if (has_schema) {
    if (form) {
      throw wrong_request("`json_schema` stands beside `response_format`: send one of them",
                          "json_schema");
    }
    form = Form{"json_schema", "json_schema", ordered["json_schema"]};
  }
  if (!form) return {};
  const std::string name = fmt::format("{} {}", static_cast<int>(thinking),
                                       form->schema ? form->path + form->schema->dump() : "object");
  try {
    return formats.get(name, [&] {
      GrammarBuilder builder;
      const std::int32_t rule = form->schema ? add_json_schema(builder, *form->schema, form->path)
                                             : JsonRules(builder).object();
      return behind_thoughts(std::move(builder), rule, thinking);
    });
  } catch (const Error& error) {
    throw wrong_request(error.what(), form->key);
  }
}

}  // namespace tessera
