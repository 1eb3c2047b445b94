// SPDX-License-Identifier: MIT
#include "core/tokenizer/code_set.h"

#include <algorithm>
#include <map>
#include <string>

#include "core/tokenizer/utf8.h"

namespace tessera {

namespace {
constexpr char32_t kLastCode = 0x10FFFF;
}

void CodeSet::add(char32_t first, char32_t last) {
  ranges_.push_back({first, last});
  tidy();
}

void CodeSet::add(const CodeSet& other) {
  ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  tidy();
}

void CodeSet::tidy() {
  std::sort(ranges_.begin(), ranges_.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<unicode::Range> joined;
  for (const unicode::Range& range : ranges_) {
    if (!joined.empty() && range.first <= joined.back().last + 1) {
      joined.back().last = std::max(joined.back().last, range.last);
    } else {
      joined.push_back(range);
    }
  }
  ranges_ = std::move(joined);
}

CodeSet CodeSet::complement() const {
  CodeSet out;
  char32_t next = 0;
  for (const unicode::Range& range : ranges_) {
    if (range.first > next) out.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kLastCode) out.ranges_.push_back({next, kLastCode});
  return out;
}

CodeSet CodeSet::intersection(const CodeSet& other) const {
  CodeSet outside = complement();
  outside.add(other.complement());
  return outside.complement();
}

bool CodeSet::contains(char32_t code) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), code,
                                      [](char32_t c, const auto& r) { return c < r.first; });
  return after != ranges_.begin() && code <= std::prev(after)->last;
}

namespace unicode {

namespace {
constexpr std::array<std::string_view, kCategories> kCategoryNames = {
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe",
    "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};

CodeSet set_of(const Range* ranges, std::size_t count) {
  return CodeSet(std::vector<Range>(ranges, ranges + count));
}

/// Every category whose name begins with `name`.
CodeSet categories(std::string_view name) {
  std::vector<Range> found;
  for (std::size_t i = 0; i < kCategoryRunCount; ++i) {
    if (!kCategoryNames[kCategoryRuns[i].category].starts_with(name)) continue;
    const bool is_last = i + 1 == kCategoryRunCount;
    const char32_t end = is_last ? kLastCode : kCategoryRuns[i + 1].first - 1;
    found.push_back({kCategoryRuns[i].first, end});
  }
  return CodeSet(std::move(found));
}
}  // namespace

bool property(std::string_view name, CodeSet& set) {
  if (name == "Any") {
    set = CodeSet(0, kLastCode);
  } else if (name == "Han") {
    set = set_of(kHan, kHanCount);
  } else if (name.size() == 1 && std::string_view("LMNPSZC").find(name) != std::string_view::npos) {
    set = categories(name);
  } else if (std::find(kCategoryNames.begin(), kCategoryNames.end(), name) !=
             kCategoryNames.end()) {
    set = categories(name);
  } else {
    return false;
  }
  return true;
}

const CodeSet& spaces() {
  static const CodeSet set = [] {
    CodeSet s(0x09, 0x0D);
    for (const char32_t code : {0x20, 0x85, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000})
      s.add(code, code);
    s.add(0x2000, 0x200A);
    s.add(0x2028, 0x2029);
    return s;
  }();
  return set;
}

const CodeSet& word() {
  static const CodeSet set = set_of(kWord, kWordCount);
  return set;
}

}  // namespace unicode

CodeTable::CodeTable(const CodeSet& set) {
  std::vector<std::uint64_t> bits(0x110000 / 64);
  for (const unicode::Range& range : set.ranges()) {
    for (char32_t code = range.first; code <= range.last;) {
      const bool whole_word = code % 64 == 0 && range.last - code >= 63;
      bits[code / 64] |= whole_word ? ~std::uint64_t{0} : std::uint64_t{1} << (code % 64);
      code += whole_word ? 64 : 1;
    }
    std::string first, last;
    utf8::append(first, range.first);
    utf8::append(last, range.last);
    for (int byte = static_cast<unsigned char>(first[0]);
         byte <= static_cast<unsigned char>(last[0]); ++byte) {
      first_bytes_.set(static_cast<std::size_t>(byte));
    }
  }
  for (std::size_t byte = 0x80; byte < 0xC2; ++byte) first_bytes_.reset(byte);  // begin nothing
  std::map<std::array<std::uint64_t, 4>, std::uint16_t> known;
  for (std::size_t block = 0; block < index_.size(); ++block) {
    std::array<std::uint64_t, 4> words{};
    std::copy_n(bits.begin() + static_cast<std::ptrdiff_t>(4 * block), 4, words.begin());
    const auto [entry, is_new] = known.emplace(words, static_cast<std::uint16_t>(blocks_.size()));
    if (is_new) blocks_.push_back(words);
    index_[block] = entry->second;
  }
}

}  // namespace tessera
