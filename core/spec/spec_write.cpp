// SPDX-License-Identifier: MIT
// From a spec to text: the resolved run.toml, and the descriptions of keys.
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/spec/spec_internal.h"

namespace tessera {

using spec::Key;
using spec::KeyType;
using spec::Schema;
using spec::Value;

namespace spec {
std::string inline_table(const Schema& schema, void* object) {
  std::string text;
  for (const Key& key : schema.keys) {
    const Value value = key.get(object);
    const bool always = key.type == KeyType::Choice || key.name == "to";
    if (!always && value == schema.default_of(key)) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{} = {}", key.name, spec::format_value(value));
  }
  return fmt::format("{{ {} }}", text);
}
}  // namespace spec

namespace {

std::string comment(const Key& key) {
  if (key.unit.empty()) return key.help;
  return key.unit + "; " + key.help;
}

class Writer {
 public:
  std::string write(const RunSpec& spec) {
    out_ =
        "# The resolved spec of a run: every key, with its unit. Lengths of learning-rate pieces "
        "are\n"
        "# left out where they are the rest of the stage.\n";
    write_table(spec::root(), const_cast<RunSpec*>(&spec), "");
    return std::move(out_);
  }

 private:
  void write_table(const Schema& schema, void* object, const std::string& path) {
    for (const Key& key : schema.keys) write_lines(key, object);
    for (const Key& key : schema.keys) {
      const std::string name = path.empty() ? key.name : path + "." + key.name;
      if (key.type == KeyType::Table) {
        out_ += fmt::format("\n[{}]  # {}\n", name, key.help);
        write_table(*key.child, key.table(object), name);
      } else if (key.type == KeyType::List && !key.written_inline) {
        for (std::size_t i = 0; i < key.count(object); ++i) {
          out_ += fmt::format("\n[[{}]]  # {}\n", name, key.help);
          write_table(*key.child, key.element(object, i), name);
        }
      }
    }
  }

  /// What stands in the table itself, before the tables inside it.
  void write_lines(const Key& key, void* object) {
    if (key.is_plain()) {
      const Value value = key.get(object);
      if (std::holds_alternative<std::monostate>(value)) return;
      out_ += fmt::format("{} = {}  # {}\n", key.name, spec::format_value(value), comment(key));
    } else if (key.type == KeyType::List && key.count(object) == 0) {
      out_ += fmt::format("{} = []  # {}\n", key.name, key.help);
    } else if (key.written_inline) {
      out_ += fmt::format("{} = [  # {}\n", key.name, key.help);
      for (std::size_t i = 0; i < key.count(object); ++i) {
        out_ += "  " + spec::inline_table(*key.child, key.element(object, i)) + ",\n";
      }
      out_ += "]\n";
    }
  }

  std::string out_;
};

const char* type_name(KeyType type) {
  switch (type) {
    case KeyType::Bool:
      return "bool";
    case KeyType::Integer:
      return "integer";
    case KeyType::Number:
      return "number";
    case KeyType::Text:
      return "text";
    case KeyType::Path:
      return "path";
    case KeyType::Choice:
      return "choice";
    case KeyType::TextList:
      return "text list";
    case KeyType::PathList:
      return "path list";
    case KeyType::Weights:
      return "weights";
    case KeyType::Table:
      return "table";
    case KeyType::List:
      return "list";
  }
  return "";
}

nlohmann::json json_of(const Value& value) {
  return std::visit(
      [](const auto& v) -> nlohmann::json {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return nullptr;
        } else if constexpr (std::is_same_v<T, Mixture>) {
          nlohmann::json object = nlohmann::json::object();
          for (const auto& [name, weight] : v) object[name] = weight;
          return object;
        } else {
          return v;
        }
      },
      value);
}
}  // namespace

std::string write_spec(const RunSpec& spec) {
  return Writer().write(spec);
}

namespace spec {

nlohmann::json describe_json() {
  nlohmann::json keys = nlohmann::json::array();
  for_each_key(root(), "", [&](const std::string& path, const Key& key) {
    nlohmann::json entry = {{"path", path},
                            {"type", type_name(key.type)},
                            {"help", key.help},
                            {"expected", key.expected()},
                            {"basic", key.basic}};
    if (!key.unit.empty()) entry["unit"] = key.unit;
    if (!key.term.empty()) entry["term"] = key.term;
    if (std::isfinite(key.least)) entry["least"] = key.least;
    if (std::isfinite(key.most)) entry["most"] = key.most;
    if (key.above_least) entry["above_least"] = true;
    if (!key.choices.empty()) entry["choices"] = key.choices;
    if (key.is_plain()) entry["default"] = json_of(default_value(path));
    keys.push_back(std::move(entry));
  });
  return keys;
}

std::string describe_text() {
  std::string out;
  for_each_key(root(), "", [&](const std::string& path, const Key& key) {
    if (!key.is_plain()) {
      out += fmt::format("\n{}: {}. {}\n", path, key.help, key.expected());
      return;
    }
    const std::string value = format_value(default_value(path));
    out += fmt::format("  {:<44} {}{}{}; default {}\n", path, key.help,
                       key.unit.empty() ? "" : fmt::format(" ({})", key.unit),
                       ": " + key.expected(), value.empty() ? "absent" : value);
  });
  return out;
}

}  // namespace spec
}  // namespace tessera
