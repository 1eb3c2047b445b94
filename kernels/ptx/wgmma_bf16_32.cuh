// SPDX-License-Identifier: MIT
//
// wgmma for BF16 operands with 32 columns: see wgmma_bf16.cuh.
#pragma once

#include "kernels/ptx/wgmma_bf16.cuh"

namespace tessera::kernels::cuda::ptx {

// clang-format off
template <Major A, Major B>
struct Wgmma<32, A, B> {
  static __device__ inline void shared(float (&d)[16], uint64_t a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %18, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {"
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
      "}, %16, %17, p, 1, 1, %19, %20;\n}\n"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]),
        "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15])
      : "l"(a), "l"(b), "r"(add), "n"(A == Major::mn ? 1 : 0), "n"(B == Major::mn ? 1 : 0));
  }
};
// clang-format on

}  // namespace tessera::kernels::cuda::ptx
