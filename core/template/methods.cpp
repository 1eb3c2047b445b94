// SPDX-License-Identifier: MIT
// Methods of texts and dicts (Python 3, "String Methods", "Mapping Types").
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/template/operations.h"
#include "core/tokenizer/utf8.h"

namespace tessera::jinja {

namespace {
using MethodFunction = Value (*)(const MarkedText&, const CallArguments&);

/// All of Python's that a template may call; those beyond text_methods() and dict_methods() are not
/// read.
constexpr std::array kTextMethods = std::to_array<std::string_view>(
    {"capitalize",   "casefold",    "center",    "count",      "encode",       "endswith",
     "expandtabs",   "find",        "format",    "format_map", "index",        "isalnum",
     "isalpha",      "isascii",     "isdecimal", "isdigit",    "isidentifier", "islower",
     "isnumeric",    "isprintable", "isspace",   "istitle",    "isupper",      "join",
     "ljust",        "lower",       "lstrip",    "maketrans",  "partition",    "removeprefix",
     "removesuffix", "replace",     "rfind",     "rindex",     "rjust",        "rpartition",
     "rsplit",       "rstrip",      "split",     "splitlines", "startswith",   "strip",
     "swapcase",     "title",       "translate", "upper",      "zfill"});
constexpr std::array kDictMethods =
    std::to_array<std::string_view>({"clear", "copy", "fromkeys", "get", "items", "keys", "pop",
                                     "popitem", "setdefault", "update", "values"});
constexpr std::array kListMethods =
    std::to_array<std::string_view>({"append", "clear", "copy", "count", "extend", "index",
                                     "insert", "pop", "remove", "reverse", "sort"});

/// Python changes the case of all scripts; here of ASCII, and others are refused.
void need_ascii(const MarkedText& text, std::string_view what) {
  const bool is_ascii = std::all_of(text.text.begin(), text.text.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (!is_ascii) throw Failure(fmt::format("{} of a text beyond ASCII is not read", what));
}

bool is_letter(char c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}
char raised(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
char lowered(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

Value text_upper(const MarkedText& text, const CallArguments& a) {
  a.check("upper", 0);
  need_ascii(text, "upper");
  MarkedText out = text;
  std::transform(out.text.begin(), out.text.end(), out.text.begin(), raised);
  return out;
}

Value text_lower(const MarkedText& text, const CallArguments& a) {
  a.check("lower", 0);
  need_ascii(text, "lower");
  MarkedText out = text;
  std::transform(out.text.begin(), out.text.end(), out.text.begin(), lowered);
  return out;
}

Value text_capitalize(const MarkedText& text, const CallArguments& a) {
  a.check("capitalize", 0);
  need_ascii(text, "capitalize");
  MarkedText out = text;
  std::transform(out.text.begin(), out.text.end(), out.text.begin(), lowered);
  if (!out.text.empty()) out.text[0] = raised(out.text[0]);
  return out;
}

Value text_title(const MarkedText& text, const CallArguments& a) {
  a.check("title", 0);
  need_ascii(text, "title");
  MarkedText out = text;
  bool in_word = false;
  for (char& c : out.text) {
    c = in_word ? lowered(c) : raised(c);
    in_word = is_letter(c);
  }
  return out;
}

/// strip(), lstrip() and rstrip(), with the characters to take away where they are given.
Value without_ends(const MarkedText& text, const CallArguments& a, bool left, bool right) {
  a.check("strip", 1);
  if (a.plain.empty() || a.plain[0].is_none()) return stripped(text, left, right);
  const std::string& chars = need_text(a.plain[0], "strip").text;
  const std::vector<std::size_t> begins = characters(text.text), set = characters(chars);
  const auto goes = [&](std::size_t i) {
    const auto one = std::string_view(text.text).substr(begins[i], begins[i + 1] - begins[i]);
    for (std::size_t k = 0; k + 1 < set.size(); ++k) {
      if (std::string_view(chars).substr(set[k], set[k + 1] - set[k]) == one) return true;
    }
    return false;
  };
  std::size_t first = 0, last = begins.size() - 1;
  while (left && first < last && goes(first)) ++first;
  while (right && last > first && goes(last - 1)) --last;
  return part_of(text, begins[first], begins[last]);
}

Value text_strip(const MarkedText& t, const CallArguments& a) {
  return without_ends(t, a, true, true);
}
Value text_lstrip(const MarkedText& t, const CallArguments& a) {
  return without_ends(t, a, true, false);
}
Value text_rstrip(const MarkedText& t, const CallArguments& a) {
  return without_ends(t, a, false, true);
}

/// Parts between runs of white space, at most `most` cuts, from the left or the right.
std::vector<Value> words_of(const MarkedText& text, std::int64_t most, bool from_right) {
  std::vector<Value> words;
  MarkedText rest = stripped(text, !from_right, from_right);
  while (!rest.text.empty()) {
    const std::vector<std::size_t> begins = characters(rest.text);
    const std::size_t count = begins.size() - 1;
    const auto space = [&](std::size_t i) {
      return is_space(utf8::next(rest.text, begins[i]).code);
    };
    std::size_t size = 0;
    while (size < count && !space(from_right ? count - 1 - size : size)) ++size;
    const bool is_last = size == count || static_cast<std::int64_t>(words.size()) == most;
    if (is_last) size = count;
    const std::size_t cut = from_right ? begins[count - size] : begins[size];
    words.emplace_back(from_right ? part_of(rest, cut, rest.text.size()) : part_of(rest, 0, cut));
    rest = from_right ? stripped(part_of(rest, 0, cut), false, true)
                      : stripped(part_of(rest, cut, rest.text.size()), true, false);
  }
  if (from_right) std::reverse(words.begin(), words.end());
  return words;
}

Value parts_of(const MarkedText& text, const CallArguments& a, bool from_right) {
  a.check("split", 2, {"sep", "maxsplit"});
  const Value *separator = a.find(0, "sep"), *limit = a.find(1, "maxsplit");
  std::int64_t most = -1;
  if (limit && !as_whole(*limit, most))
    throw Failure("split with another maxsplit than a whole number");
  if (most < 0) most = INT64_MAX;
  if (!separator || separator->is_none()) return make_list(words_of(text, most, from_right));
  const std::string& by = need_text(*separator, "split").text;
  if (by.empty()) throw Failure("split by an empty text");
  std::vector<Value> parts;
  std::size_t begin = 0, end = text.text.size();
  while (static_cast<std::int64_t>(parts.size()) < most) {
    const std::size_t found =
        from_right ? (end < by.size() ? std::string::npos : text.text.rfind(by, end - by.size()))
                   : text.text.find(by, begin);
    if (found == std::string::npos) break;
    if (from_right) {
      parts.emplace_back(part_of(text, found + by.size(), end));
      end = found;
    } else {
      parts.emplace_back(part_of(text, begin, found));
      begin = found + by.size();
    }
  }
  parts.emplace_back(part_of(text, begin, end));
  if (from_right) std::reverse(parts.begin(), parts.end());
  return make_list(std::move(parts));
}

Value text_split(const MarkedText& t, const CallArguments& a) {
  return parts_of(t, a, false);
}
Value text_rsplit(const MarkedText& t, const CallArguments& a) {
  return parts_of(t, a, true);
}

/// startswith() and endswith(): one text, or any of a tuple.
bool has_end(const MarkedText& text, const CallArguments& a, bool at_begin) {
  a.check("startswith", 1);
  if (a.plain.empty()) throw Failure("startswith without a text");
  const List* list = a.plain[0].list();
  const std::vector<Value> any =
      list && list->is_tuple ? list->items : std::vector<Value>{a.plain[0]};
  return std::any_of(any.begin(), any.end(), [&](const Value& one) {
    const std::string& end = need_text(one, "startswith").text;
    return at_begin ? text.text.starts_with(end) : text.text.ends_with(end);
  });
}

Value text_startswith(const MarkedText& t, const CallArguments& a) {
  return has_end(t, a, true);
}
Value text_endswith(const MarkedText& t, const CallArguments& a) {
  return has_end(t, a, false);
}

Value text_replace(const MarkedText& text, const CallArguments& a) {
  a.check("replace", 3);
  if (a.plain.size() < 2) throw Failure("replace without its two texts");
  const MarkedText &from = need_text(a.plain[0], "replace"), &to = need_text(a.plain[1], "replace");
  std::int64_t most = -1;
  if (a.plain.size() > 2 && !as_whole(a.plain[2], most))
    throw Failure("replace with another count than a whole number");
  if (most < 0) most = INT64_MAX;
  MarkedText out;
  std::size_t done = 0;
  if (from.text.empty()) {  // between all characters
    const std::vector<std::size_t> begins = characters(text.text);
    for (std::size_t i = 0; i < begins.size(); ++i) {
      if (static_cast<std::int64_t>(i) < most) out.append(to);
      if (i + 1 < begins.size()) out.append(part_of(text, begins[i], begins[i + 1]));
      check_size(out.text.size());
    }
    return out;
  }
  for (std::int64_t count = 0; count < most; ++count) {
    const std::size_t found = text.text.find(from.text, done);
    if (found == std::string::npos) break;
    out.append(part_of(text, done, found));
    out.append(to);
    check_size(out.text.size());
    done = found + from.text.size();
  }
  out.append(part_of(text, done, text.text.size()));
  return out;
}

/// The character, from 0, at which a text stands in another one; -1: nowhere.
Value place_in(const MarkedText& text, const CallArguments& a, bool last) {
  a.check("find", 1);
  if (a.plain.empty()) throw Failure("find without a text");
  const std::string& wanted = need_text(a.plain[0], "find").text;
  const std::size_t found = last ? text.text.rfind(wanted) : text.text.find(wanted);
  if (found == std::string::npos) return std::int64_t{-1};
  return static_cast<std::int64_t>(characters(text.text.substr(0, found)).size() - 1);
}

Value text_find(const MarkedText& t, const CallArguments& a) {
  return place_in(t, a, false);
}
Value text_rfind(const MarkedText& t, const CallArguments& a) {
  return place_in(t, a, true);
}

Value text_count(const MarkedText& text, const CallArguments& a) {
  a.check("count", 1);
  if (a.plain.empty()) throw Failure("count without a text");
  const std::string& wanted = need_text(a.plain[0], "count").text;
  if (wanted.empty()) return static_cast<std::int64_t>(characters(text.text).size());
  std::int64_t count = 0;
  for (std::size_t at = text.text.find(wanted); at != std::string::npos;
       at = text.text.find(wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

Value text_join(const MarkedText& text, const CallArguments& a) {
  a.check("join", 1);
  if (a.plain.empty()) throw Failure("join without a list");
  MarkedText out;
  bool is_first = true;
  for (const Value& item : items_of(a.plain[0])) {
    if (!is_first) out.append(text);
    is_first = false;
    out.append(need_text(item, "join"));
    check_size(out.text.size());
  }
  return out;
}

/// Line ends of Python: more than \n, and \r\n as one.
Value text_splitlines(const MarkedText& text, const CallArguments& a) {
  a.check("splitlines", 1, {"keepends"});
  const Value* keep = a.find(0, "keepends");
  std::vector<Value> lines;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.text.size();) {
    const utf8::Character character = utf8::next(text.text, at);
    const char32_t code = character.code;
    const bool is_end = (code >= 0x0A && code <= 0x0D) || (code >= 0x1C && code <= 0x1E) ||
                        code == 0x85 || code == 0x2028 || code == 0x2029;
    const std::size_t end = at;
    at += character.bytes;
    if (!is_end) continue;
    if (code == U'\r' && at < text.text.size() && text.text[at] == '\n') ++at;
    lines.emplace_back(part_of(text, begin, keep && is_true(*keep) ? at : end));
    begin = at;
  }
  if (begin < text.text.size()) lines.emplace_back(part_of(text, begin, text.text.size()));
  return make_list(std::move(lines));
}

Value text_removeprefix(const MarkedText& text, const CallArguments& a) {
  a.check("removeprefix", 1);
  if (a.plain.empty()) throw Failure("removeprefix without a text");
  const std::string& begin = need_text(a.plain[0], "removeprefix").text;
  if (!text.text.starts_with(begin)) return text;
  return part_of(text, begin.size(), text.text.size());
}

Value text_removesuffix(const MarkedText& text, const CallArguments& a) {
  a.check("removesuffix", 1);
  if (a.plain.empty()) throw Failure("removesuffix without a text");
  const std::string& end = need_text(a.plain[0], "removesuffix").text;
  if (!text.text.ends_with(end)) return text;
  return part_of(text, 0, text.text.size() - end.size());
}

const std::map<std::string, MethodFunction, std::less<>>& text_methods() {
  static const std::map<std::string, MethodFunction, std::less<>> all = {
      {"capitalize", text_capitalize},
      {"count", text_count},
      {"endswith", text_endswith},
      {"find", text_find},
      {"join", text_join},
      {"lower", text_lower},
      {"lstrip", text_lstrip},
      {"removeprefix", text_removeprefix},
      {"removesuffix", text_removesuffix},
      {"replace", text_replace},
      {"rfind", text_rfind},
      {"rsplit", text_rsplit},
      {"rstrip", text_rstrip},
      {"split", text_split},
      {"splitlines", text_splitlines},
      {"startswith", text_startswith},
      {"strip", text_strip},
      {"title", text_title},
      {"upper", text_upper}};
  return all;
}

Value dict_method(const Dict& dict, const std::string& name, const CallArguments& a) {
  if (name == "get") {
    a.check("get", 2);
    if (a.plain.empty()) throw Failure("get without a key");
    const Value* found = a.plain[0].text() ? dict.find(a.plain[0].text()->text) : nullptr;
    if (found) return *found;
    return a.plain.size() > 1 ? a.plain[1] : Value(None{});
  }
  a.check(name, 0);
  std::vector<Value> items;
  for (const auto& [key, value] : dict.items) {
    if (name == "keys") items.emplace_back(key);
    if (name == "values") items.push_back(value);
    if (name == "items") items.push_back(make_list({key, value}, true));
  }
  return make_view(std::move(items), name == "keys"     ? "dict_keys"
                                     : name == "values" ? "dict_values"
                                                        : "dict_items");
}
}  // namespace

bool has_method(const Value& value, std::string_view name, bool& known) {
  const auto is_in = [&](const auto& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  known = false;
  if (value.text()) {
    known = is_in(kTextMethods);
    return text_methods().contains(name);
  }
  if (const Dict* dict = value.dict(); dict && !dict->is_namespace) {
    known = is_in(kDictMethods);
    return name == "get" || name == "items" || name == "keys" || name == "values";
  }
  if (value.list()) known = is_in(kListMethods);  // of which none is read
  return false;
}

Value call_method(const Value& value, const std::string& name, const CallArguments& arguments) {
  if (const MarkedText* text = value.text()) return text_methods().at(name)(*text, arguments);
  return dict_method(*value.dict(), name, arguments);
}

}  // namespace tessera::jinja
