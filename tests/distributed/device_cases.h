// SPDX-License-Identifier: MIT
// What a transport must do wherever tensors lie: on the host or on a GPU. Without GoogleTest, as
// ranks may be processes on a machine that has none.
#pragma once

#include <functional>

#include "core/base/communicator.h"

namespace tessera::device_cases {

using Tell = std::function<void(const char* name)>;

/// Every case once; `tell` is called before each with its name. To be called by all ranks. Tensors
/// lie on `context.device`, and are read and written in the order of its stream. Throws Error with
/// what is wrong.
void run(Communicator& ranks, Context& context, const Tell& tell = {});

/// The number of cases.
int count();

}  // namespace tessera::device_cases
