// SPDX-License-Identifier: MIT
// Cases of swiglu_quantise and its backward.
#include "kernels/quantise/quantised_outputs.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera::kernels {

namespace {
using namespace quantised;

enum class Swiglu { Plain, WithY, Weighted };

Tensor space(CaseRun& run, std::initializer_list<std::int64_t> shape, DType dtype) {
  return run.temporary(shape, {.dtype = dtype, .fixed = true});
}

Case swiglu_case(const Shape& s, DType dtype, Swiglu what) {
  const bool with_y = what == Swiglu::WithY, weighted = what == Swiglu::Weighted;
  return {
      .op = "swiglu_quantise",
      .label = s.text() + (with_y     ? " with y"
                           : weighted ? " weighted, kept"
                                      : ""),
      .dtype = dtype,
      .tolerance = kRounded,
      .bytes = s.elements() * (double(size_of(dtype)) * (with_y ? 3 : 2) + (weighted ? 2 : 0)) +
               s.written(),
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor gate_up = run.normal({s.rows, 2 * s.cols}, {.scale = 2});
        const Tensor y = with_y ? run.output("y", {s.rows, s.cols}, {.tolerance = 3e-3}) : Tensor();
        Tensor weights;
        QuantisedHalves kept;
        if (weighted) {
          weights = run.uniform({s.rows}, 0.1, 1, {.dtype = DType::F32});
          kept = {run.output("kept", {2, s.rows, s.cols},
                             {.dtype = DType::F8E4M3, .fixed = true, .tolerance = kExact}),
                  run.output("kept scales", {2, scale_tiles(s.cols), s.rows},
                             {.dtype = DType::F32, .fixed = true, .tolerance = kExact})};
        }
        const Quantised out = outputs(run, s, kRounded);
        run.execute([&](Context& c) { swiglu_quantise(c, gate_up, {}, weights, y, kept, out); });
      }};
}

/// Named outputs of one matrix.
Quantised named(CaseRun& run, const std::string& name, const Shape& s) {
  const TensorOptions values{.dtype = DType::F8E4M3, .fixed = true, .tolerance = kRounded};
  const TensorOptions scales{.dtype = DType::F32, .fixed = true, .tolerance = kRounded};
  Quantised out;
  if (s.by_rows) {
    out.values = run.output(name, {s.rows, s.cols}, values);
    out.scales = run.output(name + " scales", {scale_tiles(s.cols), s.rows}, scales);
  }
  out.values_t = run.output(name + "_t", {s.cols, (s.rows + 15) / 16 * 16}, values);
  out.scales_t = run.output(name + "_t scales", {scale_tiles(s.rows), s.cols}, scales);
  return out;
}

Case swiglu_backward_case(const Shape& s, DType dtype, bool weighted) {
  return {.op = "swiglu_backward_quantise",
          .label = s.text() + (weighted ? " weighted" : ""),
          .dtype = dtype,
          .tolerance = kRounded,
          .bytes = s.elements() * double(size_of(dtype) + 2 + 5),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor dy = run.normal({s.rows, s.cols});
            const Tensor gate_up = run.normal({s.rows, 2 * s.cols}, {.scale = 2});
            Tensor weights, d_weights;
            if (weighted) {
              const DType wide = run.dtype() == DType::F64 ? DType::F64 : DType::F32;
              weights = run.uniform({s.rows}, 0.1, 1, {.dtype = wide});
              d_weights = run.output("d_weights", {s.rows}, {.dtype = wide, .tolerance = 1e-5});
            }
            const QuantisedHalves kept{space(run, {2, s.rows, s.cols}, DType::F8E4M3),
                                       space(run, {2, scale_tiles(s.cols), s.rows}, DType::F32)};
            const Quantised made{space(run, {s.rows, s.cols}, DType::F8E4M3),
                                 space(run, {scale_tiles(s.cols), s.rows}, DType::F32),
                                 {},
                                 {}};
            swiglu_quantise(run.context(), gate_up, {}, {}, {}, kept, made);
            const Quantised d_gate_up = named(run, "d_gate_up", {s.rows, 2 * s.cols});
            const Quantised y = named(run, "y", {s.rows, s.cols, false});
            run.execute([&](Context& c) {
              swiglu_backward_quantise(c, dy, kept, {}, weights, d_gate_up, y, d_weights);
            });
          }};
}
}  // namespace

void register_swiglu_quantise_cases(CaseList& cases) {
  for (const Shape& shape :
       {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{128, 128}, Shape{300, 264},
        Shape{200, 136, true, false}, Shape{200, 136, false, true}, Shape{4096, 2048}}) {
    for (const Swiglu what : {Swiglu::Plain, Swiglu::WithY, Swiglu::Weighted}) {
      cases.push_back(on_gpu(swiglu_case(shape, DType::BF16, what)));
    }
  }
  for (const Swiglu what : {Swiglu::WithY, Swiglu::Weighted}) {
    cases.push_back(swiglu_case({33, 40}, DType::F32, what));
    cases.back().on_cuda = false;
  }
  for (const Shape& shape : {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{200, 256},
                             Shape{129, 136}, Shape{4096, 1024}}) {
    for (const bool weighted : {false, true}) {
      cases.push_back(on_gpu(swiglu_backward_case(shape, DType::BF16, weighted)));
      if (shape.benchmark()) continue;
      cases.push_back(swiglu_backward_case(shape, DType::F32, weighted));
      cases.back().on_cuda = false;
    }
  }
}

}  // namespace tessera::kernels
