// SPDX-License-Identifier: MIT
// Experts spread over the ranks of a group: rank r holds the r-th run of them. A token is sent to a
// rank once, however many of its experts are there, and fans out inside; backward of dispatch is
// combine, and the reverse.
//
// Counts are on the host: every rank tells the others how many tokens it sends before it sends
// them, and buffers are as large as what came. A dry run takes the most that could come, which is
// every token of every rank.
#pragma once

#include "core/base/communicator.h"
#include "core/config/layout.h"
#include "core/model/expert_exchange.h"

namespace tessera {

/// In which order what several experts made of a token is added up.
enum class CombineOrder : std::uint8_t {
  ByRank,  ///< on the experts' rank, one row a token comes back, then in the order of ranks
  BySlot,  ///< every expert's row comes back, and they are added in the order of picks, as one rank
           ///< does; products and gradients of weights are those of one rank's tokens too
};

/// What the exchanges of forward passes moved, counted since reset().
struct ExchangeCounts {
  std::int64_t tokens = 0;       ///< this rank's, once for every layer with experts
  std::int64_t token_ranks = 0;  ///< copies of them that went to a rank, this one included
  std::int64_t received = 0;     ///< copies that came here, from this rank included
  std::int64_t bytes = 0;        ///< to other ranks, backward passes included
};

class RanksExchange : public ExpertExchange {
 public:
  /// `group`: the ranks that share the experts, in the order of their runs; it must outlive this.
  RanksExchange(Communicator& group, const ExpertRange& experts, CombineOrder order)
      : group_(group), experts_(experts), order_(order) {}

  void plan(Pass& pass, std::int64_t experts, RoutedTokens& routed) const override;
  void send(Pass& pass, const Tensor& h, RoutedTokens& routed) const override;
  Operand dispatch(Pass& pass, const Operand& h, const RoutedTokens& routed) const override;
  Operand dispatch_gradient(Pass& pass, const Tensor& dy,
                            const RoutedTokens& routed) const override;
  Operand dispatch_again(Pass& pass, const Tensor& h, const RoutedTokens& routed) const override;
  void combine(Pass& pass, const Tensor& rows, const RoutedTokens& routed,
               const Tensor& y) const override;
  void weights_backward(Pass& pass, const Tensor& d_row_weights, const RoutedTokens& routed,
                        const Tensor& d_weights) const override;
  std::int64_t runs() const override { return order_ == CombineOrder::BySlot ? group_.size() : 1; }
  std::int64_t held(std::int64_t) const override { return experts_.count(); }

  const ExchangeCounts& counts() const { return counts_; }
  void reset_counts() { counts_ = {}; }

 private:
  void plan_sending(Pass& pass, std::int64_t experts, RoutedTokens& routed) const;
  void exchange_counts(Pass& pass, RoutedTokens& routed) const;
  void plan_receiving(Pass& pass, RoutedTokens& routed) const;
  void plan_returning(Pass& pass, RoutedTokens& routed, const Tensor& starts) const;
  /// x (T, W) of this rank's tokens as (received tokens, W), taken from `arena`.
  Tensor send_tokens(Pass& pass, const Tensor& x, const RoutedTokens& routed, Arena& arena) const;
  void combine_by_rank(Pass& pass, const Tensor& rows, const RoutedTokens& routed,
                       const Tensor& y) const;
  void combine_by_slot(Pass& pass, const Tensor& rows, const RoutedTokens& routed,
                       const Tensor& y) const;
  void all_to_all(Context& context, const Tensor& send, const std::vector<std::int64_t>& send_rows,
                  const Tensor& receive, const std::vector<std::int64_t>& receive_rows) const;

  Communicator& group_;
  ExpertRange experts_;
  CombineOrder order_;
  mutable ExchangeCounts counts_;
};

}  // namespace tessera
