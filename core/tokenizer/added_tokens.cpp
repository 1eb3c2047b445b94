// SPDX-License-Identifier: MIT
#include "core/tokenizer/added_tokens.h"

#include <algorithm>

#include "core/base/marked_text.h"
#include "core/tokenizer/code_set.h"
#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
std::size_t begin_of_character_before(std::string_view text, std::size_t at) {
  do --at;
  while (at > 0 && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  return at;
}

/// Letters, marks, digits, connectors and the two joiners (Unicode Technical Standard 18, annex C).
bool is_word(char32_t code) {
  return code == 0x200C || code == 0x200D || unicode::word().contains(code);
}

bool word_before(std::string_view text, std::size_t at) {
  return at > 0 && is_word(utf8::next(text, begin_of_character_before(text, at)).code);
}

bool word_behind(std::string_view text, std::size_t at) {
  return at < text.size() && is_word(utf8::next(text, at).code);
}

std::size_t without_space_before(std::string_view text, std::size_t at, std::size_t lowest) {
  while (at > lowest) {
    const std::size_t before = begin_of_character_before(text, at);
    if (!unicode::spaces().contains(utf8::next(text, before).code)) break;
    at = before;
  }
  return std::max(at, lowest);
}

std::size_t without_space_behind(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const utf8::Character character = utf8::next(text, at);
    if (!unicode::spaces().contains(character.code)) break;
    at += character.bytes;
  }
  return at;
}
}  // namespace

bool MarksView::is_own(std::size_t begin, std::size_t end) const {
  if (each.empty()) return all == MarkedText::kOwn;
  return each.substr(begin, end - begin).find(MarkedText::kForeign) == std::string_view::npos;
}

MarksView MarksView::part(std::size_t begin, std::size_t end) const {
  return each.empty() ? *this : MarksView{each.substr(begin, end - begin), all};
}

AddedTokenFinder::AddedTokenFinder(std::vector<std::string> spellings,
                                   std::vector<const AddedToken*> tokens) {
  for (std::size_t i = 0; i < spellings.size(); ++i) {
    if (!spellings[i].empty()) entries_.push_back({std::move(spellings[i]), tokens[i]});
  }
  const auto less = [](const Entry& a, const Entry& b) { return a.spelling < b.spelling; };
  std::stable_sort(entries_.begin(), entries_.end(), less);
  const auto same = [](const Entry& a, const Entry& b) { return a.spelling == b.spelling; };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), same), entries_.end());
  for (const Entry& entry : entries_) begins_[static_cast<unsigned char>(entry.spelling[0])] = true;
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, std::size_t at,
                                               std::size_t& end) const {
  const AddedToken* longest = nullptr;
  auto low = entries_.begin(), high = entries_.end();  // those that agree with the text so far
  for (std::size_t depth = 0; at + depth < text.size() && low != high; ++depth) {
    const auto byte = static_cast<unsigned char>(text[at + depth]);
    const auto at_depth = [depth](const Entry& e) {
      return depth < e.spelling.size() ? static_cast<unsigned char>(e.spelling[depth]) : -1;
    };
    low = std::partition_point(low, high, [&](const Entry& e) { return at_depth(e) < byte; });
    high = std::partition_point(low, high, [&](const Entry& e) { return at_depth(e) <= byte; });
    if (low != high && low->spelling.size() == depth + 1) {
      longest = low->token;
      end = at + depth + 1;
    }
  }
  return longest;
}

std::vector<AddedTokenFinder::Part> AddedTokenFinder::parts(std::string_view text,
                                                            const MarksView& marks) const {
  std::vector<Part> parts;
  std::size_t done = 0;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at;
    const AddedToken* token = nullptr;
    if (begins_[static_cast<unsigned char>(text[at])]) token = longest_at(text, at, end);
    if (!token) {
      ++at;
      continue;
    }
    const std::size_t begin = at;
    at = end;  // what is not taken is passed over as a whole
    if (token->special && !marks.is_own(begin, end)) continue;
    if (token->single_word && (word_before(text, begin) || word_behind(text, end))) continue;
    const std::size_t from =
        token->lstrip ? without_space_before(text, begin, done) : std::max(begin, done);
    if (token->rstrip) end = without_space_behind(text, end);
    if (done < from) parts.push_back({done, from, nullptr});
    parts.push_back({from, end, token});
    done = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), nullptr});
  return parts;
}

}  // namespace tessera
