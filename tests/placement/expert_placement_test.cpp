// SPDX-License-Identifier: MIT
#include "core/placement/expert_placement.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <random>
#include <set>

#include "core/base/error.h"

namespace tessera {
namespace {

using Places = std::vector<std::int32_t>;

/// The published example: two layers of 12 experts in 4 groups, 16 replicas, 2 nodes of 4 GPUs.
TEST(ExpertPlacement, IsThePublishedOne) {
  const PlacementRequest request{.replicas = 16, .groups = 4, .nodes = 2, .ranks = 8};
  const double first[] = {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86};
  EXPECT_EQ(place_experts(first, request).expert_of_place,
            (Places{5, 6, 5, 7, 8, 4, 3, 4, 10, 9, 10, 2, 0, 1, 11, 1}));
  const double second[] = {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27};
  EXPECT_EQ(place_experts(second, request).expert_of_place,
            (Places{7, 10, 6, 8, 6, 11, 8, 9, 2, 4, 5, 1, 5, 0, 3, 1}));
}

std::vector<double> random_loads(std::size_t experts, unsigned seed) {
  std::mt19937 generator(seed);
  std::lognormal_distribution<double> load(4, 1);
  std::vector<double> loads(experts);
  for (double& l : loads) l = std::floor(load(generator));
  return loads;
}

double most_over_mean(const std::vector<double>& of_ranks) {
  const double sum = std::accumulate(of_ranks.begin(), of_ranks.end(), 0.0);
  return *std::max_element(of_ranks.begin(), of_ranks.end()) * double(of_ranks.size()) / sum;
}

TEST(ExpertPlacement, HoldsEveryExpertAndSpreadsTheLoad) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const std::vector<double> loads = random_loads(64, seed);
    for (const PlacementRequest& request :
         {PlacementRequest{.replicas = 80, .groups = 8, .nodes = 4, .ranks = 16},
          PlacementRequest{.replicas = 80, .groups = 8, .nodes = 1, .ranks = 8},
          PlacementRequest{.replicas = 72, .groups = 8, .nodes = 3, .ranks = 12}}) {
      const ExpertPlacement placement = place_experts(loads, request);
      ASSERT_EQ(std::ssize(placement.expert_of_place), request.replicas);
      for (std::int32_t expert = 0; expert < 64; ++expert) {
        const auto places = placement.places_of(expert);
        ASSERT_GE(places.size(), 1u);
        ASSERT_EQ(std::ssize(places), placement.replicas_of_expert[std::size_t(expert)]);
      }
      const std::vector<double> of_ranks = rank_loads(placement, loads, request.ranks);
      EXPECT_NEAR(std::accumulate(of_ranks.begin(), of_ranks.end(), 0.0),
                  std::accumulate(loads.begin(), loads.end(), 0.0), 1e-6);
      // Against the experts as they are, in their order, on as many ranks.
      if (64 % request.ranks != 0) continue;
      ExpertPlacement as_is{Places(64), Places(64, 1)};
      std::iota(as_is.expert_of_place.begin(), as_is.expert_of_place.end(), 0);
      EXPECT_LT(most_over_mean(of_ranks), most_over_mean(rank_loads(as_is, loads, request.ranks)));
    }
  }
}

/// Where nodes divide groups, all replicas of a group's experts lie on one node.
TEST(ExpertPlacement, KeepsGroupsOnTheirNodes) {
  const std::vector<double> loads = random_loads(64, 3);
  const PlacementRequest request{.replicas = 96, .groups = 8, .nodes = 4, .ranks = 16};
  const ExpertPlacement placement = place_experts(loads, request);
  for (std::int32_t group = 0; group < 8; ++group) {
    std::set<std::int32_t> nodes;
    for (std::int32_t expert = 8 * group; expert < 8 * (group + 1); ++expert) {
      for (const std::int32_t place : placement.places_of(expert)) nodes.insert(place / 24);
    }
    EXPECT_EQ(nodes.size(), 1u) << group;
  }
}

TEST(ExpertPlacement, NamesNumbersThatDoNotDivide) {
  const std::vector<double> loads(12, 1.0);
  const auto error_of = [&](const PlacementRequest& request) -> std::string {
    try {
      place_experts(loads, request);
    } catch (const Error& error) {
      return error.what_failed();
    }
    return "";
  };
  EXPECT_EQ(error_of({.replicas = 8, .ranks = 4}),
            "8 replicas are fewer than the 12 experts of a layer");
  EXPECT_EQ(error_of({.replicas = 16, .groups = 5, .ranks = 4}),
            "5 groups do not divide 12 experts");
  EXPECT_EQ(error_of({.replicas = 16, .groups = 4, .nodes = 3, .ranks = 8}),
            "3 nodes do not divide 8 ranks");
  EXPECT_EQ(error_of({.replicas = 15, .groups = 4, .nodes = 2, .ranks = 8}),
            "8 ranks do not divide 15 replicas");
}

}  // namespace
}  // namespace tessera
