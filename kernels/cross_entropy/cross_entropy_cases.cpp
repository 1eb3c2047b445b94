// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/cross_entropy/cross_entropy.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::int64_t rows, vocabulary, pad;
  double spread;  ///< standard deviation of the logits
  bool weighted = false;
  std::string text() const {
    return fmt::format("({}, {}){} spread {}{}", rows, vocabulary, pad ? " strided" : "", spread,
                       weighted ? " weighted" : "");
  }
  bool benchmark() const { return rows * vocabulary > 1'000'000; }
};

/// Weights of rows between -1 and 3, every third one 0; absent where the setting has none.
Tensor row_weights(CaseRun& run, const Setting& s, DType dtype) {
  if (!s.weighted) return {};
  std::vector<double> weights;
  for (std::int64_t row = 0; row < s.rows; ++row) {
    weights.push_back(row % 3 == 1 ? 0.0 : double(row % 9) / 2 - 1);
  }
  return run.values({s.rows}, weights, {.dtype = dtype});
}

Case make_case(const Setting& s, DType dtype, double gradient_scale) {
  return {.op = "cross_entropy",
          .label = s.text() + (gradient_scale != 0 ? " with gradient" : ""),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? 3e-3 : 2e-6,
          .bytes = double(s.rows) * double(s.vocabulary) * double(size_of(dtype)) *
                   (gradient_scale != 0 ? 2 : 1),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor logits =
                run.normal({s.rows, s.vocabulary}, {.pad = s.pad, .scale = s.spread, .offset = 3});
            const Tensor work = run.copy(logits);
            const Tensor targets = run.integers(DType::I32, {s.rows}, -1, s.vocabulary);
            const DType wide = dtype == DType::BF16 ? DType::F32 : dtype;
            const Tensor weights = row_weights(run, s, wide);
            const Tensor loss = run.output("loss", {s.rows}, {.dtype = wide, .tolerance = 2e-6});
            if (gradient_scale == 0) {
              run.execute([&](Context& c) { cross_entropy(c, logits, targets, weights, 0, loss); });
              return;
            }
            run.in_out("gradient", work);
            run.execute([&](Context& c) {
              cross_entropy(c, work, targets, weights, gradient_scale, loss);
            });
            if (s.benchmark()) return;
            const std::vector<double> ones(static_cast<std::size_t>(s.rows), gradient_scale);
            const Tensor cotangent = run.values({s.rows}, ones, {.dtype = wide}),
                         again = run.temporary({s.rows});
            run.check_gradient(
                {{logits, work}},
                [&](Context& c) { cross_entropy(c, logits, targets, weights, 0, again); },
                {{again, cotangent}});
          }};
}

/// The gradient beside the logits.
Case apart_case(const Setting& s, DType dtype, DType out) {
  return {.op = "cross_entropy_gradient",
          .label = s.text() + " to " + short_name(out),
          .dtype = dtype,
          .tolerance = out == DType::BF16 ? 3e-3 : 2e-6,
          .bytes = double(s.rows) * double(s.vocabulary) * double(size_of(dtype) + size_of(out)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const DType wide = dtype == DType::BF16 ? DType::F32 : dtype;
            const Tensor logits =
                run.normal({s.rows, s.vocabulary}, {.pad = s.pad, .scale = s.spread, .offset = 3});
            const Tensor targets = run.integers(DType::I32, {s.rows}, -1, s.vocabulary);
            const Tensor weights = row_weights(run, s, wide);
            const Tensor loss = run.output("loss", {s.rows}, {.dtype = wide, .tolerance = 2e-6});
            const Tensor gradient =
                run.output("gradient", {s.rows, s.vocabulary}, {.dtype = out, .pad = 2 * s.pad});
            run.execute([&](Context& c) {
              cross_entropy_gradient(c, logits, targets, weights, 0.37, loss, gradient);
            });
          }};
}

/// Logits near the ends of F32, minus infinity (a masked token), and an ignored row.
Case extreme_case() {
  return {.op = "cross_entropy", .label = "(4, 3) extreme", .body = [](CaseRun& run) {
            const double inf = std::numeric_limits<double>::infinity();
            const Tensor logits =
                run.in_out("gradient", run.values({4, 3}, {1e30, 0, -1e30, -inf, 2, 1,  //
                                                           5, -1e4, 5, 7, 8, 9}));
            const Tensor targets = run.integers(DType::I32, {4}, {0, 2, 1, -1});
            const Tensor loss = run.output("loss", {4});
            run.execute([&](Context& c) { cross_entropy(c, logits, targets, {}, 0.5, loss); });
          }};
}
}  // namespace

void register_cross_entropy_cases(CaseList& cases) {
  for (const Setting& setting :
       {Setting{0, 5, 0, 1}, Setting{3, 1, 0, 1}, Setting{9, 33, 3, 2}, Setting{40, 1025, 0, 0.1},
        Setting{2, 20011, 0, 20}, Setting{64, 129280, 0, 4}, Setting{1024, 32768, 0, 4}}) {
    cases.push_back(make_case(setting, DType::F32, 0));
    cases.push_back(make_case(setting, DType::F32, 0.37));
    cases.push_back(make_case(setting, DType::BF16, 0.37));
    cases.back().on_cpu = false;
  }
  const Setting weighted{40, 1025, 0, 1, true}, strided{9, 33, 3, 2, true};
  cases.push_back(make_case(weighted, DType::F32, 0));
  cases.push_back(make_case(weighted, DType::F32, 0.37));
  cases.push_back(make_case(strided, DType::F64, 0.37));
  cases.push_back(apart_case(strided, DType::F32, DType::BF16));
  cases.push_back(make_case({9, 33, 3, 2}, DType::F64, 0.37));
  cases.push_back(extreme_case());
  for (const Setting& setting : {Setting{0, 5, 0, 1}, Setting{9, 33, 3, 2}, Setting{40, 1024, 0, 1},
                                 Setting{1024, 32768, 0, 4}}) {
    cases.push_back(apart_case(setting, DType::F32, DType::F32));
    cases.push_back(apart_case(setting, DType::F32, DType::BF16));
    cases.push_back(apart_case(setting, DType::BF16, DType::BF16));
    cases.back().on_cpu = false;
  }
}

}  // namespace tessera::kernels
