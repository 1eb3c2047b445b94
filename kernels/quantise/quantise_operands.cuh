// SPDX-License-Identifier: MIT
// From the tensors of kernels/quantise/quantise.h to what the kernels take.
#pragma once

#include "kernels/quantise/quantise_contract.h"
#include "kernels/quantise/quantise_tile.cuh"

namespace tessera::kernels::cuda::e4m3 {

/// Checks the layouts of a matrix (rows, cols) against the contract.
inline QuantisedActivation layouts_of(const char* where, const Quantised& out, std::int64_t rows,
                                      std::int64_t cols) {
  contract::layouts(where, out, rows, cols);
  QuantisedActivation to;
  if (out.values) {
    to.values = out.values.data<f8e4m3>();
    to.scales = out.scales.data<float>();
    to.scale_stride = out.scales.stride(0);
  }
  if (out.values_t) {
    to.values_t = out.values_t.data<f8e4m3>();
    to.scales_t = out.scales_t.data<float>();
    to.stride_t = out.values_t.stride(0);
    to.scale_stride_t = out.scales_t.stride(0);
  }
  check_activation(rows, static_cast<int>(cols), to, where);
  return to;
}

/// live_rows as kernels take it: null where it is absent.
inline const std::int32_t* live_pointer(const Tensor& live_rows) {
  return live_rows ? live_rows.data<std::int32_t>() : nullptr;
}

/// F32 or BF16, contiguous; true for BF16.
inline bool is_bf16(const char* where, const char* name, const Tensor& x) {
  expect_contiguous(where, name, x);
  require(x.dtype() == DType::F32 || x.dtype() == DType::BF16, where,
          "expected {} of type F32 or BF16, got {}", name, x.describe());
  return x.dtype() == DType::BF16;
}

}  // namespace tessera::kernels::cuda::e4m3
