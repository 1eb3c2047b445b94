// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/reduce/reduce.h"

namespace tessera::kernels {

namespace {
Case sum_case(std::int64_t count, DType dtype) {
  return {.op = "sum",
          .label = fmt::format("({})", count),
          .dtype = dtype,
          .tolerance = 1e-12,
          .bytes = static_cast<double>(count) * static_cast<double>(size_of(dtype)),
          .benchmark = count > 1'000'000,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor x = run.normal({count}, {.offset = 0.5});
            const Tensor total =
                run.in_out("total", run.values({1}, {2.5}, {.dtype = DType::F64, .fixed = true}));
            run.execute([&](Context& c) { sum(c, x, total); });
          }};
}

/// Counts beyond 32 bits.
Case counts_case() {
  return {.op = "add_counts", .label = "(3), large", .body = [](CaseRun& run) {
            const Tensor counts =
                run.integers(DType::I64, {3}, {0, 5'000'000'000, std::int64_t{1} << 53});
            const Tensor total =
                run.in_out("total", run.integers(DType::I64, {3}, {7, 1, std::int64_t{1} << 53}));
            run.execute([&](Context& c) { add_counts(c, counts, total); });
          }};
}
}  // namespace

void register_reduce_cases(CaseList& cases) {
  for (std::int64_t count : {0, 1, 33, 100'003, 8'000'000}) {
    cases.push_back(sum_case(count, DType::F32));
  }
  cases.push_back(sum_case(50'001, DType::F64));
  cases.push_back(counts_case());
}

}  // namespace tessera::kernels
