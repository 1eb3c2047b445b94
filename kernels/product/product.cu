// SPDX-License-Identifier: MIT
// Products on the GPU through cuBLASLt. Its heuristic is asked once per shape, layout and
// alignment; what it does not take (BF16 rows at odd addresses, for example) runs in
// product_plain.cuh.
//
// NOTE: cuBLASLt is column major. A row-major matrix is its transpose there, so c^T = b^T a^T is
// computed: "A" of cuBLASLt is our b and "B" is our a.
#include <cublasLt.h>

#include <cstring>
#include <map>
#include <mutex>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/product/matrices.h"
#include "kernels/product/product_plain.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr const char* kWhere = "product";
constexpr std::size_t kWorkspaceBytes = std::size_t{32} << 20;  // what NVIDIA names for Hopper
constexpr std::size_t kMostPlans = 4096;  // lengths of prompts vary without end

void check_lt(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(kWhere, fmt::format("cuBLASLt, {}: {}", what, cublasLtGetStatusString(status)));
}

/// One product as cuBLASLt sees it; the key of its plan.
struct Request {
  std::int64_t m, n, k, count;
  std::int64_t a_row, b_row, c_row, a_batch, b_batch, c_batch;
  std::uint32_t a_alignment, b_alignment, c_alignment;
  std::int32_t in, out, transpose, add;

  bool operator<(const Request& other) const { return std::memcmp(this, &other, sizeof *this) < 0; }
};
static_assert(sizeof(Request) == 10 * 8 + 7 * 4 + 4, "no padding but at the end, which is zeroed");

std::uint32_t alignment_of(const void* data) {
  const auto address = reinterpret_cast<std::uintptr_t>(data);
  std::uint32_t alignment = 256;
  while (address % alignment != 0) alignment /= 2;
  return alignment;
}

cudaDataType_t cuda_type(DType dtype) {
  return dtype == DType::BF16 ? CUDA_R_16BF : CUDA_R_32F;
}

class Plan {
 public:
  explicit Plan(cublasLtHandle_t handle, const Request& r) {
    // F32 means F32: not TF32.
    check_lt(cublasLtMatmulDescCreate(&operation_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "operation");
    const auto transpose = static_cast<Transpose>(r.transpose);
    const cublasOperation_t of_b = transpose == Transpose::B ? CUBLAS_OP_T : CUBLAS_OP_N;
    const cublasOperation_t of_a = transpose == Transpose::A ? CUBLAS_OP_T : CUBLAS_OP_N;
    set(CUBLASLT_MATMUL_DESC_TRANSA, of_b);
    set(CUBLASLT_MATMUL_DESC_TRANSB, of_a);
    const auto in = static_cast<cudaDataType_t>(r.in), out = static_cast<cudaDataType_t>(r.out);
    a_ = layout(in, transpose == Transpose::A ? r.m : r.k, transpose == Transpose::A ? r.k : r.m,
                r.a_row, r.count, r.a_batch);
    b_ = layout(in, transpose == Transpose::B ? r.k : r.n, transpose == Transpose::B ? r.n : r.k,
                r.b_row, r.count, r.b_batch);
    c_ = layout(out, r.n, r.m, r.c_row, r.count, r.c_batch);
    find_algorithm(handle, r);
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    for (cublasLtMatrixLayout_t one : {a_, b_, c_}) {
      if (one) cublasLtMatrixLayoutDestroy(one);
    }
    if (operation_) cublasLtMatmulDescDestroy(operation_);
  }

  bool usable() const { return usable_; }
  std::size_t workspace_bytes() const { return algorithm_.workspaceSize; }

  void run(cublasLtHandle_t handle, const void* a, const void* b, float beta, void* c, void* space,
           cudaStream_t stream) const {
    const float one = 1.0f;
    check_lt(cublasLtMatmul(handle, operation_, &one, b, b_, a, a_, &beta, c, c_, c, c_,
                            &algorithm_.algo, space, algorithm_.workspaceSize, stream),
             "product");
  }

 private:
  template <class Value>
  void set(cublasLtMatmulDescAttributes_t what, Value value) {
    check_lt(cublasLtMatmulDescSetAttribute(operation_, what, &value, sizeof value), "operation");
  }

  static cublasLtMatrixLayout_t layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns,
                                       std::int64_t stride, std::int64_t count,
                                       std::int64_t batch_stride) {
    cublasLtMatrixLayout_t made = nullptr;
    check_lt(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows),
                                        static_cast<std::uint64_t>(columns), stride),
             "layout");
    const auto batch = static_cast<std::int32_t>(count);
    check_lt(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &batch,
                                              sizeof batch),
             "layout");
    check_lt(cublasLtMatrixLayoutSetAttribute(made, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET,
                                              &batch_stride, sizeof batch_stride),
             "layout");
    return made;
  }

  void find_algorithm(cublasLtHandle_t handle, const Request& r) {
    cublasLtMatmulPreference_t wish = nullptr;
    check_lt(cublasLtMatmulPreferenceCreate(&wish), "preference");
    const auto ask = [&](cublasLtMatmulPreferenceAttributes_t what, const auto& value) {
      check_lt(cublasLtMatmulPreferenceSetAttribute(wish, what, &value, sizeof value),
               "preference");
    };
    const std::uint64_t bytes = kWorkspaceBytes;
    ask(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, bytes);
    ask(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, r.b_alignment);
    ask(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, r.a_alignment);
    ask(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, r.c_alignment);
    ask(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, r.c_alignment);
    int found = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(handle, operation_, b_, a_, c_, c_,
                                                                 wish, 1, &algorithm_, &found);
    cublasLtMatmulPreferenceDestroy(wish);
    usable_ =
        status == CUBLAS_STATUS_SUCCESS && found > 0 && algorithm_.state == CUBLAS_STATUS_SUCCESS;
  }

  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, c_ = nullptr;
  cublasLtMatmulHeuristicResult_t algorithm_{};
  bool usable_ = false;
};

/// The handle and the plans of the current GPU.
struct Library {
  cublasLtHandle_t handle = nullptr;
  std::mutex lock;
  std::map<Request, Plan> plans;

  Library() { check_lt(cublasLtCreate(&handle), "start"); }
  const Plan& plan(const Request& request) {
    const auto found = plans.find(request);
    if (found != plans.end()) return found->second;
    if (plans.size() >= kMostPlans) plans.clear();
    return plans.try_emplace(request, handle, request).first->second;
  }
};
Library& library() {
  static Library* const one = new Library;  // not destroyed: the driver may be gone by then
  return *one;
}

template <class In, class Out>
struct PlainProduct {
  Strided<const In> a, b;
  Strided<Out> c;
  std::int64_t a_batch, b_batch, c_batch, m, n, k;
  bool add;
};

template <class In, class Out>
__global__ void __launch_bounds__(kPlainThreads) plain_product(PlainProduct<In, Out> p) {
  p.a.data += blockIdx.z * p.a_batch;
  p.b.data += blockIdx.z * p.b_batch;
  p.c.data += blockIdx.z * p.c_batch;
  plain_product_tile(p.a, p.b, p.c, p.m, p.n, p.k, std::int64_t{blockIdx.x} * kPlainTile,
                     std::int64_t{blockIdx.y} * kPlainTile, p.add);
}

template <class In, class Out>
void run_plain(Context& context, const Tensor& a, const Matrices& am, const Tensor& b,
               const Matrices& bm, Transpose transpose, bool add, const Tensor& c,
               const Matrices& cm, const ProductShape& s) {
  PlainProduct<device_t<In>, device_t<Out>> p{};
  const bool a_t = transpose == Transpose::A, b_t = transpose == Transpose::B;
  p.a = {device_data<In>(a), a_t ? 1 : am.row_stride, a_t ? am.row_stride : 1};
  p.b = {device_data<In>(b), b_t ? 1 : bm.row_stride, b_t ? bm.row_stride : 1};
  p.c = {device_data<Out>(c), cm.row_stride, 1};
  p.a_batch = am.batch_stride;
  p.b_batch = bm.batch_stride;
  p.c_batch = cm.batch_stride;
  p.m = s.m;
  p.n = s.n;
  p.k = s.k;
  p.add = add;
  const dim3 grid(blocks_for(s.m, kPlainTile), blocks_for(s.n, kPlainTile),
                  static_cast<unsigned>(cm.count));
  plain_product<<<grid, kPlainThreads, 0, stream_of(context)>>>(p);
  check_launch(kWhere);
}

/// c = 0, for sums of length 0.
void clear(Context& context, const Tensor& c, const Matrices& cm) {
  const std::size_t element = size_of(c.dtype());
  for (std::int64_t i = 0; i < cm.count; ++i) {
    char* to =
        static_cast<char*>(c.raw()) + static_cast<std::size_t>(i * cm.batch_stride) * element;
    check(cudaMemset2DAsync(to, static_cast<std::size_t>(cm.row_stride) * element, 0,
                            static_cast<std::size_t>(cm.cols) * element,
                            static_cast<std::size_t>(cm.rows), stream_of(context)),
          kWhere);
  }
}
}  // namespace

void product(Context& context, const Tensor& a, const Tensor& b, Transpose transpose, float beta,
             const Tensor& c) {
  const Matrices am(a, "a"), bm(b, "b"), cm(c, "c");
  const ProductShape s = product_shape(a, am, b, bm, transpose, beta, c, cm);
  const bool is_bf16 = a.dtype() == DType::BF16, rounds = c.dtype() == DType::BF16;
  require((is_bf16 || a.dtype() == DType::F32) && (c.dtype() == DType::F32 || (is_bf16 && rounds)),
          kWhere, "there are no products of {} to {} on the GPU", a.describe(), c.describe());
  if (s.m == 0 || s.n == 0 || cm.count == 0) return;
  if (s.k == 0) {
    if (beta == 0) clear(context, c, cm);
    return;
  }
  Request r;
  std::memset(&r, 0, sizeof r);  // compared as bytes
  r.m = s.m;
  r.n = s.n;
  r.k = s.k;
  r.count = cm.count;
  r.a_row = am.row_stride;
  r.b_row = bm.row_stride;
  r.c_row = cm.row_stride;
  r.a_batch = am.batch_stride;
  r.b_batch = bm.batch_stride;
  r.c_batch = cm.batch_stride;
  r.a_alignment = alignment_of(a.raw());
  r.b_alignment = alignment_of(b.raw());
  r.c_alignment = alignment_of(c.raw());
  r.in = cuda_type(a.dtype());
  r.out = cuda_type(c.dtype());
  r.transpose = static_cast<std::int32_t>(transpose);
  r.add = beta != 0;

  Library& blas = library();
  const std::lock_guard lock(blas.lock);
  const Plan& plan = blas.plan(r);
  if (plan.usable()) {
    plan.run(blas.handle, a.raw(), b.raw(), beta, c.raw(),
             workspace(context, plan.workspace_bytes()), stream_of(context));
    check_launch(kWhere);
    return;
  }
  if (!is_bf16) {
    run_plain<float, float>(context, a, am, b, bm, transpose, r.add, c, cm, s);
  } else if (rounds) {
    run_plain<bf16, bf16>(context, a, am, b, bm, transpose, r.add, c, cm, s);
  } else {
    run_plain<bf16, float>(context, a, am, b, bm, transpose, r.add, c, cm, s);
  }
}
TESSERA_CUDA_OPERATION(product)

}  // namespace tessera::kernels::cuda
