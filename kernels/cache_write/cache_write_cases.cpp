// SPDX-License-Identifier: MIT
#include "kernels/cache_write/cache_write.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
/// Four tokens scattered over three pages of two; the other rows keep what they had.
Case scattered(DType dtype, DType cache_dtype, double tolerance) {
  return {.op = "cache_write",
          .label = "4 tokens into (3, 2, 7), cache " + short_name(cache_dtype),
          .dtype = dtype,
          .tolerance = tolerance,
          .body = [=](CaseRun& run) {
            const Tensor latent = run.normal({4, 5}, {.pad = 2}), rotary = run.normal({4, 2});
            const Tensor slots = run.integers(DType::I32, {4}, {5, 0, 3, 2});
            const Tensor cache = run.in_out("cache", run.normal({3, 2, 7}, {.dtype = cache_dtype}));
            run.execute([&](Context& c) { cache_write(c, latent, rotary, slots, cache); });
          }};
}

Case no_tokens() {
  return {.op = "cache_write", .label = "0 tokens", .body = [](CaseRun& run) {
            const Tensor latent = run.normal({0, 5}), rotary = run.normal({0, 2});
            const Tensor slots = run.integers(DType::I32, {0}, 0, 1);
            const Tensor cache = run.in_out("cache", run.normal({1, 2, 7}));
            run.execute([&](Context& c) { cache_write(c, latent, rotary, slots, cache); });
          }};
}
}  // namespace

void register_cache_write_cases(CaseList& cases) {
  cases.push_back(scattered(DType::F32, DType::F32, 1e-7));
  cases.push_back(scattered(DType::F32, DType::BF16, 4e-3));
  cases.push_back(scattered(DType::F64, DType::F64, 1e-15));
  cases.push_back(no_tokens());
}

}  // namespace tessera::kernels
