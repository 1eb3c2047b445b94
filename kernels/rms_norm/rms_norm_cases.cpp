// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/rms_norm/rms_norm.h"

namespace tessera::kernels {

namespace {
constexpr float kEpsilon = 1e-6f;

struct Shape {
  std::int64_t rows, d, pad = 0;
  std::string text() const { return fmt::format("({}, {}){}", rows, d, pad ? " strided" : ""); }
  double elements() const { return double(rows) * double(d); }
  bool benchmark() const { return elements() > 1e6; }
};

/// Weights and what is kept of a row are not in BF16.
DType wide(DType dtype) {
  return dtype == DType::BF16 ? DType::F32 : dtype;
}

Case forward_case(const Shape& s, DType dtype, DType out) {
  return {
      .op = "rms_norm_forward",
      .label = s.text() + " to " + short_name(out),
      .dtype = dtype,
      .tolerance = out == DType::BF16 ? 3e-3 : 1e-6,
      .flops = 4 * s.elements(),
      .bytes = s.elements() * double(size_of(dtype) + size_of(out)),
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor x = run.normal({s.rows, s.d}, {.pad = s.pad, .scale = 3});
        const Tensor weight = run.normal({s.d}, {.dtype = wide(dtype), .scale = 0.2, .offset = 1});
        const Tensor y = run.output("y", {s.rows, s.d}, {.dtype = out, .pad = 2 * s.pad});
        const Tensor rstd = run.output("rstd", {s.rows}, {.dtype = wide(dtype), .tolerance = 1e-6});
        run.execute([&](Context& c) { rms_norm_forward(c, x, weight, kEpsilon, y, rstd); });
      }};
}

Case in_place_case() {
  return {.op = "rms_norm_forward", .label = "(5, 70) in place", .body = [](CaseRun& run) {
            const Tensor x = run.in_out("x", run.normal({5, 70}, {.pad = 3}));
            const Tensor weight = run.normal({70}), rstd = run.output("rstd", {5});
            run.execute([&](Context& c) { rms_norm_forward(c, x, weight, kEpsilon, x, rstd); });
          }};
}

/// Rows of zeros and of tiny values, where epsilon decides.
Case tiny_values_case() {
  return {.op = "rms_norm_forward", .label = "(2, 4) zeros and tiny", .body = [](CaseRun& run) {
            const Tensor x = run.values({2, 4}, {0, 0, 0, 0, 1e-5, -2e-5, 0, 1e-6});
            const Tensor weight = run.normal({4});
            const Tensor y = run.output("y", {2, 4}), rstd = run.output("rstd", {2});
            run.execute([&](Context& c) { rms_norm_forward(c, x, weight, kEpsilon, y, rstd); });
          }};
}

Case backward_case(const Shape& s, DType dtype, bool accumulate) {
  return {
      .op = "rms_norm_backward",
      .label = s.text() + (accumulate ? " adding" : ""),
      .dtype = dtype,
      .tolerance = dtype == DType::BF16 ? 3e-3 : 2e-6,
      .flops = 10 * s.elements(),
      .bytes = s.elements() * double(size_of(dtype)) * (accumulate ? 4 : 3),
      .benchmark = s.benchmark(),
      .same_for_any_threads = !s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor dy = run.normal({s.rows, s.d}, {.pad = s.pad});
        const Tensor x = run.normal({s.rows, s.d}, {.pad = 2 * s.pad, .scale = 2});
        const Tensor weight = run.normal({s.d}, {.dtype = wide(dtype), .scale = 0.2, .offset = 1});
        const Tensor rstd = run.temporary({s.rows}, {.dtype = wide(dtype)});
        const Tensor y = run.temporary({s.rows, s.d});
        rms_norm_forward(run.context(), x, weight, kEpsilon, y, rstd);
        const Tensor dx = accumulate ? run.in_out("dx", run.normal({s.rows, s.d}, {.pad = s.pad}))
                                     : run.output("dx", {s.rows, s.d}, {.pad = s.pad});
        const Tensor d_weight =
            run.in_out("d_weight", run.normal({s.d}, {.dtype = wide(dtype)}), 2e-6);
        run.execute([&](Context& c) {
          rms_norm_backward(c, dy, x, weight, rstd, accumulate, dx, d_weight);
        });
        if (s.benchmark()) return;
        run.check_gradient({{x, dx, accumulate}, {weight, d_weight, true}},
                           [&](Context& c) { rms_norm_forward(c, x, weight, kEpsilon, y, rstd); },
                           {{y, dy}});
      }};
}

Case backward_in_place_case() {
  return {.op = "rms_norm_backward",
          .label = "(9, 65), dx is dy",
          .tolerance = 2e-6,
          .body = [](CaseRun& run) {
            const Tensor dy = run.in_out("dy", run.normal({9, 65}));
            const Tensor x = run.normal({9, 65}), weight = run.normal({65});
            const Tensor rstd = run.temporary({9}), y = run.temporary({9, 65});
            rms_norm_forward(run.context(), x, weight, kEpsilon, y, rstd);
            const Tensor d_weight = run.in_out("d_weight", run.zeros({65}));
            run.execute([&](Context& c) {
              rms_norm_backward(c, dy, x, weight, rstd, false, dy, d_weight);
            });
          }};
}

/// Only the GPU takes these types.
CaseList cases_in_bf16(const Shape& s) {
  CaseList cases{forward_case(s, DType::BF16, DType::BF16), backward_case(s, DType::BF16, false),
                 backward_case(s, DType::BF16, true)};
  for (Case& the_case : cases) the_case.on_cpu = false;
  return cases;
}
}  // namespace

void register_rms_norm_quantise_cases(CaseList& cases);  // rms_norm_quantise_cases.cpp

void register_rms_norm_cases(CaseList& cases) {
  register_rms_norm_quantise_cases(cases);
  for (const Shape& shape : {Shape{0, 8}, Shape{1, 3}, Shape{7, 33, 5}, Shape{130, 64},
                             Shape{3, 1536, 8}, Shape{2048, 7168}}) {
    cases.push_back(forward_case(shape, DType::F32, DType::F32));
    cases.push_back(forward_case(shape, DType::F32, DType::BF16));
    cases.push_back(backward_case(shape, DType::F32, false));
    cases.push_back(backward_case(shape, DType::F32, true));
    for (Case& the_case : cases_in_bf16(shape)) cases.push_back(the_case);
  }
  const Shape large{16384, 2048};  // more than a GPU's cache holds
  for (Case the_case :
       {forward_case(large, DType::F32, DType::BF16), backward_case(large, DType::F32, true)}) {
    the_case.timed_only = true;
    cases.push_back(the_case);
  }
  cases.push_back(forward_case({7, 33, 5}, DType::F64, DType::F64));
  cases.push_back(backward_case({40, 33, 5}, DType::F64, true));
  cases.push_back(in_place_case());
  cases.push_back(tiny_values_case());
  cases.push_back(backward_in_place_case());
}

}  // namespace tessera::kernels
