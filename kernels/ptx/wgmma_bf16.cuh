// SPDX-License-Identifier: MIT
//
// wgmma for BF16 operands with FP32 sums (Hopper, sm_90a), M = 64, K = 16.
// Shapes of the fragments, for thread t of the warpgroup (lane l = t % 32, g = l / 4, c = l % 4):
//   sums d[N / 2]:  d[4j + 0..1] = row 16 (t / 32) + g,     columns 8j + 2c, 8j + 2c + 1
//                   d[4j + 2..3] = row 16 (t / 32) + g + 8, the same columns
//   A in registers: a[0], a[1] = rows g, g + 8 at k = 2c, 2c + 1;  a[2], a[3] the same at k + 8
// so sums rounded to BF16 pairs are the A operand of the next product without any exchange.
// Source: PTX ISA, "Asynchronous Warpgroup Level Matrix Instructions".
#pragma once

#include <cstdint>

namespace tessera::kernels::cuda::ptx {

// NOTE: registers that a wgmma in flight reads or writes must not be touched. Between the first
// write of such registers and the wgmma stands wgmma_fence(); behind the wait stands hold() on the
// sums, since the compiler sees no dependence between the wait and the registers.
__device__ inline void wgmma_fence() {
  asm volatile("wgmma.fence.sync.aligned;\n" ::: "memory");
}
__device__ inline void wgmma_commit() {
  asm volatile("wgmma.commit_group.sync.aligned;\n" ::: "memory");
}
template <int PENDING>
__device__ inline void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;\n" ::"n"(PENDING) : "memory");
}

template <int COUNT>
__device__ inline void hold(float (&values)[COUNT]) {
#pragma unroll
  for (int i = 0; i < COUNT; ++i) {
    asm volatile("" : "+f"(values[i])::"memory");
  }
}
template <int COUNT>
__device__ inline void hold(uint32_t (&values)[COUNT]) {
#pragma unroll
  for (int i = 0; i < COUNT; ++i) {
    asm volatile("" : "+r"(values[i])::"memory");
  }
}

enum class Swizzle : uint64_t { b128 = 1, b64 = 2 };

// Descriptor of an operand in shared memory, without the address (that is added as address >> 4).
// K-major: `stride` is the distance of groups of 8 rows; `leading` is unused.
// MN-major: `stride` is the distance of groups of 8 rows of K, `leading` that of panels of 64
// (128-byte swizzle) or 32 (64-byte swizzle) columns. Distances in bytes.
__host__ __device__ constexpr uint64_t descriptor_bits(Swizzle swizzle, uint32_t leading,
                                                       uint32_t stride) {
  return (static_cast<uint64_t>(swizzle) << 62) | (static_cast<uint64_t>(stride >> 4) << 32) |
         (static_cast<uint64_t>(leading >> 4) << 16);
}
__device__ inline uint64_t descriptor(uint64_t bits, uint32_t address) {
  return bits | static_cast<uint64_t>((address & 0x3FFFF) >> 4);
}

// The operand `bytes` further on. In 32 bits: an address never carries into the upper half, which
// the compiler cannot know, and these additions stand between the wgmmas.
__device__ inline uint64_t advance(uint64_t operand, uint32_t bytes) {
  const uint32_t low = static_cast<uint32_t>(operand) + (bytes >> 4);
  return (operand & 0xFFFFFFFF00000000ull) | low;
}

enum class Major { k, mn };

// D = A B (+ D if `add`), one step of K = 16.
template <int N, Major A, Major B>
struct Wgmma;

// clang-format off
#define TESSERA_SUMS_64 \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31"
#define TESSERA_OUT_64 \
      "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
      "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), \
      "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
      "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
template <Major A, Major B>
struct Wgmma<64, A, B> {
  static __device__ inline void shared(float (&d)[32], uint64_t a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %34, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      TESSERA_SUMS_64
      "}, %32, %33, p, 1, 1, %35, %36;\n}\n"
      : TESSERA_OUT_64
      : "l"(a), "l"(b), "r"(add), "n"(A == Major::mn ? 1 : 0), "n"(B == Major::mn ? 1 : 0));
  }
  static __device__ inline void registers(float (&d)[32], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %37, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {"
      TESSERA_SUMS_64
      "}, {%32, %33, %34, %35}, %36, p, 1, 1, %38;\n}\n"
      : TESSERA_OUT_64
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(B == Major::mn ? 1 : 0));
  }
};
#undef TESSERA_SUMS_64
#undef TESSERA_OUT_64

#define TESSERA_SUMS_96 \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47"
#define TESSERA_OUT_96 \
      "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
      "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), \
      "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
      "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), \
      "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), \
      "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47])
template <Major A, Major B>
struct Wgmma<96, A, B> {
  static __device__ inline void shared(float (&d)[48], uint64_t a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %50, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n96k16.f32.bf16.bf16 {"
      TESSERA_SUMS_96
      "}, %48, %49, p, 1, 1, %51, %52;\n}\n"
      : TESSERA_OUT_96
      : "l"(a), "l"(b), "r"(add), "n"(A == Major::mn ? 1 : 0), "n"(B == Major::mn ? 1 : 0));
  }
  static __device__ inline void registers(float (&d)[48], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %53, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n96k16.f32.bf16.bf16 {"
      TESSERA_SUMS_96
      "}, {%48, %49, %50, %51}, %52, p, 1, 1, %54;\n}\n"
      : TESSERA_OUT_96
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(B == Major::mn ? 1 : 0));
  }
};
#undef TESSERA_SUMS_96
#undef TESSERA_OUT_96

#define TESSERA_SUMS_128 \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63"
#define TESSERA_OUT_128 \
      "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
      "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), \
      "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
      "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), \
      "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), \
      "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), \
      "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), \
      "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63])
template <Major A, Major B>
struct Wgmma<128, A, B> {
  static __device__ inline void shared(float (&d)[64], uint64_t a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      TESSERA_SUMS_128
      "}, %64, %65, p, 1, 1, %67, %68;\n}\n"
      : TESSERA_OUT_128
      : "l"(a), "l"(b), "r"(add), "n"(A == Major::mn ? 1 : 0), "n"(B == Major::mn ? 1 : 0));
  }
  static __device__ inline void registers(float (&d)[64], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %69, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 {"
      TESSERA_SUMS_128
      "}, {%64, %65, %66, %67}, %68, p, 1, 1, %70;\n}\n"
      : TESSERA_OUT_128
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(B == Major::mn ? 1 : 0));
  }
};
#undef TESSERA_SUMS_128
#undef TESSERA_OUT_128

#define TESSERA_SUMS_192 \
      "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, " \
      "%16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, " \
      "%32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, " \
      "%48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, %59, %60, %61, %62, %63, " \
      "%64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, " \
      "%80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95"
#define TESSERA_OUT_192 \
      "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]), "+f"(d[7]), \
      "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]), "+f"(d[14]), "+f"(d[15]), \
      "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]), "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), \
      "+f"(d[24]), "+f"(d[25]), "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31]), \
      "+f"(d[32]), "+f"(d[33]), "+f"(d[34]), "+f"(d[35]), "+f"(d[36]), "+f"(d[37]), "+f"(d[38]), "+f"(d[39]), \
      "+f"(d[40]), "+f"(d[41]), "+f"(d[42]), "+f"(d[43]), "+f"(d[44]), "+f"(d[45]), "+f"(d[46]), "+f"(d[47]), \
      "+f"(d[48]), "+f"(d[49]), "+f"(d[50]), "+f"(d[51]), "+f"(d[52]), "+f"(d[53]), "+f"(d[54]), "+f"(d[55]), \
      "+f"(d[56]), "+f"(d[57]), "+f"(d[58]), "+f"(d[59]), "+f"(d[60]), "+f"(d[61]), "+f"(d[62]), "+f"(d[63]), \
      "+f"(d[64]), "+f"(d[65]), "+f"(d[66]), "+f"(d[67]), "+f"(d[68]), "+f"(d[69]), "+f"(d[70]), "+f"(d[71]), \
      "+f"(d[72]), "+f"(d[73]), "+f"(d[74]), "+f"(d[75]), "+f"(d[76]), "+f"(d[77]), "+f"(d[78]), "+f"(d[79]), \
      "+f"(d[80]), "+f"(d[81]), "+f"(d[82]), "+f"(d[83]), "+f"(d[84]), "+f"(d[85]), "+f"(d[86]), "+f"(d[87]), \
      "+f"(d[88]), "+f"(d[89]), "+f"(d[90]), "+f"(d[91]), "+f"(d[92]), "+f"(d[93]), "+f"(d[94]), "+f"(d[95])
template <Major A, Major B>
struct Wgmma<192, A, B> {
  static __device__ inline void shared(float (&d)[96], uint64_t a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %98, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.bf16.bf16 {"
      TESSERA_SUMS_192
      "}, %96, %97, p, 1, 1, %99, %100;\n}\n"
      : TESSERA_OUT_192
      : "l"(a), "l"(b), "r"(add), "n"(A == Major::mn ? 1 : 0), "n"(B == Major::mn ? 1 : 0));
  }
  static __device__ inline void registers(float (&d)[96], const uint32_t *a, uint64_t b, int add) {
    asm volatile("{\n.reg .pred p;\nsetp.ne.b32 p, %101, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.bf16.bf16 {"
      TESSERA_SUMS_192
      "}, {%96, %97, %98, %99}, %100, p, 1, 1, %102;\n}\n"
      : TESSERA_OUT_192
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(add), "n"(B == Major::mn ? 1 : 0));
  }
};
#undef TESSERA_SUMS_192
#undef TESSERA_OUT_192

// clang-format on

}  // namespace tessera::kernels::cuda::ptx
