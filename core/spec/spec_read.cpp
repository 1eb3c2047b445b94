// SPDX-License-Identifier: MIT
// From TOML to a spec: presets, then the file, then overrides. Collects every problem.
#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/base/files.h"
#include "core/base/log.h"
#include "core/base/nearest_word.h"
#include "core/config/paths.h"
#include "core/spec/spec_internal.h"
#include "core/spec/toml.h"

namespace tessera {

namespace fs = std::filesystem;
using spec::Key;
using spec::KeyType;
using spec::Schema;
using spec::Value;

namespace {

std::string describe_node(const toml::node& node) {
  if (auto v = node.as_string()) return spec::quote(spec::printable(v->get(), 40)) + " is a string";
  if (auto v = node.as_integer()) return fmt::format("{} is a whole number", v->get());
  if (auto v = node.as_floating_point()) return fmt::format("{} is a number", v->get());
  if (auto v = node.as_boolean()) return v->get() ? "true is a boolean" : "false is a boolean";
  if (node.is_array()) return "is a list";
  return node.is_table() ? "is a table" : "is a date or time";
}

std::optional<std::int64_t> whole_number(const toml::node& node) {
  if (auto v = node.as_integer()) return v->get();
  if (auto v = node.as_floating_point()) {  // 14.8e12 is handier than its fourteen digits
    const double x = v->get();
    if (x == std::floor(x) && std::abs(x) <= 1e18) return static_cast<std::int64_t>(x);
  }
  return {};
}

std::optional<double> number(const toml::node& node) {
  if (auto v = node.as_integer()) return static_cast<double>(v->get());
  if (auto v = node.as_floating_point()) return v->get();
  return {};
}

std::optional<Value> text_list(const toml::node& node) {
  if (auto v = node.as_string()) return Value(std::vector<std::string>{v->get()});
  if (!node.is_array()) return {};
  std::vector<std::string> texts;
  for (const toml::node& element : *node.as_array()) {
    if (!element.is_string()) return {};
    texts.push_back(element.as_string()->get());
  }
  return Value(std::move(texts));
}

std::optional<Value> weights(const toml::node& node) {
  if (!node.is_table()) return {};
  Mixture mixture;
  for (const auto& [name, weight] : *node.as_table()) {
    const auto x = number(weight);
    if (!x) return {};
    mixture.emplace_back(std::string(name.str()), *x);
  }
  return Value(std::move(mixture));
}

/// Nothing when the node is of another type than the key.
std::optional<Value> value_of(const toml::node& node, KeyType type) {
  switch (type) {
    case KeyType::Bool:
      if (auto v = node.as_boolean()) return Value(v->get());
      return {};
    case KeyType::Integer:
      if (auto v = whole_number(node)) return Value(*v);
      return {};
    case KeyType::Number:
      if (auto v = number(node)) return Value(*v);
      return {};
    case KeyType::TextList:
    case KeyType::PathList:
      return text_list(node);
    case KeyType::Weights:
      return weights(node);
    default:
      if (auto v = node.as_string()) return Value(v->get());
      return {};
  }
}

/// Puts the nodes of one text into a spec.
class Reader {
 public:
  Reader(SpecReading& out, std::string file) : out_(out), file_(std::move(file)) {}

  void read_table(const toml::table& nodes, const Schema& schema, void* object,
                  const std::string& prefix) {
    for (const auto& [name, node] : nodes) {
      if (prefix.empty() && name.str() == "preset") continue;
      const std::string path = prefix + spec::printable(name.str());
      const Key* key = schema.find(name.str());
      if (key) {
        out_.locations[path] = place(name.source());
        read_key(node, *key, object, path);
      } else {
        report(spec::unknown_key(schema, path, std::string(name.str())), name.source());
      }
    }
  }

  void read_key(const toml::node& node, const Key& key, void* object, const std::string& path) {
    if (key.type == KeyType::Table) {
      if (!node.is_table()) return wrong_type(node, key, path);
      read_table(*node.as_table(), *key.child, key.table(object), path + ".");
    } else if (key.type == KeyType::List) {
      read_list(node, key, object, path);
    } else {
      const auto value = value_of(node, key.type);
      if (!value) return wrong_type(node, key, path);
      if (auto problem = spec::check_value(key, *value)) {
        problem->key = path;
        return report(std::move(*problem), node.source());
      }
      key.set(object, *value);
    }
  }

  void read_element(const toml::node& node, const Key& list, void* element,
                    const std::string& path) {
    out_.locations[path] = place(node.source());
    if (!node.is_table()) return wrong_type(node, list, path);
    read_table(*node.as_table(), *list.child, element, path + ".");
  }

  void report(Problem problem, const toml::source_region& at) {
    const SpecLocation where = place(at);
    problem.file = where.file;
    problem.line = where.line;
    problem.column = where.column;
    out_.problems.push_back(std::move(problem));
  }

 private:
  void read_list(const toml::node& node, const Key& key, void* object, const std::string& path) {
    constexpr std::size_t kMost = 10'000;
    const auto lone = number(node);
    const toml::array* array = node.as_array();
    if (!array && !(lone && key.from_number)) return wrong_type(node, key, path);
    forget_elements(path);
    if (!array) {
      const Key* to = key.child->find("to");
      if (auto problem = spec::check_value(*to, Value(*lone))) {
        problem->key = path;
        return report(std::move(*problem), node.source());
      }
      return key.from_number(object, *lone);
    }
    if (array->size() > kMost) {
      return report({.key = path,
                     .message = fmt::format("has {} elements", array->size()),
                     .expected = fmt::format("at most {}", kMost)},
                    node.source());
    }
    key.resize(object, 0);
    key.resize(object, array->size());
    for (std::size_t i = 0; i < array->size(); ++i) {
      read_element((*array)[i], key, key.element(object, i), fmt::format("{}[{}]", path, i));
    }
  }

  void forget_elements(const std::string& path) {
    const std::string begin = path + "[";
    auto at = out_.locations.lower_bound(begin);
    while (at != out_.locations.end() && at->first.starts_with(begin)) {
      at = out_.locations.erase(at);
    }
  }

  void wrong_type(const toml::node& node, const Key& key, const std::string& path) {
    report({.key = path, .message = describe_node(node), .expected = key.expected()},
           node.source());
  }

  SpecLocation place(const toml::source_region& at) const {
    if (file_ == "command line") return {file_, 0, 0};
    return {file_, static_cast<int>(at.begin.line), static_cast<int>(at.begin.column)};
  }

  SpecReading& out_;
  std::string file_;
};

fs::path preset_path(const std::string& name) {
  return resources_folder() / "presets" / (name + ".toml");
}

bool is_preset_name(const std::string& name) {
  return name.find('/') == name.npos && !name.ends_with(".toml");
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const PresetInfo& preset : list_presets()) names.push_back(preset.name);
  return names;
}

/// Reads a text and the presets that it names, presets first.
class LayerReader {
 public:
  LayerReader(SpecReading& out, bool absolute) : out_(out), absolute_(absolute) {}

  void read_layer(std::string_view text, const std::string& file, const fs::path& folder) {
    toml::table nodes;
    try {
      nodes = spec::parse_toml(text);
    } catch (const toml::parse_error& error) {
      out_.complete = false;
      Problem problem{.message = spec::printable(error.description(), 300)};
      return Reader(out_, file).report(std::move(problem), error.source());
    }
    read_presets(nodes, file, folder);
    Reader(out_, file).read_table(nodes, spec::root(), &out_.spec, "");
    if (absolute_) make_paths_absolute(out_.spec, folder);
  }

  /// False when there is no such preset.
  bool read_preset(const std::string& name, const fs::path& folder) {
    const bool named = is_preset_name(name);
    const fs::path path = named ? preset_path(name) : folder / name;
    std::error_code error;
    if (!fs::is_regular_file(path, error)) return false;
    read_layer(read_file(path), named ? "preset " + name : path.string(), path.parent_path());
    out_.spec.run.preset = named ? name : path.stem().string();
    return true;
  }

 private:
  void read_presets(const toml::table& nodes, const std::string& file, const fs::path& folder) {
    const toml::node* node = nodes.get("preset");
    if (!node) return;
    Reader reader(out_, file);
    const auto names = text_list(*node);
    if (!names) {
      return reader.report({.key = "preset",
                            .message = describe_node(*node),
                            .expected = "the name of a preset, or a list of them"},
                           node->source());
    }
    if (++depth_ > 4) {
      out_.complete = false;
      reader.report({.key = "preset", .message = "presets refer to each other too deeply"},
                    node->source());
    } else {
      for (const std::string& name : std::get<std::vector<std::string>>(*names)) {
        if (read_preset(name, folder)) continue;
        out_.complete = false;
        reader.report(no_preset(name), node->source());
      }
    }
    --depth_;
  }

  static Problem no_preset(const std::string& name) {
    const std::vector<std::string> names = preset_names();
    return {.key = "preset",
            .message = fmt::format("there is no preset {}", spec::quote(spec::printable(name))),
            .expected = fmt::format("one of {}, or a path", fmt::join(names, ", ")),
            .nearest = nearest_word(name, names)};
  }

  SpecReading& out_;
  bool absolute_;
  int depth_ = 0;
};

/// The TOML value of an override; a bare word is a string. Null when there is none.
toml::table parse_override(std::string_view text, KeyType type) {
  const bool wants_text = type == KeyType::Text || type == KeyType::Path || type == KeyType::Choice;
  try {
    toml::table parsed = spec::parse_toml("x = " + std::string(text) + "\n");
    if (parsed.size() == 1 && parsed.get("x") && (!wants_text || parsed.get("x")->is_string())) {
      return parsed;
    }
  } catch (const toml::parse_error&) {
    // A bare word, or a mistake that the type of the key tells.
  }
  return spec::parse_toml("x = " + spec::quote(text) + "\n");
}

void apply_override(SpecReading& out, std::string_view path, std::string_view text) {
  Reader reader(out, "command line");
  const spec::Place place = spec::locate(out.spec, path);
  if (!place.key) return reader.report(place.problem, {});
  const toml::table parsed = parse_override(text, place.key->type);
  const toml::node& node = *parsed.get("x");
  const std::string name(path);
  out.locations[name] = {"command line", 0, 0};
  if (place.index >= 0) {
    void* element = place.key->element(place.object, static_cast<std::size_t>(place.index));
    return reader.read_element(node, *place.key, element, name);
  }
  reader.read_key(node, *place.key, place.object, name);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) {
    text.remove_prefix(1);
  }
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) {
    text.remove_suffix(1);
  }
  return text;
}

void apply_overrides(SpecReading& out, const std::vector<std::string>& overrides) {
  for (const std::string& text : overrides) {
    const auto equals = text.find('=');
    if (equals == text.npos) {
      Reader(out, "command line")
          .report({.key = spec::printable(text),
                   .message = "has no value",
                   .expected = "key=value, like model.hidden_size=512"},
                  {});
      continue;
    }
    apply_override(out, trimmed(std::string_view(text).substr(0, equals)),
                   trimmed(std::string_view(text).substr(equals + 1)));
  }
}

/// The place of a key, or of the nearest thing around it that was set.
void locate_problem(const SpecReading& reading, Problem& problem) {
  std::string path = problem.key;
  while (!path.empty()) {
    if (auto found = reading.locations.find(path); found != reading.locations.end()) {
      problem.file = found->second.file;
      problem.line = found->second.line;
      problem.column = found->second.column;
      return;
    }
    const auto cut = path.find_last_of(".[");
    path.resize(cut == path.npos ? 0 : cut);
  }
}

/// Files in the order they first come up, lines in each in theirs; what has no line comes last.
void sort_by_place(std::vector<Problem>& problems) {
  std::map<std::string, std::size_t> order;
  for (const Problem& problem : problems) order.emplace(problem.file, order.size());
  std::stable_sort(problems.begin(), problems.end(), [&](const Problem& a, const Problem& b) {
    const auto place = [&](const Problem& p) {
      return std::tuple(order[p.file], p.line == 0, p.line);
    };
    return place(a) < place(b);
  });
}

SpecReading finish(SpecReading reading, const std::vector<std::string>& overrides, bool absolute,
                   const std::string& file) {
  apply_overrides(reading, overrides);
  if (absolute) make_paths_absolute(reading.spec, fs::current_path());
  // What an unread part would have said is no contradiction.
  std::vector<Problem> found = reading.complete ? check_spec(reading.spec) : std::vector<Problem>();
  for (Problem& problem : found) {
    problem.file = file;
    locate_problem(reading, problem);
    reading.problems.push_back(std::move(problem));
  }
  sort_by_place(reading.problems);
  return reading;
}

SpecReading read_text(std::string_view toml, const fs::path& file,
                      const std::vector<std::string>& overrides, bool absolute) {
  SpecReading reading;
  LayerReader(reading, absolute).read_layer(toml, file.string(), file.parent_path());
  return finish(std::move(reading), overrides, absolute, file.string());
}

SpecReading read_named(const std::string& preset, const std::vector<std::string>& overrides,
                       bool absolute) {
  SpecReading reading;
  if (!LayerReader(reading, absolute).read_preset(preset, "")) {
    const std::vector<std::string> names = preset_names();
    const std::string near = nearest_word(preset, names);
    throw Error("spec", fmt::format("there is no file and no preset {}", spec::quote(preset)),
                near.empty() ? fmt::format("presets are {}", fmt::join(names, ", "))
                             : fmt::format("did you mean {}?", near));
  }
  return finish(std::move(reading), overrides, absolute, "preset " + preset);
}

}  // namespace

SpecReading read_spec_text(std::string_view toml, const fs::path& file,
                           const std::vector<std::string>& overrides) {
  return read_text(toml, file, overrides, false);
}

SpecReading read_spec(const fs::path& file, const std::vector<std::string>& overrides) {
  return read_text(read_file(file, 16 << 20), file, overrides, false);
}

SpecReading read_preset(const std::string& preset, const std::vector<std::string>& overrides) {
  return read_named(preset, overrides, false);
}

RunSpec load_spec(const std::string& file_or_preset, const std::vector<std::string>& overrides) {
  fs::path file = file_or_preset;
  std::error_code error;
  if (fs::is_directory(file, error)) file /= "run.toml";
  const bool is_file = fs::exists(file, error) || !is_preset_name(file_or_preset);
  const SpecReading reading = is_file ? read_text(read_file(file, 16 << 20), file, overrides, true)
                                      : read_named(file_or_preset, overrides, true);
  std::string text;
  for (const Problem& problem : reading.problems) {
    if (problem.severity == Severity::Warning) {
      log::warning("{}", problem.text());
    } else {
      text += "\n  " + problem.text();
    }
  }
  if (!text.empty()) throw Error("spec", "cannot be used:" + text);
  return reading.spec;
}

std::vector<PresetInfo> list_presets() {
  std::vector<PresetInfo> presets;
  for (const auto& entry : fs::directory_iterator(resources_folder() / "presets")) {
    if (entry.path().extension() != ".toml") continue;
    PresetInfo preset{entry.path().stem().string(), {}, entry.path()};
    const std::string text = read_file(entry.path());
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = trimmed(std::string_view(text).substr(at, end - at));
      at = end + 1;
      if (line.starts_with("# SPDX")) continue;
      if (line.starts_with("#")) preset.summary = trimmed(line.substr(1));
      break;
    }
    presets.push_back(std::move(preset));
  }
  std::sort(presets.begin(), presets.end(),
            [](const PresetInfo& a, const PresetInfo& b) { return a.name < b.name; });
  return presets;
}

void make_paths_absolute(RunSpec& run_spec, const fs::path& folder) {
  const auto absolute = [&](const std::string& path) {
    if (path.empty() || is_independent_path(path)) return path;
    return fs::absolute(folder / path).lexically_normal().string();
  };
  for (const spec::Entry& entry : spec::flatten(run_spec)) {
    if (entry.key->type == KeyType::Path) {
      spec::set_value(run_spec, entry.path, absolute(std::get<std::string>(entry.value)));
    } else if (entry.key->type == KeyType::PathList) {
      auto paths = std::get<std::vector<std::string>>(entry.value);
      std::transform(paths.begin(), paths.end(), paths.begin(), absolute);
      spec::set_value(run_spec, entry.path, paths);
    }
  }
}

namespace spec {
std::vector<Problem> set_text(RunSpec& run_spec, std::string_view path, std::string_view text) {
  SpecReading reading{.spec = run_spec, .problems = {}, .locations = {}};
  apply_override(reading, path, trimmed(text));
  if (reading.problems.empty()) run_spec = std::move(reading.spec);
  return reading.problems;
}
}  // namespace spec

}  // namespace tessera
