// SPDX-License-Identifier: MIT
#include "core/grammar/json_schema.h"

#include <map>
#include <set>

#include "tests/grammar/grammar_testing.h"

namespace tessera::test {
namespace {

struct Case {
  const char* schema;
  std::vector<const char*> taken, refused;
};

TEST(JsonSchema, TakesAndRefuses) {
  const Case cases[] = {
      {R"({"type": "string"})", {R"("")", R"("é\n")"}, {"1", "\"", "a"}},
      {R"({"type": "string", "minLength": 2, "maxLength": 3})",
       {R"("ab")", R"("éé😀")", R"("\u00e9\n")", R"("\ud83d\ude00a")"},
       {R"("a")", R"("abcd")", R"("😀")", R"("\ud83d\ude00")"}},
      {R"({"type": "string", "minLength": 1})", {R"("a")", R"("abcdefgh")"}, {R"("")"}},
      {R"({"type": "integer"})", {"0", "-0", "12", "-7"}, {"01", "1.5", "1e3", "+1", ""}},
      {R"({"type": "number"})",
       {"0", "1.5", "-2e-7", "1E+10", "0.001"},
       {"1.", ".5", "1e", "1e100"}},
      {R"({"type": "integer", "minimum": -3, "maximum": 12})",
       {"-3", "-1", "0", "9", "10", "12"},
       {"-4", "13", "20", "-10", "-0", "100", "1.0"}},
      {R"({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10.5})",
       {"1", "10"},
       {"0", "11", "-1"}},
      {R"({"type": "integer", "minimum": 1e3})", {"1000", "1001", "99999"}, {"999", "0", "-1000"}},
      {R"({"type": "integer", "maximum": -15})",
       {"-15", "-16", "-20", "-100"},
       {"-14", "-1", "15"}},
      {R"({"type": "number", "minimum": 0, "maximum": 1})",
       {"0", "1", "0.5", "1.0", "1.000", "0.000"},
       {"1.01", "2", "-0.5", "-0", "10"}},
      {R"({"type": "number", "exclusiveMinimum": -1.25, "exclusiveMaximum": 0.5})",
       {"-1.2", "-1.249", "-0.5", "0", "0.49", "0.4999"},
       {"-1.25", "-1.250", "-1.3", "0.5", "0.50", "0.51", "1"}},
      {R"({"type": "number", "minimum": 0.05})",
       {"0.05", "0.050", "0.06", "3"},
       {"0.04", "0", "0.0499"}},
      {R"({"type": "boolean"})", {"true", "false"}, {"null", "0"}},
      {R"({"type": ["integer", "null"]})", {"5", "null"}, {"true", "\"5\""}},
      {R"({"enum": ["a", 1, null, {"b": []}, "é\""]})",
       {R"("a")", "1", "null", R"({"b":[]})", R"("é\"")"},
       {R"("b")", "2", "{}"}},
      {R"({"type": "string", "enum": ["a", 1]})", {R"("a")"}, {"1"}},
      {R"({"const": "fixed"})", {R"("fixed")"}, {R"("fixe")"}},
      {R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
       {"[1]", "[1, 2]", "[1,2,3]", "[\n  1\n]"},
       {"[]", "[1, 2, 3, 4]", "[true]", "[1,]"}},
      {R"({"type": "array", "minItems": 2})", {R"([1, "a"])", "[1,2,3,4]"}, {"[]", "[1]"}},
      {R"({"type": "array", "maxItems": 0})", {"[]"}, {"[1]"}},
      {R"({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "boolean"}], "items": false,
          "minItems": 2})",
       {"[1, true]"},
       {"[1]", "[true, 1]", "[1, true, 1]"}},
      {R"({"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "null"}})",
       {"[]", "[1]", "[1, null, null]"},
       {"[null]", "[1, 1]"}},
      {R"({"type": "object"})", {"{}", R"({"a": [1]})"}, {"[]"}},
      {R"({"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "null"}},
          "required": ["b", "a"], "additionalProperties": false})",
       {R"({"b": 1, "a": null})", R"({"b":1,"a":null})"},
       {"{}", R"({"b": 1})", R"({"a": null, "b": 1})", R"({"b": 1, "a": null, "c": 1})"}},
      {R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer"},
          "c": {"type": "integer"}}, "required": ["b"]})",
       {R"({"b": 1})", R"({"a": 1, "b": 2})", R"({"b": 1, "c": 2})", R"({"a": 1, "b": 2, "c": 3})"},
       {"{}", R"({"a": 1})", R"({"a": 1, "c": 2})", R"({, "b": 1})", R"({"b": 1, "d": 2})"}},
      {R"({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 1,
          "maxProperties": 2})",
       {R"({"x": 1})", R"({"x": 1, "y": 2})"},
       {"{}", R"({"x": null})", R"({"x": 1, "y": 2, "z": 3})"}},
      {R"({"type": "object", "properties": {"ab": {"type": "integer"}, "a": {"type": "integer"}},
          "additionalProperties": {"type": "null"}})",
       {"{}", R"({"ab": 1})", R"({"ab": 1, "abc": null})", R"({"x": null})", R"({"": null})",
        R"({"é": null, "b": null})"},
       {R"({"ab": null})", R"({"a": null})", R"({"x": 1})", R"({"\u0061": null})"}},
      {R"({"type": "object", "properties": {}, "additionalProperties": false})",
       {"{}"},
       {R"({"a":1})"}},
      {R"({"type": "object", "required": ["x"]})", {R"({"x": [1]})"}, {"{}", R"({"y": 1})"}},
      {R"({"anyOf": [{"type": "string"}, {"type": "null"}]})", {R"("a")", "null"}, {"1"}},
      {R"({"type": "object", "properties": {"k": {"type": "string"}}, "anyOf": [
          {"required": ["k"]}, {"properties": {"n": {"type": "integer"}}, "required": ["n"]}]})",
       {R"({"k": "a"})", R"({"n": 1})", R"({"k": "a", "n": 1})"},
       {"{}"}},
      {R"({"oneOf": [{"type": "object", "properties": {"t": {"const": "a"}}, "required": ["t"]},
          {"type": "object", "properties": {"t": {"const": "b"}}, "required": ["t"]}]})",
       {R"({"t": "a"})", R"({"t": "b"})"},
       {R"({"t": "c"})", "{}"}},
      {R"({"allOf": [{"$ref": "#/$defs/n"}, {"maximum": 5}], "$defs": {"n": {"type": "integer",
          "minimum": 2}}})",
       {"2", "5"},
       {"1", "6"}},
      {R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object", "properties": {
          "v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]}},
          "required": ["v", "next"], "additionalProperties": false}}})",
       {R"({"v": 1, "next": null})", R"({"v": 1, "next": {"v": 2, "next": null}})"},
       {R"({"v": 1})", R"({"v": 1, "next": {}})"}},
      {R"({"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}})",
       {"{}", R"({"children": [{}, {"children": []}]})"},
       {R"({"children": [1]})"}},
      {"true", {"1", "{}", "[null]"}, {"x"}},
      {R"({"title": "T", "description": "d", "default": 1, "x-order": 3})", {"1", "\"a\""}, {"x"}}};
  for (const Case& one : cases) {
    const Grammar grammar = schema_grammar(Json::parse(one.schema));
    for (const char* text : one.taken)
      EXPECT_TRUE(takes(grammar, text)) << one.schema << " " << text;
    for (const char* text : one.refused)
      EXPECT_FALSE(takes(grammar, text)) << one.schema << " " << text;
  }
}

TEST(JsonSchema, WhatCannotBeObeyedIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}})",
       "schema.properties.a.pattern"},
      {R"({"type": "string", "format": "date"})", "schema.format"},
      {R"({"type": "array", "items": {"not": {}}})", "schema.items.not"},
      {R"({"type": "array", "uniqueItems": true})", "schema.uniqueItems"},
      {R"({"type": "integer", "multipleOf": 3})", "schema.multipleOf"},
      {R"({"if": {}, "then": {}})", "schema.if"},
      {R"({"patternProperties": {"a": {}}})", "schema.patternProperties"},
      {R"({"typ": "string"})", "schema.typ"},
      {R"({"type": "text"})", "schema.type"},
      {R"({"type": []})", "schema.type"},
      {R"({"type": "string", "minLength": -1})", "schema.minLength"},
      {R"({"type": "string", "minLength": 2.5})", "schema.minLength"},
      {R"({"type": "string", "minLength": 3, "maxLength": 2})", "schema.maxLength"},
      {R"({"type": "integer", "minimum": 3, "maximum": 2})", "schema"},
      {R"({"type": "integer", "minimum": 2.1, "maximum": 2.9})", "schema"},
      {R"({"type": "integer", "minimum": "3"})", "schema.minimum"},
      {R"({"enum": []})", "schema.enum"},
      {R"({"type": "string", "enum": [1]})", "schema.enum"},
      {R"({"enum": ["a"], "minLength": 3})", "schema.minLength"},
      {R"({"$ref": "#/$defs/none"})", "schema.$ref"},
      {R"({"$ref": "http://a/b"})", "schema.$ref"},
      {R"({"$ref": 5})", "schema.$ref"},
      {R"({"anyOf": []})", "schema.anyOf"},
      {R"({"oneOf": [{"type": "integer"}, {"type": "number"}]})", "schema.oneOf"},
      {R"({"oneOf": [{"type": "object"}, {"type": "object", "properties": {"a": {}}}]})",
       "schema.oneOf"},
      {R"({"allOf": [{"type": "string"}, {"type": "null"}]})", "schema.allOf[1].type"},
      {R"({"required": ["a"], "additionalProperties": false})", "schema.required"},
      {R"({"required": "a"})", "schema.required"},
      {R"({"properties": []})", "schema.properties"},
      {R"({"properties": {"a": 5}})", "schema.properties.a"},
      {R"({"properties": {"a": false}})", "schema.properties.a"},
      {R"({"type": "object", "minProperties": 2})", "schema.minProperties"},
      {R"({"type": "array", "maxItems": 1000000000})", "schema.maxItems"},
      {R"("string")", "schema"},
      {"5", "schema"},
      {"false", "schema"}};
  for (const auto& [schema, path] : cases) {
    try {
      schema_grammar(Json::parse(schema));
      ADD_FAILURE() << schema;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("`" + std::string(path)), std::string::npos)
          << schema << ": " << error.what();
      EXPECT_FALSE(error.hint().empty()) << schema;
    }
  }
}

TEST(JsonSchema, SchemasWithoutAnEndAreRefused) {
  for (const char* schema :
       {R"({"$ref": "#"})", R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})",
        R"({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]})",
        R"({"allOf": [{"$ref": "#"}]})",
        R"({"type": "array", "minItems": 100000, "items": {"type": "array", "minItems": 100000,
            "items": {"type": "string", "maxLength": 100000}}})"}) {
    EXPECT_THROW(schema_grammar(Json::parse(schema)), Error) << schema;
  }
  Json deep = {{"type", "null"}};
  for (int i = 0; i < 300; ++i) deep = {{"type", "array"}, {"items", deep}};
  EXPECT_THROW(schema_grammar(deep), Error);
}

// ---- Answers of chance --------------------------------------------------------------------------

const Json& followed(const Json& schema, const Json& root) {
  const Json* here = &schema;
  while (here->is_object() && here->contains("$ref")) {
    here = &root.at(Json::json_pointer((*here)["$ref"].get<std::string>().substr(1)));
  }
  return *here;
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// Written for itself, by what the specification says.
bool is_valid(const Json& value, const Json& written, const Json& root) {
  const Json& schema = followed(written, root);
  if (schema.is_boolean()) return schema.get<bool>();
  const auto has = [&](const char* key) { return schema.contains(key); };
  const auto any_of = [&](const char* key) {
    return std::count_if(schema[key].begin(), schema[key].end(),
                         [&](const Json& one) { return is_valid(value, one, root); });
  };
  if (has("anyOf") && any_of("anyOf") == 0) return false;
  if (has("oneOf") && any_of("oneOf") != 1) return false;
  if (has("const") && value != schema["const"]) return false;
  if (has("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end())
    return false;
  const std::map<std::string, bool> types{{"null", value.is_null()},
                                          {"boolean", value.is_boolean()},
                                          {"object", value.is_object()},
                                          {"array", value.is_array()},
                                          {"string", value.is_string()},
                                          {"number", value.is_number()},
                                          {"integer", value.is_number_integer()}};
  if (has("type")) {
    const Json named = schema["type"].is_array() ? schema["type"] : Json::array({schema["type"]});
    if (std::none_of(named.begin(), named.end(), [&](const Json& type) { return types.at(type); }))
      return false;
  }
  if (value.is_string()) {
    const std::size_t length = characters(value);
    if (has("minLength") && length < schema["minLength"].get<std::size_t>()) return false;
    if (has("maxLength") && length > schema["maxLength"].get<std::size_t>()) return false;
  }
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (has("minimum") && number < schema["minimum"].get<double>()) return false;
    if (has("maximum") && number > schema["maximum"].get<double>()) return false;
    if (has("exclusiveMinimum") && number <= schema["exclusiveMinimum"].get<double>()) return false;
    if (has("exclusiveMaximum") && number >= schema["exclusiveMaximum"].get<double>()) return false;
  }
  if (value.is_array()) {
    if (has("minItems") && value.size() < schema["minItems"].get<std::size_t>()) return false;
    if (has("maxItems") && value.size() > schema["maxItems"].get<std::size_t>()) return false;
    for (const Json& item : value) {
      if (has("items") && !is_valid(item, schema["items"], root)) return false;
    }
  }
  if (value.is_object()) {
    for (const Json& name : schema.value("required", Json::array())) {
      if (!value.contains(name.get<std::string>())) return false;
    }
    const Json properties = schema.value("properties", Json::object());
    for (const auto& [name, member] : value.items()) {
      const Json rule = properties.contains(name)
                            ? properties[name]
                            : schema.value("additionalProperties", Json(true));
      if (!is_valid(member, rule, root)) return false;
    }
  }
  return true;
}

/// A schema of chance, of what can be obeyed.
Json random_schema(std::mt19937_64& random, int depth) {
  const auto chance = [&](unsigned of) { return random() % of == 0; };
  const auto number = [&](int least, int most) {
    return least + static_cast<int>(random() % static_cast<unsigned>(most - least + 1));
  };
  Json made = Json::object();
  switch (number(0, depth > 0 ? 9 : 5)) {
    case 0:
      return {{"type", "boolean"}};
    case 1:
      made["type"] = "string";
      if (chance(2)) made["minLength"] = number(0, 3);
      if (chance(2)) made["maxLength"] = number(3, 12);
      return made;
    case 2: {
      made["type"] = "integer";
      const int low = number(-1200, 1200);
      if (chance(2)) made[chance(2) ? "minimum" : "exclusiveMinimum"] = low;
      if (chance(2)) made[chance(2) ? "maximum" : "exclusiveMaximum"] = low + number(2, 500);
      return made;
    }
    case 3: {
      made["type"] = "number";
      const double low = number(-12000, 12000) / 1000.0;
      if (chance(2)) made[chance(2) ? "minimum" : "exclusiveMinimum"] = low;
      if (chance(2))
        made[chance(2) ? "maximum" : "exclusiveMaximum"] = low + number(1, 5000) / 1000.0;
      return made;
    }
    case 4:
      return {{"enum", {"a", "fox", 17, nullptr, "é\n\"", 2.5}}};
    case 5:
      return chance(2) ? Json{{"type", {"integer", "null", "string"}}} : Json{{"const", "x"}};
    case 6:
      return {{"anyOf", {random_schema(random, depth - 1), {{"type", "null"}}}}};
    case 7:
      made = {{"type", "array"}, {"items", random_schema(random, depth - 1)}};
      if (chance(2)) made["minItems"] = number(0, 2);
      if (chance(2)) made["maxItems"] = number(2, 4);
      return made;
    default: {
      made = {{"type", "object"}, {"properties", Json::object()}, {"required", Json::array()}};
      for (int i = number(1, 4); i > 0; --i) {
        constexpr const char* kNames[] = {"", "n", "né", "n\"", "n\n", "né\"x"};
        const std::string name = kNames[number(0, 5)] + std::to_string(i);
        made["properties"][name] = random_schema(random, depth - 1);
        if (chance(2)) made["required"].push_back(name);
      }
      if (chance(2))
        made["additionalProperties"] = chance(2) ? Json(false) : random_schema(random, 0);
      return made;
    }
  }
}

TEST(JsonSchema, WhatChanceWritesIsValid) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 150; ++i) {
    const Json schema = random_schema(random, 3);
    const auto constraint = constraint_over(schema_grammar(schema));
    for (int j = 0; j < 4; ++j) {
      const std::string text = random_answer(constraint, random, 10 + 10 * j);
      ASSERT_TRUE(Json::accept(text)) << schema << "\n" << text;
      EXPECT_TRUE(is_valid(Json::parse(text), schema, schema)) << schema << "\n" << text;
    }
  }
}

TEST(JsonSchema, RecursiveAnswersOfChanceAreValid) {
  std::mt19937_64 random(8);
  const Json schema = Json::parse(R"({"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "object",
      "properties": {"v": {"type": "integer", "minimum": -20, "maximum": 300},
      "sons": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
      "required": ["v", "sons"], "additionalProperties": false}}})");
  const auto constraint = constraint_over(schema_grammar(schema));
  for (int i = 0; i < 100; ++i) {
    const std::string text = random_answer(constraint, random, i);
    ASSERT_TRUE(Json::accept(text)) << text;
    EXPECT_TRUE(is_valid(Json::parse(text), schema, schema)) << text;
  }
  const auto objects = constraint_over(object_grammar());
  for (int i = 0; i < 100; ++i) {
    const std::string text = random_answer(objects, random, i);
    EXPECT_TRUE(Json::accept(text)) << text;
  }
}

}  // namespace
}  // namespace tessera::test
