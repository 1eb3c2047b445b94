// SPDX-License-Identifier: MIT
#include "core/tokenizer/split_pattern.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/tokenizer/split_syntax.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
using Op = SplitPattern::Instruction::Op;

constexpr std::size_t kNoMatch = static_cast<std::size_t>(-1);
constexpr std::uint32_t kAnyByte = static_cast<std::uint32_t>(-1);
constexpr std::size_t kMaxInstructions = 20000;

/// Bytes that a match of a node begins with; of a node that may be empty they say nothing.
struct FirstBytes {
  std::bitset<256> bytes;
  bool may_be_empty = false;
};

FirstBytes first_bytes_of(const SplitNode& node) {
  using What = SplitNode::Kind;
  FirstBytes first{.bytes = {}, .may_be_empty = node.may_be_empty()};
  switch (node.kind) {
    case What::Set:
      first.bytes = CodeTable(node.set).first_bytes();
      break;
    case What::Sequence:
      for (const SplitNode& part : node.parts) {
        first.bytes |= first_bytes_of(part).bytes;
        if (!part.may_be_empty()) break;
      }
      break;
    case What::Either:
    case What::Repeat:
    case What::Atomic:
      for (const SplitNode& part : node.parts) first.bytes |= first_bytes_of(part).bytes;
      break;
    default:
      break;
  }
  return first;
}

/// The character at `at`; `text` is valid UTF-8 and goes on there.
inline char32_t code_at(std::string_view text, std::size_t at, std::size_t& bytes) {
  const auto byte = [&](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[at + i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) {
    bytes = 1;
    return lead;
  }
  if (lead < 0xE0) {
    bytes = 2;
    return (lead & 0x1F) << 6 | (byte(1) & 0x3F);
  }
  if (lead < 0xF0) {
    bytes = 3;
    return (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
  }
  bytes = 4;
  return (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
}

std::size_t character_before(std::string_view text, std::size_t at) {
  do --at;
  while ((static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}
}  // namespace

/// Writes the instructions of a tree.
class SplitCompiler {
 public:
  explicit SplitCompiler(SplitPattern& to) : to_(to) {}

  void compile(const SplitNode& root) {
    emit(root);
    add({.op = Op::Accept});
    const FirstBytes first = first_bytes_of(root);
    to_.may_be_empty_ = first.may_be_empty;
    to_.first_bytes_.push_back(first.bytes);
  }

 private:
  using Kind = SplitNode::Kind;
  using Instruction = SplitPattern::Instruction;

  std::uint32_t here() const { return static_cast<std::uint32_t>(to_.code_.size()); }

  std::uint32_t add(Instruction instruction) {
    if (to_.code_.size() >= kMaxInstructions) {
      throw Error(to_.where_,
                  fmt::format("the pattern \"{}\" grows too large when its repeats are written out",
                              to_.pattern_.substr(0, 200)),
                  "tokenizers of released models have patterns of a few hundred characters");
    }
    to_.code_.push_back(instruction);
    return here() - 1;
  }

  std::uint32_t table(const CodeSet& set) {
    const auto same = [&](const CodeSet& known) {
      return std::equal(
          known.ranges().begin(), known.ranges().end(), set.ranges().begin(), set.ranges().end(),
          [](const auto& a, const auto& b) { return a.first == b.first && a.last == b.last; });
    };
    const auto found = std::find_if(sets_.begin(), sets_.end(), same);
    const auto index = static_cast<std::uint32_t>(found - sets_.begin());
    if (found == sets_.end()) {
      sets_.push_back(set);
      to_.tables_.emplace_back(set);
    }
    return index;
  }

  /// The index of the bytes that `node` begins with.
  std::uint32_t filter(const SplitNode& node) {
    const FirstBytes first = first_bytes_of(node);
    if (first.may_be_empty) return kAnyByte;
    to_.first_bytes_.push_back(first.bytes);
    return static_cast<std::uint32_t>(to_.first_bytes_.size() - 1);
  }

  void emit(const SplitNode& node) {
    switch (node.kind) {
      case Kind::Empty:
        break;
      case Kind::Set:
        add({.op = Op::Set, .a = table(node.set)});
        break;
      case Kind::Sequence:
        for (const SplitNode& part : node.parts) emit(part);
        break;
      case Kind::Either:
        either(node);
        break;
      case Kind::Repeat:
        repeat(node);
        break;
      case Kind::Look:
        inner(Op::Look, node.parts.front());
        break;
      case Kind::LookNot:
        inner(Op::LookNot, node.parts.front());
        break;
      case Kind::Atomic:
        inner(Op::Atomic, node.parts.front());
        break;
      case Kind::TextBegin:
        add({.op = Op::TextBegin});
        break;
      case Kind::TextEnd:
        add({.op = Op::TextEnd});
        break;
      case Kind::LineBegin:
        add({.op = Op::LineBegin});
        break;
      case Kind::LineEnd:
        add({.op = Op::LineEnd});
        break;
    }
  }

  void inner(Op op, const SplitNode& body) {
    const std::uint32_t begin = add({.op = op});
    emit(body);
    add({.op = Op::Accept});
    to_.code_[begin].a = here();
  }

  void either(const SplitNode& node) {
    std::vector<std::uint32_t> ends;
    for (std::size_t i = 0; i + 1 < node.parts.size(); ++i) {
      const std::uint32_t split = add({.op = Op::Split, .b = filter(node.parts[i])});
      emit(node.parts[i]);
      ends.push_back(add({.op = Op::Jump}));
      to_.code_[split].a = here();
    }
    emit(node.parts.back());
    for (const std::uint32_t end : ends) to_.code_[end].a = here();
  }

  void repeat(const SplitNode& node) {
    const SplitNode& body = node.parts.front();
    const bool is_lazy = node.greed == SplitNode::Greed::Lazy;
    const bool holds = node.greed == SplitNode::Greed::Possessive;
    if (body.kind == Kind::Set && !is_lazy) {
      add({.op = holds ? Op::Hold : Op::Loop,
           .a = table(body.set),
           .low = node.low,
           .high = node.high});
      return;
    }
    const std::uint32_t atomic = holds ? add({.op = Op::Atomic}) : 0;
    written_out(node, is_lazy);
    if (!holds) return;
    add({.op = Op::Accept});
    to_.code_[atomic].a = here();
  }

  void written_out(const SplitNode& node, bool is_lazy) {
    const SplitNode& body = node.parts.front();
    const Op choice = is_lazy ? Op::Later : Op::Split;
    for (std::uint32_t i = 0; i < node.low; ++i) emit(body);
    if (node.high == SplitNode::kNoEnd) {
      const std::uint32_t split = add({.op = choice, .b = filter(body)});
      emit(body);
      add({.op = Op::Jump, .a = split});
      to_.code_[split].a = here();
      return;
    }
    std::vector<std::uint32_t> splits;
    for (std::uint32_t i = node.low; i < node.high; ++i) {
      splits.push_back(add({.op = choice, .b = filter(body)}));
      emit(body);
    }
    for (const std::uint32_t split : splits) to_.code_[split].a = here();
  }

  SplitPattern& to_;
  std::vector<CodeSet> sets_;
};

SplitPattern::SplitPattern(std::string_view pattern, const std::string& where)
    : pattern_(pattern), where_(where) {
  SplitCompiler(*this).compile(parse_split(pattern, where));
}

bool SplitPattern::find(std::string_view text, std::size_t from, Match& match) const {
  thread_local std::vector<Frame> stack;
  Run run{.text = text, .stack = std::move(stack)};
  run.stack.clear();
  const std::bitset<256>& first = first_bytes_.back();
  std::size_t end = kNoMatch;
  for (std::size_t at = from; at <= text.size() && end == kNoMatch; ++at) {
    if (at < text.size()) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (may_be_empty_ ? (byte & 0xC0) == 0x80 : !first[byte]) continue;
    } else if (!may_be_empty_) {
      break;
    }
    end = match_at(run, 0, at);
    if (end != kNoMatch) match = {at, end};
  }
  stack = std::move(run.stack);
  return end != kNoMatch;
}

/// Takes as many characters of a loop as there are; kNoMatch: too few. `lowest` is where it may go
/// back to.
std::size_t SplitPattern::loop(std::string_view text, const Instruction& loop, std::size_t at,
                               std::size_t& lowest) const {
  const CodeTable& table = tables_[loop.a];
  std::uint32_t count = 0;
  lowest = at;
  while (count < loop.high && at < text.size()) {
    std::size_t bytes = 0;
    if (!table.contains(code_at(text, at, bytes))) break;
    at += bytes;
    if (++count == loop.low) lowest = at;
  }
  return count < loop.low ? kNoMatch : at;
}

/// The latest choice that is left, taken the other way. False: none above `base`.
bool SplitPattern::give_back(Run& run, std::size_t base, std::uint32_t& instruction,
                             std::size_t& at) const {
  if (run.stack.size() == base) return false;
  Frame& frame = run.stack.back();
  instruction = frame.next;
  if (frame.lowest < frame.at) frame.at = character_before(run.text, frame.at);
  at = frame.at;
  if (frame.lowest >= frame.at) run.stack.pop_back();
  return true;
}

std::size_t SplitPattern::match_at(Run& run, std::uint32_t pc, std::size_t at) const {
  const std::string_view text = run.text;
  const std::size_t base = run.stack.size();
  // NOTE: linear in the text for any sound pattern; what exceeds this would take hours.
  const std::uint64_t most_steps = 10'000'000 + 64 * static_cast<std::uint64_t>(text.size());
  for (;;) {
    if (++run.steps > most_steps) {
      throw Error(where_,
                  fmt::format("the pattern \"{}\" tries too many ways on a text of {} bytes",
                              pattern_.substr(0, 200), text.size()),
                  "shorten the text, or use a vocabulary with another pattern");
    }
    const Instruction& now = code_[pc];
    bool goes_on = true;
    ++pc;
    switch (now.op) {
      case Op::Set: {
        std::size_t bytes = 0;
        goes_on = at < text.size() && tables_[now.a].contains(code_at(text, at, bytes));
        at += bytes;
        break;
      }
      case Op::Loop:
      case Op::Hold: {
        std::size_t lowest = 0;
        const std::size_t end = loop(text, now, at, lowest);
        goes_on = end != kNoMatch;
        if (!goes_on) break;
        run.steps += end - at;
        at = end;
        if (now.op == Op::Loop && lowest < end) run.stack.push_back({pc, end, lowest});
        break;
      }
      case Op::Split: {
        const bool fits =
            now.b == kAnyByte ||
            (at < text.size() && first_bytes_[now.b][static_cast<unsigned char>(text[at])]);
        if (fits) {
          run.stack.push_back({now.a, at, at});
        } else {
          pc = now.a;
        }
        break;
      }
      case Op::Later:
        run.stack.push_back({pc, at, at});
        pc = now.a;
        break;
      case Op::Jump:
        pc = now.a;
        break;
      case Op::Look:
      case Op::LookNot:
      case Op::Atomic: {
        const std::size_t end = match_at(run, pc, at);
        goes_on = (end != kNoMatch) == (now.op != Op::LookNot);
        if (goes_on && now.op == Op::Atomic) at = end;
        pc = now.a;
        break;
      }
      case Op::TextBegin:
        goes_on = at == 0;
        break;
      case Op::TextEnd:
        goes_on = at == text.size();
        break;
      case Op::LineBegin:
        goes_on = at == 0 || (text[at - 1] == '\n' && at < text.size());
        break;
      case Op::LineEnd:
        goes_on = at == text.size() || text[at] == '\n';
        break;
      case Op::Accept:
        run.stack.resize(base);
        return at;
    }
    if (!goes_on && !give_back(run, base, pc, at)) return kNoMatch;
  }
}

}  // namespace tessera
