// SPDX-License-Identifier: MIT
// The library's FP8 product, for benchmarks: cuBLASLt with one scale per operand, which is what it
// is fastest at, and without its fast accumulation.
//
// NOTE: cuBLASLt is column major: our b is its A, transposed, and our a its B.
#include <cublasLt.h>

#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "core/base/cuda/launch.h"
#include "kernels/product_fp8/product_fp8_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr const char* kWhere = "library_product_fp8";
constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;

void check_lt(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(kWhere, fmt::format("cuBLASLt, {}: {}", what, cublasLtGetStatusString(status)));
}

/// Owns what the library makes.
template <class T, cublasStatus_t (*destroy)(T)>
struct Handle {
  T value = nullptr;
  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (value) destroy(value);
  }
};
using Layout = Handle<cublasLtMatrixLayout_t, cublasLtMatrixLayoutDestroy>;

class Plan {
 public:
  Plan(std::int64_t m, std::int64_t n, std::int64_t k, cudaDataType_t result) {
    check_lt(cublasLtCreate(&library_.value), "start");
    check_lt(cublasLtMatmulDescCreate(&operation_.value, CUBLAS_COMPUTE_32F, CUDA_R_32F),
             "operation");
    const cublasOperation_t transposed = CUBLAS_OP_T;
    check_lt(cublasLtMatmulDescSetAttribute(operation_.value, CUBLASLT_MATMUL_DESC_TRANSA,
                                            &transposed, sizeof transposed),
             "operation");
    make(a_, CUDA_R_8F_E4M3, k, n);
    make(b_, CUDA_R_8F_E4M3, k, m);
    make(c_, result, n, m);
    choose();
  }

  void run(Context& context, const Tensor& a, const Tensor& b, const Tensor& c) const {
    const float one = 1, zero = 0;
    void* space = workspace(context, kWorkspaceBytes);
    check_lt(cublasLtMatmul(library_.value, operation_.value, &one, b.raw(), a_.value, a.raw(),
                            b_.value, &zero, c.raw(), c_.value, c.raw(), c_.value, &choice_.algo,
                            space, kWorkspaceBytes, stream_of(context)),
             "product");
  }

 private:
  static void make(Layout& layout, cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    check_lt(cublasLtMatrixLayoutCreate(&layout.value, type, static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(columns), rows),
             "layout");
  }

  void choose() {
    Handle<cublasLtMatmulPreference_t, cublasLtMatmulPreferenceDestroy> wish;
    check_lt(cublasLtMatmulPreferenceCreate(&wish.value), "preference");
    const std::size_t bytes = kWorkspaceBytes;
    check_lt(cublasLtMatmulPreferenceSetAttribute(
                 wish.value, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes),
             "preference");
    int found = 0;
    const cublasStatus_t status =
        cublasLtMatmulAlgoGetHeuristic(library_.value, operation_.value, a_.value, b_.value,
                                       c_.value, c_.value, wish.value, 1, &choice_, &found);
    require(status == CUBLAS_STATUS_SUCCESS && found > 0, kWhere,
            "cuBLASLt has no FP8 product of these sizes on this GPU");
  }

  Handle<cublasLtHandle_t, cublasLtDestroy> library_;
  Handle<cublasLtMatmulDesc_t, cublasLtMatmulDescDestroy> operation_;
  Layout a_, b_, c_;
  cublasLtMatmulHeuristicResult_t choice_{};
};

const Plan& plan_for(std::int64_t m, std::int64_t n, std::int64_t k, cudaDataType_t result) {
  static std::mutex lock;
  // NOTE: never destroyed: at the end of the process the library may be gone before this file's
  // statics.
  static auto& plans = *new std::map<std::tuple<std::int64_t, std::int64_t, std::int64_t, int>,
                                     std::unique_ptr<Plan>>;
  const std::lock_guard guard(lock);
  auto& plan = plans[{m, n, k, static_cast<int>(result)}];
  if (!plan) plan = std::make_unique<Plan>(m, n, k, result);
  return *plan;
}
}  // namespace

void library_product_fp8(Context& context, const Tensor& a, const Tensor& b, const Tensor& c) {
  fp8::check_library_product(kWhere, a, b, c);
  const std::int64_t m = a.size(0), k = a.size(1), n = b.size(0);
  const bool narrow = c.dtype() == DType::BF16;
  if (!narrow) expect_dtype(kWhere, "c", c, DType::F32);
  if (c.numel() == 0) return;
  plan_for(m, n, k, narrow ? CUDA_R_16BF : CUDA_R_32F).run(context, a, b, c);
}
TESSERA_CUDA_OPERATION(library_product_fp8)

}  // namespace tessera::kernels::cuda
