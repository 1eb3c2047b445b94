// SPDX-License-Identifier: MIT
#include "core/spec/layout_choices.h"

#include <algorithm>
#include <set>

#include "core/base/error.h"

namespace tessera {

namespace {
std::int64_t& ranks_of(RunSpec& spec, std::string_view key) {
  if (key == "parallel.pipeline") return spec.parallel.pipeline;
  if (key == "parallel.data") return spec.parallel.data;
  if (key == "parallel.context") return spec.parallel.context;
  if (key == "parallel.expert") return spec.parallel.expert;
  throw Error("layout", fmt::format("{} is no number of ranks", key));
}

std::set<std::string> errors_of(const RunSpec& spec) {
  std::set<std::string> keys;
  for (const Problem& problem : check_spec(spec)) {
    if (problem.severity == Severity::Error) keys.insert(problem.key);
  }
  return keys;
}

/// The first error that `before` does not have, one of the key that is set before all others.
std::optional<Problem> refusal_of(const RunSpec& spec, std::string_view key,
                                  const std::set<std::string>& before) {
  std::optional<Problem> refusal;
  for (Problem& problem : check_spec(spec)) {
    if (problem.severity != Severity::Error || before.contains(problem.key)) continue;
    if (problem.key == key) return problem;
    if (!refusal) refusal = std::move(problem);
  }
  // A spec may leave parallel.data to the number of processes that are started; here it is that.
  const auto& p = spec.parallel;
  if (!refusal && p.data * p.context % p.expert != 0) {
    refusal = {.key = "parallel.expert",
               .message = fmt::format("{} does not divide the {} replicas that share experts",
                                      p.expert, p.data * p.context),
               .expected = p.context > 1 ? "a divisor of parallel.data * parallel.context"
                                         : "a divisor of parallel.data"};
  }
  return refusal;
}
}  // namespace

std::vector<LayoutChoice> layout_choices(const RunSpec& spec, std::string_view key,
                                         std::int64_t most) {
  RunSpec other = spec;
  std::int64_t& ranks = ranks_of(other, key);
  const std::int64_t now = ranks;
  std::set<std::int64_t> values{now};
  for (std::int64_t value = 1; value <= most; value *= 2) values.insert(value);
  const std::set<std::string> before = errors_of(spec);
  std::vector<LayoutChoice> choices;
  for (const std::int64_t value : values) {
    ranks = value;
    choices.push_back({value, value == now ? std::nullopt : refusal_of(other, key, before)});
  }
  return choices;
}

}  // namespace tessera
