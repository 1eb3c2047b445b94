// SPDX-License-Identifier: MIT
#include "distributed/single/single_process.h"

#include <cstring>

#include "core/base/error.h"
#include "core/base/memory.h"

namespace tessera {

void SingleProcess::carry_out(Context&, const Communication& call) {
  using Kind = Communication::Kind;
  require(call.kind != Kind::Send && call.kind != Kind::Receive, "ranks",
          "a single rank has nobody for {}", call.describe());
  const Tensor &from = call.send, &to = call.receive;
  if (!to || from.raw() == to.raw()) return;
  if (to.device() == Device::Cuda) {
    cuda_memory().copy(to.raw(), from.raw(), to.bytes());
  } else {
    std::memcpy(to.raw(), from.raw(), to.bytes());
  }
}

}  // namespace tessera
