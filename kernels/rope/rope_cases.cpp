// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/rope/rope.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t tokens, heads, d, pad = 0;
  std::string text(bool inverse) const {
    return fmt::format("({}, {}, {}){}{}", tokens, heads, d, pad ? " strided" : "",
                       inverse ? " inverse" : "");
  }
  double elements() const { return double(tokens) * double(heads) * double(d); }
  bool benchmark() const { return elements() > 1e6; }
};

constexpr std::int64_t kPositions = 300;

struct Tables {
  Tensor positions, cos, sin;

  Tables(CaseRun& run, const Shape& s)
      : positions(run.integers(DType::I32, {s.tokens}, 0, kPositions)) {
    std::vector<double> c, sine;
    for (std::int64_t at = 0; at < kPositions; ++at) {
      for (std::int64_t i = 0; i < s.d / 2; ++i) {
        const double angle = double(at) * std::pow(10000.0, -2.0 * double(i) / double(s.d));
        c.push_back(std::cos(angle));
        sine.push_back(std::sin(angle));
      }
    }
    const TensorOptions fixed{.dtype = DType::F32, .fixed = true};
    cos = run.values({kPositions, s.d / 2}, c, fixed);
    sin = run.values({kPositions, s.d / 2}, sine, fixed);
  }
};

Case rope_case(const Shape& s, DType dtype, bool inverse) {
  return {.op = "rope",
          .label = s.text(inverse) + (dtype == DType::BF16 ? " bf16" : ""),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? 3e-3 : 3e-7,
          .flops = 3 * s.elements(),
          .bytes = 2 * s.elements() * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tables t(run, s);
            const Tensor x = run.in_out("x", run.normal({s.tokens, s.heads, s.d}, {.pad = s.pad}));
            run.execute([&](Context& c) { rope(c, x, t.positions, t.cos, t.sin, inverse); });
          }};
}

/// The inverse rotation of dy is the gradient of x.
Case gradient_case() {
  const Shape s{5, 3, 8};
  return {.op = "rope", .label = "gradient", .tolerance = 3e-7, .body = [=](CaseRun& run) {
            const Tables t(run, s);
            const Tensor x = run.normal({s.tokens, s.heads, s.d});
            const Tensor dx = run.in_out("dx", run.normal({s.tokens, s.heads, s.d}));
            const Tensor dy = run.copy(dx), y = run.temporary({s.tokens, s.heads, s.d});
            run.execute([&](Context& c) { rope(c, dx, t.positions, t.cos, t.sin, true); });
            const auto forward = [&](Context& c) {
              std::copy_n(x.data<double>(), x.numel(), y.data<double>());
              rope(c, y, t.positions, t.cos, t.sin, false);
            };
            run.check_gradient({{x, dx}}, forward, {{y, dy}});
          }};
}
}  // namespace

void register_rope_cases(CaseList& cases) {
  for (const Shape& shape : {Shape{0, 2, 8}, Shape{1, 1, 2}, Shape{7, 3, 6, 5}, Shape{130, 4, 16},
                             Shape{65, 1, 64, 512}, Shape{4096, 16, 64}}) {
    cases.push_back(rope_case(shape, DType::F32, false));
    cases.push_back(rope_case(shape, DType::F32, true));
    cases.push_back(rope_case(shape, DType::BF16, true));
    cases.back().on_cpu = false;
  }
  cases.push_back(rope_case({32768, 8, 64, 128}, DType::BF16, false));  // queries of 32K tokens
  cases.back().on_cpu = false;
  cases.back().timed_only = true;
  cases.push_back(rope_case({7, 3, 6, 5}, DType::F64, false));
  cases.push_back(gradient_case());
}

}  // namespace tessera::kernels
