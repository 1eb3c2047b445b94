// SPDX-License-Identifier: MIT
//
// wgmma for E4M3 operands with FP32 sums (Hopper, sm_90a), M = 64, K = 32. Both operands lie in
// shared memory K-major with the 128-byte swizzle: rows of 128 values, groups of 8 rows 1,024 bytes
// apart. Sums d[N / 2] are laid out as in wgmma_bf16.cuh.
// NOTE: within one chain of wgmma the tensor cores keep sums of E4M3 products to about 14 bits
// (DeepSeek-V3 report, section 3.3.2); longer sums are the business of the caller's FP32 registers.
// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
#pragma once

#include "kernels/ptx/wgmma_bf16.cuh"

namespace tessera::kernels::cuda::ptx {

// A K-major tile with the 128-byte swizzle; a step of K = 32 adds kStepFp8 to the descriptor.
constexpr uint64_t kTileBits = descriptor_bits(Swizzle::b128, 16, 1024);
constexpr uint64_t kStepFp8 = 32 >> 4;
// What `rows` rows further (a multiple of 8) adds to the descriptor.
constexpr uint64_t rows_fp8(int rows) {
  return static_cast<uint64_t>(rows) * 128 >> 4;
}

// d = a b^T (+ d if `add`), one step of K = 32.
template <int N>
__device__ inline void wgmma_fp8(float (&d)[N / 2], uint64_t a, uint64_t b, int add) = delete;

// clang-format off
#define TESSERA_R0 "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15"
#define TESSERA_R1 "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define TESSERA_R2 "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define TESSERA_R3 "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define TESSERA_R4 "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79"
#define TESSERA_R5 "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define TESSERA_R6 "%96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111"
#define TESSERA_R7 "%112, %113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define TESSERA_SUMS(d, i) \
"+f"(d[i + 0]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), "+f"(d[i + 7]), \
"+f"(d[i + 8]), "+f"(d[i + 9]), "+f"(d[i + 10]), "+f"(d[i + 11]), "+f"(d[i + 12]), "+f"(d[i + 13]), "+f"(d[i + 14]), "+f"(d[i + 15])

template <>
__device__ inline void wgmma_fp8<64>(float (&d)[32], uint64_t a, uint64_t b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
    "wgmma.mma_async.sync.aligned.m64n64k32.f32.e4m3.e4m3 {"
    TESSERA_R0 ", " TESSERA_R1
    "}, %32, %33, p, 1, 1;\n}\n"
    : TESSERA_SUMS(d, 0), TESSERA_SUMS(d, 16)
    : "l"(a), "l"(b), "r"(add));
}

template <>
__device__ inline void wgmma_fp8<128>(float (&d)[64], uint64_t a, uint64_t b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
    "wgmma.mma_async.sync.aligned.m64n128k32.f32.e4m3.e4m3 {"
    TESSERA_R0 ", " TESSERA_R1 ", " TESSERA_R2 ", " TESSERA_R3
    "}, %64, %65, p, 1, 1;\n}\n"
    : TESSERA_SUMS(d, 0), TESSERA_SUMS(d, 16), TESSERA_SUMS(d, 32), TESSERA_SUMS(d, 48)
    : "l"(a), "l"(b), "r"(add));
}

template <>
__device__ inline void wgmma_fp8<192>(float (&d)[96], uint64_t a, uint64_t b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %98, 0;\n"
    "wgmma.mma_async.sync.aligned.m64n192k32.f32.e4m3.e4m3 {"
    TESSERA_R0 ", " TESSERA_R1 ", " TESSERA_R2 ", " TESSERA_R3 ", " TESSERA_R4 ", " TESSERA_R5
    "}, %96, %97, p, 1, 1;\n}\n"
    : TESSERA_SUMS(d, 0), TESSERA_SUMS(d, 16), TESSERA_SUMS(d, 32), TESSERA_SUMS(d, 48), TESSERA_SUMS(d, 64), TESSERA_SUMS(d, 80)
    : "l"(a), "l"(b), "r"(add));
}

template <>
__device__ inline void wgmma_fp8<256>(float (&d)[128], uint64_t a, uint64_t b, int add) {
  asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %130, 0;\n"
    "wgmma.mma_async.sync.aligned.m64n256k32.f32.e4m3.e4m3 {"
    TESSERA_R0 ", " TESSERA_R1 ", " TESSERA_R2 ", " TESSERA_R3 ", " TESSERA_R4 ", " TESSERA_R5 ", " TESSERA_R6 ", " TESSERA_R7
    "}, %128, %129, p, 1, 1;\n}\n"
    : TESSERA_SUMS(d, 0), TESSERA_SUMS(d, 16), TESSERA_SUMS(d, 32), TESSERA_SUMS(d, 48), TESSERA_SUMS(d, 64), TESSERA_SUMS(d, 80), TESSERA_SUMS(d, 96), TESSERA_SUMS(d, 112)
    : "l"(a), "l"(b), "r"(add));
}

#undef TESSERA_SUMS
#undef TESSERA_R0
#undef TESSERA_R1
#undef TESSERA_R2
#undef TESSERA_R3
#undef TESSERA_R4
#undef TESSERA_R5
#undef TESSERA_R6
#undef TESSERA_R7
// clang-format on

}  // namespace tessera::kernels::cuda::ptx
