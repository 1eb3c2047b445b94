// SPDX-License-Identifier: MIT
#include "core/grammar/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/grammar/decimal_range.h"
#include "core/grammar/json_grammar.h"

namespace tessera {

namespace {
using Json = nlohmann::ordered_json;
constexpr int kMostDepth = 100;
constexpr std::int64_t kMostCount = 100'000;

/// Says nothing of what a value may be.
bool is_annotation(const std::string& key) {
  static const std::set<std::string> keys{
      "$schema",     "$id",     "$comment", "$defs",         "definitions",      "title",
      "description", "default", "examples", "example",       "deprecated",       "readOnly",
      "writeOnly",   "$anchor", "strict",   "discriminator", "contentMediaType", "contentEncoding"};
  return keys.contains(key) || key.starts_with("x-");
}

/// Keys that speak of values of one type, and of no others.
const std::map<std::string, std::vector<std::string>>& keys_of_types() {
  static const std::map<std::string, std::vector<std::string>> keys{
      {"object",
       {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}},
      {"array", {"items", "prefixItems", "minItems", "maxItems", "uniqueItems"}},
      {"string", {"minLength", "maxLength"}},
      {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}}};
  return keys;
}

bool is_known(const std::string& key) {
  static const std::set<std::string> keys{"type",  "enum",  "const", "anyOf",
                                          "oneOf", "allOf", "$ref"};
  if (keys.contains(key) || is_annotation(key)) return true;
  const auto& typed = keys_of_types();
  return std::any_of(typed.begin(), typed.end(), [&](const auto& type) {
    return std::find(type.second.begin(), type.second.end(), key) != type.second.end();
  });
}

class SchemaReader {
 public:
  SchemaReader(GrammarBuilder& builder, const Json& root, std::string path)
      : builder_(builder), json_(builder), root_(root), root_path_(std::move(path)) {}

  std::int32_t rule_of(const Json& schema, const std::string& path);

 private:
  struct Deeper;
  [[noreturn]] static void refuse(const std::string& path, const std::string& why,
                                  const std::string& hint = "leave it out or change it");
  static std::string inside(const std::string& path, const std::string& key) {
    return path + "." + key;
  }
  void check(const Json& schema, const std::string& path) const;
  Json without_references(const Json& schema, const std::string& path);
  Json merged(const Json& a, const Json& b, const std::string& path) const;
  const Json& target_of(const Json& reference, const std::string& path) const;
  std::int32_t referenced(const Json& reference, const std::string& path);
  std::vector<std::string> types_of(const Json& schema, const std::string& path) const;
  void check_apart(const Json& options, const std::string& path);
  bool are_apart(const Json& a, const Json& b, const std::string& path, int depth);

  void add_options(std::int32_t rule, const Json& schema, const char* key, const std::string& path);
  void add_values(std::int32_t rule, const Json& schema, const std::string& path);
  void add_type(std::int32_t rule, const std::string& type, const Json& schema,
                const std::string& path);
  void add_object(std::int32_t rule, const Json& schema, const std::string& path);
  void add_array(std::int32_t rule, const Json& schema, const std::string& path);
  void add_number(std::int32_t rule, const Json& schema, bool whole, const std::string& path);
  RepeatRange counts(const Json& schema, const char* least, const char* most,
                     const std::string& path) const;

  GrammarBuilder& builder_;
  JsonRules json_;
  const Json& root_;
  std::string root_path_;
  std::map<std::string, std::int32_t> references_;
  int depth_ = 0;
};

struct SchemaReader::Deeper {
  Deeper(SchemaReader& reader, const std::string& path) : depth(reader.depth_) {
    if (++depth > kMostDepth) refuse(path, fmt::format("lies deeper than {} schemas", kMostDepth));
  }
  ~Deeper() { --depth; }
  int& depth;
};

void SchemaReader::refuse(const std::string& path, const std::string& why,
                          const std::string& hint) {
  throw Error("json schema", fmt::format("`{}` {}", path, why), hint);
}

void SchemaReader::check(const Json& schema, const std::string& path) const {
  if (!schema.is_object()) refuse(path, "is no schema", "a schema is an object, true or false");
  for (const auto& [key, value] : schema.items()) {
    const bool says_nothing = key == "uniqueItems" && value == false;
    if (!is_known(key) || (key == "uniqueItems" && !says_nothing)) {
      refuse(inside(path, key), "is not something that this server can hold an answer to",
             "leave the key out, and check the answer for it");
    }
  }
}

// ---- References and combinations ----------------------------------------------------------------

const Json& SchemaReader::target_of(const Json& reference, const std::string& path) const {
  if (!reference.is_string()) refuse(inside(path, "$ref"), "is no string");
  const std::string text = reference;
  if (!text.starts_with("#")) {
    refuse(inside(path, "$ref"), fmt::format("is \"{}\", outside of the schema", text),
           "put what it names under `$defs`");
  }
  try {
    return root_.at(Json::json_pointer(text.substr(1)));
  } catch (const Json::exception&) {
    refuse(inside(path, "$ref"), fmt::format("is \"{}\", and there is nothing there", text));
  }
}

std::int32_t SchemaReader::referenced(const Json& reference, const std::string& path) {
  const Json& target = target_of(reference, path);
  const std::string text = reference;
  if (const auto known = references_.find(text); known != references_.end()) return known->second;
  const std::string name = root_path_ + text.substr(1);
  const std::int32_t rule = references_[text] = builder_.rule(name);
  builder_.call(builder_.begin_of(rule), rule_of(target, name), builder_.end_of(rule));
  return rule;
}

/// The schema with what it refers to and all of `allOf` put into it.
Json SchemaReader::without_references(const Json& schema, const std::string& path) {
  const Deeper deeper(*this, path);
  if (schema.is_boolean()) {
    if (schema == false) refuse(path, "is false: no value is allowed there");
    return Json::object();
  }
  check(schema, path);
  Json made = Json::object();
  for (const auto& [key, value] : schema.items()) {
    if (key != "$ref" && key != "allOf" && !is_annotation(key)) made[key] = value;
  }
  if (schema.contains("$ref")) {
    made = merged(without_references(target_of(schema["$ref"], path), inside(path, "$ref")), made,
                  path);
  }
  if (!schema.contains("allOf")) return made;
  const Json& all = schema["allOf"];
  if (!all.is_array() || all.empty()) refuse(inside(path, "allOf"), "is no list of schemas");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string part = fmt::format("{}.allOf[{}]", path, i);
    made = merged(made, without_references(all[i], part), part);
  }
  return made;
}

/// What both say, where that can be said as one schema.
Json SchemaReader::merged(const Json& a, const Json& b, const std::string& path) const {
  Json made = a;
  for (const auto& [key, value] : b.items()) {
    if (!made.contains(key) || made[key] == value) {
      made[key] = value;
    } else if (key == "required" && value.is_array() && made[key].is_array()) {
      for (const Json& name : value) {
        const bool is_there =
            std::find(made[key].begin(), made[key].end(), name) != made[key].end();
        if (!is_there) made[key].push_back(name);
      }
    } else if (key == "properties" && value.is_object() && made[key].is_object()) {
      made[key] = merged(made[key], value, inside(path, key));
    } else {
      refuse(inside(path, key), "is said twice, each time otherwise", "say it in one place");
    }
  }
  // NOTE: without a key, each part allows members that the other one names.
  const bool closes = a.contains("additionalProperties") != b.contains("additionalProperties");
  const Json& open = a.contains("additionalProperties") ? b : a;
  if (closes && made["additionalProperties"] != true && open.contains("properties") &&
      made["properties"] !=
          (a.contains("additionalProperties") ? a : b).value("properties", Json())) {
    refuse(inside(path, "additionalProperties"), "stands beside properties of another schema",
           "name all properties in one place");
  }
  return made;
}

namespace {
/// The values that a schema names one by one; null: it does not.
Json values_of(const Json& schema) {
  if (schema.contains("const")) return Json::array({schema["const"]});
  if (schema.contains("enum") && schema["enum"].is_array()) return schema["enum"];
  return nullptr;
}

bool is_of_type(const Json& value, const std::string& type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "null") return value.is_null();
  if (type == "number") return value.is_number();
  return value.is_number() &&
         (value.is_number_integer() || Decimal::parse(value.dump()).fraction.empty());
}

bool has_name(const Json& schema, const std::string& name) {
  const Json names = schema.value("required", Json::array());
  return std::find(names.begin(), names.end(), name) != names.end();
}
}  // namespace

/// No value fits both, as far as that is plain to see.
bool SchemaReader::are_apart(const Json& first, const Json& second, const std::string& path,
                             int depth) {
  constexpr int kLooks = 4;
  if (depth > kLooks || first == true || second == true) return false;
  const Json a = without_references(first, path), b = without_references(second, path);
  const Json values_a = values_of(a), values_b = values_of(b);
  if (values_a.is_array() && values_b.is_array()) {
    return std::none_of(values_a.begin(), values_a.end(), [&](const Json& value) {
      return std::find(values_b.begin(), values_b.end(), value) != values_b.end();
    });
  }
  if (a.contains("anyOf") || a.contains("oneOf") || b.contains("anyOf") || b.contains("oneOf")) {
    return false;
  }
  const auto types = [&](const Json& schema, const Json& values) {
    std::set<std::string> made;
    for (std::string type : schema.contains("type") || !values.is_array()
                                ? types_of(schema, path)
                                : std::vector<std::string>()) {
      made.insert(type == "integer" ? "number" : type);
    }
    if (!schema.contains("type")) made.clear();  // it allows all types
    for (const Json& value : values.is_array() ? values : Json::array()) {
      made.insert(value.is_number() ? "number" : value.type_name());
    }
    return made;
  };
  const std::set<std::string> types_a = types(a, values_a), types_b = types(b, values_b);
  if (types_a.empty() || types_b.empty()) return false;
  const bool share = std::any_of(types_a.begin(), types_a.end(),
                                 [&](const std::string& type) { return types_b.contains(type); });
  if (!share) return true;
  if (types_a != std::set<std::string>{"object"} || types_b != types_a) return false;
  const Json in_a = a.value("properties", Json::object()),
             in_b = b.value("properties", Json::object());
  for (const auto& [name, schema] : in_a.items()) {
    if (has_name(a, name) && !in_b.contains(name) &&
        b.value("additionalProperties", Json()) == false)
      return true;
    if (!has_name(a, name) || !has_name(b, name) || !in_b.contains(name)) continue;
    if (are_apart(schema, in_b[name], path, depth + 1)) return true;
  }
  for (const auto& [name, schema] : in_b.items()) {
    if (has_name(b, name) && !in_a.contains(name) &&
        a.value("additionalProperties", Json()) == false)
      return true;
  }
  return false;
}

/// `oneOf`: a text that fits one of them must fit no other.
void SchemaReader::check_apart(const Json& options, const std::string& path) {
  for (std::size_t i = 0; i < options.size(); ++i) {
    for (std::size_t j = i + 1; j < options.size(); ++j) {
      if (are_apart(options[i], options[j], path, 0)) continue;
      refuse(
          path,
          fmt::format("[{}] and [{}] may both fit one value, and exactly one is asked for", i, j),
          "use `anyOf`, or give each a property with a `const` of its own");
    }
  }
}

// ---- Rules --------------------------------------------------------------------------------------

std::int32_t SchemaReader::rule_of(const Json& schema, const std::string& path) {
  const Deeper deeper(*this, path);
  if (schema == true || (schema.is_object() && schema.empty())) return json_.value();
  if (schema.is_object() && schema.contains("$ref")) {
    check(schema, path);
    const bool alone = std::all_of(
        schema.items().begin(), schema.items().end(),
        [](const auto& item) { return item.key() == "$ref" || is_annotation(item.key()); });
    if (alone) return referenced(schema["$ref"], path);
  }
  const Json plain = without_references(schema, path);
  if (plain.empty()) return json_.value();
  const std::int32_t rule = builder_.rule("`" + path + "`");
  if (plain.contains("anyOf")) {
    add_options(rule, plain, "anyOf", path);
  } else if (plain.contains("oneOf")) {
    add_options(rule, plain, "oneOf", path);
  } else if (plain.contains("const") || plain.contains("enum")) {
    add_values(rule, plain, path);
  } else {
    for (const std::string& type : types_of(plain, path)) add_type(rule, type, plain, path);
  }
  return rule;
}

void SchemaReader::add_options(std::int32_t rule, const Json& schema, const char* key,
                               const std::string& path) {
  Json rest = schema;
  const Json options = rest[key];
  rest.erase(key);
  if (!options.is_array() || options.empty()) refuse(inside(path, key), "is no list of schemas");
  if (std::string(key) == "oneOf") check_apart(options, inside(path, key));
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string part = fmt::format("{}.{}[{}]", path, key, i);
    if (options[i] == false) continue;
    const std::int32_t option =
        rest.empty() ? rule_of(options[i], part)
                     : rule_of(merged(rest, without_references(options[i], part), part), part);
    builder_.call(builder_.begin_of(rule), option, builder_.end_of(rule));
  }
}

void SchemaReader::add_values(std::int32_t rule, const Json& schema, const std::string& path) {
  const char* key = schema.contains("const") ? "const" : "enum";
  for (const auto& [other, value] : schema.items()) {
    if (other != key && other != "type") {
      refuse(inside(path, other), fmt::format("stands beside `{}`", key),
             "name only the values that are allowed");
    }
  }
  const Json values = values_of(schema);
  if (!values.is_array() || values.empty()) refuse(inside(path, key), "is no list of values");
  const bool has_type = schema.contains("type");
  const std::vector<std::string> types =
      has_type ? types_of(schema, path) : std::vector<std::string>();
  bool any = false;
  for (const Json& value : values) {
    const bool fits = !has_type || std::any_of(types.begin(), types.end(), [&](const auto& type) {
      return is_of_type(value, type);
    });
    if (!fits) continue;
    any = true;
    builder_.empty(builder_.text(builder_.begin_of(rule), value.dump()), builder_.end_of(rule));
  }
  if (!any) refuse(inside(path, key), "has no value of the `type`");
}

std::vector<std::string> SchemaReader::types_of(const Json& schema, const std::string& path) const {
  static const std::vector<std::string> kAll{"object",  "array",   "string", "number",
                                             "integer", "boolean", "null"};
  std::vector<std::string> types;
  if (!schema.contains("type")) {
    // Other types are allowed too, and nothing is said of them: these are written.
    for (const auto& [type, keys] : keys_of_types()) {
      const bool speaks = std::any_of(keys.begin(), keys.end(),
                                      [&](const std::string& key) { return schema.contains(key); });
      if (speaks) types.push_back(type);
    }
    return types;
  }
  const Json named = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
  for (const Json& type : named) {
    if (!type.is_string() ||
        std::find(kAll.begin(), kAll.end(), type.get<std::string>()) == kAll.end()) {
      refuse(inside(path, "type"), fmt::format("is {}", schema["type"].dump()),
             fmt::format("one of {}, or a list of them", fmt::join(kAll, ", ")));
    }
    types.push_back(type);
  }
  if (types.empty()) refuse(inside(path, "type"), "is empty: no value is allowed there");
  return types;
}

void SchemaReader::add_type(std::int32_t rule, const std::string& type, const Json& schema,
                            const std::string& path) {
  const std::int32_t begin = builder_.begin_of(rule), end = builder_.end_of(rule);
  if (type == "object") return add_object(rule, schema, path);
  if (type == "array") return add_array(rule, schema, path);
  if (type == "number" || type == "integer") {
    return add_number(rule, schema, type == "integer", path);
  }
  if (type == "string") {
    const RepeatRange length = counts(schema, "minLength", "maxLength", path);
    if (length.least == 0 && !length.most) return builder_.call(begin, json_.string(), end);
    return builder_.empty(json_.string_of(begin, length), end);
  }
  if (type == "null") return builder_.empty(builder_.text(begin, "null"), end);
  for (const char* word : {"true", "false"}) builder_.empty(builder_.text(begin, word), end);
}

RepeatRange SchemaReader::counts(const Json& schema, const char* least, const char* most,
                                 const std::string& path) const {
  const auto read = [&](const char* key) -> std::optional<std::int64_t> {
    if (!schema.contains(key)) return {};
    const Json& value = schema[key];
    const double number = value.is_number() ? value.get<double>() : -1;
    if (!(number >= 0 && number <= kMostCount) ||
        number != static_cast<double>(static_cast<std::int64_t>(number))) {
      refuse(inside(path, key), fmt::format("is {}", value.dump()),
             fmt::format("a whole number from 0 to {}", kMostCount));
    }
    return static_cast<std::int64_t>(number);
  };
  const RepeatRange range{read(least).value_or(0), read(most)};
  if (range.most && *range.most < range.least) {
    refuse(inside(path, most), fmt::format("is less than `{}`", least));
  }
  return range;
}

void SchemaReader::add_number(std::int32_t rule, const Json& schema, bool whole,
                              const std::string& path) {
  DecimalRange range;
  range.whole_numbers = whole;
  const auto narrow = [&](const char* key, std::optional<DecimalBound>& bound, bool is_open,
                          int inward) {
    if (!schema.contains(key)) return;
    if (!schema[key].is_number()) refuse(inside(path, key), "is no number");
    const DecimalBound made{Decimal::parse(schema[key].dump()), is_open};
    const int order = bound ? compare(made.value, bound->value) * inward : 1;
    if (order > 0 || (order == 0 && is_open)) bound = made;
  };
  narrow("minimum", range.low, false, 1);
  narrow("exclusiveMinimum", range.low, true, 1);
  narrow("maximum", range.high, false, -1);
  narrow("exclusiveMaximum", range.high, true, -1);
  const std::int32_t begin = builder_.begin_of(rule), end = builder_.end_of(rule);
  if (!range.low && !range.high) {
    return builder_.call(begin, whole ? json_.integer() : json_.number(), end);
  }
  if (range.is_empty()) refuse(path, "has bounds with no number between them");
  add_decimals(builder_, begin, range, end);
}

void SchemaReader::add_array(std::int32_t rule, const Json& schema, const std::string& path) {
  std::vector<std::int32_t> first;
  const Json prefix = schema.value("prefixItems", Json::array());
  if (!prefix.is_array()) refuse(inside(path, "prefixItems"), "is no list of schemas");
  for (std::size_t i = 0; i < prefix.size(); ++i) {
    first.push_back(rule_of(prefix[i], fmt::format("{}.prefixItems[{}]", path, i)));
  }
  const RepeatRange count = counts(schema, "minItems", "maxItems", path);
  std::optional<std::int32_t> item;
  const bool has_items = schema.contains("items");
  if (!has_items || schema["items"] != false) {
    item = has_items ? rule_of(schema["items"], inside(path, "items")) : json_.value();
  }
  if (!item && count.least > std::ssize(first)) {
    refuse(inside(path, "minItems"), "asks for more items than there may be");
  }
  builder_.empty(json_.list(builder_.begin_of(rule), '[', first, item, count, ']'),
                 builder_.end_of(rule));
}

/// Two tracks through the properties: on the first nothing has been written yet, on the second
/// something has, and a comma comes before the next one.
void SchemaReader::add_object(std::int32_t rule, const Json& schema, const std::string& path) {
  GrammarBuilder& b = builder_;
  Json properties = schema.value("properties", Json::object());
  if (!properties.is_object()) refuse(inside(path, "properties"), "is no object of schemas");
  const Json required = schema.value("required", Json::array());
  const bool are_names =
      required.is_array() &&
      std::all_of(required.begin(), required.end(), [](const Json& n) { return n.is_string(); });
  if (!are_names) refuse(inside(path, "required"), "is no list of names");
  const Json more = schema.value("additionalProperties", Json());
  for (const Json& name : required) {
    if (properties.contains(name.get<std::string>())) continue;
    if (more == false) {
      refuse(inside(path, "required"),
             fmt::format("names {}, which is not one of the properties", name.dump()));
    }
    properties[name.get<std::string>()] = more.is_null() ? Json(true) : more;
  }
  const bool is_free = properties.empty() && more.is_null();
  std::optional<std::int32_t> others;
  if (is_free || (!more.is_null() && more != false)) {
    others = is_free ? json_.value() : rule_of(more, inside(path, "additionalProperties"));
  }
  const RepeatRange count = counts(schema, "minProperties", "maxProperties", path);
  const auto total = std::ssize(properties);
  // Names that a model makes up may be the same: no number of them is certain but one.
  const std::int64_t certain = std::max<std::int64_t>(std::ssize(required), total == 0 && others);
  if (count.least > certain) {
    refuse(inside(path, "minProperties"), "asks for more members than `required` names");
  }
  if (count.most && total > 0 && (others || *count.most < total)) {
    refuse(inside(path, "maxProperties"),
           "stands beside `properties` of which more may be written");
  }
  const std::int32_t begin = b.begin_of(rule), end = b.end_of(rule);
  if (total == 0) {
    std::optional<std::int32_t> pair;
    if (others) {
      pair = b.rule("member");
      b.empty(json_.member(b.begin_of(*pair), json_.string(), *others), b.end_of(*pair));
    }
    return b.empty(json_.list(begin, '{', {}, pair, count, '}'), end);
  }
  std::int32_t none = b.call(b.text(begin, "{"), json_.space()), some = b.state();
  std::vector<std::string> names;
  for (const auto& [name, property] : properties.items()) {
    names.push_back(name);
    const std::int32_t name_rule = b.rule("name"),
                       value = rule_of(property, inside(inside(path, "properties"), name));
    b.empty(b.text(b.begin_of(name_rule), Json(name).dump()), b.end_of(name_rule));
    const std::int32_t next_none = b.state(), next_some = b.state();
    b.empty(json_.member(none, name_rule, value), next_some);
    b.empty(json_.member(json_.comma(some), name_rule, value), next_some);
    if (!has_name(schema, name)) {
      b.empty(none, next_none);
      b.empty(some, next_some);
    }
    none = next_none;
    some = next_some;
  }
  if (others) {
    const std::int32_t other = json_.other_name(names);
    b.empty(json_.member(none, other, *others), some);
    b.empty(json_.member(json_.comma(some), other, *others), some);
  }
  const std::int32_t last = b.state();
  b.empty(none, last);
  b.empty(some, last);
  b.empty(b.text(b.call(last, json_.space()), "}"), end);
}
}  // namespace

std::int32_t add_json_schema(GrammarBuilder& builder, const Json& schema, const std::string& path) {
  return SchemaReader(builder, schema, path).rule_of(schema, path);
}

}  // namespace tessera
