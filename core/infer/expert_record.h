// SPDX-License-Identifier: MIT
// Which experts the tokens of a sequence went to, and with what gate weights.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/config/model_config.h"
#include "core/model/router_observer.h"

namespace tessera {

/// Rows are tokens in the order in which the model read them. Made for one sequence: two sequences
/// in one pass would be recorded one after the other.
class ExpertRecord final : public RouterObserver {
 public:
  explicit ExpertRecord(const ModelConfig& config);

  void routed(const Tensor& picks, const Tensor& weights) override;

  std::int64_t layers() const { return layers_; }  ///< with experts; 0: a dense model
  std::int64_t top_k() const { return top_k_; }
  std::int64_t experts() const { return experts_; }
  std::int64_t tokens() const { return tokens_; }

  /// (top-k) of one token and layer: expert ids in the router's order, and its gate weights,
  /// normalised and scaled as the model uses them.
  std::span<const std::int32_t> picks(std::int64_t token, std::int64_t layer) const;
  std::span<const float> weights(std::int64_t token, std::int64_t layer) const;

  /// (layers, experts): how many tokens went to each expert.
  std::vector<std::int64_t> usage() const;

  /// Forgets everything from row `tokens` on, and a pass that was left half way.
  void truncate(std::int64_t tokens);

 private:
  std::size_t row(std::int64_t token, std::int64_t layer) const {
    return static_cast<std::size_t>((token * layers_ + layer) * top_k_);
  }

  std::int64_t layers_ = 0, top_k_ = 0, experts_ = 0;
  std::int64_t tokens_ = 0;      ///< rows that are complete
  std::int64_t next_layer_ = 0;  ///< the layer that the present pass comes to next
  std::vector<std::int32_t> picks_;
  std::vector<float> weights_;
};

}  // namespace tessera
