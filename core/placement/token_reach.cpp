// SPDX-License-Identifier: MIT
#include "core/placement/token_reach.h"

#include <vector>

#include "core/base/error.h"

namespace tessera {

namespace {
void expect_even(const ExpertOwners& of) {
  require(of.owners > 0 && of.experts > 0 && of.experts % of.owners == 0, "placement",
          "{} owners do not divide {} experts", of.owners, of.experts);
  require(of.top_k > 0 && of.top_k <= of.experts, "placement", "{} of {} experts cannot be taken",
          of.top_k, of.experts);
}
}  // namespace

double expected_reach(const ExpertOwners& of) {
  expect_even(of);
  // The chance that an owner has none of the token's experts, pick after pick.
  const std::int64_t elsewhere = of.experts - of.experts / of.owners;
  double none = 1;
  for (std::int64_t i = 0; i < of.top_k; ++i) {
    none *= static_cast<double>(elsewhere - i) / static_cast<double>(of.experts - i);
    if (none <= 0) return static_cast<double>(of.owners);
  }
  return static_cast<double>(of.owners) * (1 - none);
}

double TokenReach::owners_per_token() const {
  return static_cast<double>(owners) / static_cast<double>(tokens);
}

double TokenReach::saved_against_copies() const {
  return 1 - static_cast<double>(owners) / static_cast<double>(picks);
}

double TokenReach::saved_against(double other) const {
  return 1 - owners_per_token() / other;
}

TokenReach count_reach(std::span<const std::int32_t> picks, const ExpertOwners& of) {
  expect_even(of);
  require(std::ssize(picks) % of.top_k == 0, "placement", "{} picks are not {} a token",
          picks.size(), of.top_k);
  TokenReach reach{.tokens = std::ssize(picks) / of.top_k, .owners = 0, .picks = std::ssize(picks)};
  const std::int64_t each = of.experts / of.owners;
  std::vector<std::int64_t> last(static_cast<std::size_t>(of.owners), -1);  // token seen last
  for (std::int64_t i = 0; i < reach.picks; ++i) {
    const std::int32_t expert = picks[static_cast<std::size_t>(i)];
    require(expert >= 0 && expert < of.experts, "placement", "there is no expert {} among {}",
            expert, of.experts);
    std::int64_t& seen = last[static_cast<std::size_t>(expert / each)];
    const std::int64_t token = i / of.top_k;
    if (seen != token) ++reach.owners;
    seen = token;
  }
  return reach;
}

}  // namespace tessera
