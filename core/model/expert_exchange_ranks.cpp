// SPDX-License-Identifier: MIT
#include "core/model/expert_exchange_ranks.h"

#include <algorithm>
#include <numeric>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "kernels/convert/convert.h"
#include "kernels/exchange/exchange.h"

namespace tessera {

namespace {
using Counts = std::vector<std::int64_t>;

std::int64_t total(const Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
}

/// What rows between ranks are kept in: BF16 where the recipe computes with less than F32.
DType wire_type(const Pass& pass) {
  return pass.precision.recipe == Recipe::Fp32 ? pass.precision.activation : DType::BF16;
}

/// x in `type`: x itself, or a copy in scratch.
Tensor in_type(Pass& pass, const Tensor& x, DType type) {
  if (x.dtype() == type) return x;
  const Tensor y = pass.scratch().take(type, {x.size(0), x.size(1)});
  kernels::convert(pass.context, x, y);
  return y;
}
}  // namespace

void RanksExchange::all_to_all(Context& context, const Tensor& send, const Counts& send_rows,
                               const Tensor& receive, const Counts& receive_rows) const {
  if (context.dry_run) return;
  const auto own = static_cast<std::size_t>(group_.rank());
  counts_.bytes += (total(send_rows) - send_rows[own]) * send.size(1) *
                   static_cast<std::int64_t>(size_of(send.dtype()));
  group_.all_to_all(context, send, send_rows, receive, receive_rows);
}

// ---- Plan ---------------------------------------------------------------------------------------

void RanksExchange::plan(Pass& pass, std::int64_t experts, RoutedTokens& r) const {
  require(r.weights.dtype() == DType::F32, "exchange", "gate weights are {}, expected F32",
          r.weights.describe());
  require(experts == experts_.count() * group_.size(), "exchange",
          "{} experts are not {} on each of {} ranks", experts, experts_.count(), group_.size());
  plan_sending(pass, experts, r);
  exchange_counts(pass, r);
  plan_receiving(pass, r);
}

void RanksExchange::plan_sending(Pass& pass, std::int64_t experts, RoutedTokens& r) const {
  const std::int64_t tokens = r.picks.size(0), k = r.picks.size(1), ranks = group_.size();
  const std::int64_t most = std::min(k, ranks);
  r.ranks.by_rank = take_permutation(pass, tokens, most, ranks, tokens * most, 1);
  r.ranks.by_slot = take_permutation(pass, tokens, k, experts, tokens * k, 1);
  r.loads = r.ranks.by_slot.counts;
  Arena::Frame frame(pass.scratch());
  const Tensor to = pass.scratch().take(DType::I32, {tokens, most});
  kernels::rank_picks(pass.context, r.picks, experts_.count(), to);
  kernels::permute_plan(pass.context, to, r.ranks.by_rank);
  kernels::permute_plan(pass.context, r.picks, r.ranks.by_slot);
}

/// Every rank tells every other how many tokens and slots it has for its experts.
void RanksExchange::exchange_counts(Pass& pass, RoutedTokens& r) const {
  const std::int64_t tokens = r.picks.size(0), k = r.picks.size(1);
  const auto ranks = static_cast<std::size_t>(group_.size());
  RankRoutes& routes = r.ranks;
  if (pass.context.dry_run) {  // the most that may come, and go
    routes.tokens_to.assign(ranks, 0);
    routes.tokens_to[0] = tokens * std::min<std::int64_t>(k, group_.size());
    routes.slots_to.assign(ranks, 0);
    routes.slots_to[0] = tokens * k;
    routes.tokens_from.assign(ranks, tokens);
    routes.slots_from.assign(ranks, tokens * std::min(k, experts_.count()));
    return;
  }
  routes.tokens_to = host_values<std::int64_t>(routes.by_rank.counts);
  const Counts loads = host_values<std::int64_t>(r.loads);
  routes.slots_to.assign(ranks, 0);
  for (std::size_t e = 0; e < loads.size(); ++e) {
    routes.slots_to[e / static_cast<std::size_t>(experts_.count())] += loads[e];
  }
  Counts send, receive(2 * ranks);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    send.push_back(routes.tokens_to[rank]);
    send.push_back(routes.slots_to[rank]);
  }
  const Counts one(ranks, 1);
  const std::int64_t rows = group_.size();
  Context control;
  group_.all_to_all(control, Tensor(send.data(), DType::I64, {rows, 2}), one,
                    Tensor(receive.data(), DType::I64, {rows, 2}), one);
  routes.tokens_from.clear();
  routes.slots_from.clear();
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    routes.tokens_from.push_back(receive[2 * rank]);
    routes.slots_from.push_back(receive[2 * rank + 1]);
  }
  counts_.tokens += tokens;
  counts_.token_ranks += total(routes.tokens_to);
  counts_.received += total(routes.tokens_from);
}

/// The plan of the tokens that come, from their picks, which come first.
void RanksExchange::plan_receiving(Pass& pass, RoutedTokens& r) const {
  const std::int64_t k = r.picks.size(1), ranks = group_.size(), held = experts_.count();
  const std::int64_t received = total(r.ranks.tokens_from), slots = total(r.ranks.slots_from);
  const std::int64_t alignment = group_alignment(pass);
  const std::int64_t groups = runs() * held;
  const std::int64_t rows = kernels::max_permuted_rows(slots, 1, groups, alignment);
  r.permutation = take_permutation(pass, received, k, groups, rows, alignment);
  r.row_weights = pass.keep.take(r.weights.dtype(), {rows});
  const Tensor starts = pass.keep.take(DType::I32, {ranks + 1});
  if (!pass.context.dry_run) {
    std::vector<std::int32_t> at{0};
    for (const std::int64_t count : r.ranks.tokens_from) {
      at.push_back(at.back() + static_cast<std::int32_t>(count));
    }
    copy_from_host(at.data(), starts);
  }
  Arena::Frame frame(pass.scratch());
  // Picks and weights beside each other, as one array whose elements are only copied.
  const std::int64_t tokens = r.picks.size(0);
  const Tensor pairs = pass.scratch().take(DType::F32, {tokens, 2 * k});
  const Tensor picks(r.picks.raw(), DType::F32, {tokens, k}, r.picks.device());
  kernels::convert(pass.context, picks, pairs.slice(1, 0, k));
  kernels::convert(pass.context, r.weights, pairs.slice(1, k, 2 * k));
  const Tensor came = send_tokens(pass, pairs, r, pass.scratch());
  const Tensor came_picks(came.raw(), DType::I32, {received, 2 * k}, came.device());
  const Tensor local = pass.scratch().take(DType::I32, {received, k});
  kernels::held_picks(pass.context, came_picks.slice(1, 0, k), experts_.first, held,
                      runs() > 1 ? starts : Tensor(), local);
  kernels::permute_plan(pass.context, local, r.permutation);
  kernels::permute_weights(pass.context, came.slice(1, k, 2 * k), r.permutation, r.row_weights);
  plan_returning(pass, r, starts);
}

/// Rows without their padding, by the rank that they go back to.
void RanksExchange::plan_returning(Pass& pass, RoutedTokens& r, const Tensor& starts) const {
  const std::int64_t rows = r.row_weights.size(0);
  r.ranks.returned = take_permutation(pass, rows, 1, group_.size(), total(r.ranks.slots_from), 1);
  Arena::Frame frame(pass.scratch());
  const Tensor sources = pass.scratch().take(DType::I32, {rows, 1});
  kernels::row_sources(pass.context, r.permutation, starts, sources);
  kernels::permute_plan(pass.context, sources, r.ranks.returned);
}

// ---- To the experts -----------------------------------------------------------------------------

Tensor RanksExchange::send_tokens(Pass& pass, const Tensor& x, const RoutedTokens& r,
                                  Arena& arena) const {
  const RankRoutes& routes = r.ranks;
  const Tensor came = arena.take(x.dtype(), {total(routes.tokens_from), x.size(1)});
  Arena::Frame frame(pass.scratch());
  const Tensor send = pass.scratch().take(x.dtype(), {total(routes.tokens_to), x.size(1)});
  kernels::permute_forward(pass.context, x, routes.by_rank, send);
  all_to_all(pass.context, send, routes.tokens_to, came, routes.tokens_from);
  return came;
}

/// The received rows are kept: to send them again in backward costs a quarter more of all that is
/// sent. Where blocks are made again in backward they are sent again, as they can be as large as
/// the inputs of several blocks.
void RanksExchange::send(Pass& pass, const Tensor& h, RoutedTokens& r) const {
  r.ranks.received = send_tokens(pass, h, r, pass.keep);
}

Operand RanksExchange::dispatch(Pass& pass, const Operand& h, const RoutedTokens& r) const {
  const kernels::Permutation& p = r.permutation;
  if (!pass.precision.fp8_backward()) {
    const std::int64_t groups = p.counts.size(0);
    return pass.input(permuted_rows(pass, r.ranks.received, p),
                      p.offsets.slice(0, groups, groups + 1));
  }
  Operand rows;
  take_rows(pass.scratch(), p.slot_of_row.size(0), h.plain.size(1), rows.tiles);
  kernels::permute_quantise(pass.context, r.ranks.received, p, rows.tiles);
  return rows;
}

Operand RanksExchange::dispatch_gradient(Pass& pass, const Tensor& dy,
                                         const RoutedTokens& r) const {
  // Operands that wait for a later product are in another arena than what came.
  const Tensor came = send_tokens(pass, dy, r, pass.scratch());
  return permuted_operand(pass, came, r.permutation, /*by_rows=*/true);
}

Operand RanksExchange::dispatch_again(Pass& pass, const Tensor&, const RoutedTokens& r) const {
  return permuted_operand(pass, r.ranks.received, r.permutation, /*by_rows=*/false);
}

// ---- And back -----------------------------------------------------------------------------------

void RanksExchange::combine(Pass& pass, const Tensor& rows, const RoutedTokens& r,
                            const Tensor& y) const {
  Arena::Frame frame(pass.scratch());
  if (order_ == CombineOrder::BySlot) {
    combine_by_slot(pass, rows, r, y);
  } else {
    combine_by_rank(pass, rows, r, y);
  }
}

void RanksExchange::combine_by_rank(Pass& pass, const Tensor& rows, const RoutedTokens& r,
                                    const Tensor& y) const {
  const std::int64_t width = y.size(1);
  const DType wire = wire_type(pass);
  const Tensor sums = pass.scratch().take(rows.dtype(), {total(r.ranks.tokens_from), width});
  kernels::fill(pass.context, 0.0, sums);
  kernels::combine(pass.context, rows, r.permutation, sums);
  const Tensor came = pass.scratch().take(wire, {total(r.ranks.tokens_to), width});
  all_to_all(pass.context, in_type(pass, sums, wire), r.ranks.tokens_from, came, r.ranks.tokens_to);
  kernels::combine(pass.context, in_type(pass, came, rows.dtype()), r.ranks.by_rank, y);
}

void RanksExchange::combine_by_slot(Pass& pass, const Tensor& rows, const RoutedTokens& r,
                                    const Tensor& y) const {
  const std::int64_t width = y.size(1);
  const DType wire = wire_type(pass);
  const Tensor send = pass.scratch().take(wire, {total(r.ranks.slots_from), width});
  kernels::permute_forward(pass.context, rows, r.ranks.returned, send);
  const Tensor came = pass.scratch().take(wire, {total(r.ranks.slots_to), width});
  all_to_all(pass.context, send, r.ranks.slots_from, came, r.ranks.slots_to);
  kernels::combine(pass.context, in_type(pass, came, rows.dtype()), r.ranks.by_slot, y);
}

void RanksExchange::weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& r,
                                     const Tensor& d_weights) const {
  Arena::Frame frame(pass.scratch());
  const DType type = d_row_weights.dtype();
  const Tensor send = pass.scratch().take(type, {total(r.ranks.slots_from), 1});
  kernels::permute_forward(pass.context, d_row_weights.reshape({d_row_weights.size(0), 1}),
                           r.ranks.returned, send);
  const Tensor came = pass.scratch().take(type, {total(r.ranks.slots_to), 1});
  all_to_all(pass.context, send, r.ranks.slots_from, came, r.ranks.slots_to);
  kernels::permute_weights_backward(pass.context, came.reshape({came.size(0)}), r.ranks.by_slot,
                                    d_weights);
}

}  // namespace tessera
