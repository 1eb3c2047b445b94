// SPDX-License-Identifier: MIT
#include "core/spec/spec_edit.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"
#include "core/spec/spec_internal.h"
#include "core/spec/toml.h"

namespace tessera::spec {

namespace {

toml::table parsed(std::string_view text) {
  try {
    return parse_toml(text);
  } catch (const toml::parse_error& error) {
    throw Error("spec", printable(error.description(), 300), "mend the text first");
  }
}

/// Lines of a text, with places in it as offsets. Columns count characters, not bytes.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }
  std::size_t offset(const toml::source_position& at) const {
    std::size_t i = start(at.line);
    for (auto column = at.column; column > 1 && i < text_.size(); --column) {
      do {
        ++i;
      } while (i < text_.size() && (static_cast<unsigned char>(text_[i]) & 0xC0) == 0x80);
    }
    return i;
  }
  /// Where a line begins, counted from 1; for lines past the last one, the end of the text.
  std::size_t start(std::size_t line) const {
    return line == 0 ? 0 : line - 1 < starts_.size() ? starts_[line - 1] : text_.size();
  }
  bool begins_with(const toml::source_position& at, char c) const {
    const std::size_t i = offset(at);
    return i < text_.size() && text_[i] == c;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

std::size_t last_line(const toml::node& node) {
  std::size_t last = node.source().end.line;
  if (const toml::table* table = node.as_table()) {
    for (const auto& [name, child] : *table) last = std::max(last, last_line(child));
  } else if (const toml::array* array = node.as_array()) {
    for (const toml::node& child : *array) last = std::max(last, last_line(child));
  }
  return last;
}

/// Where a path leads in a text.
struct Found {
  const toml::node* node = nullptr;    ///< null: the text does not set it
  const toml::key* key = nullptr;      ///< what the last step names; null for elements of lists
  const toml::table* table = nullptr;  ///< the table that holds it, or would; null: none yet
};

Found find(const toml::table& root, const std::vector<Step>& steps) {
  Found found{.table = &root};
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!found.table) return {};
    found.node = nullptr;
    found.key = nullptr;
    for (const auto& [name, child] : *found.table) {
      if (name.str() != steps[i].name) continue;
      found.node = &child;
      found.key = &name;
    }
    if (found.node && steps[i].index >= 0) {
      const toml::array* array = found.node->as_array();
      const auto index = static_cast<std::size_t>(steps[i].index);
      found.node = array && index < array->size() ? array->get(index) : nullptr;
      found.key = nullptr;
    }
    if (i + 1 < steps.size()) found.table = found.node ? found.node->as_table() : nullptr;
  }
  return found;
}

/// Whether a list stands as [[blocks]].
bool in_blocks(const toml::node& list, const Lines& lines) {
  const toml::array* array = list.as_array();
  return array && !array->empty() && array->get(0)->is_table() &&
         lines.begins_with(array->get(0)->source().begin, '[');
}

std::string with_newline(std::string_view text) {
  std::string out(text);
  if (!out.empty() && out.back() != '\n') out += '\n';
  return out;
}

/// [ { ... }, { ... } ] over several lines.
std::string inline_list(const Key& key, void* object) {
  if (key.count(object) == 0) return "[]";
  std::string text = "[\n";
  for (std::size_t i = 0; i < key.count(object); ++i) {
    text += "  " + inline_table(*key.child, key.element(object, i)) + ",\n";
  }
  return text + "]";
}

std::string value_text(const Key& key, void* object) {
  return key.is_plain() ? format_value(key.get(object)) : inline_list(key, object);
}

/// What of a list's element is worth a line: what differs from the default, and what is basic.
void write_element(const Schema& schema, void* object, std::string& out) {
  for (const Key& key : schema.keys) {
    if (key.is_plain()) {
      const Value value = key.get(object);
      if (value == schema.default_of(key) && key.name != "name") continue;
      if (std::holds_alternative<std::monostate>(value)) continue;
      out += fmt::format("{} = {}\n", key.name, format_value(value));
    } else if (key.count && key.count(object) > 0) {
      out += fmt::format("{} = {}\n", key.name, inline_list(key, object));
    }
  }
}

std::string blocks(const std::string& name, const Key& list, void* object) {
  std::string text;
  for (std::size_t i = 0; i < list.count(object); ++i) {
    if (i > 0) text += "\n";
    text += fmt::format("[[{}]]\n", name);
    write_element(*list.child, list.element(object, i), text);
  }
  return text;
}

/// The part of a path that is written as a whole, with its key and the struct that holds it.
struct Target {
  std::vector<Step> steps;
  const Key* key = nullptr;
  void* object = nullptr;
  std::string name;  ///< the path in text
};

std::string join(const std::vector<Step>& steps) {
  std::string name;
  for (const Step& step : steps) {
    if (!name.empty()) name += '.';
    name += step.name;
    if (step.index >= 0) name += fmt::format("[{}]", step.index);
  }
  return name;
}

/// The first `count` steps of a path, the last without its index.
Target target_of(const RunSpec& after, std::vector<Step> steps, std::size_t count) {
  steps.resize(count);
  steps.back().index = -2;
  Target target{.steps = steps, .name = join(steps)};
  const Place place = locate(const_cast<RunSpec&>(after), target.name);
  if (!place.key) throw Error("spec", place.problem.text());
  target.key = place.key;
  target.object = place.object;
  return target;
}

/// Follows a path until it meets a list that is written inline; its elements are no places of
/// their own.
Target whole_target(const RunSpec& after, const std::vector<Step>& steps) {
  for (std::size_t i = 1; i <= steps.size(); ++i) {
    Target target = target_of(after, steps, i);
    const bool list = target.key->type == KeyType::List;
    if (i == steps.size() || (list && target.key->written_inline)) return target;
  }
  throw Error("spec", "an empty path");
}

class Editor {
 public:
  explicit Editor(std::string_view text) : text_(text), root_(parsed(text_)), lines_(text_) {}
  Editor(const Editor&) = delete;
  Editor& operator=(const Editor&) = delete;

  std::string set(const RunSpec& after, const std::vector<Step>& steps) const {
    const Target target = whole_target(after, steps);
    // A key of a list's element, where the text leaves the list to its preset: all of the list.
    for (std::size_t i = 0; i + 1 < target.steps.size(); ++i) {
      if (target.steps[i].index < 0) continue;
      const std::vector<Step> upto(target.steps.begin(), target.steps.begin() + i + 1);
      if (!find(root_, upto).node) return set_list(target_of(after, target.steps, i + 1));
    }
    if (target.key->type == KeyType::List && !target.key->written_inline) return set_list(target);
    if (target.key->type == KeyType::Table) {
      throw Error("spec", target.name + " is a table; its keys are set one by one");
    }
    return set_value(target);
  }

  std::string remove(const std::vector<Step>& steps) const {
    const Found found = find(root_, steps);
    if (!found.node) return text_;
    if (in_blocks(*found.node, lines_)) return without_blocks(*found.node->as_array());
    if (!found.key) {
      return without_lines(found.node->source().begin.line, last_line(*found.node));
    }
    const toml::source_position begin = found.key->source().begin;
    const std::size_t line = lines_.start(begin.line);
    const bool alone = text_.substr(line, lines_.offset(begin) - line).find_first_not_of(" \t") ==
                       std::string::npos;
    if (alone) return without_lines(begin.line, last_line(*found.node));
    // In an inline table: with the comma before or after it.
    std::size_t from = lines_.offset(begin), to = lines_.offset(found.node->source().end);
    while (to < text_.size() && (text_[to] == ' ' || text_[to] == ',')) {
      if (text_[to++] == ',') return replaced(from, to, "");
    }
    while (from > 0 && (text_[from - 1] == ' ' || text_[from - 1] == ',')) {
      if (text_[--from] == ',') break;
    }
    return replaced(from, to, "");
  }

 private:
  std::string replaced(std::size_t from, std::size_t to, std::string_view by) const {
    return text_.substr(0, from) + std::string(by) + text_.substr(to);
  }
  std::string without_lines(std::size_t first, std::size_t last) const {
    return replaced(lines_.start(first), lines_.start(last + 1), "");
  }

  std::string without_blocks(const toml::array& list) const {
    std::string out = text_;
    for (std::size_t i = list.size(); i-- > 0;) {
      const toml::node& block = *list.get(i);
      const std::size_t first = lines_.start(block.source().begin.line);
      const std::size_t end = lines_.start(last_line(block) + 1);
      out.erase(first, end - first);
    }
    return out;
  }

  std::string set_list(const Target& target) const {
    const std::string fresh = blocks(target.name, *target.key, target.object);
    const Found found = find(root_, target.steps);
    if (!found.node) return with_newline(text_) + (text_.empty() ? "" : "\n") + fresh;
    if (!in_blocks(*found.node, lines_)) {  // [] or a list of inline tables
      return Editor(remove(target.steps)).set_list(target);
    }
    const toml::array& list = *found.node->as_array();
    const std::size_t at = lines_.start(list.get(0)->source().begin.line);
    std::string out = without_blocks(list);
    out.insert(at, fresh);
    return out;
  }

  std::string set_value(const Target& target) const {
    const std::string value = value_text(*target.key, target.object);
    if (value.empty()) return Editor(text_).remove(target.steps);
    const Found found = find(root_, target.steps);
    if (found.node) {
      const toml::source_region& at = found.node->source();
      return replaced(lines_.offset(at.begin), lines_.offset(at.end), value);
    }
    const std::string& key = target.steps.back().name;
    if (!found.table) return with_new_table(target, fmt::format("{} = {}\n", key, value));
    return with_new_line(*found.table, target, fmt::format("{} = {}\n", key, value));
  }

  /// A line behind the last of the table's own.
  std::string with_new_line(const toml::table& table, const Target& target,
                            const std::string& line) const {
    const bool is_root = target.steps.size() == 1;
    std::size_t after = 0;
    if (!is_root) {
      const toml::source_position begin = table.source().begin;
      if (table.is_inline()) {
        const std::size_t brace = lines_.offset(table.source().end) - 1;
        const std::string item = line.substr(0, line.size() - 1);
        return replaced(brace, brace, (table.empty() ? " " : ", ") + item + " ");
      }
      // [a.b] makes a as well, without a place of its own.
      if (!lines_.begins_with(begin, '[')) return with_new_table(target, line);
      after = begin.line;
      if (!is_header_of(begin.line, target)) return with_new_table(target, line);
    }
    for (const auto& [name, child] : table) {
      const bool own =
          !(child.is_table() && !child.as_table()->is_inline()) && !in_blocks(child, lines_);
      if (own) after = std::max(after, last_line(child));
    }
    const std::size_t at = lines_.start(after + 1);
    const bool cut = at == text_.size() && !text_.empty() && text_.back() != '\n';
    return replaced(at, at, (cut ? "\n" : "") + line);
  }

  /// Whether the line is the header of the target's own table, and not of one inside it.
  bool is_header_of(std::size_t line, const Target& target) const {
    std::string name;
    for (std::size_t i = 0; i + 1 < target.steps.size(); ++i) {
      name += (i > 0 ? "." : "") + target.steps[i].name;
    }
    std::string head =
        text_.substr(lines_.start(line), lines_.start(line + 1) - lines_.start(line));
    std::erase_if(head, [](char c) { return c == ' ' || c == '\t' || c == '"'; });
    return head.starts_with("[" + name + "]") || head.starts_with("[[" + name + "]]");
  }

  std::string with_new_table(const Target& target, const std::string& line) const {
    std::string name;
    for (std::size_t i = 0; i + 1 < target.steps.size(); ++i) {
      name += (i > 0 ? "." : "") + target.steps[i].name;
    }
    const std::string block = fmt::format("[{}]\n{}", name, line);
    // Tables come before lists, as people write them: a table behind [[curriculum]] reads as if it
    // were a part of its last stage.
    std::size_t at = text_.size();
    for (const auto& [key, child] : root_) {
      if (in_blocks(child, lines_)) {
        at = std::min(at, lines_.start(child.as_array()->get(0)->source().begin.line));
      }
    }
    if (at == text_.size()) return with_newline(text_) + (text_.empty() ? "" : "\n") + block;
    return replaced(at, at, block + "\n");
  }

  std::string text_;
  toml::table root_;
  Lines lines_;
};

std::vector<Step> steps_of(std::string_view path) {
  std::vector<Step> steps = split_path(path);
  if (steps.empty()) throw Error("spec", fmt::format("{} is no path of a key", printable(path)));
  return steps;
}

/// "curriculum[0].steps" -> "curriculum"; plain keys stay themselves.
std::string whole_of(const std::string& path) {
  const auto bracket = path.find('[');
  return bracket == path.npos ? path : path.substr(0, bracket);
}
}  // namespace

std::string set_in_text(std::string_view toml, std::string_view path, const RunSpec& after) {
  return Editor(toml).set(after, steps_of(path));
}

std::string remove_from_text(std::string_view toml, std::string_view path) {
  return Editor(toml).remove(steps_of(path));
}

bool text_sets(std::string_view toml, std::string_view path) {
  return find(parsed(toml), steps_of(path)).node != nullptr;
}

std::vector<std::string> changed_paths(const RunSpec& ours, const RunSpec& theirs) {
  std::vector<std::string> paths;
  for (const Difference& difference : differences(ours, theirs)) {
    std::string path = whole_of(difference.path);
    if (path != "run.preset" && std::find(paths.begin(), paths.end(), path) == paths.end()) {
      paths.push_back(std::move(path));
    }
  }
  return paths;
}

std::string short_text(const RunSpec& spec, const std::string& preset) {
  const RunSpec base = preset.empty() ? RunSpec() : read_preset(preset).spec;
  std::string text = preset.empty() ? "" : fmt::format("preset = {}\n", quote(preset));
  for (const std::string& path : changed_paths(spec, base)) text = set_in_text(text, path, spec);
  return text;
}

RunSpec with_settings(const RunSpec& spec, const std::vector<std::string>& settings,
                      const std::string& name) {
  SpecReading reading = read_spec_text(write_spec(spec), name, settings);
  std::string text;
  for (const Problem& problem : reading.problems) {
    if (problem.severity == Severity::Error) text += "\n  " + problem.text();
  }
  if (!text.empty()) throw Error("spec", "cannot be used:" + text);
  return std::move(reading.spec);
}

}  // namespace tessera::spec
