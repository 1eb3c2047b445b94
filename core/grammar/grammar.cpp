// SPDX-License-Identifier: MIT
#include "core/grammar/grammar.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
constexpr char32_t kLastCode = 0x10FFFF, kFirstSurrogate = 0xD800, kLastSurrogate = 0xDFFF;
using Edge = GrammarEdge;

std::size_t at(std::int32_t index) {
  return static_cast<std::size_t>(index);
}

std::uint8_t byte_at(std::string_view bytes, std::size_t index) {
  return static_cast<std::uint8_t>(bytes[index]);
}
}  // namespace

CodeRanges complement(CodeRanges ranges) {
  ranges.emplace_back(kFirstSurrogate, kLastSurrogate);
  std::sort(ranges.begin(), ranges.end());
  CodeRanges made;
  char32_t next = 0;
  for (const auto& [low, high] : ranges) {
    if (low > next) made.emplace_back(next, low - 1);
    next = std::max(next, static_cast<char32_t>(high + 1));
  }
  if (next <= kLastCode) made.emplace_back(next, kLastCode);
  return made;
}

/// NOTE: a class holds the bytes between two borders of edges, so it is a range.
void Grammar::find_classes() {
  std::array<bool, 257> border{};
  border[0] = true;
  for (const State& state : states_) {
    for (const Edge& edge : state.edges) {
      if (edge.kind != Edge::Kind::Bytes) continue;
      border[edge.low] = true;
      border[static_cast<std::size_t>(edge.high) + 1] = true;
    }
  }
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (border[byte]) members_[at(class_count_++)] = static_cast<std::uint8_t>(byte);
    classes_[byte] = static_cast<std::uint8_t>(class_count_ - 1);
  }
}

std::int32_t GrammarBuilder::rule(std::string name) {
  const std::int32_t begin = state(), end = state();
  made_.states_[at(end)].is_end = true;
  made_.rules_.push_back({std::move(name), begin});
  ends_.push_back(end);
  return static_cast<std::int32_t>(ends_.size()) - 1;
}

std::int32_t GrammarBuilder::begin_of(std::int32_t rule) const {
  return made_.rule(rule).begin;
}
std::int32_t GrammarBuilder::end_of(std::int32_t rule) const {
  return ends_[at(rule)];
}

std::int32_t GrammarBuilder::state() {
  if (made_.states_.size() >= kMostStates) {
    throw Error("grammar", fmt::format("it has more than {} states", kMostStates),
                "use smaller bounds for repetitions and lengths, or fewer properties and values");
  }
  made_.states_.emplace_back();
  return made_.states() - 1;
}

void GrammarBuilder::bytes(std::int32_t from, std::uint8_t low, std::uint8_t high,
                           std::int32_t to) {
  made_.states_[at(from)].edges.push_back({Edge::Kind::Bytes, low, high, -1, to});
}
void GrammarBuilder::empty(std::int32_t from, std::int32_t to) {
  made_.states_[at(from)].edges.push_back({Edge::Kind::Empty, 0, 0, -1, to});
}
void GrammarBuilder::call(std::int32_t from, std::int32_t rule, std::int32_t to) {
  made_.states_[at(from)].edges.push_back({Edge::Kind::Rule, 0, 0, rule, to});
}

std::int32_t GrammarBuilder::text(std::int32_t from, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::int32_t next = state();
    bytes(from, byte_at(text, i), byte_at(text, i), next);
    from = next;
  }
  return from;
}

std::int32_t GrammarBuilder::call(std::int32_t from, std::int32_t rule) {
  const std::int32_t next = state();
  call(from, rule, next);
  return next;
}

namespace {
/// Cuts a range of code points so that all in a piece have as many bytes, and differ in the last
/// bytes only, of which each takes a whole range: a piece is then a range for every byte.
template <class Take>
void cut_for_utf8(char32_t low, char32_t high, const Take& take) {
  constexpr char32_t kLengths[] = {0x7F, 0x7FF, 0xFFFF};
  for (const char32_t last : kLengths) {
    if (low > last || high <= last) continue;
    cut_for_utf8(low, last, take);
    return cut_for_utf8(last + 1, high, take);
  }
  const int tails = high <= 0x7F ? 0 : high <= 0x7FF ? 1 : high <= 0xFFFF ? 2 : 3;
  for (int tail = 1; tail <= tails; ++tail) {
    const char32_t mask = (char32_t{1} << (6 * tail)) - 1;
    if ((low & ~mask) == (high & ~mask)) continue;
    if ((low & mask) != 0) {
      cut_for_utf8(low, low | mask, take);
      return cut_for_utf8((low | mask) + 1, high, take);
    }
    if ((high & mask) != mask) {
      cut_for_utf8(low, (high & ~mask) - 1, take);
      return cut_for_utf8(high & ~mask, high, take);
    }
  }
  take(low, high);
}
}  // namespace

void GrammarBuilder::code_point(std::int32_t from, const CodeRanges& ranges, std::int32_t to) {
  for (const auto& [first, last] : ranges) {
    cut_for_utf8(first, last, [&](char32_t low, char32_t high) {
      std::string begin, end;
      utf8::append(begin, low);
      utf8::append(end, high);
      std::int32_t here = from;
      for (std::size_t i = 0; i < begin.size(); ++i) {
        const std::int32_t next = i + 1 == begin.size() ? to : state();
        bytes(here, byte_at(begin, i), byte_at(end, i), next);
        here = next;
      }
    });
  }
}

/// The automaton of Knuth, Morris and Pratt: the state says how much of the mark stands at the end.
std::int32_t GrammarBuilder::text_through(std::int32_t from, std::string_view mark,
                                          std::int32_t may_end) {
  std::vector<std::int32_t> nodes;
  for (std::size_t i = 0; i <= mark.size(); ++i) nodes.push_back(state());
  empty(from, nodes.front());
  const auto behind = [&](std::size_t length, unsigned byte) {
    std::string seen(mark.substr(0, length));
    seen += static_cast<char>(byte);
    std::size_t kept = seen.size();
    while (!mark.starts_with(std::string_view(seen).substr(seen.size() - kept))) --kept;
    return nodes[kept];
  };
  for (std::size_t length = 0; length < mark.size(); ++length) {
    unsigned low = 0;
    for (unsigned byte = 1; byte <= 256; ++byte) {
      if (byte < 256 && behind(length, byte) == behind(length, low)) continue;
      bytes(nodes[length], static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(byte - 1),
            behind(length, low));
      low = byte;
    }
    if (may_end >= 0) empty(nodes[length], may_end);
  }
  return nodes.back();
}

// ---- Checks -------------------------------------------------------------------------------------

/// Takes out edges on which no text ever comes to the end of the rule.
void GrammarBuilder::drop_what_never_ends() {
  std::vector<std::vector<std::int32_t>> reached_from(made_.states_.size());
  std::vector<std::vector<std::pair<std::int32_t, std::int32_t>>> callers(made_.rules_.size());
  std::vector<bool> ends(made_.states_.size()), rule_ends(made_.rules_.size());
  std::vector<std::int32_t> rule_begun(made_.states_.size(), -1), todo;
  for (std::size_t rule = 0; rule < made_.rules_.size(); ++rule) {
    rule_begun[at(made_.rules_[rule].begin)] = static_cast<std::int32_t>(rule);
  }
  const auto mark = [&](std::int32_t state) {
    if (ends[at(state)]) return;
    ends[at(state)] = true;
    todo.push_back(state);
  };
  for (std::int32_t from = 0; from < made_.states(); ++from) {
    for (const Edge& edge : made_.state(from).edges) {
      if (edge.kind == Edge::Kind::Rule) {
        callers[at(edge.rule)].emplace_back(from, edge.target);
      }
      reached_from[at(edge.target)].push_back(from);
    }
    if (made_.state(from).is_end) mark(from);
  }
  const auto leads_on = [&](const Edge& edge) {
    return ends[at(edge.target)] && (edge.kind != Edge::Kind::Rule || rule_ends[at(edge.rule)]);
  };
  while (!todo.empty()) {
    const std::int32_t state = todo.back();
    todo.pop_back();
    for (const std::int32_t from : reached_from[at(state)]) {
      const auto& edges = made_.state(from).edges;
      if (std::any_of(edges.begin(), edges.end(), leads_on)) mark(from);
    }
    const std::int32_t rule = rule_begun[at(state)];
    if (rule < 0) continue;
    rule_ends[at(rule)] = true;
    for (const auto& [from, target] : callers[at(rule)]) {
      if (ends[at(target)]) mark(from);
    }
  }
  for (Grammar::State& state : made_.states_) {
    std::erase_if(state.edges, [&](const Edge& edge) { return !leads_on(edge); });
  }
}

std::vector<bool> GrammarBuilder::rules_that_may_be_empty() const {
  std::vector<bool> may(made_.rules_.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t rule = 0; rule < may.size(); ++rule) {
      if (may[rule]) continue;
      std::vector<std::int32_t> todo{made_.rules_[rule].begin};
      std::vector<std::int32_t> seen = todo;
      while (!todo.empty() && !may[rule]) {
        const Grammar::State& state = made_.state(todo.back());
        todo.pop_back();
        if (state.is_end) may[rule] = changed = true;
        for (const Edge& edge : state.edges) {
          const bool free = edge.kind == Edge::Kind::Empty ||
                            (edge.kind == Edge::Kind::Rule && may[at(edge.rule)]);
          if (!free || std::find(seen.begin(), seen.end(), edge.target) != seen.end()) continue;
          seen.push_back(edge.target);
          todo.push_back(edge.target);
        }
      }
    }
  }
  return may;
}

/// NOTE: a rule that begins with itself would be entered for ever before a byte is read.
void GrammarBuilder::check_begins(std::int32_t root) const {
  const std::vector<bool> may_be_empty = rules_that_may_be_empty();
  std::vector<std::vector<std::int32_t>> first(made_.rules_.size());
  for (std::size_t rule = 0; rule < first.size(); ++rule) {
    std::vector<std::int32_t> todo{made_.rules_[rule].begin}, seen = todo;
    while (!todo.empty()) {
      const std::int32_t state = todo.back();
      todo.pop_back();
      for (const Edge& edge : made_.state(state).edges) {
        if (edge.kind == Edge::Kind::Bytes) continue;
        if (edge.kind == Edge::Kind::Rule) {
          first[rule].push_back(edge.rule);
          if (!may_be_empty[at(edge.rule)]) continue;
        }
        if (std::find(seen.begin(), seen.end(), edge.target) != seen.end()) continue;
        seen.push_back(edge.target);
        todo.push_back(edge.target);
      }
    }
  }
  enum class Visit : std::uint8_t { New, Open, Done };
  std::vector<Visit> visits(first.size(), Visit::New);
  std::vector<std::pair<std::int32_t, std::size_t>> path{{root, 0}};
  visits[at(root)] = Visit::Open;
  while (!path.empty()) {
    auto& [rule, next] = path.back();
    if (next == first[at(rule)].size()) {
      visits[at(rule)] = Visit::Done;
      path.pop_back();
      continue;
    }
    const std::int32_t other = first[at(rule)][next++];
    if (visits[at(other)] == Visit::Open) {
      throw Error("grammar", fmt::format("{} begins with itself", made_.rule(other).name),
                  "let it read something first, or name what it refers to");
    }
    if (visits[at(other)] == Visit::Done) continue;
    visits[at(other)] = Visit::Open;
    path.emplace_back(other, 0);
  }
}

Grammar GrammarBuilder::build(std::int32_t root) && {
  made_.root_ = root;
  drop_what_never_ends();
  const Grammar::State& begin = made_.state(begin_of(root));
  if (begin.edges.empty() && !begin.is_end) {
    throw Error("grammar", "nothing that can be written in full follows it",
                "is there a value that contains itself, and must?");
  }
  check_begins(root);
  made_.find_classes();
  return std::move(made_);
}

}  // namespace tessera
