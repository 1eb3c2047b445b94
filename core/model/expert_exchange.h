// SPDX-License-Identifier: MIT
// How tokens reach the experts and come back: the seam between the router and the experts'
// products. Rows are in the order of experts, those of one expert in the order of tokens.
#pragma once

#include <vector>

#include "core/model/layers.h"
#include "kernels/permute/permute.h"

namespace tessera {

/// What goes where when experts are on several ranks. All numbers of a rank are in the order of the
/// ranks that share the experts, this one's own tokens included.
struct RankRoutes {
  std::vector<std::int64_t> tokens_to, tokens_from;  ///< tokens, each once whatever it picked
  std::vector<std::int64_t> slots_to, slots_from;    ///< picks of experts there, or here
  kernels::Permutation by_rank;                      ///< this rank's tokens as they are sent
  kernels::Permutation by_slot;   ///< this rank's slots as their experts' rows come back
  kernels::Permutation returned;  ///< rows of experts held here as they are sent back
  Tensor received;  ///< (received tokens, H) what the experts here read, of the last send()
};

/// Rows that the first row of an expert is a multiple of. Products in E4M3 take groups in whole
/// tiles. Where rows do not depend on each other (kernels/product/rows_alone.h) whole tiles gain
/// nothing, and an expert that decoding gives one token would multiply 16 rows.
std::int64_t group_alignment(const Pass& pass);

/// Where the tokens of a micro-batch go. T tokens. M tokens reach the experts held here: all T
/// where these are all experts, else those that any rank of the group sent.
struct RoutedTokens {
  Tensor picks;                      ///< (T, top-k) I32
  Tensor weights;                    ///< (T, top-k)
  Tensor loads;                      ///< (experts) I64: slots of each expert among these tokens
  kernels::Permutation permutation;  ///< says which row each of the M tokens has
  Tensor row_weights;                ///< (R) of each row, for the products
  RankRoutes ranks;                  ///< empty where all experts are held here
};

class ExpertExchange {
 public:
  virtual ~ExpertExchange() = default;

  /// From picks and weights the rest of `routed`, kept. `experts` are all of the layer.
  virtual void plan(Pass& pass, std::int64_t experts, RoutedTokens& routed) const = 0;
  /// Sends h (T, H) to the ranks of its experts; what came is kept. All ranks call it alike.
  virtual void send(Pass& pass, const Tensor& h, RoutedTokens& routed) const = 0;
  /// After send(): h (T, H) with its plain part, as rows for the experts' first product; scratch.
  virtual Operand dispatch(Pass& pass, const Operand& h, const RoutedTokens& routed) const = 0;
  /// dy (T, H) as rows, for the gradients of weights and of inputs; scratch.
  virtual Operand dispatch_gradient(Pass& pass, const Tensor& dy,
                                    const RoutedTokens& routed) const = 0;
  /// The plain part of dispatch()'s h as rows once more, as weight gradients read them; scratch.
  virtual Operand dispatch_again(Pass& pass, const Tensor& h, const RoutedTokens& routed) const = 0;
  /// y (T, H) += the sum of each token's rows; rows (R, H).
  virtual void combine(Pass& pass, const Tensor& rows, const RoutedTokens& routed,
                       const Tensor& y) const = 0;
  /// d_weights (T, top-k), written, from d_row_weights (R).
  virtual void weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& routed,
                                const Tensor& d_weights) const = 0;

  /// How many runs of groups, each of all experts held here, the rows are in. More than one: every
  /// rank's tokens have groups of their own, so that products and gradients of weights do not
  /// depend on what other ranks sent.
  virtual std::int64_t runs() const { return 1; }
  /// How many experts of a layer with `experts` are held here.
  virtual std::int64_t held(std::int64_t experts) const { return experts; }
};

/// All experts are in the memory of this rank.
const ExpertExchange& local_exchange();

// ---- What exchanges are made of -----------------------------------------------------------------

/// Takes the plan of `tokens` with `picks` picks each, over `groups` groups, in at most `rows`
/// rows; kept.
kernels::Permutation take_permutation(Pass& pass, std::int64_t tokens, std::int64_t picks,
                                      std::int64_t groups, std::int64_t rows,
                                      std::int64_t alignment);
/// Rows of x (M, H) in the order of experts, as plain products read them; scratch.
Tensor permuted_rows(Pass& pass, const Tensor& x, const kernels::Permutation& permutation);
/// The same as weight gradients read them, and with `by_rows` as input gradients read them too.
Operand permuted_operand(Pass& pass, const Tensor& x, const kernels::Permutation& permutation,
                         bool by_rows);

}  // namespace tessera
