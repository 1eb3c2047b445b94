// SPDX-License-Identifier: MIT
#include "core/grammar/constraint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "core/base/error.h"

namespace tessera {

namespace {
using Edge = GrammarEdge;
constexpr std::size_t kMostKept = 200'000;  ///< stacks and sets of one answer
constexpr std::size_t kMostMasks = 64;
constexpr std::size_t kFewTokens = 1024;
}  // namespace

void TokenMask::operator|=(const TokenMask& other) {
  for (std::size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i];
}

bool TokenMask::any() const {
  return std::any_of(bits_.begin(), bits_.end(), [](std::uint64_t word) { return word != 0; });
}

// ---- Stacks -------------------------------------------------------------------------------------

std::int32_t StackMachine::intern(Stack stack) {
  const auto key = static_cast<std::uint64_t>(static_cast<std::uint32_t>(stack.state)) << 32 |
                   static_cast<std::uint32_t>(stack.below);
  const auto [found, is_new] =
      stack_numbers_.try_emplace(key, static_cast<std::int32_t>(stacks_.size()));
  if (is_new) stacks_.push_back(stack);
  return found->second;
}

std::int32_t StackMachine::intern(std::vector<std::int32_t> tops, bool ended) {
  std::string key(reinterpret_cast<const char*>(tops.data()), tops.size() * sizeof tops[0]);
  key += ended ? 'e' : '-';
  const auto [found, is_new] =
      set_numbers_.try_emplace(std::move(key), static_cast<std::int32_t>(sets_.size()));
  if (is_new) sets_.push_back({std::move(tops), ended, {}});
  return found->second;
}

/// The set of all stacks that can be come to without reading a byte.
std::int32_t StackMachine::closed(std::vector<Stack> todo) {
  std::set<std::pair<std::int32_t, std::int32_t>> seen;
  std::vector<std::int32_t> tops;
  bool ended = false;
  while (!todo.empty()) {
    const Stack here = todo.back();
    todo.pop_back();
    if (!seen.emplace(here.state, here.below).second) continue;
    if (seen.size() > kMostStacks) {
      throw Error("grammar", fmt::format("a text can be read in more than {} ways", kMostStacks),
                  "let fewer alternatives begin alike");
    }
    const Grammar::State& state = grammar_->state(here.state);
    bool reads = false;
    for (const Edge& edge : state.edges) {
      if (edge.kind == Edge::Kind::Bytes) {
        reads = true;
      } else if (edge.kind == Edge::Kind::Empty) {
        todo.push_back({edge.target, here.below});
      } else {
        // What is called last needs no place to come back to: lists do not deepen the stack.
        const Grammar::State& target = grammar_->state(edge.target);
        const bool is_last = target.is_end && target.edges.empty();
        const std::int32_t below = is_last ? here.below : intern({edge.target, here.below});
        todo.push_back({grammar_->rule(edge.rule).begin, below});
      }
    }
    if (reads) tops.push_back(intern(here));
    if (!state.is_end) continue;
    if (here.below == kBottom) {
      ended = true;
    } else {
      todo.push_back(stack(here.below));
    }
  }
  std::sort(tops.begin(), tops.end());
  return intern(std::move(tops), ended);
}

std::int32_t StackMachine::alone(std::int32_t state) {
  return intern({intern({state, kBottom})}, false);
}

std::int32_t StackMachine::behind(std::int32_t stack_index) {
  return closed({stack(stack_index)});
}

std::int32_t StackMachine::step(std::int32_t set, char byte) {
  const std::uint8_t byte_class = grammar_->class_of(byte);
  if (sets_[at(set)].next.empty()) sets_[at(set)].next.assign(at(grammar_->classes()), -1);
  if (const std::int32_t known = sets_[at(set)].next[byte_class]; known >= 0) return known;
  const auto value = static_cast<std::uint8_t>(byte);
  std::vector<Stack> reached;
  for (const std::int32_t top : tops(set)) {
    const Stack here = stack(top);
    for (const Edge& edge : grammar_->state(here.state).edges) {
      if (edge.kind != Edge::Kind::Bytes || value < edge.low || value > edge.high) continue;
      reached.push_back({edge.target, here.below});
    }
  }
  const std::int32_t made = closed(std::move(reached));
  return sets_[at(set)].next[byte_class] = made;
}

std::int32_t StackMachine::keep_only(std::int32_t set) {
  const std::vector<Stack> stacks = std::move(stacks_);
  const Set kept = std::move(sets_[at(set)]);
  *this = StackMachine(*grammar_);
  std::vector<bool> wanted(stacks.size());
  for (const std::int32_t top : kept.tops) wanted[at(top)] = true;
  for (std::size_t i = stacks.size(); i-- > 0;) {
    if (wanted[i] && stacks[i].below != kBottom) wanted[at(stacks[i].below)] = true;
  }
  std::vector<std::int32_t> numbers(stacks.size(), kBottom);
  for (std::size_t i = 0; i < stacks.size(); ++i) {
    if (!wanted[i]) continue;
    const std::int32_t below = stacks[i].below;
    numbers[i] = intern({stacks[i].state, below == kBottom ? kBottom : numbers[at(below)]});
  }
  std::vector<std::int32_t> tops;
  for (const std::int32_t top : kept.tops) tops.push_back(numbers[at(top)]);
  std::sort(tops.begin(), tops.end());
  return intern(std::move(tops), kept.ended);
}

// ---- States by themselves -----------------------------------------------------------------------

Constraint::Constraint(Grammar grammar, std::shared_ptr<const TokenTrie> trie)
    : grammar_(std::move(grammar)),
      trie_(std::move(trie)),
      locals_(static_cast<std::size_t>(grammar_.states())) {}

const Constraint::Local& Constraint::local(std::int32_t state) const {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<Local>& known = locals_[static_cast<std::size_t>(state)];
  if (!known) known = std::make_unique<Local>(find_local(state));
  return *known;
}

namespace {
/// Visits the nodes [from, to) of a trie with the set that their bytes lead to from `set`, as long
/// as something may follow. `visit` says whether to go on below a node.
template <class Visit>
void walk_trie(const TokenTrie& trie, StackMachine& machine, std::int32_t set, std::int32_t from,
               std::int32_t to, const Visit& visit) {
  struct Level {
    std::int32_t end, set;
  };
  std::vector<Level> levels{{to, set}};
  for (std::int32_t at = from; at < to;) {
    while (levels.back().end <= at) levels.pop_back();
    const TokenTrie::Node& node = trie.nodes()[static_cast<std::size_t>(at)];
    const std::int32_t next = machine.step(levels.back().set, node.byte);
    if (machine.is_dead(next) || !visit(node, at, next)) {
      at = node.end;
      continue;
    }
    levels.push_back({node.end, next});
    ++at;
  }
}
}  // namespace

Constraint::Local Constraint::find_local(std::int32_t state) const {
  StackMachine machine(grammar_);
  Local made;
  walk_trie(*trie_, machine, machine.alone(state), 1, trie_->nodes().front().end,
            [&](const TokenTrie::Node& node, std::int32_t at, std::int32_t set) {
              const auto* ids = trie_->tokens().data();
              made.few.insert(made.few.end(), ids + node.first_token, ids + node.tokens_end);
              if (machine.ended(set) && node.end > at + 1) made.resumes.push_back(at);
              return !machine.tops(set).empty();
            });
  if (made.few.size() <= kFewTokens) return made;
  made.many = TokenMask(trie_->vocab_size());
  for (const std::int32_t id : made.few) made.many.set(id);
  made.few = {};
  return made;
}

// ---- An answer ----------------------------------------------------------------------------------

ConstraintCursor::ConstraintCursor(std::shared_ptr<const Constraint> constraint,
                                   std::vector<std::int32_t> ends, bool drops_space)
    : constraint_(std::move(constraint)),
      ends_(std::move(ends)),
      drops_space_(drops_space),
      machine_(constraint_->grammar()),
      here_(machine_.start()) {
  std::erase_if(ends_,
                [&](std::int32_t id) { return id < 0 || id >= constraint_->trie().vocab_size(); });
}

/// Adds the tokens of nodes that may be read in whole.
void ConstraintCursor::walk(std::int32_t set, std::int32_t from, std::int32_t to, TokenMask& mask) {
  const TokenTrie& trie = constraint_->trie();
  walk_trie(trie, machine_, set, from, to,
            [&](const TokenTrie::Node& node, std::int32_t, std::int32_t next) {
              for (std::int32_t i = node.first_token; i < node.tokens_end; ++i) {
                mask.set(trie.tokens()[static_cast<std::size_t>(i)]);
              }
              return !machine_.tops(next).empty();
            });
}

TokenMask ConstraintCursor::find_allowed() {
  const TokenTrie& trie = constraint_->trie();
  TokenMask mask(trie.vocab_size());
  for (const std::int32_t top : std::vector(machine_.tops(here_))) {
    const StackMachine::Stack stack = machine_.stack(top);
    const Constraint::Local& local = constraint_->local(stack.state);
    for (const std::int32_t id : local.few) mask.set(id);
    if (local.few.empty() && local.many.any()) mask |= local.many;
    if (stack.below == StackMachine::kBottom || local.resumes.empty()) continue;
    const std::int32_t behind = machine_.behind(stack.below);
    for (const std::int32_t node : local.resumes) {
      walk(behind, node + 1, trie.nodes()[static_cast<std::size_t>(node)].end, mask);
    }
  }
  if (drops_space_) allow_dropped_space(mask);
  for (const std::int32_t id : ends_) {
    if (may_end()) {
      mask.set(id);
    } else {
      mask.clear(id);
    }
  }
  return mask;
}

/// Tokens that begin with a space are read as if they began behind it.
void ConstraintCursor::allow_dropped_space(TokenMask& mask) {
  const TokenTrie& trie = constraint_->trie();
  const auto& nodes = trie.nodes();
  for (std::int32_t at = 1; at < nodes.front().end; at = nodes[static_cast<std::size_t>(at)].end) {
    const TokenTrie::Node& node = nodes[static_cast<std::size_t>(at)];
    if (node.byte != ' ') continue;
    const auto first = static_cast<std::size_t>(node.first_token);
    for (std::size_t i = first; i < trie.tokens().size(); ++i) {
      if (!trie.bytes_of(trie.tokens()[i]).starts_with(' ')) break;
      mask.clear(trie.tokens()[i]);
    }
    for (std::int32_t i = node.first_token; i < node.tokens_end; ++i) {
      mask.set(trie.tokens()[static_cast<std::size_t>(i)]);
    }
    walk(here_, at + 1, node.end, mask);
  }
}

const TokenMask& ConstraintCursor::allowed() {
  if (machine_.size() > kMostKept) {
    masks_.clear();
    here_ = machine_.keep_only(here_);
  }
  if (masks_.size() >= kMostMasks) masks_.clear();
  auto known = masks_.find(here_);
  if (known == masks_.end()) known = masks_.emplace(here_, find_allowed()).first;
  if (!known->second.any()) {
    throw Error("grammar", "the vocabulary has no token with which the answer could go on",
                "allow other characters at this place");
  }
  return known->second;
}

void ConstraintCursor::advance(std::int32_t id) {
  std::string_view bytes = constraint_->trie().bytes_of(id);
  bool is_read = !bytes.empty();
  if (drops_space_) {
    drops_space_ = false;
    masks_.clear();  // those of other first tokens
    if (bytes.starts_with(' ')) bytes.remove_prefix(1);
  }
  for (const char byte : bytes) here_ = machine_.step(here_, byte);
  is_read = is_read && !machine_.is_dead(here_);
  if (!is_read) throw Error("grammar", fmt::format("token {} may not follow here", id));
}

}  // namespace tessera
