// SPDX-License-Identifier: MIT
#include "core/grammar/decimal_range.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>

#include "core/base/error.h"

namespace tessera {

namespace {
/// NOTE: numbers of so many digits stay apart when they are read as doubles: with more, one inside
/// an open bound could be read as the bound.
constexpr std::size_t kDoubleDigits = 15;
constexpr std::size_t kMostDigits = 64;
}  // namespace

Decimal Decimal::parse(const std::string& text) {
  Decimal made;
  std::size_t at = 0;
  if (text.starts_with("-")) made.negative = ++at > 0;
  const std::size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  std::string digits = text.substr(at, exponent_at - at);
  const std::size_t dot = std::min(digits.find('.'), digits.size());
  auto point = static_cast<std::ptrdiff_t>(dot);
  if (dot < digits.size()) digits.erase(dot, 1);
  if (exponent_at < text.size()) {
    const char* begin = text.data() + exponent_at + (text[exponent_at + 1] == '+' ? 2 : 1);
    int exponent = 0;
    std::from_chars(begin, text.data() + text.size(), exponent);
    point += exponent;
  }
  const auto most = static_cast<std::ptrdiff_t>(kMostDigits);
  if (point > most || std::ssize(digits) - point > most) {
    throw Error("number", fmt::format("{} has too many digits for a bound", text),
                fmt::format("use bounds of up to {} digits", kMostDigits));
  }
  if (point < 0) {
    digits.insert(0, static_cast<std::size_t>(-point), '0');
    point = 0;
  }
  if (point > std::ssize(digits)) digits.resize(static_cast<std::size_t>(point), '0');
  made.whole = digits.substr(0, static_cast<std::size_t>(point));
  made.fraction = digits.substr(static_cast<std::size_t>(point));
  made.whole.erase(0, std::min(made.whole.find_first_not_of('0'), made.whole.size()));
  if (made.whole.empty()) made.whole = "0";
  made.fraction.erase(made.fraction.find_last_not_of('0') + 1);
  if (made.is_zero()) made.negative = false;
  return made;
}

int compare(const Decimal& a, const Decimal& b) {
  if (a.negative != b.negative) return a.negative ? -1 : 1;
  int order = 0;
  if (a.whole.size() != b.whole.size()) {
    order = a.whole.size() < b.whole.size() ? -1 : 1;
  } else {
    order = (a.whole + "." + a.fraction).compare(b.whole + "." + b.fraction);
  }
  return a.negative ? -order : order;
}

bool DecimalRange::is_empty() const {
  if (!low || !high) return false;
  const int order = compare(low->value, high->value);
  if (order > 0 || (order == 0 && (low->is_open || high->is_open))) return true;
  if (!whole_numbers) return false;
  // A whole number lies between them if one lies at or above the low bound and below the high one.
  GrammarBuilder builder;
  const std::int32_t rule = builder.rule("number");
  add_decimals(builder, builder.begin_of(rule), *this, builder.end_of(rule));
  try {
    std::move(builder).build(rule);
  } catch (const Error&) {
    return true;
  }
  return false;
}

namespace {
/// Numbers without a sign between two bounds.
class Magnitudes {
 public:
  Magnitudes(GrammarBuilder& builder, DecimalBound low, DecimalBound high, bool whole_numbers,
             std::int32_t to)
      : builder_(builder),
        low_(std::move(low)),
        high_(std::move(high)),
        whole_numbers_(whole_numbers),
        to_(to) {}

  void add(std::int32_t from) {
    for (std::size_t digits = low_.value.whole.size(); digits <= high_.value.whole.size();
         ++digits) {
      digits_ = digits;
      known_.clear();
      builder_.empty(from, whole_state({0, digits == low_.value.whole.size(),
                                        digits == high_.value.whole.size()}));
    }
  }

 private:
  /// Digits that were read, and whether all of them are those of a bound.
  struct Place {
    std::size_t read = 0;
    bool at_low = false, at_high = false;
  };
  static char digit(const std::string& digits, std::size_t index) {
    return index < digits.size() ? digits[index] : '0';
  }

  /// May the number end behind `read` digits of its fraction?
  bool may_end(const Place& place) const {
    const auto rest = [&](const DecimalBound& bound) {
      return place.read < bound.value.fraction.size();  // it ends with a digit that is not 0
    };
    if (place.at_low && (rest(low_) || low_.is_open)) return false;
    return !(place.at_high && !rest(high_) && high_.is_open);
  }

  void add_digits(std::int32_t from, const Place& place, bool in_fraction) {
    const auto bound = [&](const DecimalBound& b) {
      return digit(in_fraction ? b.value.fraction : b.value.whole, place.read);
    };
    const bool is_first = !in_fraction && place.read == 0;
    char least = is_first && digits_ > 1 ? '1' : '0', most = '9';
    if (place.at_low) least = std::max(least, bound(low_));
    if (place.at_high) most = std::min(most, bound(high_));
    for (char d = least; d <= most; ++d) {
      const Place next{place.read + 1, place.at_low && d == bound(low_),
                       place.at_high && d == bound(high_)};
      const auto byte = static_cast<std::uint8_t>(d);
      builder_.bytes(from, byte, byte, in_fraction ? fraction_state(next) : whole_state(next));
    }
  }

  std::int32_t whole_state(const Place& place) {
    const auto key = std::tuple(false, place.read, place.at_low, place.at_high);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    const std::int32_t made = known_[key] = builder_.state();
    if (place.read < digits_) {
      add_digits(made, place, false);
      return made;
    }
    const Place whole{0, place.at_low, place.at_high};
    if (may_end(whole)) builder_.empty(made, to_);
    if (whole_numbers_) return made;
    const std::int32_t point = builder_.text(made, ".");
    add_digits(point, whole, true);
    return made;
  }

  std::int32_t fraction_state(const Place& place) {
    const auto key = std::tuple(true, place.read, place.at_low, place.at_high);
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    const std::int32_t made = known_[key] = builder_.state();
    if (may_end(place)) builder_.empty(made, to_);
    const std::size_t most =
        std::max({kDoubleDigits - std::min(digits_, kDoubleDigits), low_.value.fraction.size() + 1,
                  high_.value.fraction.size() + 1});
    if (place.read < most) add_digits(made, place, true);
    return made;
  }

  GrammarBuilder& builder_;
  DecimalBound low_, high_;
  bool whole_numbers_;
  std::int32_t to_;
  std::size_t digits_ = 0;  ///< before the point
  std::map<std::tuple<bool, std::size_t, bool, bool>, std::int32_t> known_;
};

Decimal most_beside(const std::optional<DecimalBound>& bound) {
  const std::size_t digits = bound ? bound->value.whole.size() + 1 : 0;
  return {false, std::string(std::max(kDoubleDigits, digits), '9'), {}};
}

DecimalBound mirrored(DecimalBound bound) {
  bound.value.negative = false;
  return bound;
}
}  // namespace

void add_decimals(GrammarBuilder& builder, std::int32_t from, const DecimalRange& range,
                  std::int32_t to) {
  const DecimalBound zero{Decimal{}, false};
  const bool low_is_negative = !range.low || range.low->value.negative;
  const bool high_is_negative = range.high && range.high->value.negative;
  if (!high_is_negative) {
    const DecimalBound low = low_is_negative ? zero : *range.low;
    const DecimalBound high =
        range.high ? *range.high : DecimalBound{most_beside(range.low), false};
    Magnitudes(builder, low, high, range.whole_numbers, to).add(from);
  }
  if (!low_is_negative) return;
  // -0 is 0, which is written without a sign.
  const DecimalBound low = high_is_negative ? mirrored(*range.high) : DecimalBound{Decimal{}, true};
  const DecimalBound high =
      range.low ? mirrored(*range.low) : DecimalBound{most_beside(range.high), false};
  Magnitudes(builder, low, high, range.whole_numbers, to).add(builder.text(from, "-"));
}

}  // namespace tessera
