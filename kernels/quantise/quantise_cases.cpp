// SPDX-License-Identifier: MIT
// Values and scales are compared exactly where the same floats are quantised everywhere. After an
// exponential or a root the last bit of a float decides now and then on which side BF16 and E4M3
// round: such a value is one step off, and the norm of all errors small.
#include "kernels/cases.h"
#include "kernels/convert/convert.h"
#include "kernels/quantise/quantise.h"

namespace tessera::kernels {

namespace {
constexpr double kExact = 0, kRounded = 1e-2;

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

Quantised outputs(CaseRun& run, const Shape& s, double tolerance) {
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

Case on_gpu(Case the_case) {
  the_case.on_cpu = false;
  return the_case;
}

Case quantise_case(const Shape& s, DType dtype) {
  return {.op = "quantise",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = s.elements() * double(size_of(dtype)) + s.written(),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const Quantised out = outputs(run, s, kExact);
            run.execute([&](Context& c) { quantise(c, x, {}, out); });
          }};
}

/// Zeros, values under the least maximum, the largest float, ties; all rows, or the first.
Case special_case(std::int64_t live_rows) {
  return {.op = "quantise",
          .label = fmt::format("(5, 8), {} live, special values", live_rows),
          .tolerance = kExact,
          .body = [=](CaseRun& run) {
            const Tensor x =
                run.values({5, 8}, {0,    0,      0,    0,    0,      0,    0,     0,       //
                                    1e-6, -3e-5,  0,    1e-7, -1e-9,  2e-5, 1e-30, -1e-38,  //
                                    448,  1.0625, 9.5,  -17,  0.0137, 3.25, -448,  0.001,   //
                                    1,    2,      3,    4,    5,      6,    7,     8,       //
                                    1e30, 1,      -1e3, 1,    1,      1e29, 1,     1});
            const Tensor live = run.integers(DType::I32, {1}, {live_rows});
            const Quantised out = outputs(run, {5, 8, true, false}, kExact);
            run.untouched_from(out.values, live_rows);
            fill(run.context(), 0, out.scales);
            run.execute([&](Context& c) { quantise(c, x, live, out); });
          }};
}

Case weight_case(std::int64_t batch, std::int64_t n, std::int64_t k, DType dtype) {
  const double elements = double(batch) * double(n) * double(k);
  return {.op = "quantise_weight",
          .label = fmt::format("({}, {}, {})", batch, n, k),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = elements * double(size_of(dtype) + 2),
          .benchmark = elements > 1e6,
          .body = [=](CaseRun& run) {
            const TensorOptions values{.dtype = DType::F8E4M3, .fixed = true};
            const TensorOptions scales{.dtype = DType::F32, .fixed = true};
            const Tensor w = run.normal({batch, n, k}, {.scale = 0.02});
            const std::int64_t down = scale_tiles(n), across = scale_tiles(k);
            const QuantisedWeight out{run.output("values", {batch, n, k}, values),
                                      run.output("scales", {batch, down, across}, scales),
                                      run.output("values_t", {batch, k, n}, values),
                                      run.output("scales_t", {batch, across, down}, scales)};
            run.execute([&](Context& c) { quantise_weight(c, w, out); });
          }};
}

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

Case tensor_case(const Shape& s, std::int64_t live_rows, DType dtype) {
  return {.op = "quantise_tensor",
          .label = fmt::format("({}, {}), {} live", s.rows, s.cols, live_rows),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = s.elements() * double(2 * size_of(dtype) + 1),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const Tensor live = run.integers(DType::I32, {1}, {live_rows});
            const Quantised out = outputs(run, {s.rows, s.cols, true, false}, kExact);
            run.untouched_from(out.values, live_rows);
            fill(run.context(), 0, out.scales);
            run.execute([&](Context& c) { quantise_tensor(c, x, live, out); });
          }};
}

Case weight_tensor_case(std::int64_t batch, std::int64_t n, std::int64_t k, DType dtype) {
  const double elements = double(batch) * double(n) * double(k);
  return {.op = "quantise_weight_tensor",
          .label = fmt::format("({}, {}, {})", batch, n, k),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = elements * double(2 * size_of(dtype) + 1),
          .benchmark = elements > 1e6,
          .body = [=](CaseRun& run) {
            const Tensor w = run.normal({batch, n, k}, {.scale = 0.02});
            const TensorOptions values{.dtype = DType::F8E4M3, .fixed = true};
            const TensorOptions scales{.dtype = DType::F32, .fixed = true};
            const QuantisedWeight out{
                run.output("values", {batch, n, k}, values),
                run.output("scales", {batch, scale_tiles(n), scale_tiles(k)}, scales),
                {},
                {}};
            run.execute([&](Context& c) { quantise_weight_tensor(c, w, out); });
          }};
}

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

// ---- along a permutation

struct Routing {
  std::int64_t tokens, top_k, experts, cols;
  bool by_rows = true, transposed = true;
  std::int64_t alignment = kScaleTile;
  /// Every 4096 tokens keep to 20 experts of their own, as tokens of a sequence do; else each token
  /// chooses for itself.
  bool clustered = false;
  std::string text() const {
    std::string more = by_rows && transposed ? "" : by_rows ? " rows only" : " transposed only";
    if (alignment != kScaleTile) more += fmt::format(", groups of {}", alignment);
    if (clustered) more += ", clustered";
    return fmt::format("{} tokens, top {} of {}, d {}{}", tokens, top_k, experts, cols, more);
  }
  double layouts() const { return double(by_rows) + double(transposed); }
  std::int64_t rows() const { return max_permuted_rows(tokens, top_k, experts, alignment); }
  double slots() const { return double(tokens) * double(top_k) * double(cols); }
  bool benchmark() const { return slots() > 1e6; }
};

Permutation planned(CaseRun& run, const Routing& s) {
  const Tensor first = run.integers(DType::I32, {s.tokens, 1}, 0, s.experts);
  std::vector<std::int64_t> picks;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const std::int64_t chosen = run.read_integer(first, t);
    for (std::int64_t i = 0; i < s.top_k; ++i) {
      picks.push_back((s.clustered ? t / 4096 * 13 + (chosen + i * 7) % 20 : chosen + i * 7 * i) %
                      s.experts);
    }
  }
  const auto index = [&](std::initializer_list<std::int64_t> shape, DType dtype = DType::I32) {
    return run.temporary(shape, {.dtype = dtype});
  };
  const Permutation p{index({s.experts}, DType::I64), index({s.experts + 1}),
                      index({s.tokens, s.top_k}), index({s.rows()}), s.alignment};
  permute_plan(run.context(), run.integers(DType::I32, {s.tokens, s.top_k}, picks), p);
  return p;
}

/// Rows beyond those in use are not written: they are cleared before.
void clear(Context& c, const Quantised& out) {
  for (const Tensor& t : {out.values, out.scales, out.values_t, out.scales_t}) {
    if (t) fill(c, 0, t);
  }
}

Case permute_case(const Routing& s, DType dtype) {
  return {.op = "permute_quantise",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = s.slots() * (double(size_of(dtype)) + s.layouts()),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor x = run.normal({s.tokens, s.cols});
            const Quantised out = outputs(run, {s.rows(), s.cols, s.by_rows, s.transposed}, kExact);
            clear(run.context(), out);
            run.execute([&](Context& c) { permute_quantise(c, x, p, out); });
          }};
}

/// The CPU quantises the permuted rows of the plain matrix: what the operation must be equal to.
Case permute_tiles_case(const Routing& s) {
  return {
      .op = "permute_tiles",
      .label = s.text(),
      .dtype = DType::BF16,
      .tolerance = kExact,
      .bytes = s.slots() * 2,
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Permutation p = planned(run, s);
        const Tensor x = run.normal({s.tokens, s.cols}, {.scale = 3});
        const Quantised tokens{
            run.temporary({s.tokens, s.cols}, {.dtype = DType::F8E4M3, .fixed = true}),
            run.temporary({scale_tiles(s.cols), s.tokens}, {.dtype = DType::F32, .fixed = true}),
            {},
            {}};
        quantise(run.context(), x, {}, tokens);
        const Quantised out = outputs(run, {s.rows(), s.cols, true, false}, kExact);
        clear(run.context(), out);
        run.execute([&](Context& c) { permute_tiles(c, tokens, p, out); });
      }};
}
}  // namespace

void register_quantise_cases(CaseList& cases) {
  for (const Shape& shape :
       {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{128, 128}, Shape{300, 264},
        Shape{200, 136, true, false}, Shape{200, 136, false, true}, Shape{4096, 2048}}) {
    cases.push_back(quantise_case(shape, DType::F32));
    cases.push_back(quantise_case(shape, DType::BF16));
    for (const Swiglu what : {Swiglu::Plain, Swiglu::WithY, Swiglu::Weighted}) {
      cases.push_back(on_gpu(swiglu_case(shape, DType::BF16, what)));
    }
    cases.push_back(norm_case(shape, false));
    cases.push_back(norm_case(shape, true));
    cases.push_back(norm_again_case(shape, shape.transposed));
    cases.push_back(on_gpu(norm_case(shape, false, DType::BF16)));
    cases.push_back(on_gpu(norm_case(shape, true, DType::BF16)));
    cases.push_back(on_gpu(norm_again_case(shape, shape.transposed, DType::BF16)));
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
  for (DType dtype : {DType::F32, DType::BF16}) {
    cases.push_back(tensor_case({0, 8}, 0, dtype));
    cases.push_back(tensor_case({5, 8}, 0, dtype));
    cases.push_back(tensor_case({300, 264}, 130, dtype));
    cases.push_back(tensor_case({4096, 2048}, 4096, dtype));
    cases.push_back(weight_tensor_case(1, 16, 16, dtype));
    cases.push_back(weight_tensor_case(3, 144, 272, dtype));
    cases.push_back(weight_tensor_case(8, 1024, 1024, dtype));
  }
  cases.push_back(norm_case({5, 2056}, true));  // more tiles than a cluster of blocks has
  cases.push_back(norm_case({140, 1000}, true));
  cases.push_back(on_gpu(norm_case({5, 2056}, true, DType::BF16)));
  for (std::int64_t live_rows : {0, 3, 5}) cases.push_back(special_case(live_rows));
  for (DType dtype : {DType::F32, DType::BF16}) {
    cases.push_back(weight_case(1, 16, 16, dtype));
    cases.push_back(weight_case(3, 144, 272, dtype));
    cases.push_back(weight_case(8, 1024, 1024, dtype));
  }
  Routing large{32768, 8, 64, 2048};
  large.clustered = true;
  Routing large_by_rows = large, large_transposed = large;
  large_by_rows.transposed = large_transposed.by_rows = false;
  for (Case the_case :
       {quantise_case({16384, 2048}, DType::BF16), norm_case({16384, 2048}, false),
        norm_again_case({16384, 2048, false}, false), norm_case({32768, 1024}, false),
        norm_case({8192, 7168}, false), permute_case(large, DType::BF16),
        permute_case(large_transposed, DType::BF16), permute_tiles_case(large_by_rows)}) {
    the_case.timed_only = true;  // more than a GPU's cache holds
    cases.push_back(the_case);
  }
  for (const Routing& s : {Routing{0, 2, 4, 8}, Routing{1, 1, 1, 8}, Routing{70, 2, 5, 40},
                           Routing{70, 2, 5, 40, true, false}, Routing{70, 2, 5, 40, false, true},
                           Routing{300, 4, 7, 264}, Routing{300, 4, 7, 264, true, false, 16},
                           Routing{300, 4, 7, 264, true, true, 384}, Routing{2500, 2, 3, 136},
                           Routing{4096, 8, 64, 1024}}) {
    cases.push_back(permute_case(s, DType::F32));
    cases.push_back(permute_case(s, DType::BF16));
    if (s.by_rows)
      cases.push_back(
          permute_tiles_case({s.tokens, s.top_k, s.experts, s.cols, true, false, s.alignment}));
  }
}

}  // namespace tessera::kernels
