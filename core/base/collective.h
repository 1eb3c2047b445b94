// SPDX-License-Identifier: MIT
// What layers and the trainer ask of the other ranks. Transports implement it in distributed/.
#pragma once

#include <memory>
#include <string>

#include "core/base/tensor.h"

namespace tessera {

/// A group of ranks. Every rank of the group makes the same calls in the same order with tensors of
/// equal shape. Calls throw Error naming the rank when a peer is lost.
class Collective {
 public:
  virtual ~Collective() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// x of every rank becomes the sum over ranks. F32, F64 and I64.
  virtual void all_reduce_sum(const Tensor& x) = 0;
  /// x of every rank becomes that of rank `from`, whatever its type.
  virtual void broadcast(const Tensor& x, int from) = 0;
  virtual void barrier() = 0;
  /// This rank ends with an error: what the others wait for, or will ask for, throws Error with
  /// `reason` and this rank's number. May be called at any time; throws nothing.
  virtual void abort(const std::string& reason) noexcept = 0;
};

}  // namespace tessera
