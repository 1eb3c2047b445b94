// SPDX-License-Identifier: MIT
// Cases of rms_norm_quantise and rms_norm_requantise.
#include "kernels/quantise/quantised_outputs.h"
#include "kernels/rms_norm/rms_norm.h"

namespace tessera::kernels {

namespace {
using namespace quantised;

/// What the norms take beside x: F32 where x is BF16, which only the GPU reads.
DType beside(const CaseRun& run) {
  return run.dtype() == DType::F64 ? DType::F64 : DType::F32;
}

Case norm_case(const Shape& s, bool with_y, DType dtype = DType::F32) {
  return {.op = "rms_norm_quantise",
          .label = s.text() + (with_y ? " with y and copy" : ""),
          .dtype = dtype,
          .tolerance = kRounded,
          .bytes = s.elements() * double(size_of(dtype) * (with_y ? 2 : 1) + (with_y ? 2 : 0)) +
                   s.written(),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const Tensor weight =
                run.normal({s.cols}, {.dtype = beside(run), .scale = 0.2, .offset = 1});
            Tensor y;
            if (with_y) {
              y = run.output("y", {s.rows, s.cols}, {.dtype = DType::BF16, .tolerance = 3e-3});
            }
            Tensor copy;
            if (with_y) copy = run.output("copy", {s.rows, s.cols}, {.tolerance = 0});
            const Tensor rstd =
                run.output("rstd", {s.rows}, {.dtype = beside(run), .tolerance = 1e-6});
            const Quantised out = outputs(run, s, kRounded);
            run.execute(
                [&](Context& c) { rms_norm_quantise(c, x, weight, 1e-6f, y, copy, rstd, out); });
          }};
}

Case norm_again_case(const Shape& s, bool with_y, DType dtype = DType::F32) {
  return {.op = "rms_norm_requantise",
          .label = s.text() + (with_y ? " with y" : ""),
          .dtype = dtype,
          .tolerance = kRounded,
          .bytes = s.elements() * double(size_of(dtype) + (with_y ? 2 : 0)) + s.written(),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.pad = 8, .scale = 3});
            const Tensor weight =
                run.normal({s.cols}, {.dtype = beside(run), .scale = 0.2, .offset = 1});
            const Tensor rstd = run.uniform({s.rows}, 0.2, 0.5, {.dtype = beside(run)});
            Tensor y;
            if (with_y) {
              y = run.output("y", {s.rows, s.cols}, {.dtype = DType::BF16, .tolerance = 3e-3});
            }
            const Quantised out = outputs(run, s, kRounded);
            run.execute([&](Context& c) { rms_norm_requantise(c, x, weight, rstd, y, out); });
          }};
}
}  // namespace

void register_rms_norm_quantise_cases(CaseList& cases) {
  for (const Shape& shape :
       {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{128, 128}, Shape{300, 264},
        Shape{200, 136, true, false}, Shape{200, 136, false, true}, Shape{4096, 2048}}) {
    cases.push_back(norm_case(shape, false));
    cases.push_back(norm_case(shape, true));
    cases.push_back(norm_again_case(shape, shape.transposed));
    cases.push_back(on_gpu(norm_case(shape, false, DType::BF16)));
    cases.push_back(on_gpu(norm_case(shape, true, DType::BF16)));
    cases.push_back(on_gpu(norm_again_case(shape, shape.transposed, DType::BF16)));
  }
  cases.push_back(norm_case({5, 2056}, true));  // more tiles than a cluster of blocks has
  cases.push_back(norm_case({140, 1000}, true));
  cases.push_back(on_gpu(norm_case({5, 2056}, true, DType::BF16)));
  for (Case large : {norm_case({16384, 2048}, false), norm_again_case({16384, 2048, false}, false),
                     norm_case({32768, 1024}, false), norm_case({8192, 7168}, false)}) {
    large.timed_only = true;  // more than a GPU's cache holds
    cases.push_back(large);
  }
}

}  // namespace tessera::kernels
