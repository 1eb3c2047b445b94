// SPDX-License-Identifier: MIT
#include "core/placement/expert_placement.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"

namespace tessera {

namespace {

using Index = std::int64_t;
using Indices = std::vector<Index>;
// Loads are divided and compared in single precision, as the published program does: where two are
// all but equal, the same one wins.
using Loads = std::vector<float>;

std::size_t at(Index index) {
  return static_cast<std::size_t>(index);
}

/// Where each object lies: pack * objects per pack + place in the pack. Every pack has equally many
/// objects, and the heaviest object left goes to the lightest pack that has room.
Indices pack_evenly(const Loads& weights, Index packs) {
  const auto count = std::ssize(weights);
  const Index room = count / packs;
  Indices places(weights.size());
  std::iota(places.begin(), places.end(), 0);
  if (room == 1) return places;
  Indices order = places;
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return weights[at(a)] > weights[at(b)]; });
  Loads filled(at(packs), 0.f);
  Indices objects(at(packs), 0);
  for (const Index object : order) {
    Index lightest = -1;
    for (Index pack = 0; pack < packs; ++pack) {
      if (objects[at(pack)] == room) continue;
      if (lightest < 0 || filled[at(pack)] < filled[at(lightest)]) lightest = pack;
    }
    places[at(object)] = lightest * room + objects[at(lightest)]++;
    filled[at(lightest)] += weights[at(object)];
  }
  return places;
}

/// One replica of each expert, then one after another of the expert with most load a replica.
struct Replicas {
  Indices expert;  ///< of each replica
  Indices count;   ///< of each expert
};
Replicas replicate(const Loads& loads, Index replicas) {
  Replicas made{Indices(loads.size()), Indices(loads.size(), 1)};
  std::iota(made.expert.begin(), made.expert.end(), 0);
  const auto share = [&](Index expert) {
    return loads[at(expert)] / static_cast<float>(made.count[at(expert)]);
  };
  while (std::ssize(made.expert) < replicas) {
    Index busiest = 0;
    for (Index expert = 1; expert < std::ssize(loads); ++expert) {
      if (share(expert) > share(busiest)) busiest = expert;
    }
    made.expert.push_back(busiest);
    ++made.count[at(busiest)];
  }
  return made;
}

void expect_request(Index experts, const PlacementRequest& r) {
  constexpr const char* kWhere = "placement";
  require(experts > 0 && r.replicas >= experts, kWhere,
          "{} replicas are fewer than the {} experts of a layer", r.replicas, experts);
  require(r.groups > 0 && experts % r.groups == 0, kWhere, "{} groups do not divide {} experts",
          r.groups, experts);
  require(r.nodes > 0 && r.ranks > 0 && r.ranks % r.nodes == 0, kWhere,
          "{} nodes do not divide {} ranks", r.nodes, r.ranks);
  require(r.replicas % r.ranks == 0, kWhere, "{} ranks do not divide {} replicas", r.ranks,
          r.replicas);
}

/// The experts of each node, one node after another: whole groups, packed by their load.
Indices experts_by_node(const Loads& loads, Index groups, Index nodes) {
  const Index size = std::ssize(loads) / groups;
  Loads of_groups;
  for (Index group = 0; group < groups; ++group) {
    const auto first = loads.begin() + group * size;
    of_groups.push_back(std::accumulate(first, first + size, 0.f));
  }
  const Indices places = pack_evenly(of_groups, nodes);
  Indices experts(loads.size());
  for (Index group = 0; group < groups; ++group) {
    for (Index i = 0; i < size; ++i) experts[at(places[at(group)] * size + i)] = group * size + i;
  }
  return experts;
}

}  // namespace

std::vector<std::int32_t> ExpertPlacement::places_of(std::int32_t expert) const {
  std::vector<std::int32_t> places;
  for (std::size_t place = 0; place < expert_of_place.size(); ++place) {
    if (expert_of_place[place] == expert) places.push_back(static_cast<std::int32_t>(place));
  }
  return places;
}

ExpertPlacement place_experts(std::span<const double> loads, const PlacementRequest& request) {
  const auto experts = std::ssize(loads);
  expect_request(experts, request);
  const bool by_groups = request.groups % request.nodes == 0;
  const Index nodes = by_groups ? request.nodes : 1, groups = by_groups ? request.groups : 1;
  const Index of_node = experts / nodes, replicas = request.replicas / nodes;
  Loads all;
  for (const double load : loads) all.push_back(static_cast<float>(load));
  const Indices order = experts_by_node(all, groups, nodes);

  ExpertPlacement placement{std::vector<std::int32_t>(at(request.replicas)),
                            std::vector<std::int32_t>(loads.size())};
  for (Index node = 0; node < nodes; ++node) {
    const auto expert_at = [&](Index i) { return order[at(node * of_node + i)]; };
    Loads own;
    for (Index i = 0; i < of_node; ++i) own.push_back(all[at(expert_at(i))]);
    const Replicas made = replicate(own, replicas);
    Loads of_replicas;
    for (const Index i : made.expert) {
      of_replicas.push_back(own[at(i)] / static_cast<float>(made.count[at(i)]));
    }
    const Indices places = pack_evenly(of_replicas, request.ranks / nodes);
    for (Index replica = 0; replica < replicas; ++replica) {
      placement.expert_of_place[at(node * replicas + places[at(replica)])] =
          static_cast<std::int32_t>(expert_at(made.expert[at(replica)]));
    }
    for (Index i = 0; i < of_node; ++i) {
      placement.replicas_of_expert[at(expert_at(i))] = static_cast<std::int32_t>(made.count[at(i)]);
    }
  }
  return placement;
}

std::vector<double> rank_loads(const ExpertPlacement& placement, std::span<const double> loads,
                               std::int64_t ranks) {
  std::vector<double> of_ranks(at(ranks), 0.0);
  const Index each = std::ssize(placement.expert_of_place) / ranks;
  for (Index place = 0; place < each * ranks; ++place) {
    const auto expert = static_cast<std::size_t>(placement.expert_of_place[at(place)]);
    of_ranks[at(place / each)] += loads[expert] / placement.replicas_of_expert[expert];
  }
  return of_ranks;
}

}  // namespace tessera
