// SPDX-License-Identifier: MIT
#include "core/model/context_exchange.h"

#include "core/base/error.h"
#include "kernels/convert/convert.h"
#include "kernels/embedding/embedding.h"

namespace tessera {

Communicator& ContextExchange::group() const {
  require(group_, "context", "ranks that are planned alone have nothing to say to each other");
  return *group_;
}

void ContextExchange::count(const Context& context, const ContextCut& cut, const Tensor& x) const {
  if (context.dry_run) return;
  bytes_ += (ranks_ - 1) * cut.share * x.size(1) * static_cast<std::int64_t>(size_of(x.dtype()));
}

/// NOTE: shares have one size on all ranks, as collective calls want it. Rows of a share that no
/// token has are sent with it, and read by nobody.
Tensor ContextExchange::gather(Pass& pass, const ContextCut& cut, const Tensor& x) const {
  const std::int64_t tokens = x.size(0), width = x.size(1);
  const Tensor rows = pass.scratch().take(x.dtype(), {cut.keys.size(0), width});
  Arena::Frame frame(pass.scratch());
  const Tensor share = pass.scratch().take(x.dtype(), {cut.share, width});
  const Tensor all = pass.scratch().take(x.dtype(), {ranks_ * cut.share, width});
  kernels::convert(pass.context, x, share.slice(0, 0, tokens));
  kernels::fill(pass.context, 0.0, share.slice(0, tokens, cut.share));
  if (!pass.context.dry_run) group().all_gather(pass.context, share, all);
  count(pass.context, cut, x);
  kernels::embedding_forward(pass.context, cut.keys, all, rows);
  return rows;
}

Tensor ContextExchange::scatter_sum(Pass& pass, const ContextCut& cut, const Tensor& d,
                                    std::int64_t tokens) const {
  const std::int64_t width = d.size(1);
  const Tensor share = pass.scratch().take(d.dtype(), {cut.share, width});
  Arena::Frame frame(pass.scratch());
  const Tensor all = pass.scratch().take(d.dtype(), {ranks_ * cut.share, width});
  kernels::fill(pass.context, 0.0, all);
  kernels::embedding_backward(pass.context, cut.keys, d, all);
  if (!pass.context.dry_run) group().reduce_scatter(pass.context, all, share);
  count(pass.context, cut, d);
  return share.slice(0, 0, tokens);
}

Tensor ContextExchange::counts(const Context& context, std::int64_t sequences,
                               std::int64_t experts) const {
  const auto bytes = static_cast<std::size_t>(sequences * experts) * sizeof(std::int64_t);
  if (context.dry_run) {
    return Buffer::measuring(bytes, context.device).view(DType::I64, {sequences, experts});
  }
  if (counts_memory_.bytes() < bytes) counts_memory_ = Buffer(bytes, context.device);
  return counts_memory_.view(DType::I64, {sequences, experts});
}

void ContextExchange::sum_counts(Context& context, const Tensor& counts) const {
  if (!context.dry_run) group().all_reduce(context, counts);
}

}  // namespace tessera
