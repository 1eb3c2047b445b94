// SPDX-License-Identifier: MIT
#include "core/launch/host_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <sstream>

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr int kMostRanksOfHost = 4096;
constexpr std::size_t kMostHosts = 4096;
constexpr const char* kForms = "a:4,b:4 or node[01-04]:8: each host with its number of ranks";

[[noreturn]] void refuse_item(std::string_view item, const std::string& why) {
  throw Error("hosts", fmt::format("\"{}\" {}", item, why), kForms);
}

std::optional<long> whole_number_in(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

/// Parts between commas that are in no brackets.
std::vector<std::string_view> split_outside_brackets(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool ends = i == text.size() || (text[i] == ',' && depth <= 0);
    if (!ends) {
      depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
      continue;
    }
    parts.push_back(text.substr(begin, i - begin));
    begin = i + 1;
  }
  return parts;
}

/// A name that ssh takes for a host and for nothing else: a dash in front would be an option.
void check_name(std::string_view item, std::string_view name) {
  if (name.empty()) refuse_item(item, "has no name of a host");
  if (name.front() == '-') refuse_item(item, "begins with a dash, as no host does");
  for (const char c : name) {
    const bool known = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (known || std::string_view(".-_@:%").find(c) != std::string_view::npos) continue;
    refuse_item(item, fmt::format("has a character that no host has: '{}'", c));
  }
}

int ranks_in(std::string_view item, std::string_view text) {
  const auto value = whole_number_in(text);
  if (value && *value >= 1 && *value <= kMostRanksOfHost) return static_cast<int>(*value);
  refuse_item(item, fmt::format("has \"{}\" where a number of ranks from 1 to {} is expected", text,
                                kMostRanksOfHost));
}

/// "01-04,7" as 01, 02, 03, 04, 7.
std::vector<std::string> numbers_of(std::string_view item, std::string_view ranges) {
  std::vector<std::string> all;
  for (std::size_t at = 0; at <= ranges.size();) {
    const std::size_t comma = std::min(ranges.find(',', at), ranges.size());
    const std::string_view range = ranges.substr(at, comma - at);
    at = comma + 1;
    const std::size_t dash = range.find('-');
    const std::string_view first = range.substr(0, dash);
    const std::string_view last = dash == range.npos ? first : range.substr(dash + 1);
    const auto from = whole_number_in(first), to = whole_number_in(last);
    if (!from || !to || *from < 0 || *from > *to) {
      refuse_item(
          item,
          fmt::format("has \"{}\" where a number or a range such as 01-04 is expected", range));
    }
    if (*to - *from >= static_cast<long>(kMostHosts)) {
      refuse_item(item, fmt::format("names more than {} hosts", kMostHosts));
    }
    for (long number = *from; number <= *to; ++number) {
      all.push_back(fmt::format("{:0{}}", number, static_cast<int>(first.size())));
    }
  }
  return all;
}

/// The names that "node[01-04]" stands for.
std::vector<std::string> expanded(std::string_view item, std::string_view name) {
  const std::size_t open = name.find('[');
  const std::size_t close = name.find(']');
  if (open == name.npos && close == name.npos) {
    check_name(item, name);
    return {std::string(name)};
  }
  if (open == name.npos || close == name.npos || close < open) {
    refuse_item(item, "has brackets that do not match");
  }
  std::vector<std::string> all;
  for (const std::string& number : numbers_of(item, name.substr(open + 1, close - open - 1))) {
    const std::string one =
        fmt::format("{}{}{}", name.substr(0, open), number, name.substr(close + 1));
    for (std::string& more : expanded(item, one)) all.push_back(std::move(more));
    if (all.size() > kMostHosts) refuse_item(item, "names too many hosts");
  }
  return all;
}

/// "[fd00::1]:2": brackets that hold an address and no ranges.
bool is_address_in_brackets(std::string_view item) {
  const std::size_t close = item.find(']');
  return item.starts_with('[') && close != item.npos &&
         item.substr(0, close).find(':') != item.npos;
}

void add_item(std::string_view item, std::vector<HostSlots>& hosts) {
  std::string_view name = item, ranks;
  bool numbered = false;
  const std::size_t close = item.rfind(']');
  if (is_address_in_brackets(item)) {
    name = item.substr(1, close - 1);
    const std::string_view rest = item.substr(close + 1);
    numbered = !rest.empty();
    if (numbered && rest.front() != ':') refuse_item(item, "has something behind its brackets");
    if (numbered) ranks = rest.substr(1);
    check_name(item, name);
    hosts.push_back({std::string(name), numbered ? ranks_in(item, ranks) : 1});
    return;
  }
  // NOTE: two colons outside of brackets are an address of IPv6 without a number of ranks.
  const std::size_t colon = item.rfind(':');
  if (colon != item.npos && item.find(':') == colon) {
    name = item.substr(0, colon);
    ranks = item.substr(colon + 1);
    numbered = true;
  }
  const int count = numbered ? ranks_in(item, ranks) : 1;
  for (std::string& one : expanded(item, name)) hosts.push_back({std::move(one), count});
}

std::string_view without_spaces(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

void refuse_doubles(const std::vector<HostSlots>& hosts) {
  std::set<std::string> seen;
  for (const HostSlots& one : hosts) {
    if (seen.insert(one.host).second) continue;
    throw Error("hosts", fmt::format("{} is named twice", one.name()),
                "name each host once, with all of its ranks");
  }
}

int slots_in(std::string_view word, const std::string& where) {
  const std::size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const bool known = key == "slots" || key == "max_slots" || key == "max-slots";
  if (equals == word.npos || !known) {
    throw Error(where, fmt::format("\"{}\" is not known", word), "lines such as \"node1 slots=4\"");
  }
  const auto value = whole_number_in(word.substr(equals + 1));
  if (!value || *value < 1 || *value > kMostRanksOfHost) {
    throw Error(where, fmt::format("\"{}\" is not a number from 1 to {}", word, kMostRanksOfHost));
  }
  return key == "slots" ? static_cast<int>(*value) : 0;
}
}  // namespace

std::vector<HostSlots> parse_host_list(std::string_view text) {
  std::vector<HostSlots> hosts;
  if (without_spaces(text).empty()) throw Error("hosts", "none is named", kForms);
  for (const std::string_view part : split_outside_brackets(text)) {
    const std::string_view item = without_spaces(part);
    if (item.empty()) {
      throw Error("hosts", fmt::format("\"{}\" has an empty name beside a comma", text), kForms);
    }
    add_item(item, hosts);
    if (hosts.size() > kMostHosts) {
      throw Error("hosts", fmt::format("more than {} are named", kMostHosts));
    }
  }
  refuse_doubles(hosts);
  return hosts;
}

std::vector<HostSlots> parse_host_file(std::string_view text, const std::string& file) {
  std::vector<HostSlots> hosts;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string word;
    if (!(words >> word)) continue;
    const std::string where = fmt::format("{}:{}", file, number);
    try {
      const std::size_t before = hosts.size();
      add_item(word, hosts);
      while (words >> word) {
        const int slots = slots_in(word, where);
        for (std::size_t i = before; slots > 0 && i < hosts.size(); ++i) hosts[i].ranks = slots;
      }
      refuse_doubles(hosts);
    } catch (const Error& error) {
      if (error.where() == where) throw;
      throw Error(where, error.what_failed(), error.hint());
    }
  }
  if (hosts.empty()) throw Error(file, "names no host", "lines such as \"node1 slots=4\"");
  return hosts;
}

int count_ranks(const std::vector<HostSlots>& hosts) {
  int all = 0;
  for (const HostSlots& host : hosts) all += host.ranks;
  return all;
}

}  // namespace tessera
