// SPDX-License-Identifier: MIT
// What the operation of choose.h refuses, on every device.
#pragma once

#include "kernels/arguments.h"
#include "kernels/choose/choose.h"

namespace tessera::kernels::contract {

inline void choose(const char* where, const Tensor& logits, const Tensor& draws,
                   const Tensor& chosen) {
  expect_shape(where, "logits", logits, {-1, -1});
  require(logits.size(1) > 0, where, "there are no logits");
  expect_shape(where, "draws", draws, {logits.size(0), kDrawColumns});
  expect_dtype(where, "draws", draws, DType::F64);
  expect_contiguous(where, "draws", draws);
  expect_shape(where, "chosen", chosen, {logits.size(0), kChosenColumns});
  expect_dtype(where, "chosen", chosen, DType::I32);
  expect_contiguous(where, "chosen", chosen);
}

}  // namespace tessera::kernels::contract
