// SPDX-License-Identifier: MIT
#include "core/tokenizer/text_splitter.h"

#include <algorithm>

#include "core/base/marked_text.h"
#include "core/tokenizer/nfc.h"

namespace tessera {

namespace {
/// GPT-2's pattern (encoder.py of its release), which ByteLevel splits with.
constexpr const char* kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

std::string regex_of(const BpePattern& pattern) {
  if (pattern.is_regex) return pattern.text;
  std::string escaped;
  for (const char c : pattern.text) {
    const bool is_word = static_cast<unsigned char>(c) >= 0x80 || (c >= '0' && c <= '9') ||
                         ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (!is_word) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

/// Calls `each` with the matches in order. An empty one right behind another does not count.
template <class Each>
void for_matches(const SplitPattern& pattern, std::string_view text, const Each& each) {
  SplitPattern::Match match;
  std::size_t from = 0, last_end = static_cast<std::size_t>(-1);
  while (from <= text.size() && pattern.find(text, from, match)) {
    const bool is_empty = match.begin == match.end;
    if (!is_empty || match.end != last_end) each(match.begin, match.end);
    last_end = match.end;
    from = match.end;
    if (!is_empty) continue;
    ++from;
    while (from < text.size() && (static_cast<unsigned char>(text[from]) & 0xC0) == 0x80) ++from;
  }
}

struct Part {
  std::size_t begin, end;
  bool is_match;
};

/// Joins neighbours as `behaviour` says; what is left is in order. Parts of "Removed" stay.
std::vector<Part> joined(const std::vector<Part>& parts, BpeSplit::Behaviour behaviour) {
  using Behaviour = BpeSplit::Behaviour;
  std::vector<Part> out;
  bool previous = false;
  if (behaviour == Behaviour::WithNext) {
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      if (part->is_match && !previous && !out.empty()) {
        out.back().begin = part->begin;
      } else {
        out.push_back(*part);
      }
      previous = part->is_match;
    }
    std::reverse(out.begin(), out.end());
    return out;
  }
  for (const Part& part : parts) {
    const bool joins =
        behaviour == Behaviour::Contiguous ? part.is_match == previous : part.is_match && !previous;
    if (joins && !out.empty()) {
      out.back().end = part.end;
    } else {
      out.push_back(part);
    }
    previous = part.is_match;
  }
  return out;
}
}  // namespace

TextNormaliser::TextNormaliser(const std::vector<BpeNormaliser>& steps, const std::string& where) {
  for (const BpeNormaliser& step : steps) {
    steps_.push_back({step.kind, step.content, nullptr});
    if (step.kind != BpeNormaliser::Kind::Replace) continue;
    steps_.back().pattern = std::make_unique<SplitPattern>(regex_of(step.pattern), where);
  }
}

void TextNormaliser::replace(const Step& step, std::string& text, std::string& marks) {
  std::string out, out_marks;
  std::size_t done = 0;
  const auto keep = [&](std::size_t end) {
    out.append(text, done, end - done);
    if (!marks.empty()) out_marks.append(marks, done, end - done);
  };
  for_matches(*step.pattern, text, [&](std::size_t begin, std::size_t end) {
    keep(begin);
    out += step.content;
    if (!marks.empty()) {
      const std::string_view covered = std::string_view(marks).substr(begin, end - begin);
      const bool is_own = covered.find(MarkedText::kForeign) == std::string_view::npos;
      out_marks.append(step.content.size(), is_own ? MarkedText::kOwn : MarkedText::kForeign);
    }
    done = end;
  });
  keep(text.size());
  text = std::move(out);
  marks = std::move(out_marks);
}

namespace {
/// Each author's part on its own; where a character of both would come of it, all is people's.
void normalise_marked(std::string& text, std::string& marks) {
  std::string whole = to_nfc(text), apart, apart_marks;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t found = marks.find_first_not_of(marks[begin], begin);
    const std::size_t end = std::min(found, text.size());
    apart += to_nfc(std::string_view(text).substr(begin, end - begin));
    apart_marks.resize(apart.size(), marks[begin]);
    begin = end;
  }
  if (apart != whole) apart_marks.assign(whole.size(), MarkedText::kForeign);
  text = std::move(whole);
  marks = std::move(apart_marks);
}
}  // namespace

void TextNormaliser::apply(std::string& text, std::string& marks, bool goes_on) const {
  for (const Step& step : steps_) {
    switch (step.kind) {
      case BpeNormaliser::Kind::Nfc:
        if (marks.empty()) {
          text = to_nfc(text);
        } else {
          normalise_marked(text, marks);
        }
        break;
      case BpeNormaliser::Kind::Prepend:
        if (text.empty() || goes_on) break;
        text.insert(0, step.content);
        if (!marks.empty()) marks.insert(0, step.content.size(), MarkedText::kOwn);
        break;
      case BpeNormaliser::Kind::Replace:
        replace(step, text, marks);
        break;
    }
  }
}

TextSplitter::TextSplitter(const std::vector<BpeSplit>& steps, const std::string& where) {
  for (const BpeSplit& split : steps) {
    steps_.push_back({split, nullptr});
    Step& step = steps_.back();
    if (split.kind == BpeSplit::Kind::ByteLevel) {
      if (!split.has_pattern) continue;
      step.pattern = std::make_unique<SplitPattern>(kGpt2Pattern, where);
    } else {
      step.pattern = std::make_unique<SplitPattern>(regex_of(split.pattern), where);
    }
  }
}

bool TextSplitter::is_byte_level() const {
  return !steps_.empty() && steps_.back().split.kind == BpeSplit::Kind::ByteLevel;
}

bool TextSplitter::adds_spaces() const {
  return is_byte_level() && steps_.back().split.add_prefix_space;
}

void TextSplitter::run(std::string_view text, const Sink& word) const {
  run_from(0, text, word);
}

void TextSplitter::run_from(std::size_t step, std::string_view text, const Sink& word) const {
  if (text.empty()) return;
  if (step == steps_.size()) {
    word(text);
  } else if (steps_[step].split.add_prefix_space && text[0] != ' ') {
    std::string spaced(1, ' ');
    split(step, spaced.append(text), word);
  } else {
    split(step, text, word);
  }
}

void TextSplitter::split(std::size_t step, std::string_view text, const Sink& word) const {
  const Step& now = steps_[step];
  if (!now.pattern) return run_from(step + 1, text, word);
  using Behaviour = BpeSplit::Behaviour;
  const Behaviour behaviour = now.split.behaviour;
  const bool streams = behaviour == Behaviour::Isolated || behaviour == Behaviour::Removed;
  std::vector<Part> parts;
  const auto part = [&](std::size_t begin, std::size_t end, bool is_match) {
    is_match = is_match != now.split.invert;
    if (!streams) {
      parts.push_back({begin, end, is_match});
    } else if (!is_match || behaviour == Behaviour::Isolated) {
      run_from(step + 1, text.substr(begin, end - begin), word);
    }
  };
  std::size_t done = 0;
  for_matches(*now.pattern, text, [&](std::size_t begin, std::size_t end) {
    if (done < begin) part(done, begin, false);
    part(begin, end, true);
    done = end;
  });
  if (done < text.size()) part(done, text.size(), false);
  for (const Part& whole : joined(parts, behaviour)) {
    run_from(step + 1, text.substr(whole.begin, whole.end - whole.begin), word);
  }
}

}  // namespace tessera
