// SPDX-License-Identifier: MIT
#include "core/train/weight_exchange.h"

#include "kernels/adamw/adamw.h"
#include "kernels/convert/convert.h"

namespace tessera {

SharingRanks sharing_ranks(const RankGroups& groups) {
  SharingRanks ranks;
  for (const Sharing sharing : {Sharing::Stage, Sharing::Experts, Sharing::Ends}) {
    const auto at = static_cast<std::size_t>(sharing);
    ranks.count[at] = groups.sharing(sharing).size();
    ranks.index[at] = groups.sharing(sharing).rank();
  }
  ranks.experts_apart = groups.mesh().expert > 1;
  ranks.ends_apart = groups.mesh().pipeline > 1 && !groups.mesh().shape().ends_meet();
  return ranks;
}

WeightExchange::WeightExchange(ParameterSet& parameters, const RankGroups& groups, bool sharded)
    : parameters_(parameters),
      groups_(groups),
      ranks_(sharing_ranks(groups)),
      sharded_(sharded && !ranks_.is_alone()),
      buckets_(buckets_of(parameters, ranks_)),
      pieces_(sharded_ ? own_pieces(parameters, buckets_, ranks_) : all_pieces(parameters)),
      squares_(sizeof(double), parameters.flat_gradients().device()) {
  std::int64_t tables = 0;
  for (const Parameter& p : parameters.all()) tables += p.sharing == Sharing::Ends;
  Context control;
  groups.ends().all_reduce(control, Tensor(&tables, DType::I64, {1}));
  both_ends_ = tables == groups.ends().size();
}

Tensor WeightExchange::own_share(const Tensor& flat, const Bucket& bucket) const {
  const std::int64_t from = bucket.from + ranks_.index_of(bucket.sharing) * bucket.share;
  return flat.slice(0, from, from + bucket.share);
}

void WeightExchange::reduce(Context& context) const {
  const Tensor& gradients = parameters_.flat_gradients();
  for (const Bucket& bucket : buckets_) {
    Communicator& ranks = groups_.sharing(bucket.sharing);
    const bool ends = bucket.sharing == Sharing::Ends && both_ends_;
    const auto sum = [&](std::int64_t from, std::int64_t end) {
      if (end == from) return;
      ranks.all_reduce(context, gradients.slice(0, from, end));
      if (ends) groups_.ends().all_reduce(context, gradients.slice(0, from, end));
    };
    if (!sharded_) {
      sum(bucket.from, bucket.end);
      continue;
    }
    if (bucket.share > 0) {
      const Tensor share = own_share(gradients, bucket);
      ranks.reduce_scatter(context, gradients.slice(0, bucket.from, bucket.rest()), share);
      if (ends) groups_.ends().all_reduce(context, share);
    }
    sum(bucket.rest(), bucket.end);
  }
}

Tensor WeightExchange::sum_of_squares(Context& context) const {
  const Tensor& gradients = parameters_.flat_gradients();
  const Tensor sum = squares_.view(DType::F64, {1});
  kernels::fill(context, 0.0, sum);
  for (const Bucket& bucket : buckets_) {
    // The first and the last stage hold the token table, and it counts once.
    if (bucket.sharing == Sharing::Ends && groups_.place().pipeline != 0) continue;
    if (bucket.share > 0) kernels::sum_of_squares(context, own_share(gradients, bucket), sum);
    if (bucket.rest() < bucket.end && ranks_.index_of(bucket.sharing) == 0) {
      kernels::sum_of_squares(context, gradients.slice(0, bucket.rest(), bucket.end), sum);
    }
  }
  groups_.world().all_reduce(context, sum);
  return sum;
}

void WeightExchange::gather(Context& context) const {
  if (!sharded_) return;
  const Tensor& values = parameters_.flat_values();
  for (const Bucket& bucket : buckets_) {
    if (bucket.share == 0) continue;
    groups_.sharing(bucket.sharing)
        .all_gather(context, own_share(values, bucket),
                    values.slice(0, bucket.from, bucket.rest()));
  }
  parameters_.refresh_operands(context);
}

}  // namespace tessera
