// SPDX-License-Identifier: MIT
#include "kernels/convert/convert.h"
#include "kernels/quantise/quantised_outputs.h"

namespace tessera::kernels {

namespace {
using namespace quantised;

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

}  // namespace

void register_quantise_cases(CaseList& cases) {
  for (const Shape& shape :
       {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{128, 128}, Shape{300, 264},
        Shape{200, 136, true, false}, Shape{200, 136, false, true}, Shape{4096, 2048}}) {
    cases.push_back(quantise_case(shape, DType::F32));
    cases.push_back(quantise_case(shape, DType::BF16));
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
  for (std::int64_t live_rows : {0, 3, 5}) cases.push_back(special_case(live_rows));
  for (DType dtype : {DType::F32, DType::BF16}) {
    cases.push_back(weight_case(1, 16, 16, dtype));
    cases.push_back(weight_case(3, 144, 272, dtype));
    cases.push_back(weight_case(8, 1024, 1024, dtype));
  }
  Case large = quantise_case({16384, 2048}, DType::BF16);  // more than a GPU's cache holds
  large.timed_only = true;
  cases.push_back(large);
}

}  // namespace tessera::kernels
