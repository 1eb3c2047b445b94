// SPDX-License-Identifier: MIT
// A grammar that writes text: rules with alternatives, out of which one is chosen at random, over
// and over, until only words are left. The same grammar, seed and document number give the same
// bytes on every machine: all numbers are integers, and no distribution of the standard library is
// used.
//
// A grammar is a text of rules. A line that begins with blanks continues the rule before it, and a
// line that begins with '#' is a comment.
//
//   animal: cat | dog | owl        one of these
//   size~: small | large | vast    earlier ones more often than later ones
//
// In an alternative, "\n" is a line break, "\s" a blank, and "\{", "\}", "\|", "\\" stand for
// themselves. What stands in braces is replaced:
//
//   {animal}        one expansion of a rule          {2-4*animal}   two to four, with blanks
//   between
//   {^animal}       the same, first letter large     {a animal}     with "a" or "an" before it
//   {H=animal}      chosen now and not written       {$H} {^$H} {a $H}   written where it is needed
//   {N=#2..99}      a number from 2 to 99            {M=#N*3+1}     calculated, from left to right
//   {#2..99} {#N-1} a number, written at once
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tessera::text {

class Grammar {
 public:
  /// Reads the rules. `name` stands in errors. Throws Error naming the line for a rule that is
  /// missing or there twice, an unknown mark or an open brace.
  Grammar(std::string_view text, const std::string& name);
  ~Grammar();
  Grammar(Grammar&&) noexcept;

  /// One expansion of the rule "document". Variables last for one document.
  std::string document(std::uint64_t seed, std::uint64_t number) const;

 private:
  struct Rules;
  std::unique_ptr<Rules> rules_;
};

}  // namespace tessera::text
