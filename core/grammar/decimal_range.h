// SPDX-License-Identifier: MIT
// Numbers between two bounds as an automaton of their digits.
#pragma once

#include <optional>
#include <string>

#include "core/grammar/grammar.h"

namespace tessera {

/// A decimal number of any length.
struct Decimal {
  bool negative = false;
  std::string whole = "0";  ///< digits, no zeros before them
  std::string fraction;     ///< digits, no zeros behind them

  /// Reads a JSON number, "-1.5e3". Throws Error where it has more digits than a range takes.
  static Decimal parse(const std::string& text);
  bool is_zero() const { return whole == "0" && fraction.empty(); }
};
/// Below 0: a < b.
int compare(const Decimal& a, const Decimal& b);

struct DecimalBound {
  Decimal value;
  bool is_open = false;  ///< the bound itself is outside
};
struct DecimalRange {
  std::optional<DecimalBound> low, high;
  bool whole_numbers = false;

  bool is_empty() const;
};

/// Reads a number of the range, without an exponent, from state `from` to state `to`. Numbers have
/// at most 15 digits in all, or on a side of the point one more than the bounds have there.
void add_decimals(GrammarBuilder& builder, std::int32_t from, const DecimalRange& range,
                  std::int32_t to);

}  // namespace tessera
