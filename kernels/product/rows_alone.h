// SPDX-License-Identifier: MIT
// Products whose rows do not depend on each other, for text that must not change with what else a
// pass through the model holds.
#pragma once

#include <utility>

namespace tessera::kernels {

/// While one is alive, products and grouped products that this thread calls on the CPU sum every
/// element in an order that the length of the sum alone decides: a row of the result has the same
/// bits whatever other rows there are, and on any number of threads. Products with a transposed
/// first operand, which make gradients, are as always. On the GPU it changes nothing.
class RowsAlone {
 public:
  explicit RowsAlone(bool on = true) : before_(std::exchange(on_, on)) {}
  ~RowsAlone() { on_ = before_; }
  RowsAlone(const RowsAlone&) = delete;
  RowsAlone& operator=(const RowsAlone&) = delete;

  static bool on() { return on_; }

 private:
  inline static thread_local bool on_ = false;
  bool before_;
};

}  // namespace tessera::kernels
