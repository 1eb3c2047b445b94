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

/// Signs of zero, ties in both ranges, tiles of nothing, of the least and the largest floats, and
/// of what is not a number; a last tile that is not whole.
Case special_case(DType dtype) {
  return {.op = "pack_e5m6",
          .label = "(6, 136), special values",
          .dtype = dtype,
          .tolerance = 0,
          .body = [=](CaseRun& run) {
            constexpr double kInf = std::numeric_limits<double>::infinity();
            constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
            std::vector<double> x(6 * 136, 0.0);
            const auto put = [&](std::size_t row, std::size_t from,
                                 std::initializer_list<double> values) {
              std::copy(values.begin(), values.end(),
                        x.begin() + static_cast<std::ptrdiff_t>(row * 136 + from));
            };
            put(0, 60, {1, -0.0, 1.0078125, 1.0234375, -1.0078125, 3e-9, 2e-10, 1e-11, -4.4e-10});
            put(1, 0, {3.3895e38, -3.3895e38, 1e38, 1e30, -1e28, 2e28});
            put(2, 0, {kInf, -kInf, kNan, -kNan, 2, 0.7, 1e-20});
            put(3, 100, {1e-38, 9.2e-41, -9.2e-41, 1e-39, 3e-31, 4e-30, -1e-30, 2e-40});
            put(4, 126, {5, 6, 7, 1e-3, kInf, 9, 10, 11, -12, 13});
            const Tensor in = run.values({6, 136}, x);
            const PackedE5m6 out = outputs(run, {6, 136});
            run.execute([&](Context& c) { pack_e5m6(c, in, out); });
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
}  // namespace

void register_e5m6_cases(CaseList& cases) {
  for (const DType dtype : {DType::F32, DType::BF16}) {
    for (const Shape& s : {Shape{0, 8}, Shape{1, 8}, Shape{33, 40}, Shape{2, 128}, Shape{130, 264},
                           Shape{4096, 2048}}) {
      cases.push_back(pack_case(s, dtype));
      cases.push_back(unpack_case(s, dtype));
    }
    cases.push_back(special_case(dtype));
    for (Case one : {pack_case({32768, 2048}, dtype), unpack_case({32768, 2048}, dtype)}) {
      one.timed_only = true;  // more than a GPU's cache holds
      cases.push_back(one);
    }
  }
}

}  // namespace tessera::kernels
