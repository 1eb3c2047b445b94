// SPDX-License-Identifier: MIT
//
// Checks and times the FP8 kernels on the GPU it runs on: `fp8_gpu check`, `fp8_gpu bench`. Ends
// with status 1 if a check failed. `check small` is for compute-sanitizer. Rates of cuBLASLt stand
// beside ours, from the same run.
#include <cstring>
#include <exception>

#include "tests/kernels/fp8_gpu_bench.cuh"
#include "tests/kernels/gpu_program.h"

int main(int argc, char** argv) {
  if (!has_gpu()) return kSkipped;
  const char* what = argc > 1 ? argv[1] : "check";
  try {
    if (std::strcmp(what, "check") == 0) {
      const bool small = argc > 2 && std::strcmp(argv[2], "small") == 0;
      fp8_gpu::check_all_quantise();
      fp8_gpu::check_all_products(small ? 3 : 6);
      std::printf("%d checks failed\n", fp8_gpu::failures);
    } else if (std::strcmp(what, "bench") == 0) {
      fp8_gpu::bench_all(argc > 2 ? argv[2] : "");
    } else {
      std::printf("usage: fp8_gpu check [small] | bench [forward|gradient|quantise|library]\n");
      return 2;
    }
  } catch (const std::exception& error) {
    std::printf("%s\n", error.what());
    return 1;
  }
  return fp8_gpu::failures == 0 ? 0 : 1;
}
