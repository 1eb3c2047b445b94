#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chat templates: what we write out beside what jinja2 does, byte for byte.

    pip install jinja2                              # last run: see docs/journal.md
    ninja -C build render_template
    tests/peers/templates.py --golden               # writes tests/golden/templates anew
    tests/peers/templates.py                        # 8 templates x 200 conversations, and made-up expressions
    tests/peers/templates.py --also FILE...         # templates of your own (a .jinja, or a tokenizer_config.json)

The templates are written here, in the shapes that the families of models use. jinja2 gets the settings of transformers' apply_chat_template.
"""
import argparse
import datetime
import json
import os
import pathlib
import random
import subprocess
import sys
import warnings

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "templates"
RENDER = pathlib.Path(os.environ.get("TESSERA_BUILD_DIR", ROOT / "build")) / "tests" / "template" / "render_template"
NOW = 1767225600 + 12 * 3600  # noon of 1 January 2026, UTC
BAR, GAP = "\uff5c", "\u2581"


def role(name):
    return f"<{BAR}{name.replace(' ', GAP)}{BAR}>"


# ---- Templates -----------------------------------------------------------------------------------------------------------------------

PLAIN = r"""
{%- if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif -%}
{{ bos_token }}
{%- for message in messages %}
    {%- if message['role'] == 'user' %}
        {{- 'User: ' + message['content'] + '\n\n' }}
    {%- elif message['role'] == 'assistant' %}
        {{- 'Assistant: ' ~ message['content'] ~ eos_token }}
    {%- elif message['role'] == 'system' %}
        {{- message['content'] + '\n\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}
"""

TURNS = """\
{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}\
{% set ns = namespace(first=true, in_tool=false, tool_first=true, system='') %}\
{%- for m in messages %}{% if m['role'] == 'system' %}{% if ns.first %}{% set ns.system = m['content'] %}{% set ns.first = false %}\
{% else %}{% set ns.system = ns.system + '\\n\\n' + m['content'] %}{% endif %}{% endif %}{%- endfor -%}
{{ bos_token }}{{ ns.system }}
{%- for m in messages %}
  {%- if m.role == 'user' %}{% set ns.in_tool = false %}{{ 'USER' + m['content'] }}{% endif %}
  {%- if m.role == 'assistant' and 'tool_calls' in m %}
    {%- set ns.in_tool = false -%}
    {{ 'ASSISTANT' }}{% if m['content'] is not none %}{{ m['content'] }}{% endif %}{{ 'CALLS' }}
    {%- for call in m['tool_calls'] %}
      {%- if not loop.first %}{{ '\\n' }}{% endif %}
      {{- call['type'] + 'SEP' + call['function']['name'] + '\\n```json\\n' + (call['function']['arguments'] if call['function']['arguments'] is string else call['function']['arguments'] | tojson) + '\\n```' }}
    {%- endfor %}{{ 'ENDCALLS' + eos_token }}
  {%- endif %}
  {%- if m.role == 'assistant' and 'tool_calls' not in m %}
    {%- set content = m['content'] %}
    {%- if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}
    {%- if ns.in_tool %}{{ 'ENDRESULTS' }}{% set ns.in_tool = false %}{% else %}{{ 'ASSISTANT' }}{% endif %}{{ content + eos_token }}
  {%- endif %}
  {%- if m.role == 'tool' %}
    {%- set ns.in_tool = true -%}
    {%- if ns.tool_first %}{{ 'RESULTS' }}{% set ns.tool_first = false %}{% else %}{{ '\\n' }}{% endif -%}
    {{ 'RESULT' ~ m['content'] }}
  {%- endif %}
{%- endfor -%}
{% if ns.in_tool %}{{ 'ENDRESULTS' }}{% endif %}{% if add_generation_prompt and not ns.in_tool %}{{ 'ASSISTANT' }}{% endif %}
""".replace("USER", role("User")).replace("ASSISTANT", role("Assistant")).replace("ENDCALLS", role("calls end")).replace(
    "CALLS", role("calls begin")).replace("SEP", role("sep")).replace("ENDRESULTS", role("results end")).replace(
    "RESULTS", role("results begin")).replace("RESULT", role("result"))

THINKING = """\
{% set thinking = thinking | default(false) %}{% set last_user = namespace(index=-1) %}
{% for m in messages %}{% if m.role == 'user' %}{% set last_user.index = loop.index0 %}{% endif %}{% endfor %}
{{- bos_token -}}
{% for m in messages %}
    {% if m.role in ['system', 'developer'] %}
{{ m.content | trim }}
    {% elif m.role == 'user' %}
{{- 'USER' ~ m.content -}}
    {% elif m.role == 'assistant' %}
        {% generation %}
        {% set text = m.content or '' %}
        {% set reasoning = m.reasoning_content if m.reasoning_content is defined and m.reasoning_content else '' %}
        {% if not reasoning and '</think>' in text %}
            {% set reasoning = text.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}
            {% set text = text.split('</think>')[-1].lstrip('\\n') %}
        {% endif %}
        {% if loop.index0 > last_user.index and (loop.last or reasoning) %}
{{- 'ASSISTANT<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + text.lstrip('\\n') + eos_token -}}
        {% else %}
{{- 'ASSISTANT</think>' + text + eos_token -}}
        {% endif %}
        {% endgeneration %}
    {% endif %}
{% endfor %}
{% if add_generation_prompt %}{{ 'ASSISTANT' ~ ('<think>' if thinking else '</think>') }}{% endif %}
""".replace("USER", role("User")).replace("ASSISTANT", role("Assistant"))

MARKED = """\
{%- if tools %}
    {{- '<|im_start|>system\\n' }}
    {%- if messages and messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{% endif %}
    {{- "# Tools\\n\\nYou may call one or more functions.\\n<tools>" }}
    {%- for tool in tools %}
        {{- "\\n" }}
        {{- tool | tojson }}
    {%- endfor %}
    {{- "\\n</tools><|im_end|>\\n" }}
{%- elif messages and messages[0].role == 'system' %}
    {{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- set ns = namespace(multi_step_tool=true, last_query_index=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step_tool and message.role == "user" and message.content is string and not(message.content.startswith('<tool_response>') and message.content.endswith('</tool_response>')) %}
        {%- set ns.multi_step_tool = false %}
        {%- set ns.last_query_index = index %}
    {%- endif %}
{%- endfor %}
{%- for message in messages %}
    {%- if (message.role == "user") or (message.role == "system" and not loop.first) %}
        {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}
    {%- elif message.role == "assistant" %}
        {{- '<|im_start|>' ~ message.role ~ '\\n' ~ (message.content if message.content is not none) }}
        {%- if message.tool_calls %}
            {%- for tool_call in message.tool_calls %}
                {%- if (loop.first and message.content) or (not loop.first) %}{{- '\\n' }}{% endif %}
                {%- if tool_call.function %}{%- set tool_call = tool_call.function %}{%- endif %}
                {{- '<tool_call>\\n{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
                {%- if tool_call.arguments is string %}{{- tool_call.arguments }}{%- else %}{{- tool_call.arguments | tojson }}{%- endif %}
                {{- '}\\n</tool_call>' }}
            {%- endfor %}
        {%- endif %}
        {{- '<|im_end|>\\n' }}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}{{- '<|im_start|>user' }}{%- endif %}
        {{- '\\n<tool_response>\\n' }}{{- message.content }}{{- '\\n</tool_response>' }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}{{- '<|im_end|>\\n' }}{%- endif %}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}"""

MIDDLE = """\
{% macro render_content(msg) -%}
  {%- set c = msg.get('content') -%}
  {%- if c is string -%}{{ c }}{%- elif c is not none -%}
    {%- for part in c -%}{%- if part is mapping and part.type == 'text' -%}{{ part['text'] }}{%- else -%}[{{ part }}]{%- endif -%}{%- endfor -%}
  {%- endif -%}
{%- endmacro -%}
{% macro head(name, kind='im_user') -%}<|{{ kind }}|>{{ name }}<|im_middle|>{%- endmacro -%}
{%- for message in messages -%}
  {%- set name = message.get('name', message['role']) -%}
  {%- if loop.first and messages[0]['role'] != 'system' -%}{{ head('system', kind='im_system') }}You are a helper.<|im_end|>{%- endif -%}
  {%- if message['role'] == 'user' -%}{{ head(name) }}
  {%- elif message['role'] == 'assistant' -%}{{ head(name, 'im_assistant') }}
  {%- else -%}{{ head(name, 'im_system') }}{%- endif -%}
  {%- if message['role'] == 'tool' -%}## Return of {{ message.tool_call_id }}
{% endif -%}
  {{ render_content(message) }}
  {%- for call in message.get('tool_calls') or [] -%}
<|call|>{{ call.id | default('call:' ~ loop.index0, true) }}<|args|>{% if call.function.arguments is string %}{{ call.function.arguments }}{% else %}{{ call.function.arguments | tojson }}{% endif %}
  {%- endfor -%}
<|im_end|>
{%- endfor -%}
{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}
"""

LINES = """\
[gMASK]<sop>
{%- if tools -%}
<|system|>
# Tools
{% for tool in tools %}
{{ tool | tojson(ensure_ascii=False) }}
{% endfor %}
{%- endif -%}
{# the newest question, from behind #}
{%- macro visible(content) -%}
    {%- if content is string -%}
        {{- content }}
    {%- elif content is iterable and content is not mapping -%}
        {%- for item in content -%}
            {%- if item is mapping and item.type == 'text' -%}
                {{- item.text }}
            {%- elif item is string -%}
                {{- item }}
            {%- endif -%}
        {%- endfor -%}
    {%- else -%}
        {{- content }}
    {%- endif -%}
{%- endmacro -%}
{% for m in messages %}
{%- if m.role == 'user' -%}<|user|>
{{ visible(m.content) }}
{{- '/nothink' if (enable_thinking is defined and not enable_thinking and not visible(m.content).endswith("/nothink")) else '' -}}
{%- elif m.role == 'assistant' -%}
<|assistant|>
{%- set content = visible(m.content) %}
{%- for call in m.tool_calls if call.function is defined %}
{{ '\\n<tool_call>' + call.function.name }}
{% set args = call.function.arguments %}
{% if args is mapping %}
{% for k, v in args.items() %}
<arg_key>{{ k }}</arg_key>
<arg_value>{{ v | tojson if v is not string else v }}</arg_value>
{% endfor %}
{% else %}
{{ args }}
{% endif %}
</tool_call>{% else %}
{{ '\\n' + content.strip() if content.strip() else '' }}
{%- endfor %}
{%- elif m.role == 'tool' -%}
{%- if loop.previtem is not defined or loop.previtem.role != 'tool' %}
    {{- '<|observation|>' }}
{%- endif %}
{{- '\\n<tool_response>\\n' }}
{{- m.content }}
{{- '\\n</tool_response>' }}
{%- elif m.role == 'system' -%}
<|system|>
{{ visible(m.content) }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    <|assistant|>{{- '\\n<think></think>' if (enable_thinking is defined and not enable_thinking) else '' -}}
{%- endif -%}"""

HEADERS = """\
{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}{%- set date_string = strftime_now("%d %b %Y") %}{%- else %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages and messages[0]['role'] == 'system' %}
    {%- set system_message = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set system_message = "" %}
{%- endif %}
{{- "<|start_header_id|>system<|end_header_id|>\\n\\n" }}
{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today Date: " + date_string + "\\n\\n" }}
{%- if tools is not none %}
    {{- 'Respond in the format {"name": function name, "parameters": dictionary}.' }}
    {%- for t in tools %}{{- t | tojson(indent=4) }}{{- "\\n\\n" }}{%- endfor %}
{%- endif %}
{{- system_message + "<|eot_id|>" }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n'+ message['content'] | trim + '<|eot_id|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}{{- raise_exception("This model only supports single tool-calls at once!") }}{%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n{"name": "' + tool_call.name + '", "parameters": ' }}
        {{- tool_call.arguments | tojson }}{{- "}<|eot_id|>" }}
    {%- elif message.role == "tool" %}
        {{- "<|start_header_id|>ipython<|end_header_id|>\\n\\n" }}
        {%- if message.content is mapping or message.content is iterable %}{{- message.content | tojson }}{%- else %}{{- message.content }}{%- endif %}
        {{- "<|eot_id|>" }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}
"""

STRICT = """\
{%- set roles = {'user': '[INST] ', 'assistant': '', 'system': '<<SYS>>\\n'} %}
{%- set users = messages | selectattr('role', 'equalto', 'user') | list %}
{{- bos_token -}}
{%- for message in messages | rejectattr('role', 'in', ['tool', 'developer']) %}
  {%- if message.role not in roles %}{{ raise_exception('Unknown role: ' + message.role) }}{% endif %}
  {%- if loop.index0 % 2 == 1 and message.role == 'user' and loop.length > 6 %}{% continue %}{% endif %}
  {%- if loop.index > 12 %}{% break %}{% endif %}
  {%- set content %}{{ message.content if message.content is string else '' }}{% endset %}
  {{- roles[message.role] }}{{ content | replace('\\t', '    ') | indent(2) }}
  {%- if message.role == 'user' %} [/INST]{% elif message.role == 'assistant' %}{{ eos_token }}{% else %}
<</SYS>>

{% endif %}
{%- endfor %}
({{ users | length }}/{{ messages | map(attribute='role') | join(', ') }}/{{ messages | length // 2 }})
{%- for name, n in {'a': 1, 'b': users | length}.items() %}{{ ' ' ~ name ~ '=' ~ n * 2 ** 2 }}{{ loop.cycle(',', ';') }}{% endfor %}
"""

TEMPLATES = {"plain": PLAIN, "turns": TURNS, "thinking": THINKING, "marked": MARKED, "middle": MIDDLE, "lines": LINES,
             "headers": HEADERS, "strict": STRICT}

# ---- Conversations -------------------------------------------------------------------------------------------------------------------

WORDS = ["Hello", " there", "\n", "\n\n", "  ", "\t", "caf\u00e9", "\u4f60\u597d", "\U0001f600", "'", '"', "\\", "<think>", "</think>", "{{ x }}", "{% if %}",
         role("User"), "<|im_end|>", "1", "2.5", "a_b", "&<>", "\u00a0", "\u2028", "\x1b", "/nothink", "<tool_response>", "\u00ad"]


def text(rng, most=8):
    return "".join(rng.choice(WORDS) for _ in range(rng.randint(0, most)))


def value(rng, depth=0):
    kinds = [lambda: text(rng, 3), lambda: rng.randint(-10**6, 10**6), lambda: rng.choice([0.5, 1e-7, 1e22, -3.0, 0.1, 123456.789, 1e16, 1e15]),
             lambda: rng.choice([True, False, None])]
    if depth < 2:
        kinds += [lambda: [value(rng, depth + 1) for _ in range(rng.randint(0, 3))],
                  lambda: {f"k{i}": value(rng, depth + 1) for i in range(rng.randint(0, 3))}]
    return rng.choice(kinds)()


def message(rng, kind):
    made = {"role": kind, "content": text(rng)}
    if kind == "assistant" and rng.random() < 0.3:
        made["content"] = f"<think>\n{text(rng)}\n</think>\n\n{text(rng)}"
    if kind == "assistant" and rng.random() < 0.2:
        made["reasoning_content"] = text(rng)
    if kind == "assistant" and rng.random() < 0.35:
        made["content"] = rng.choice([None, "", text(rng)])
        made["tool_calls"] = [{"id": f"c{i}", "type": "function", "function": {"name": rng.choice(["get_weather", "sum"]), "arguments": rng.choice(
            [json.dumps({"x": i}), {"city": text(rng, 2), "n": value(rng)}])}} for i in range(rng.randint(1, 2))]
    if kind == "tool":
        made["tool_call_id"] = "c0"
    if kind == "user" and rng.random() < 0.1:
        made["content"] = [{"type": "text", "text": text(rng)}, rng.choice([{"type": "image"}, "raw"])]
    return made


def conversation(rng):
    kinds = ["system"] if rng.random() < 0.5 else []
    for _ in range(rng.randint(0, 4)):
        kinds.append("user")
        if rng.random() < 0.9:
            kinds.append("assistant")
        if rng.random() < 0.25:
            kinds += ["tool"] * rng.randint(1, 2)
        if rng.random() < 0.05:
            kinds.append(rng.choice(["system", "developer", "critic"]))
    people = {"messages": [message(rng, kind) for kind in kinds]}
    tools = [{"type": "function", "function": {"name": f"f{i}", "description": text(rng), "parameters": {
        "type": "object", "properties": {"a": {"type": "string"}, "b": value(rng)}, "required": ["a"]}}} for i in range(rng.randint(1, 2))]
    people["tools"] = tools if rng.random() < 0.3 else None
    own = {"bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": rng.random() < 0.7, "documents": None}
    if rng.random() < 0.4:
        own[rng.choice(["enable_thinking", "thinking"])] = rng.random() < 0.5
    return own, people


# ---- jinja2, as transformers sets it up -----------------------------------------------------------------------------------------------


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller):
        return caller()


def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def environment():
    made = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    made.filters["tojson"] = lambda x, ensure_ascii=False, indent=None, separators=None, sort_keys=False: json.dumps(
        x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)
    made.globals["raise_exception"] = refuse
    made.globals["strftime_now"] = lambda form: datetime.datetime.fromtimestamp(NOW).strftime(form)
    return made


def theirs(source, own, people):
    try:
        # A copy: jinja2 changes a list that "indent" is asked of.
        return {"text": environment().from_string(source).render(**own, **json.loads(json.dumps(people)))}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def ours(requests):
    lines = "".join(json.dumps({"template": s, "own": o, "people": p, "now": NOW}) + "\n" for s, o, p in requests)
    done = subprocess.run([RENDER], input=lines.encode(), check=True, capture_output=True)
    return [json.loads(line) for line in done.stdout.decode().split("\n")[:-1]]


def compare(name, requests):
    wrong = refused = unread = 0
    for (source, own, people), mine in zip(requests, ours(requests)):
        right = theirs(source, own, people)
        refused += "error" in right
        if mine.get("text") == right.get("text"):
            continue
        # What is documented as not read, and what Python writes with an address in memory.
        if "is not read" in mine.get("error", "") or " object at 0x" in right.get("text", ""):
            unread += 1
            continue
        wrong += 1
        if wrong <= 4:
            print(f"  {name}: {json.dumps(people, ensure_ascii=False)[:600] if len(source) > 200 else source!r}\n    ours   {mine!r:.800}\n    theirs {right!r:.800}")
    print(f"{name}: {len(requests)} written out, {refused} refused by jinja2, {unread} not read: {wrong} differ")
    return wrong


# ---- Expressions ---------------------------------------------------------------------------------------------------------------------

# Names rather than literals: jinja2 works out what is constant before, in which other errors pass.
ATOMS = ["one", "zero", "less", "half", "yes", "nothing", "abc", "padded", "empty", "three", "no_items", "dict1", "no_keys", "x", "s", "l", "d", "missing",
         "wide", "[x, s]", "(x, l)", "{'a': x}"]
FILTERS = ["length", "trim", "tojson", "upper", "first", "last", "list", "string", "int", "join('-')", "default('z')", "default('z', true)", 
           "replace('a', 'b')", "abs", "indent", "capitalize", "title", "map('string')|list", "select|list", "reverse|list", "float", "d(1)", "tojson(indent=2)"]
TESTS = ["defined", "none", "string", "number", "mapping", "iterable", "sequence", "true", "false", "integer", "float", "boolean", "odd", "even", "eq 1",
         "in [1, 'abc']", "divisibleby 2", "undefined", "lt 2"]
METHODS = [".strip()", ".split()", ".split('b')", ".split('b', 1)", ".upper()", ".startswith('a')", ".endswith(('c', 'x'))", ".replace('a', 'q')", ".items()",
           ".keys()", ".get('a')", ".get('z', 5)", ".lstrip('a')", ".rsplit(None, 1)", ".splitlines()", ".find('b')", ".count('b')", ".title()"]
SIGNS = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "**"]


def expression(rng, depth=0):
    pick = rng.random()
    inner = lambda: expression(rng, depth + 1) if depth < 3 else rng.choice(ATOMS)
    if depth >= 3 or pick < 0.2:
        return rng.choice(ATOMS)
    if pick < 0.4:
        return f"{inner()} {rng.choice(SIGNS)} {inner()}"
    if pick < 0.52:
        return f"({inner()})|{rng.choice(FILTERS)}"
    if pick < 0.64:
        return f"({inner()}) is {rng.choice(['', 'not '])}{rng.choice(TESTS)}"
    if pick < 0.74:
        return f"({inner()}){rng.choice(METHODS)}"
    if pick < 0.84:
        bound = lambda: rng.choice(["", "0", "1", "-1", "2", "-5", "9"])
        return f"({inner()})[{bound()}:{bound()}{rng.choice(['', ':-1', ':2', ':-2'])}]"
    if pick < 0.9:
        return f"({inner()})[{rng.choice(['0', '-1', '5', repr('a')])}]"
    if pick < 0.95:
        return f"({inner()} if {inner()} else {inner()})"
    return f"{rng.choice(['not ', '-', '+'])}{inner()}"


def layout(rng):
    """White space around tags, which three rules govern."""
    parts = []
    for _ in range(rng.randint(1, 6)):
        parts.append(rng.choice(["\n", "  ", "\n  ", "a", " b\n", "\t", "\r\n", "\n\n", "x "]))
        open_, close = rng.choice(["", "-", "+"]), rng.choice(["", "-", "+"])
        parts.append(rng.choice([
            f"{{%{open_} if true {close}%}}", f"{{%{open_} set q = 1 {close}%}}", f"{{#{open_} note {close}#}}", f"{{{{{open_.replace('+', '')} 1 {close.replace('+', '')}}}}}"]))
    for _ in range(sum("if true" in part for part in parts)):
        parts.append(rng.choice(["", " ", "\n"]) + rng.choice(["{% endif %}", "{%- endif -%}"]) + rng.choice(["", "\n"]))
    return "".join(parts)


SET_OF_X = {"one": 1, "zero": 0, "less": -3, "half": 2.5, "yes": True, "nothing": None, "abc": "abc", "padded": " a b ", "empty": "", "three": [1, 2, 3],
            "no_items": [], "dict1": {"a": 1}, "no_keys": {}, "wide": "\u00e9\u4f60", "x": 7, "s": "a b\tc\u00e9", "l": ["a", "b", 3], "d": {"a": 1, "b": [1.5, None]}}


def write_golden():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, source in TEMPLATES.items():
        rng = random.Random(name)
        cases = []
        while len(cases) < 14:
            own, people = conversation(rng)
            right = theirs(source, own, people)
            if "text" in right or sum("error" in c for c in cases) < 2:
                cases.append({"own": own, "people": people, **({"error": True} if "error" in right else right)})
        (GOLDEN / f"{name}.jinja").write_text(source)
        (GOLDEN / f"{name}.json").write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
        print(f"{name}: {len(cases)} cases")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--golden", action="store_true", help="write tests/golden/templates anew")
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--expressions", type=int, default=20000)
    parser.add_argument("--also", nargs="*", default=[], help="more templates")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    warnings.simplefilter("ignore", SyntaxWarning)
    if options.golden:
        return write_golden()
    templates = dict(TEMPLATES)
    for path in options.also:
        data = pathlib.Path(path).read_text()
        templates[path] = json.loads(data)["chat_template"] if path.endswith(".json") else data
    wrong = 0
    for name, source in templates.items():
        rng = random.Random(name + "run")
        wrong += compare(name, [(source, *conversation(rng)) for _ in range(options.conversations)])
    rng = random.Random(1)
    made = ["{{ " + expression(rng) + " }}" for _ in range(options.expressions)]
    wrong += compare("expressions", [(s, {}, SET_OF_X) for s in made])
    wrong += compare("layout", [(layout(rng), {}, {}) for _ in range(options.expressions // 4)])
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
