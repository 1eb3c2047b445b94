// SPDX-License-Identifier: MIT
#include "core/spec/spec_reference.h"

#include "core/base/error.h"
#include "core/spec/spec_internal.h"

namespace tessera::spec {

namespace {
constexpr const char* kHead =
    "# The keys of a run spec\n"
    "\n"
    "Made by `tessera spec reference`: edit the table of keys in the program, and not this page.\n"
    "\n"
    "A run spec is a TOML file. Every key has a default, and a file names only those that differ.\n"
    "`preset = \"demo.toml\"` starts from another file. An unknown key, a wrong type and a value\n"
    "out of range are errors that name file, line and key. `tessera spec check FILE` looks for\n"
    "them, `tessera spec show FILE` prints every key with its value.\n";

/// A bar would end the cell of a table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string row(const std::string& path, const Key& key) {
  const std::string value = format_value(default_value(path));
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", key.name, cell(key.expected()),
                     cell(key.unit), value.empty() ? "absent" : fmt::format("`{}`", cell(value)),
                     cell(key.help));
}

/// One schema: its plain keys as a table, then what it holds as sections of their own.
void add_section(const Schema& schema, const std::string& prefix, std::string& page) {
  bool any = false;
  for (const Key& key : schema.keys) {
    if (!key.is_plain()) continue;
    if (!any) page += "\n| key | value | unit | default | meaning |\n|---|---|---|---|---|\n";
    any = true;
    page += row(prefix + key.name, key);
  }
  for (const Key& key : schema.keys) {
    if (key.is_plain()) continue;
    const std::string path = prefix + key.name;
    const bool list = key.type == KeyType::List;
    page += fmt::format("\n## {}\n\n{}: {}.\n",
                        list ? fmt::format("`[[{}]]`", path) : fmt::format("`[{}]`", path),
                        cell(key.help), cell(key.expected()));
    add_section(*key.child, path + (list ? "[]." : "."), page);
  }
}
}  // namespace

std::string reference_markdown() {
  std::string page = kHead;
  add_section(root(), "", page);
  return page;
}

}  // namespace tessera::spec
