// SPDX-License-Identifier: MIT
//
// Rates of the FP8 kernels and of cuBLASLt: medians of launches timed with events, inputs rotating
// between two sets, random data.
#pragma once

#include <cublasLt.h>

#include "tests/kernels/fp8_gpu_product.cuh"

namespace fp8_gpu {

inline void check(cublasStatus_t status, const char* what) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw tessera::Error(what, fmt::format("cuBLASLt status {}", static_cast<int>(status)));
  }
}

inline void bench_rate(const std::string& name, double operations,
                       const std::function<void(int)>& run) {
  const PowerStates t = time_power_states(run);
  std::printf("%-58s %7.3f ms %7.1f TFLOP/s; sustained %7.3f ms %7.1f TFLOP/s\n", name.c_str(),
              t.after_pause_ms, operations / t.after_pause_ms * 1e-9, t.sustained_ms,
              operations / t.sustained_ms * 1e-9);
  std::fflush(stdout);
}
inline void print_bandwidth(const std::string& name, double bytes, double ms) {
  std::printf("%-64s %8.3f ms %8.2f TB/s\n", name.c_str(), ms, bytes / ms * 1e-9);
  std::fflush(stdout);
}

// `total` blocks of 128 rows over `experts`, as a router without forced balance spreads them.
inline std::vector<int> natural_blocks(int experts, int total) {
  std::vector<double> weight;
  for (int e = 0; e < experts; ++e) weight.push_back(std::exp(0.8 * std::sin(7.3 * e * e)));
  const double sum = std::accumulate(weight.begin(), weight.end(), 0.0);
  std::vector<int> blocks;
  int left = total;
  for (int e = 0; e < experts; ++e) {
    const int want = static_cast<int>(std::lround(weight[static_cast<size_t>(e)] / sum * total));
    blocks.push_back(e == experts - 1 ? left : std::min(left, want));
    left -= blocks.back();
  }
  return blocks;
}

inline void bench_forward(const std::string& name, const std::vector<int>& blocks, int n, int k) {
  const ForwardData one(blocks, n, k, 0, 41), two(blocks, n, k, 0, 51);
  for (const int width : {0, 128, 192, 256}) {
    bench_rate(
        fmt::format("forward {} n {} k {} width {}", name, n, k, width), one.operations(),
        [&](int i) { grouped_product_fp8(nullptr, (i % 2 == 0 ? one : two).product(width)); });
  }
}

inline void bench_weight_grad(const std::string& name, const std::vector<int>& blocks, int m, int n,
                              bool accumulate) {
  const WeightGradData one(blocks, m, n, 0, 41), two(blocks, m, n, 0, 51);
  bench_rate(fmt::format("weight grad {} m {} n {}{}", name, m, n, accumulate ? " added" : ""),
             one.operations(), [&](int i) {
               grouped_weight_grad_fp8(nullptr, (i % 2 == 0 ? one : two).gradient(accumulate));
             });
}

// Dense c (rows, n) = a (rows, k) b (n, k)^T by cuBLASLt, with the given kinds of scales.
class LibraryProduct {
 public:
  LibraryProduct(int64_t rows, int n, int k, cudaDataType_t result,
                 cublasLtMatmulMatrixScale_t b_mode, cublasLtMatmulMatrixScale_t a_mode,
                 const float* b_scale, const float* a_scale)
      : workspace_(64u << 20) {
    check(cublasLtCreate(&handle_), "cublasLtCreate");
    check(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "desc");
    const cublasOperation_t transpose = CUBLAS_OP_T;
    set(CUBLASLT_MATMUL_DESC_TRANSA, transpose);
    set(CUBLASLT_MATMUL_DESC_A_SCALE_MODE, b_mode);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_MODE, a_mode);
    set(CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, b_scale);
    set(CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, a_scale);
    const auto m = static_cast<uint64_t>(n), columns = static_cast<uint64_t>(rows);
    const auto inner = static_cast<uint64_t>(k);
    check(cublasLtMatrixLayoutCreate(&b_, CUDA_R_8F_E4M3, inner, m, k), "layout");
    check(cublasLtMatrixLayoutCreate(&a_, CUDA_R_8F_E4M3, inner, columns, k), "layout");
    check(cublasLtMatrixLayoutCreate(&c_, result, m, columns, n), "layout");
    cublasLtMatmulPreference_t preference;
    check(cublasLtMatmulPreferenceCreate(&preference), "preference");
    const size_t bytes = workspace_.bytes();
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &bytes, sizeof bytes),
          "preference");
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle_, operation_, b_, a_, c_, c_, preference, 1,
                                         &choice_, &found),
          "heuristic");
    tessera::require(found > 0, "cuBLASLt", "no algorithm for this product");
  }
  void run(const void* a, const void* b, void* c) const {
    const float one = 1, zero = 0;
    check(cublasLtMatmul(handle_, operation_, &one, b, b_, a, a_, &zero, c, c_, c, c_,
                         &choice_.algo, workspace_.data(), workspace_.bytes(), nullptr),
          "cublasLtMatmul");
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
    check(cublasLtMatmulDescSetAttribute(operation_, attribute, &value, sizeof value), "desc");
  }
  cublasLtHandle_t handle_;
  cublasLtMatmulDesc_t operation_;
  cublasLtMatrixLayout_t a_, b_, c_;
  cublasLtMatmulHeuristicResult_t choice_{};
  DeviceArray<uint8_t> workspace_;
};

inline void bench_library(int64_t rows, int n, int k) {
  const ForwardData d({static_cast<int>(rows / 128)}, n, k, 0, 41);
  const ForwardData e({static_cast<int>(rows / 128)}, n, k, 0, 51);
  const DeviceArray<float> ones(std::vector<float>(
      static_cast<size_t>(std::max<int64_t>(rows, n)) * static_cast<size_t>((k + 127) / 128),
      1.0f));
  const DeviceArray<float> result(static_cast<size_t>(rows * n));
  const auto bench = [&](const char* name, cudaDataType_t type, cublasLtMatmulMatrixScale_t b_mode,
                         cublasLtMatmulMatrixScale_t a_mode) {
    try {
      const LibraryProduct product(rows, n, k, type, b_mode, a_mode, ones.data(), ones.data());
      bench_rate(fmt::format("cuBLASLt {} {} x {} x {}", name, rows, n, k), d.operations(),
                 [&](int i) {
                   const ForwardData& x = i % 2 == 0 ? d : e;
                   product.run(x.a.data(), x.b.data(), result.data());
                 });
    } catch (const tessera::Error& error) {
      std::printf("cuBLASLt %s: %s\n", name, error.what());
    }
  };
  bench("1x128 by 128x128, bf16", CUDA_R_16BF, CUBLASLT_MATMUL_MATRIX_SCALE_BLK128x128_32F,
        CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F);
  bench("1x128 by 1x128, f32", CUDA_R_32F, CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F,
        CUBLASLT_MATMUL_MATRIX_SCALE_VEC128_32F);
  bench("per tensor, bf16", CUDA_R_16BF, CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F,
        CUBLASLT_MATMUL_MATRIX_SCALE_SCALAR_32F);
}

inline void bench_quantise(int64_t rows, int cols) {
  const auto count = static_cast<size_t>(rows * cols);
  const DeviceArray<__nv_bfloat16> x(count), y(count);
  fill(x, 1);
  fill(y, 2);
  const ActivationBuffers b(rows, cols);
  QuantisedActivation only_rows = b.out(), only_columns = b.out();
  only_rows.values_t = nullptr;
  only_columns.values = nullptr;
  const double elements = static_cast<double>(count);
  const auto bench = [&](const char* name, const QuantisedActivation& out, double bytes) {
    const double ms = median_ms([&](int i) {
      quantise_activation(nullptr, (i % 2 == 0 ? x : y).data(), rows, cols, nullptr, out);
    });
    print_bandwidth(fmt::format("quantise {} {} x {}", name, rows, cols), elements * bytes, ms);
  };
  bench("both", b.out(), 4);
  bench("rows", only_rows, 3);
  bench("transposed", only_columns, 3);
}

inline void bench_swiglu(int64_t rows, int width) {
  const auto count = static_cast<size_t>(rows * width);
  const DeviceArray<__nv_bfloat16> x(2 * count), y(2 * count);
  fill(x, 1, 0.3f);
  fill(y, 2, 0.3f);
  const ActivationBuffers b(rows, width);
  const double ms = median_ms([&](int i) {
    swiglu_quantise(nullptr, (i % 2 == 0 ? x : y).data(), rows, width, nullptr, nullptr, nullptr,
                    {}, b.out());
  });
  print_bandwidth(fmt::format("swiglu both {} x {}", rows, width), 6.0 * static_cast<double>(count),
                  ms);
}

inline void bench_weight(int batch, int n, int k) {
  const auto count = static_cast<size_t>(batch) * static_cast<size_t>(n) * static_cast<size_t>(k);
  const DeviceArray<float> w(count);
  fill(w, 1, 0.02f);
  const DeviceArray<uint8_t> values(count), values_t(count);
  const DeviceArray<float> scales(count / 128), scales_t(count / 128);
  const double ms = median_ms([&](int) {
    quantise_weight(nullptr, w.data(), false, batch, n, k,
                    {values.data(), scales.data(), values_t.data(), scales_t.data()});
  });
  print_bandwidth(fmt::format("quantise f32 weight both {} x {} x {}", batch, n, k),
                  6.0 * static_cast<double>(count), ms);
}

inline void bench_copy() {
  const DeviceArray<uint8_t> x(1ull << 30), y(1ull << 30);
  const double ms = median_ms([&](int i) {
    check(cudaMemcpyAsync(i % 2 == 0 ? x.data() : y.data(), i % 2 == 0 ? y.data() : x.data(),
                          x.bytes(), cudaMemcpyDeviceToDevice),
          "copy");
  });
  print_bandwidth("device copy, 1 GiB", 2.0 * static_cast<double>(x.bytes()), ms);
}

inline void bench_all(const std::string& only) {
  const auto wanted = [&](const char* part) { return only.empty() || only == part; };
  if (wanted("forward")) {
    bench_forward("4 x 8192", {64, 64, 64, 64}, 4096, 7168);
    bench_forward("64 x 1024", std::vector<int>(64, 8), 1536, 2048);
    bench_forward("64 natural, 65536", natural_blocks(64, 512), 1536, 2048);
    bench_forward("64 x 1024", std::vector<int>(64, 8), 2048, 768);
  }
  if (wanted("gradient")) {
    bench_weight_grad("1 x 32768", {256}, 4096, 7168, false);
    bench_weight_grad("4 x 8192", {64, 64, 64, 64}, 4096, 7168, true);
    bench_weight_grad("1 x 32768", {256}, 4096, 7168, true);
    bench_weight_grad("64 x 1024", std::vector<int>(64, 8), 1536, 2048, false);
    bench_weight_grad("64 x 1024", std::vector<int>(64, 8), 1536, 2048, true);
    bench_weight_grad("64 natural, 65536", natural_blocks(64, 512), 1536, 2048, true);
  }
  if (wanted("library")) {
    bench_library(32768, 4096, 7168);
    bench_library(65536, 1536, 2048);
    bench_library(4096, 7168, 32768);
  }
  if (wanted("quantise")) {
    bench_copy();
    bench_quantise(32768, 7168);
    bench_quantise(65536, 2048);
    bench_swiglu(65536, 2048);
    bench_swiglu(65536, 768);
    bench_weight(64, 1536, 2048);
  }
}

}  // namespace fp8_gpu
