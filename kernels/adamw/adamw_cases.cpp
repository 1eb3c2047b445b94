// SPDX-License-Identifier: MIT
#include "kernels/adamw/adamw.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
constexpr TensorOptions kScalar{.dtype = DType::F64, .fixed = true};

Case norm_case(std::int64_t count, DType dtype) {
  return {.op = "sum_of_squares",
          .label = fmt::format("({})", count),
          .dtype = dtype,
          .tolerance = 1e-12,
          .flops = 2 * double(count),
          .bytes = double(count) * double(size_of(dtype)),
          .benchmark = count > 1'000'000,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({count}, {.scale = 1e-3});
            const Tensor sum = run.in_out("sum", run.values({1}, {0.25}, kScalar));
            run.execute([&](Context& c) { sum_of_squares(c, x, sum); });
          }};
}

Case clip_case(double sum_value, double max_norm) {
  return {.op = "clip_scale",
          .label = fmt::format("sum {}, most {}", sum_value, max_norm),
          .tolerance = 1e-15,
          .body = [=](CaseRun& run) {
            const Tensor sum = run.values({1}, {sum_value}, kScalar);
            const Tensor scale = run.output("scale", {1}, kScalar);
            run.execute([&](Context& c) { clip_scale(c, sum, max_norm, scale); });
          }};
}

Case step_case(std::int64_t count, DType dtype, DType moments, std::int64_t step,
               bool with_copy = false) {
  return {.op = "adamw",
          .label = fmt::format("({}) moments {}, step {}{}", count, short_name(moments), step,
                               with_copy ? ", with copy" : ""),
          .dtype = dtype,
          .tolerance = 1e-6,
          .bytes = double(count) *
                   double(3 * size_of(dtype) + 4 * size_of(moments) + (with_copy ? 2 : 0)),
          .benchmark = count > 1'000'000,
          .body = [=](CaseRun& run) {
            const double rounding = moments == DType::BF16 ? 3e-3 : 1e-6;
            const Tensor gradient = run.normal({count}, {.scale = 1e-2});
            const Tensor scale = run.values({1}, {0.5}, kScalar);
            const Tensor weight = run.in_out("weight", run.normal({count}, {.scale = 0.02}));
            const Tensor m =
                run.in_out("m", run.normal({count}, {.dtype = moments, .scale = 1e-3}), rounding);
            const Tensor v =
                run.in_out("v", run.uniform({count}, 0, 1e-4, {.dtype = moments}), rounding);
            const AdamWConfig config{.learning_rate = 1e-3, .step = step};
            Tensor copy;
            if (with_copy) {
              copy = run.output("copy", {count}, {.dtype = DType::BF16, .tolerance = 3e-3});
            }
            run.execute([&](Context& c) { adamw(c, config, gradient, scale, weight, m, v, copy); });
          }};
}

/// A last bit of a weight decides now and then on which side E4M3 rounds: hence the tolerance.
Case quantise_case(std::int64_t batch, std::int64_t n, std::int64_t k, DType moments) {
  const double count = double(batch) * double(n) * double(k);
  return {.op = "adamw_quantise",
          .label = fmt::format("({}, {}, {}) moments {}", batch, n, k, short_name(moments)),
          .tolerance = 1e-6,
          .bytes = count * double(12 + 4 * size_of(moments) + 2),
          .benchmark = count > 1e6,
          .body = [=](CaseRun& run) {
            const double rounding = moments == DType::BF16 ? 3e-3 : 1e-6;
            const Tensor gradient = run.normal({batch, n, k}, {.scale = 1e-2});
            const Tensor scale = run.values({1}, {0.5}, kScalar);
            const Tensor weight = run.in_out("weight", run.normal({batch, n, k}, {.scale = 0.02}));
            const Tensor m = run.in_out(
                "m", run.normal({batch, n, k}, {.dtype = moments, .scale = 1e-3}), rounding);
            const Tensor v =
                run.in_out("v", run.uniform({batch, n, k}, 0, 1e-4, {.dtype = moments}), rounding);
            const TensorOptions values{.dtype = DType::F8E4M3, .fixed = true, .tolerance = 1e-2};
            const TensorOptions scales{.dtype = DType::F32, .fixed = true, .tolerance = 1e-6};
            const std::int64_t down = scale_tiles(n), across = scale_tiles(k);
            const QuantisedWeight out{run.output("values", {batch, n, k}, values),
                                      run.output("scales", {batch, down, across}, scales),
                                      run.output("values_t", {batch, k, n}, values),
                                      run.output("scales_t", {batch, across, down}, scales)};
            const AdamWConfig config{.learning_rate = 1e-3, .step = 5};
            run.execute(
                [&](Context& c) { adamw_quantise(c, config, gradient, scale, weight, m, v, out); });
          }};
}
}  // namespace

void register_adamw_cases(CaseList& cases) {
  for (std::int64_t count : {0, 1, 17, 16384, 100'003, 16'000'000}) {
    cases.push_back(norm_case(count, DType::F32));
    cases.push_back(step_case(count, DType::F32, DType::F32, 1));
    cases.push_back(step_case(count, DType::F32, DType::BF16, 1000));
    cases.push_back(step_case(count, DType::F32, DType::BF16, 20, true));
  }
  for (DType moments : {DType::F32, DType::BF16}) {
    cases.push_back(quantise_case(1, 16, 16, moments));
    cases.push_back(quantise_case(3, 144, 272, moments));
    cases.push_back(quantise_case(16, 1024, 1024, moments));
  }
  cases.push_back(norm_case(40'001, DType::F64));
  cases.push_back(step_case(33, DType::F64, DType::F64, 7));
  cases.push_back(clip_case(4, 1));
  cases.push_back(clip_case(0.25, 1));
  cases.push_back(clip_case(0, 1));
  cases.push_back(clip_case(9, 0));
}

}  // namespace tessera::kernels
