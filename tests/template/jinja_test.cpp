// SPDX-License-Identifier: MIT
// The language of templates: what it does, what it refuses, and that nothing hostile harms it.
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/template/chat_template.h"

namespace tessera {
namespace {

using Json = ChatTemplate::Json;

std::string written(const std::string& source, const Json& people = Json::object()) {
  return ChatTemplate(source, "chat_template.jinja").render(Json::object(), people, 0).text;
}

std::string refusal(const std::string& source, const Json& people = Json::object()) {
  try {
    return "no error: " + written(source, people);
  } catch (const Error& error) {
    return error.what();
  }
}

void expect_refused(const std::string& source, const std::string& named) {
  const std::string error = refusal(source);
  EXPECT_NE(error.find(named), std::string::npos) << source << "\n" << error;
}

TEST(Jinja, WhiteSpaceAroundTags) {
  EXPECT_EQ(written("a\n  {% if true %}\nb\n  {% endif %}\nc\n"), "a\nb\nc");
  EXPECT_EQ(written("a  {%- if true -%}  b  {%- endif %} c"), "ab c");
  EXPECT_EQ(written("  {{ 1 }}\n  {{- 2 -}}  \n3"), "  123");
  EXPECT_EQ(written("a\n  {%+ if true %}b{% endif +%}\nc"), "a\n  b\nc");
  EXPECT_EQ(written("a\n {# note #}\nb"), "a\nb");
  EXPECT_EQ(written("x {% if true %}y{% endif %}"), "x y");
  EXPECT_EQ(written("a\r\nb\n\n"), "a\nb\n");
  EXPECT_EQ(written("{ % } {"), "{ % } {");
  EXPECT_EQ(written("{{ {'a': {'b': 1}} }}"), "{'a': {'b': 1}}");
}

TEST(Jinja, LoopsKnowWhereTheyAre) {
  EXPECT_EQ(
      written(
          "{% for i in [5, 6] %}{{ loop.index }}{{ loop.first }}{{ loop.revindex0 }};{% endfor %}"),
      "1True1;2False0;");
  EXPECT_EQ(written("{% for i in range(6) if i is odd %}{{ i }}/{{ loop.length }} {% endfor %}"),
            "1/3 3/3 5/3 ");
  EXPECT_EQ(written("{% for i in [] %}x{% else %}none{% endfor %}"), "none");
  EXPECT_EQ(written("{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}{{ v }}{% endfor %}"),
            "a1b2");
  EXPECT_EQ(written("{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}"
                    "{% if i > 3 %}{% break %}{% endif %}{{ i }}{% endfor %}"),
            "013");
  EXPECT_EQ(written("{% for i in 'ab' %}{{ loop.previtem }}{{ loop.nextitem }}{% endfor %}"), "ba");
  EXPECT_EQ(written("{% for i in [1, 1, 2] %}{{ loop.changed(i) }} {% endfor %}"),
            "True False True ");
}

TEST(Jinja, NamesEndWithTheirScope) {
  EXPECT_EQ(
      written("{% set x = 1 %}{% for i in [1, 2] %}{{ x }}{% set x = 5 %}{% endfor %}{{ x }}"),
      "111");
  EXPECT_EQ(written("{% set n = namespace(x=1) %}{% for i in [1, 2] %}{% set n.x = n.x + i %}"
                    "{% endfor %}{{ n.x }}"),
            "4");
  EXPECT_EQ(written("{% if true %}{% set x = 3 %}{% endif %}{{ x }}"), "3");
  EXPECT_EQ(written("{% set x %}a{{ 1 }}{% endset %}[{{ x }}]"), "[a1]");
  EXPECT_EQ(written("{% set x | upper %}a{% endset %}{{ x }}"), "A");
  EXPECT_EQ(written("{% set a, b = [1, 2] %}{{ b }}{{ a }}"), "21");
  EXPECT_EQ(written("{% macro m(a, b=2) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{% set c = 9 %}"
                    "{{ m(1) }} {{ m(1, b=3) }} {% for c in [4] %}{{ m(5) }}{% endfor %}"),
            "129 139 529");
}

TEST(Jinja, ExpressionsAreThoseOfPython) {
  EXPECT_EQ(written("{{ 1 + 2 * 3 ** 2 // 4 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }}"),
            "5 -4 2 3.5");
  EXPECT_EQ(written("{{ 1 < 2 < 3 }} {{ 'a' ~ 1 ~ none }} {{ not 1 == 2 }}"), "True a1None True");
  EXPECT_EQ(written("{{ 'a' in 'cab' and 3 or 4 }} {{ '' or 'x' }} {{ 1 if 0 }}|"), "3 x |");
  EXPECT_EQ(written("{{ [1, 'a', none, true, 1.0] }} {{ ('a',) }} {{ \"it's\" }}"),
            "[1, 'a', None, True, 1.0] ('a',) it's");
  EXPECT_EQ(written("{{ 'abc'[::-1] }} {{ [1, 2, 3][1:] }} {{ 'h\u00e9llo'[1] }} {{ 'ab'[-1] }}"),
            "cba [2, 3] \u00e9 b");
  EXPECT_EQ(written("{{ 1e16 }} {{ 1e-5 }} {{ 123456.789 }} {{ 0.1 + 0.2 }} {{ 100.0 }}"),
            "1e+16 1e-05 123456.789 0.30000000000000004 100.0");
  EXPECT_EQ(written("{{ x.y is defined }}{{ x.y }}{{ z is undefined }}", {{"x", {{"a", 1}}}}),
            "FalseTrue");
  EXPECT_EQ(written("{{ '\\n\\x41\\u00e9\\q' }}"), "\nA\u00e9\\q");
  EXPECT_EQ(written("{{ {'a': [1, 2.5, none, true, '\u00e9\"']} | tojson }}"),
            "{\"a\": [1, 2.5, null, true, \"\u00e9\\\"\"]}");
  EXPECT_EQ(written("{{ {'a': [1], 'b': {}} | tojson(indent=2) }}"),
            "{\n  \"a\": [\n    1\n  ],\n  \"b\": {}\n}");
}

TEST(Jinja, WhiteSpaceIsCutAsPythonDoes) {
  EXPECT_EQ(written("{{ ' a  b '.split() }}{{ ' a  b '.split(none, 1) }}"),
            "['a', 'b']['a', 'b ']");
  EXPECT_EQ(written("{{ ' a  b '.rsplit(none, 1) }}{{ 'a-b-c'.rsplit('-', 1) }}"),
            "[' a', 'b']['a-b', 'c']");
}

TEST(Jinja, TitleIsAnotherThingAsFilterAndAsMethod) {
  EXPECT_EQ(written("{{ \"it's a-b (c\" | title }}|{{ \"it's a-b (c\".title() }}"),
            "It's A-B (C|It'S A-B (C");
}

TEST(Jinja, WhatMapAndSelectGiveIsGoneThroughOnce) {
  EXPECT_EQ(written("{% set g = [1, 2] | map('string') %}{{ g | join }}{{ g | join }}|"), "12|");
  EXPECT_EQ(written("{{ [1, 2, 3] | select('odd') | list }}{{ none | map('string') | list }}"),
            "[1, 3][]");
  expect_refused("{{ [1] | map('string') }}", "a generator as text");
  EXPECT_EQ(written("{{ {'a': 1}.items() }}{{ {'a': 1}.keys() | list }}"),
            "dict_items([('a', 1)])['a']");
}

TEST(Jinja, WhatIsNotReadIsRefusedWithItsPlace) {
  expect_refused("a\n  {% include 'x' %}", "line 2, column 6: the statement include is not read");
  expect_refused("{{ x | batch(2) }}", "line 1, column 8: the filter batch is not read");
  expect_refused("{{ x is sameas y }}", "the test sameas is not read");
  expect_refused("{% for x in y recursive %}{% endfor %}", "a recursive loop is not read");
  expect_refused("{% if 1 %}{% macro m() %}{% endmacro %}{% endif %}", "a macro within");
  expect_refused("{{ f(*x) }}", "a call with * or **");
  expect_refused("{{ 'x'.format(1) }}", "the method format of str is not read");
  expect_refused("{{ [1].append(2) }}", "the method append of list is not read");
  expect_refused("{{ '\u00e9'.upper() }}", "upper of a text beyond ASCII");
  expect_refused("{% raw %}x{% endraw %}", "the statement raw");
  expect_refused("{{ 0x1F }}", "a number of another kind");
  expect_refused("{{ '\\N{BULLET}' }}", "the escape \\N");
}

TEST(Jinja, MistakesOfATemplateAreNamed) {
  for (const char* source : {"{{ 1",
                             "{% if 1 %}",
                             "{% endif %}",
                             "{{ 'a }}",
                             "{# a",
                             "{{ 1 + }}",
                             "{{ ( }}",
                             "{{ ] }}",
                             "{% for x y %}{% endfor %}",
                             "{% set = 1 %}",
                             "{{ a b }}",
                             "{% if %}x{% endif %}",
                             "{{ x[] }}",
                             "{{ x. }}",
                             "{% else %}",
                             "{% break %}",
                             "{{ $ }}",
                             "{%",
                             "{{",
                             "{% %}",
                             "{{ 9999999999999999999 }}",
                             "{% set x.y = 1 %}{{ x }}",
                             "{{ undefined_name.a }}",
                             "{{ 1 + 'a' }}",
                             "{{ 1 < 'a' }}",
                             "{{ 1 / 0 }}",
                             "{{ 5 % 0 }}",
                             "{{ 9223372036854775807 + 1 }}",
                             "{{ 2 ** 64 }}",
                             "{{ none() }}",
                             "{{ missing() }}",
                             "{{ 1[:2] }}",
                             "{{ 'a'[::0] }}",
                             "{% set n = namespace() %}{{ n }}",
                             "{% set n = namespace() %}{% set n.a = n %}",
                             "{% set n = namespace() %}{% set n.a = [n] %}",
                             "{% for i in 5 %}{% endfor %}",
                             "{% set a, b = [1] %}",
                             "{{ raise_exception('no') }}",
                             "{{ range(1000000) }}",
                             "{{ 'a'.split('') }}",
                             "{{ {1: 2} }}",
                             "{{ x is }}",
                             "\xFF"}) {
    EXPECT_EQ(refusal(source).find("no error"), std::string::npos)
        << source << " " << refusal(source);
  }
  EXPECT_NE(refusal("{{ raise_exception('Roles must take turns') }}").find("Roles must take turns"),
            std::string::npos);
}

/// Deep, endless, or large: an error, soon.
TEST(Jinja, AHostileTemplateEndsInAnError) {
  const auto repeated = [](const std::string& part, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += part;
    return out;
  };
  for (const std::string& source :
       {"{{ " + repeated("(", 100000) + " }}", "{{ " + repeated("[", 100000),
        "{{ " + repeated("-", 100000) + "1 }}", "{{ " + repeated("not ", 100000) + "1 }}",
        "{{ 1" + repeated(" + 1", 100000) + " }}", "{{ x" + repeated(".a", 100000) + " }}",
        "{{ x" + repeated("|list", 100000) + " }}", "{{ x" + repeated("(1)", 100000) + " }}",
        "{{ 1" + repeated(" if 1 else 1", 100000) + " }}", repeated("{% if 1 %}", 100000),
        repeated("{% for i in [1] %}", 500) + repeated("{% endfor %}", 500),
        "{% if 0 %}" + repeated("{% elif 0 %}", 100000) + "{% endif %}",
        std::string("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}"),
        std::string(
            "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"),
        std::string("{{ 'abcdefgh' * 9000000000 }}"),
        std::string("{% set n = namespace(x='ab') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x "
                    "%}{% endfor %}"),
        std::string("{% set n = namespace(x=1) %}{% for i in range(999) %}{% set n.x = [n.x] %}{% "
                    "endfor %}{{ n.x }}"),
        std::string("{% set n = namespace(x=1) %}{% for i in range(999) %}{% set n.x = {'a': n.x} "
                    "%}{% endfor %}")}) {
    EXPECT_EQ(refusal(source).find("no error"), std::string::npos) << source.substr(0, 60);
  }
  Json deep = 1;
  for (int i = 0; i < 1000; ++i) deep = Json::array({deep});
  EXPECT_EQ(refusal("{{ x }}", {{"x", deep}}).find("no error"), std::string::npos);
  EXPECT_EQ(refusal("{{ x }}", {{"x", ~std::uint64_t{0}}}).find("no error"), std::string::npos);
}

}  // namespace
}  // namespace tessera
