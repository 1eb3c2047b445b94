// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/product/product.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t m, n, k, batch = 1, pad = 0;

  std::string text(Transpose transpose, float beta) const {
    const char* names[] = {"a b", "a b^T", "a^T b"};
    return fmt::format("{}, {}({}, {}, {}){}{}", names[static_cast<int>(transpose)],
                       batch > 1 ? fmt::format("{} of ", batch) : "", m, n, k,
                       pad ? " strided" : "", beta != 0 ? " adding" : "");
  }
  double flops() const { return 2.0 * double(batch) * double(m) * double(n) * double(k); }
  double bytes(DType dtype, float beta) const {
    return double(batch) * (double(m * k + k * n) * double(size_of(dtype)) +
                            double(m * n) * (dtype == DType::F64 ? 8 : 4) * (beta != 0 ? 2 : 1));
  }
  bool benchmark() const { return flops() > 1e8; }
};

/// An operand of rows x cols, of rank 3 when there are several products.
Tensor operand(CaseRun& run, const Shape& s, std::int64_t rows, std::int64_t cols) {
  const TensorOptions options{.pad = s.pad};
  return s.batch > 1 ? run.normal({s.batch, rows, cols}, options)
                     : run.normal({rows, cols}, options);
}

/// c: NaN before when it is only written.
Tensor result(CaseRun& run, const Shape& s, float beta) {
  const DType dtype = run.dtype() == DType::F64 ? DType::F64 : DType::F32;
  const TensorOptions options{.dtype = dtype, .pad = 2 * s.pad};
  if (beta != 0) {
    return run.in_out("c", s.batch > 1 ? run.normal({s.batch, s.m, s.n}, options)
                                       : run.normal({s.m, s.n}, options));
  }
  return s.batch > 1 ? run.output("c", {s.batch, s.m, s.n}, options)
                     : run.output("c", {s.m, s.n}, options);
}

Case product_case(const Shape& s, DType dtype, Transpose transpose, float beta) {
  return {.op = "product",
          .label = s.text(transpose, beta),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? bf16_sum_tolerance(1e-6, s.k)
                       : s.k > 1000         ? 4e-6
                                            : 1e-6,
          .flops = s.flops(),
          .bytes = s.bytes(dtype, beta),
          .dense = {s.batch * s.m, s.n, s.k},
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const bool a_t = transpose == Transpose::A, b_t = transpose == Transpose::B;
            const Tensor a = operand(run, s, a_t ? s.k : s.m, a_t ? s.m : s.k);
            const Tensor b = operand(run, s, b_t ? s.n : s.k, b_t ? s.k : s.n);
            const Tensor c = result(run, s, beta);
            run.execute([&](Context& x) { product(x, a, b, transpose, beta, c); });
          }};
}

/// BF16 results of BF16 operands, which only the GPU has.
Case rounding_case(const Shape& s, Transpose transpose, float beta = 0) {
  Case c = product_case(s, DType::BF16, transpose, beta);
  c.label += " to bf16";
  c.tolerance = 4e-3;
  c.on_cpu = false;
  c.bytes -= 2 * double(s.batch * s.m * s.n);
  c.body = [=](CaseRun& run) {
    const bool a_t = transpose == Transpose::A, b_t = transpose == Transpose::B;
    const Tensor a = operand(run, s, a_t ? s.k : s.m, a_t ? s.m : s.k);
    const Tensor b = operand(run, s, b_t ? s.n : s.k, b_t ? s.k : s.n);
    const Tensor y = s.batch > 1 ? run.output("c", {s.batch, s.m, s.n}, {.pad = 2 * s.pad})
                     : beta == 0 ? run.output("c", {s.m, s.n}, {.pad = 2 * s.pad})
                                 : run.in_out("c", run.normal({s.m, s.n}, {.pad = 2 * s.pad}));
    run.execute([&](Context& x) { product(x, a, b, transpose, beta, y); });
  };
  return c;
}

/// The gradient of the input of a linear layer y = x w^T.
Case input_gradient_case() {
  return {.op = "product", .label = "input gradient of a linear layer", .body = [](CaseRun& run) {
            const Tensor x = run.normal({6, 11}), w = run.normal({7, 11}), dy = run.normal({6, 7});
            const Tensor y = run.temporary({6, 7}), dx = run.output("dx", {6, 11});
            run.execute([&](Context& c) { product(c, dy, w, Transpose::None, 0, dx); });
            run.check_gradient({{x, dx}}, [&](Context& c) { product(c, x, w, Transpose::B, 0, y); },
                               {{y, dy}});
          }};
}

/// The gradient of its weight, added to what is there.
Case weight_gradient_case() {
  return {.op = "product", .label = "weight gradient of a linear layer", .body = [](CaseRun& run) {
            const Tensor x = run.normal({6, 11}), w = run.normal({7, 11}), dy = run.normal({6, 7});
            const Tensor y = run.temporary({6, 7}), dw = run.in_out("dw", run.normal({7, 11}));
            run.execute([&](Context& c) { product(c, dy, x, Transpose::A, 1, dw); });
            run.check_gradient({{w, dw, true}},
                               [&](Context& c) { product(c, x, w, Transpose::B, 0, y); },
                               {{y, dy}});
          }};
}

/// Heads that lie beside each other in the rows of a token, as in MLA's absorbed form.
Case heads_case(DType dtype) {
  return {
      .op = "product", .label = "3 heads within rows", .dtype = dtype, .body = [](CaseRun& run) {
        const Tensor x = run.normal({10, 3, 24}), w = run.normal({3, 40, 24});
        const DType out = run.dtype() == DType::F64 ? DType::F64 : DType::F32;
        const Tensor y = run.output("y", {10, 3, 40}, {.dtype = out});
        run.execute([&](Context& c) {
          product(c, x.transpose(0, 1), w, Transpose::B, 0, y.transpose(0, 1));
        });
      }};
}
}  // namespace

void register_product_cases(CaseList& cases) {
  const Shape shapes[] = {
      {1, 1, 1},        {5, 7, 3},        {33, 17, 65, 1, 3}, {0, 4, 5},           {4, 0, 5},
      {3, 4, 0},        {1, 300, 129},    {64, 48, 64, 3},    {100, 31, 70, 8, 5}, {130, 257, 1030},
      {2048, 768, 256}, {16, 1024, 1024}, {2048, 1024, 1024}, {2048, 2048, 7168}};
  for (const Shape& shape : shapes) {
    for (DType dtype : {DType::F32, DType::BF16}) {
      for (Transpose transpose : {Transpose::B, Transpose::None, Transpose::A}) {
        for (float beta : {0.0f, 1.0f}) {
          if (shape.benchmark() && (beta != 0) != (transpose == Transpose::A)) continue;
          cases.push_back(product_case(shape, dtype, transpose, beta));
        }
      }
    }
  }
  cases.push_back(product_case({33, 17, 65, 2, 3}, DType::F64, Transpose::B, 1));
  cases.push_back(product_case({33, 17, 65, 2, 3}, DType::F64, Transpose::A, 0));
  for (DType dtype : {DType::F32, DType::BF16, DType::F64}) cases.push_back(heads_case(dtype));
  for (Transpose transpose : {Transpose::B, Transpose::None, Transpose::A}) {
    for (const Shape& s : {Shape{33, 17, 65, 1, 3}, Shape{64, 48, 64, 3}, Shape{256, 768, 512}}) {
      cases.push_back(rounding_case(s, transpose));
    }
    cases.push_back(rounding_case({33, 17, 65, 1, 3}, transpose, 1));
    cases.push_back(rounding_case({256, 768, 512}, transpose, 1));
    // Shapes that GPUs are measured with.
    for (const Shape& s : {Shape{4096, 4096, 7168}, Shape{4096, 7168, 2048}}) {
      Case c = rounding_case(s, transpose);
      c.timed_only = true;
      cases.push_back(c);
    }
  }
  cases.push_back(input_gradient_case());
  cases.push_back(weight_gradient_case());
}

}  // namespace tessera::kernels
