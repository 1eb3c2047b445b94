// SPDX-License-Identifier: MIT
// What routers decide, for whoever wants to see it: chat shows the experts of every token. Costs
// one comparison a layer when nobody looks.
#pragma once

#include "core/base/tensor.h"

namespace tessera {

class RouterObserver {
 public:
  virtual ~RouterObserver() = default;

  /// Called once for each MoE layer of a pass, in the order of the layers: picks (T, top-k) I32 and
  /// gate weights (T, top-k) of activation type, both on the pass's device and valid during the
  /// call.
  virtual void routed(const Tensor& picks, const Tensor& weights) = 0;
};

}  // namespace tessera
