// SPDX-License-Identifier: MIT
// The transport of a run in one process: a group of one rank.
#pragma once

#include "core/base/collective.h"

namespace tessera {

class SingleProcess : public Collective {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce_sum(const Tensor& x) override;
  void broadcast(const Tensor&, int) override {}
  void barrier() override {}
  void abort(const std::string&) noexcept override {}
};

}  // namespace tessera
