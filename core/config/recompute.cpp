// SPDX-License-Identifier: MIT
#include "core/config/recompute.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/base/error.h"

namespace tessera {

namespace {
constexpr std::array<std::pair<const char*, bool Recompute::*>, 4> kSwitches{
    {{"norms", &Recompute::norms},
     {"swiglu", &Recompute::swiglu},
     {"up_projections", &Recompute::up_projections},
     {"blocks", &Recompute::blocks}}};

bool Recompute::*member_of_word(const std::string& word) {
  for (const auto& [name, member] : kSwitches) {
    if (word == name) return member;
  }
  throw Error("recompute", fmt::format("unknown word \"{}\"", word),
              fmt::format("choose from {}", fmt::join(recompute_words(), ", ")));
}
}  // namespace

const std::vector<std::string>& recompute_words() {
  static const std::vector<std::string> words = [] {
    std::vector<std::string> all;
    for (const auto& [name, member] : kSwitches) all.emplace_back(name);
    return all;
  }();
  return words;
}

bool& recompute_switch(Recompute& recompute, const std::string& word) {
  return recompute.*member_of_word(word);
}

bool recompute_switch(const Recompute& recompute, const std::string& word) {
  return recompute.*member_of_word(word);
}

std::vector<std::string> words_of(const Recompute& recompute) {
  std::vector<std::string> words;
  for (const auto& [name, member] : kSwitches) {
    if (recompute.*member) words.emplace_back(name);
  }
  return words;
}

Recompute recompute_of(const std::vector<std::string>& words) {
  Recompute recompute;
  for (const std::string& word : words) recompute_switch(recompute, word) = true;
  return recompute;
}

}  // namespace tessera
