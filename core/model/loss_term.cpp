// SPDX-License-Identifier: MIT
#include "core/model/loss_term.h"

#include "kernels/cross_entropy/cross_entropy.h"

namespace tessera {

void CrossEntropy::apply(Context& context, const Tensor& logits, std::int64_t from,
                         const Tensor& losses, const Tensor& gradient) const {
  const std::int64_t to = from + logits.size(0);
  const Tensor targets = targets_.slice(0, from, to);
  const Tensor weights = weights_ ? weights_.slice(0, from, to) : Tensor();
  if (has_gradient() && gradient.raw() != logits.raw()) {
    kernels::cross_entropy_gradient(context, logits, targets, weights, scale_, losses, gradient);
  } else {
    kernels::cross_entropy(context, logits, targets, weights, scale_, losses);
  }
}

}  // namespace tessera
