// SPDX-License-Identifier: MIT
// Keys by path: finding, getting, setting, comparing.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/base/error.h"
#include "core/base/nearest_word.h"
#include "core/spec/spec_internal.h"

namespace tessera::spec {

const Key* Schema::find(std::string_view name) const {
  for (const Key& key : keys) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::vector<Step> split_path(std::string_view path) {
  std::vector<Step> steps;
  while (true) {
    const auto dot = path.find('.');
    std::string_view part = path.substr(0, dot);
    Step step;
    if (const auto open = part.find('['); open != part.npos) {
      const std::string_view inside = part.substr(open + 1);
      if (inside.empty() || inside.back() != ']') return {};
      const char* end = inside.data() + inside.size() - 1;
      step.index = -1;
      if (inside.size() > 1) {
        const auto [stop, error] = std::from_chars(inside.data(), end, step.index);
        if (error != std::errc() || stop != end || step.index < 0) return {};
      }
      part = part.substr(0, open);
    }
    if (part.empty()) return {};
    step.name = part;
    steps.push_back(std::move(step));
    if (dot == path.npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

void for_each_key(const Schema& schema, const std::string& prefix,
                  const std::function<void(const std::string&, const Key&)>& visit) {
  for (const Key& key : schema.keys) {
    const std::string path = prefix + key.name;
    visit(path, key);
    if (key.child) {
      for_each_key(*key.child, path + (key.type == KeyType::List ? "[]." : "."), visit);
    }
  }
}

std::string place_of_name(const std::string& name) {
  std::string place;
  for_each_key(root(), "", [&](const std::string& path, const Key& key) {
    if (place.empty() && key.name == name) place = path;
  });
  return place;
}

const Key* find_key(std::string_view path) {
  const Schema* schema = &root();
  const Key* key = nullptr;
  for (const Step& step : split_path(path)) {
    key = schema ? schema->find(step.name) : nullptr;
    if (!key || (step.index != -2 && key->type != KeyType::List)) return nullptr;
    schema = key->child;
  }
  return key;
}

Problem unknown_key(const Schema& schema, std::string path, const std::string& name) {
  Problem problem{.key = std::move(path), .message = "unknown key"};
  std::vector<std::string> names;
  for (const Key& key : schema.keys) names.push_back(key.name);
  problem.nearest = nearest_word(name, names);
  if (const std::string place = place_of_name(name); !place.empty()) problem.nearest = place;
  return problem;
}

namespace {
Problem missing_element(const std::string& list, std::size_t count) {
  return {.key = list,
          .message = fmt::format("has {} element{}", count, count == 1 ? "" : "s"),
          .expected = count == 0 ? "" : fmt::format("an index from 0 to {}", count - 1)};
}
}  // namespace

Place locate(RunSpec& spec, std::string_view path) {
  Place place{.object = &spec};
  const Schema* schema = &root();
  const std::vector<Step> steps = split_path(path);
  if (steps.empty()) {
    place.problem = {.key = printable(path),
                     .message = "is no path of a key",
                     .expected = "one like model.hidden_size or curriculum[0].steps"};
    return place;
  }
  std::string so_far;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    const bool last = i + 1 == steps.size();
    if (!so_far.empty()) so_far += '.';
    so_far += printable(step.name);
    const Key* key = schema->find(step.name);
    place.problem = {};
    if (!key) {
      place.problem = unknown_key(*schema, so_far, step.name);
    } else if (key->type == KeyType::List && step.index >= 0) {
      const std::size_t count = key->count(place.object);
      if (static_cast<std::size_t>(step.index) >= count) {
        place.problem = missing_element(so_far, count);
      }
    } else if (step.index != -2) {
      place.problem = {.key = so_far, .message = "takes no such index"};
    } else if (key->type == KeyType::List && !last) {
      place.problem = {.key = so_far, .message = "needs an index", .expected = so_far + "[0]"};
    } else if (key->is_plain() && !last) {
      place.problem = {.key = so_far, .message = "has no keys of its own"};
    }
    if (!place.problem.message.empty()) return place;
    if (last) {
      place.key = key;
      place.index = step.index;
      return place;
    }
    if (step.index >= 0) so_far += fmt::format("[{}]", step.index);
    place.object = key->type == KeyType::Table ? key->table(place.object)
                                               : key->element(place.object, step.index);
    schema = key->child;
  }
  return place;
}

Value get_value(const RunSpec& spec, std::string_view path) {
  // locate() itself changes nothing.
  const Place place = locate(const_cast<RunSpec&>(spec), path);
  if (!place.key) throw Error("spec", place.problem.text());
  if (!place.key->is_plain()) throw Error("spec", fmt::format("{} is not a plain key", path));
  return place.key->get(place.object);
}

std::optional<Problem> set_value(RunSpec& spec, std::string_view path, const Value& value) {
  const Place place = locate(spec, path);
  if (!place.key) return place.problem;
  if (!place.key->is_plain()) {
    return Problem{.key = std::string(path), .message = "is not a plain key"};
  }
  Value converted = value;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) {
    if (place.key->type == KeyType::Number) converted = static_cast<double>(*whole);
  }
  if (auto problem = check_value(*place.key, converted)) {
    problem->key = path;
    return problem;
  }
  place.key->set(place.object, converted);
  return {};
}

Value default_value(std::string_view path) {
  const Schema* schema = &root();
  const std::vector<Step> steps = split_path(path);
  for (std::size_t i = 0; i < steps.size() && schema; ++i) {
    const Key* key = schema->find(steps[i].name);
    if (key && key->is_plain() && i + 1 == steps.size()) return schema->default_of(*key);
    schema = key ? key->child : nullptr;
  }
  throw Error("spec", fmt::format("{} is not a plain key", path));
}

namespace {
void flatten_into(const Schema& schema, void* object, const std::string& prefix,
                  std::vector<Entry>& out) {
  for (const Key& key : schema.keys) {
    const std::string path = prefix + key.name;
    if (key.is_plain()) {
      out.push_back({path, &key, key.get(object)});
    } else if (key.type == KeyType::Table) {
      flatten_into(*key.child, key.table(object), path + ".", out);
    } else {
      for (std::size_t i = 0; i < key.count(object); ++i) {
        flatten_into(*key.child, key.element(object, i), fmt::format("{}[{}].", path, i), out);
      }
    }
  }
}
}  // namespace

std::vector<Entry> flatten(const RunSpec& spec) {
  std::vector<Entry> entries;
  flatten_into(root(), const_cast<RunSpec*>(&spec), "", entries);
  return entries;
}

std::vector<Difference> differences(const RunSpec& ours, const RunSpec& theirs) {
  std::map<std::string, Value> rest;
  const std::vector<Entry> other = flatten(theirs);
  for (const Entry& entry : other) rest.emplace(entry.path, entry.value);
  std::vector<Difference> result;
  for (Entry& entry : flatten(ours)) {
    const auto found = rest.find(entry.path);
    if (found == rest.end()) {
      result.push_back({entry.path, std::move(entry.value), {}});
      continue;
    }
    if (found->second != entry.value) {
      result.push_back({entry.path, std::move(entry.value), found->second});
    }
    rest.erase(found);
  }
  for (const Entry& entry : other) {
    if (rest.count(entry.path)) result.push_back({entry.path, {}, entry.value});
  }
  return result;
}

}  // namespace tessera::spec
