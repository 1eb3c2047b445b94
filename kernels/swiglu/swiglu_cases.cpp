// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/convert/convert.h"
#include "kernels/swiglu/swiglu.h"

namespace tessera::kernels {

namespace {
constexpr std::int64_t kAllRows = -1;

struct Shape {
  std::int64_t rows, width, live = kAllRows;
  std::string text() const {
    const std::string note = live == kAllRows ? "" : fmt::format(", {} live", live);
    return fmt::format("({}, {}){}", rows, width, note);
  }
  double elements() const { return double(live == kAllRows ? rows : live) * double(width); }
  bool benchmark() const { return rows * width > 1'000'000; }
  Tensor live_rows(CaseRun& run) const {
    return live == kAllRows ? Tensor() : run.integers(DType::I32, {1}, {live});
  }
  void untouched(CaseRun& run, const Tensor& output) const {
    if (live != kAllRows) run.untouched_from(output, live);
  }
};

/// Weights of rows, where they are wanted, are never BF16.
Tensor row_weights(CaseRun& run, const Shape& s, bool weighted) {
  const DType wide = run.dtype() == DType::F64 ? DType::F64 : DType::F32;
  return weighted ? run.uniform({s.rows}, 0.1, 1, {.dtype = wide}) : Tensor();
}

Case forward_case(const Shape& s, DType dtype, DType out, bool weighted = false) {
  return {.op = "swiglu_forward",
          .label = s.text() + " to " + short_name(out) + (weighted ? " weighted" : ""),
          .dtype = dtype,
          .tolerance = out == DType::BF16 ? 3e-3 : 5e-7,
          .bytes = s.elements() * double(2 * size_of(dtype) + size_of(out)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor gate_up = run.normal({s.rows, 2 * s.width}, {.scale = 4});
            const Tensor live = s.live_rows(run);
            const Tensor y = run.output("y", {s.rows, s.width}, {.dtype = out});
            s.untouched(run, y);
            const Tensor weights = row_weights(run, s, weighted);
            run.execute([&](Context& c) { swiglu_forward(c, gate_up, live, weights, y); });
          }};
}

Case backward_case(const Shape& s, DType dtype, DType out, bool with_y, bool weighted = false) {
  return {
      .op = "swiglu_backward",
      .label = s.text() + " to " + short_name(out) + (with_y ? " with y" : "") +
               (weighted ? " weighted" : ""),
      .dtype = dtype,
      .tolerance = out == DType::BF16 ? 3e-3 : 1e-6,
      .bytes = s.elements() * double(3 * size_of(dtype) + (with_y ? 3 : 2) * size_of(out)),
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor dy = run.normal({s.rows, s.width});
        const Tensor gate_up = run.normal({s.rows, 2 * s.width}, {.scale = 4});
        const Tensor live = s.live_rows(run);
        const Tensor d = run.output("d_gate_up", {s.rows, 2 * s.width}, {.dtype = out});
        s.untouched(run, d);
        Tensor y;
        if (with_y) {
          y = run.output("y", {s.rows, s.width}, {.dtype = out});
          s.untouched(run, y);
        }
        const Tensor weights = row_weights(run, s, weighted);
        Tensor d_weights;
        if (weighted) {
          d_weights =
              run.output("d_row_weights", {s.rows}, {.dtype = weights.dtype(), .tolerance = 1e-5});
          fill(run.context(), 0, d_weights);  // rows past the live ones are not written
        }
        run.execute(
            [&](Context& c) { swiglu_backward(c, dy, gate_up, live, weights, d, y, d_weights); });
        if (s.benchmark() || s.live != kAllRows) return;
        const Tensor again = run.temporary({s.rows, s.width});
        const auto forward = [&](Context& c) { swiglu_forward(c, gate_up, {}, weights, again); };
        run.check_gradient({{gate_up, d}}, forward, {{again, dy}});
        if (weighted) run.check_gradient({{weights, d_weights}}, forward, {{again, dy}});
      }};
}

Case backward_in_place_case() {
  return {
      .op = "swiglu_backward", .label = "(6, 50) in place", .body = [](CaseRun& run) {
        const Tensor dy = run.normal({6, 50}), y = run.output("y", {6, 50});
        const Tensor gate_up = run.in_out("gate_up", run.normal({6, 100}));
        run.execute([&](Context& c) { swiglu_backward(c, dy, gate_up, {}, {}, gate_up, y, {}); });
      }};
}

/// Gates far out, where sigmoid is 0 or 1 to the last bit.
Case saturated_case() {
  return {.op = "swiglu_forward", .label = "(1, 6) saturated", .body = [](CaseRun& run) {
            const Tensor gate_up =
                run.values({1, 12}, {-1e4, -120, -30, 30, 120, 1e4, 1, 2, 3, 4, 5, 6});
            const Tensor y = run.output("y", {1, 6});
            run.execute([&](Context& c) { swiglu_forward(c, gate_up, {}, {}, y); });
          }};
}
/// Only the GPU takes these types.
Case on_gpu(Case the_case) {
  the_case.on_cpu = false;
  return the_case;
}
}  // namespace

void register_swiglu_quantise_cases(CaseList& cases);  // swiglu_quantise_cases.cpp

void register_swiglu_cases(CaseList& cases) {
  register_swiglu_quantise_cases(cases);
  for (const Shape& shape : {Shape{0, 8}, Shape{1, 1}, Shape{7, 33}, Shape{50, 704},
                             Shape{12, 40, 0}, Shape{12, 40, 5}, Shape{4096, 2048}}) {
    cases.push_back(forward_case(shape, DType::F32, DType::F32));
    cases.push_back(forward_case(shape, DType::F32, DType::BF16));
    cases.push_back(backward_case(shape, DType::F32, DType::F32, false));
    cases.push_back(backward_case(shape, DType::F32, DType::BF16, true));
    cases.push_back(on_gpu(forward_case(shape, DType::BF16, DType::BF16)));
    cases.push_back(on_gpu(backward_case(shape, DType::BF16, DType::BF16, true)));
    cases.push_back(forward_case(shape, DType::F32, DType::F32, true));
    cases.push_back(backward_case(shape, DType::F32, DType::F32, true, true));
    cases.push_back(on_gpu(forward_case(shape, DType::BF16, DType::BF16, true)));
    cases.push_back(on_gpu(backward_case(shape, DType::BF16, DType::BF16, true, true)));
  }
  const Shape large{32768, 512};  // more than a GPU's cache holds
  for (Case the_case : {on_gpu(forward_case(large, DType::BF16, DType::BF16)),
                        on_gpu(backward_case(large, DType::BF16, DType::BF16, true)),
                        on_gpu(backward_case(large, DType::BF16, DType::BF16, true, true))}) {
    the_case.timed_only = true;
    cases.push_back(the_case);
  }
  cases.push_back(forward_case({7, 33}, DType::F64, DType::F64));
  cases.push_back(backward_case({7, 33}, DType::F64, DType::F64, true));
  cases.push_back(backward_case({7, 33}, DType::F64, DType::F64, true, true));
  cases.push_back(backward_in_place_case());
  cases.push_back(saturated_case());
}

}  // namespace tessera::kernels
