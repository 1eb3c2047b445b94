// SPDX-License-Identifier: MIT
#include "core/data/dedup.h"

#include <cmath>

#include "tests/data/data_fixture.h"

namespace tessera::data {
namespace {

std::optional<Drop> see(Deduplicator& seen, const std::string& text) {
  return seen.see(fingerprint(text));
}

TEST(Dedup, ExactIsUpToWhiteSpaceOnly) {
  DedupOptions options;
  options.near = false;
  Deduplicator seen(options);
  EXPECT_EQ(see(seen, "One two, three."), std::nullopt);
  EXPECT_EQ(see(seen, "One two, three."), Drop::ExactDuplicate);
  EXPECT_EQ(see(seen, "  One\ttwo,\r\n\n three.\n"), Drop::ExactDuplicate);
  EXPECT_EQ(see(seen, "one two, three."), std::nullopt);
  EXPECT_EQ(see(seen, "One two; three."), std::nullopt);
  EXPECT_EQ(see(seen, "Onetwo, three."), std::nullopt);
}

TEST(Dedup, NearFindsCopiesWithSmallChanges) {
  Deduplicator seen({});
  const std::string text = prose(1, 300);
  EXPECT_EQ(see(seen, text), std::nullopt);
  EXPECT_EQ(see(seen, text), Drop::ExactDuplicate);
  std::string shouted = text;
  for (char& c : shouted)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  EXPECT_EQ(see(seen, shouted + "!!!"), Drop::NearDuplicate);
  EXPECT_EQ(see(seen, text + "and three words more"), Drop::NearDuplicate);
  EXPECT_EQ(see(seen, prose(2, 300)), std::nullopt);
  EXPECT_EQ(see(seen, prose(2, 150) + prose(3, 150)), std::nullopt);  // half of it: no copy
}

TEST(Dedup, OptionsSwitchOff) {
  DedupOptions options;
  options.exact = options.near = false;
  Deduplicator seen(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(see(seen, "the same"), std::nullopt);
}

TEST(Dedup, ShortAndWordlessTextsAreToldApart) {
  Deduplicator seen({});
  EXPECT_EQ(see(seen, "?!"), std::nullopt);
  EXPECT_EQ(see(seen, "!?"), std::nullopt);
  EXPECT_EQ(see(seen, "one two"), std::nullopt);
  EXPECT_EQ(see(seen, "one three"), std::nullopt);
  EXPECT_EQ(see(seen, "One, two"), Drop::NearDuplicate);
}

// The curve stated in dedup.h: 1 - (1 - s^8)^14 at Jaccard similarity s of the sets of phrases.
TEST(Dedup, ProbabilityFollowsTheStatedCurve) {
  constexpr int kTrials = 400, kWords = 400;
  for (const int changed : {10, 20, 45}) {
    int found = 0;
    double expected = 0;
    for (std::uint64_t trial = 0; trial < kTrials; ++trial) {
      // A copy whose last `changed` words are others: 5-grams that hold one of them differ.
      const std::string a = prose(trial, kWords), tail = prose(trial + 100000, changed);
      std::string b = prose(trial, kWords - changed) + " " + tail;
      Deduplicator seen({});
      EXPECT_EQ(see(seen, a), std::nullopt);
      found += see(seen, b).has_value();
      const double common = kWords - 4 - changed, all = kWords - 4 + changed;
      expected += 1 - std::pow(1 - std::pow(common / all, 8), 14);
    }
    const double mean = expected / kTrials, deviation = std::sqrt(mean * (1 - mean) * kTrials);
    EXPECT_NEAR(found, expected, 4 * deviation + 1) << changed;
  }
}

TEST(Dedup, MemoryIsBoundedAndWhatIsForgottenIsCounted) {
  DedupOptions options;
  options.memory_bytes = 1 << 20;
  options.near = false;
  Deduplicator seen(options);
  for (std::uint64_t i = 0; i < 5000; ++i)
    EXPECT_EQ(see(seen, "document number " + std::to_string(i)), std::nullopt);
  EXPECT_GT(seen.forgotten(), 0);
  EXPECT_EQ(see(seen, "document number 4999"), Drop::ExactDuplicate);
  Deduplicator large({});
  for (std::uint64_t i = 0; i < 5000; ++i) see(large, "document number " + std::to_string(i));
  EXPECT_EQ(large.forgotten(), 0);
}

TEST(Dedup, RememberingEqualsSeeing) {
  Deduplicator first({}), second({});
  for (std::uint64_t i = 0; i < 50; ++i) {
    const auto print = fingerprint(prose(i));
    EXPECT_EQ(first.see(print), std::nullopt);
    second.remember(print);
  }
  for (std::uint64_t i = 0; i < 100; ++i)
    EXPECT_EQ(first.see(fingerprint(prose(i, 50))), second.see(fingerprint(prose(i, 50))));
}

}  // namespace
}  // namespace tessera::data
