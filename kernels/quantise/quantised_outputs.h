// SPDX-License-Identifier: MIT
// For cases of operations that quantise: shapes, and the layouts that they write.
//
// Values and scales are compared exactly where the same floats are quantised everywhere. After an
// exponential or a root the last bit of a float decides now and then on which side BF16 and E4M3
// round: such a value is one step off, and the norm of all errors small.
#pragma once

#include "kernels/cases.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels::quantised {

inline constexpr double kExact = 0, kRounded = 1e-2;

struct Shape {
  std::int64_t rows, cols;
  bool by_rows = true, transposed = true;
  std::string text() const {
    return fmt::format("({}, {}){}", rows, cols,
                       by_rows && transposed ? ""
                       : by_rows             ? " rows only"
                                             : " transposed only");
  }
  double elements() const { return double(rows) * double(cols); }
  double written() const { return elements() * (double(by_rows) + double(transposed)); }
  bool benchmark() const { return elements() > 1e6; }
};

inline Quantised outputs(CaseRun& run, const Shape& s, double tolerance) {
  const TensorOptions values{.dtype = DType::F8E4M3, .fixed = true, .tolerance = tolerance};
  const TensorOptions scales{.dtype = DType::F32, .fixed = true, .tolerance = tolerance};
  Quantised out;
  if (s.by_rows) {
    out.values = run.output("values", {s.rows, s.cols}, values);
    out.scales = run.output("scales", {scale_tiles(s.cols), s.rows}, scales);
  }
  if (s.transposed) {
    out.values_t = run.output("values_t", {s.cols, (s.rows + 15) / 16 * 16}, values);
    out.scales_t = run.output("scales_t", {scale_tiles(s.rows), s.cols}, scales);
  }
  return out;
}

/// Only the GPU takes these types.
inline Case on_gpu(Case the_case) {
  the_case.on_cpu = false;
  return the_case;
}

}  // namespace tessera::kernels::quantised
