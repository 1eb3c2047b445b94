// SPDX-License-Identifier: MIT
// Bytes and scales are compared exactly, and so is what is unpacked.
#include <cmath>
#include <limits>

#include "kernels/cases.h"
#include "kernels/e5m6/e5m6.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t rows, cols;
  std::string text() const { return fmt::format("({}, {})", rows, cols); }
  double elements() const { return double(rows) * double(cols); }
  bool benchmark() const { return elements() > 1e6; }
};

double packed_bytes(const Shape& s) {
  return double(s.rows) * double(e5m6_tiles(s.cols)) * double(kE5m6TileBytes + 1);
}

PackedE5m6 outputs(CaseRun& run, const Shape& s) {
  const TensorOptions bytes{.dtype = DType::U8, .fixed = true};
  const std::int64_t tiles = e5m6_tiles(s.cols);
  return {run.output("values", {s.rows, tiles, kE5m6TileBytes}, bytes),
          run.output("scales", {s.rows, tiles}, bytes)};
}

Case pack_case(const Shape& s, DType dtype) {
  return {.op = "pack_e5m6",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 0,
          .bytes = s.elements() * double(size_of(dtype)) + packed_bytes(s),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const PackedE5m6 out = outputs(run, s);
            run.execute([&](Context& c) { pack_e5m6(c, x, out); });
          }};
}

/// The layouts of a matrix in E4M3; not compared where they hold NaNs.
Quantised quantised(CaseRun& run, const Shape& s, bool by_rows, bool transposed,
                    bool compared = true) {
  const TensorOptions options{.dtype = DType::F8E4M3, .fixed = true};
  const TensorOptions scales{.dtype = DType::F32, .fixed = true};
  Quantised out;
  if (by_rows) {
    out.values = compared ? run.output("values e4m3", {s.rows, s.cols}, options)
                          : run.temporary({s.rows, s.cols}, options);
    out.scales = run.output("scales e4m3", {scale_tiles(s.cols), s.rows}, scales);
  }
  if (transposed) {
    out.values_t = run.output("values_t", {s.cols, (s.rows + 15) / 16 * 16}, options);
    out.scales_t = run.output("scales_t", {scale_tiles(s.rows), s.cols}, scales);
  }
  return out;
}

constexpr Shape kSpecial{12, 136};

/// Signs of zero, ties in both ranges, tiles of nothing, of the least and the largest floats; a
/// last tile that is not whole. With `all` also what is not a number. Rows from 8 on have nothing
/// that the GPU treats apart, which it does for four rows at a time.
Tensor special_values(CaseRun& run, bool all) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::size_t cols = static_cast<std::size_t>(kSpecial.cols);
  std::vector<double> x(static_cast<std::size_t>(kSpecial.rows) * cols, 0.0);
  const auto put = [&](std::size_t row, std::size_t from, std::initializer_list<double> values) {
    std::copy(values.begin(), values.end(),
              x.begin() + static_cast<std::ptrdiff_t>(row * cols + from));
  };
  put(0, 60, {1, -0.0, 1.0078125, 1.0234375, -1.0078125, 3e-9, 2e-10, 1e-11, -4.4e-10});
  put(1, 0, {3.3895e38, -3.3895e38, 1e38, 1e30, -1e28, 2e28});
  if (all) put(2, 0, {kInf, -kInf, kNan, -kNan, 2, 0.7, 1e-20});
  put(3, 100, {1e-38, 9.2e-41, -9.2e-41, 1e-39, 3e-31, 4e-30, -1e-30, 2e-40});
  put(4, 126, {5, 6, 7, 1e-3, all ? kInf : 8, 9, 10, 11, -12, 13});
  put(8, 60, {1, -0.0, 1.0078125, 1.0234375, -1.0078125, 3e-9, 2e-10, 1e-11, -4.4e-10});
  put(9, 100, {1e-38, 9.2e-41, -9.2e-41, 1e-39, 3e-31, 4e-30, -1e-30, 2e-40});
  put(10, 3, {1e-38, 9.2e-41, -9.2e-41, 1e-39, -2e-39, 2e-40, 5e-39});
  put(11, 124, {1.5e38, -1e38, 1e34, 1e33, 1.1e33, 2e32, -1.695e38, 1e38, 3e37});
  return run.values({kSpecial.rows, kSpecial.cols}, x);
}

Case special_case(DType dtype) {
  return {.op = "pack_e5m6",
          .label = kSpecial.text() + ", special values",
          .dtype = dtype,
          .tolerance = 0,
          .body = [=](CaseRun& run) {
            const Tensor x = special_values(run, true);
            const PackedE5m6 out = outputs(run, kSpecial);
            run.execute([&](Context& c) { pack_e5m6(c, x, out); });
          }};
}

Case unpack_case(const Shape& s, DType dtype) {
  return {.op = "unpack_e5m6",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 0,
          .bytes = s.elements() * double(size_of(dtype)) + packed_bytes(s),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const PackedE5m6 packed = outputs(run, s);
            pack_e5m6(run.context(), x, packed);
            const Tensor y = run.output("y", {s.rows, s.cols});
            run.execute([&](Context& c) { unpack_e5m6(c, packed, y); });
          }};
}

Case quantise_pack_case(const Shape& s, DType dtype) {
  return {.op = "quantise_pack_e5m6",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 0,
          .bytes = s.elements() * double(size_of(dtype) + 1) + packed_bytes(s),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.rows, s.cols}, {.scale = 3});
            const PackedE5m6 packed = outputs(run, s);
            const Quantised out = quantised(run, s, true, false);
            run.execute([&](Context& c) { quantise_pack_e5m6(c, x, packed, out); });
          }};
}

Case special_quantise_pack_case(DType dtype, bool all) {
  return {.op = "quantise_pack_e5m6",
          .label = kSpecial.text() + (all ? ", special values" : ", special numbers"),
          .dtype = dtype,
          .tolerance = 0,
          .body = [=](CaseRun& run) {
            const Tensor x = special_values(run, all);
            const PackedE5m6 packed = outputs(run, kSpecial);
            const Quantised out = quantised(run, kSpecial, true, false, !all);
            run.execute([&](Context& c) { quantise_pack_e5m6(c, x, packed, out); });
          }};
}

/// y and its layouts from what was packed of x; without `special`, of random numbers.
Case unpack_quantise_case(const Shape& s, DType dtype, bool by_rows, bool special = false) {
  return {
      .op = "unpack_quantise_e5m6",
      .label = s.text() + (special ? ", special numbers" : "") + (by_rows ? "" : ", transposed"),
      .dtype = dtype,
      .tolerance = 0,
      .bytes = s.elements() * double(size_of(dtype) + (by_rows ? 2 : 1)) + packed_bytes(s),
      .benchmark = s.benchmark(),
      .same_for_any_threads = !s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor x =
            special ? special_values(run, false) : run.normal({s.rows, s.cols}, {.scale = 3});
        const PackedE5m6 packed = outputs(run, s);
        pack_e5m6(run.context(), x, packed);
        const Tensor y = run.output("y", {s.rows, s.cols});
        const Quantised out = quantised(run, s, by_rows, true);
        run.execute([&](Context& c) { unpack_quantise_e5m6(c, packed, y, out); });
      }};
}
}  // namespace

void register_e5m6_cases(CaseList& cases) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    for (const Shape& s : {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{2, 128}, Shape{130, 264},
                           Shape{4096, 2048}}) {
      cases.push_back(pack_case(s, dtype));
      cases.push_back(unpack_case(s, dtype));
      cases.push_back(quantise_pack_case(s, dtype));
      cases.push_back(unpack_quantise_case(s, dtype, false));
      if (!s.benchmark()) cases.push_back(unpack_quantise_case(s, dtype, true));
    }
    cases.push_back(special_case(dtype));
    for (const bool all : {false, true}) cases.push_back(special_quantise_pack_case(dtype, all));
    cases.push_back(unpack_quantise_case(kSpecial, dtype, true, true));
    constexpr Shape kStep{32768, 2048};
    for (Case one : {pack_case(kStep, dtype), unpack_case(kStep, dtype),
                     quantise_pack_case(kStep, dtype), unpack_quantise_case(kStep, dtype, false)}) {
      one.timed_only = true;  // more than a GPU's cache holds
      cases.push_back(one);
    }
  }
}

}  // namespace tessera::kernels
