// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/convert/convert.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t a, b, c, pad_x, pad_y;
  std::string text() const {
    return fmt::format("({}, {}, {}){}", a, b, c, pad_x || pad_y ? " strided" : "");
  }
  double elements() const { return double(a) * double(b) * double(c); }
};

Case convert_case(const Shape& s, DType from, DType to) {
  const bool rounds = size_of(to) < size_of(from);
  return {.op = "convert",
          .label = s.text() + " " + short_name(from) + " to " + short_name(to),
          .dtype = from,
          .tolerance = !rounds             ? 0.0
                       : to == DType::BF16 ? 3e-3
                                           : 6e-8,
          .bytes = s.elements() * double(size_of(from) + size_of(to)),
          .benchmark = s.elements() > 4e6,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.a, s.b, s.c}, {.pad = s.pad_x});
            const Tensor y = run.output("y", {s.a, s.b, s.c}, {.dtype = to, .pad = s.pad_y});
            run.execute([&](Context& c) { convert(c, x, y); });
          }};
}

Case add_case(const Shape& s, DType dtype) {
  return {.op = "add",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? 3e-3 : 1e-7,
          .bytes = 3 * s.elements() * double(size_of(dtype)),
          .benchmark = s.elements() > 4e6,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({s.a, s.b, s.c}, {.pad = s.pad_x});
            const Tensor y = run.in_out("y", run.normal({s.a, s.b, s.c}, {.pad = s.pad_y}));
            run.execute([&](Context& c) { add(c, x, y); });
          }};
}

Case split_case(std::int64_t rows, std::int64_t cols, Terms terms, std::int64_t pad) {
  return {.op = "split_terms",
          .label = fmt::format("({}, {}) {}", rows, cols, terms == Terms::Left ? "left" : "right"),
          .tolerance = 0,
          .bytes = double(rows) * double(cols) * 16,
          .benchmark = rows * cols > 1'000'000,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({rows, cols});
            const Tensor y =
                run.output("y", {6, rows, cols}, {.dtype = DType::BF16, .fixed = true, .pad = pad});
            run.execute([&](Context& c) { split_terms(c, x, terms, y); });
          }};
}

Case fill_case(DType dtype, std::int64_t count, double value) {
  return {.op = "fill",
          .label = fmt::format("({}) with {}", count, value),
          .dtype = dtype,
          .tolerance = 0,
          .bytes = double(count) * double(size_of(dtype)),
          .benchmark = count > 4'000'000,
          .body = [=](CaseRun& run) {
            const Tensor y = run.output("y", {count}, {.dtype = dtype, .fixed = true});
            run.execute([&](Context& c) { fill(c, value, y); });
          }};
}

/// A row vector, and a matrix, where the other cases have rank 3.
Case low_rank_case() {
  return {.op = "convert", .label = "rank 1 and 2", .tolerance = 3e-3, .body = [](CaseRun& run) {
            const Tensor x1 = run.normal({19}), x2 = run.normal({3, 5}, {.pad = 1});
            const Tensor y1 = run.output("y1", {19}, {.dtype = DType::BF16});
            const Tensor y2 = run.output("y2", {3, 5}, {.dtype = DType::BF16});
            run.execute([&](Context& c) {
              convert(c, x1, y1);
              convert(c, x2, y2);
            });
          }};
}
}  // namespace

void register_convert_cases(CaseList& cases) {
  for (const Terms terms : {Terms::Left, Terms::Right}) {
    cases.push_back(split_case(0, 4, terms, 0));
    cases.push_back(split_case(7, 33, terms, 5));
    cases.push_back(split_case(32768, 64, terms, 0));
  }
  const Shape small[] = {{0, 4, 8, 0, 0}, {1, 1, 1, 0, 0}, {3, 5, 7, 0, 0},
                         {3, 5, 7, 2, 3}, {2, 0, 3, 0, 0}, {40, 3, 601, 0, 7}};
  for (const Shape& shape : small) {
    cases.push_back(convert_case(shape, DType::F32, DType::F32));
    cases.push_back(convert_case(shape, DType::F32, DType::BF16));
    cases.push_back(convert_case(shape, DType::BF16, DType::F32));
    cases.push_back(add_case(shape, DType::F32));
    cases.push_back(convert_case(shape, DType::BF16, DType::BF16));
    cases.push_back(add_case(shape, DType::BF16));
    cases.back().on_cpu = false;
  }
  cases.push_back(convert_case(small[3], DType::F32, DType::F64));
  cases.push_back(convert_case(small[3], DType::F64, DType::F32));
  cases.push_back(convert_case(small[3], DType::F64, DType::F64));
  cases.push_back(add_case(small[3], DType::F64));
  cases.push_back(low_rank_case());
  for (DType dtype : {DType::F64, DType::F32, DType::BF16, DType::F8E4M3, DType::I64, DType::I32,
                      DType::I16, DType::I8, DType::U8}) {
    cases.push_back(fill_case(dtype, 77, 3));
  }
  cases.push_back(fill_case(DType::F32, 0, 1));
  cases.push_back(fill_case(DType::F32, 50'001, -1.5));
  const Shape large{1, 2048, 7168, 0, 0};
  cases.push_back(convert_case(large, DType::F32, DType::F32));
  cases.push_back(convert_case(large, DType::F32, DType::BF16));
  cases.push_back(convert_case(large, DType::BF16, DType::F32));
  cases.push_back(add_case(large, DType::F32));
  cases.push_back(fill_case(DType::F32, 2048 * 7168, 0));
}

}  // namespace tessera::kernels
