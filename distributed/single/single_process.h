// SPDX-License-Identifier: MIT
// The transport of a run in one process: a group of one rank.
#pragma once

#include "core/base/communicator.h"

namespace tessera {

class SingleProcess : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }

 protected:
  /// What goes round comes back: a copy where the operation is not in place. Throws Error for a
  /// send and a receive, which one rank has no peer for.
  void carry_out(Context& context, const Communication& call) override;
  std::unique_ptr<Communicator> make_group(int) override {
    return std::make_unique<SingleProcess>();
  }
  void end_others(const std::string&) noexcept override {}
};

}  // namespace tessera
