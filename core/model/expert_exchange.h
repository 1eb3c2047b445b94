// SPDX-License-Identifier: MIT
// How tokens reach the experts and come back: the seam between the router and the experts'
// products. Rows are in the order of experts, those of one expert in the order of tokens.
#pragma once

#include "core/model/layers.h"
#include "kernels/permute/permute.h"

namespace tessera {

/// Where the tokens of a micro-batch go. T tokens; R = max_permuted_rows(T, top-k, experts,
/// alignment).
struct RoutedTokens {
  Tensor picks;                      ///< (T, top-k) I32
  Tensor weights;                    ///< (T, top-k)
  kernels::Permutation permutation;  ///< which row each of them has
  Tensor row_weights;                ///< (R) of each row, for the products
};

class ExpertExchange {
 public:
  virtual ~ExpertExchange() = default;

  /// From picks and weights the rest of `routed`, kept. `experts` are all of the layer.
  virtual void plan(Pass& pass, std::int64_t experts, RoutedTokens& routed) const = 0;
  /// h (T, H) with its plain part, as rows for the experts' first product; scratch.
  virtual Operand dispatch(Pass& pass, const Operand& h, const RoutedTokens& routed) const = 0;
  /// x (T, H) as rows once more, as weight gradients read them, and with `by_rows` as the input
  /// gradient reads them too; scratch.
  virtual Operand dispatch_again(Pass& pass, const Tensor& x, const RoutedTokens& routed,
                                 bool by_rows) const = 0;
  /// y (T, H) += the sum of each token's rows; rows (R, H).
  virtual void combine(Pass& pass, const Tensor& rows, const RoutedTokens& routed,
                       const Tensor& y) const = 0;
  /// d_weights (T, top-k), written, from d_row_weights (R).
  virtual void weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& routed,
                                const Tensor& d_weights) const = 0;
};

/// All experts are in the memory of this rank.
const ExpertExchange& local_exchange();

}  // namespace tessera
