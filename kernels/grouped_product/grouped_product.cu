// SPDX-License-Identifier: MIT
// Expert products on the GPU: BF16 on Hopper by grouped_product_sm90.cuh, everything else by the
// plain tiled product. Groups are found on the device; nothing waits for the host.
#include "kernels/grouped_product/grouped_product.h"

#include <algorithm>

#include "core/base/cuda/element.cuh"
#include "core/base/cuda/launch.h"
#include "kernels/cuda/has.h"
#include "kernels/grouped_product/grouped_product_contract.h"
#include "kernels/grouped_product/grouped_product_sm90.cuh"
#include "kernels/product/product_plain.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr const char* kWhere = "grouped_product";

// ---- any type, shape and alignment

/// c[rows of e] = a[rows of e] w[e], where element (i, j) of w[e] is as `w` says.
template <class In, class Out>
struct RowsProduct {
  Strided<const In> a, w;
  Strided<Out> c;
  const std::int32_t* offsets;
  std::int64_t w_expert, n, k;
  int experts;
};

template <class In, class Out>
__global__ void __launch_bounds__(kPlainThreads) plain_rows_product(RowsProduct<In, Out> p) {
  __shared__ int2 found;
  if (threadIdx.x == 0) found = find_plain_tile(p.offsets, p.experts, static_cast<int>(blockIdx.x));
  __syncthreads();
  const int e = found.x;
  if (e == p.experts) return;
  const std::int64_t first = p.offsets[e], rows = p.offsets[e + 1] - first;
  p.a.data += first * p.a.row;
  p.c.data += first * p.c.row;
  p.w.data += e * p.w_expert;
  plain_product_tile(p.a, p.w, p.c, rows, p.n, p.k, std::int64_t{found.y} * kPlainTile,
                     std::int64_t{blockIdx.y} * kPlainTile, false);
}

/// db[e] += dc[rows of e]^T a[rows of e].
template <class In>
struct WeightProduct {
  Strided<const In> dc, a;  // dc already read as its transpose
  Strided<float> db;
  const std::int32_t* offsets;
  std::int64_t db_expert, n, k;
  bool add;
};

template <class In>
__global__ void __launch_bounds__(kPlainThreads) plain_weight_product(WeightProduct<In> p) {
  const int e = static_cast<int>(blockIdx.z);
  const std::int64_t first = p.offsets[e], rows = p.offsets[e + 1] - first;
  if (rows == 0 && p.add) return;
  p.dc.data += first * p.dc.column;
  p.a.data += first * p.a.row;
  p.db.data += e * p.db_expert;
  plain_product_tile(p.dc, p.a, p.db, p.n, p.k, rows, std::int64_t{blockIdx.x} * kPlainTile,
                     std::int64_t{blockIdx.y} * kPlainTile, p.add);
}

template <class In, class Out>
void plain_rows(Context& context, const Tensor& x, const Tensor& w, bool w_transposed,
                const Tensor& offsets, const Tensor& y) {
  RowsProduct<device_t<In>, device_t<Out>> p{};
  p.a = {device_data<In>(x), x.stride(0), 1};
  p.w = {device_data<In>(w), w_transposed ? 1 : w.stride(1), w_transposed ? w.stride(1) : 1};
  p.c = {device_data<Out>(y), y.stride(0), 1};
  p.offsets = offsets.data<std::int32_t>();
  p.w_expert = w.stride(0);
  p.n = y.size(1);
  p.k = x.size(1);
  p.experts = static_cast<int>(w.size(0));
  const dim3 grid(blocks_for(x.size(0), kPlainTile) + static_cast<unsigned>(p.experts),
                  blocks_for(p.n, kPlainTile));
  plain_rows_product<<<grid, kPlainThreads, 0, stream_of(context)>>>(p);
  check_launch(kWhere);
}

template <class In>
void plain_weight(Context& context, const Tensor& dc, const Tensor& a, const Tensor& offsets,
                  bool add, const Tensor& db) {
  WeightProduct<device_t<In>> p{};
  p.dc = {device_data<In>(dc), 1, dc.stride(0)};
  p.a = {device_data<In>(a), a.stride(0), 1};
  p.db = {device_data<float>(db), db.stride(1), 1};
  p.offsets = offsets.data<std::int32_t>();
  p.db_expert = db.stride(0);
  p.n = db.size(1);
  p.k = db.size(2);
  p.add = add;
  const dim3 grid(blocks_for(p.n, kPlainTile), blocks_for(p.k, kPlainTile),
                  static_cast<unsigned>(db.size(0)));
  plain_weight_product<<<grid, kPlainThreads, 0, stream_of(context)>>>(p);
  check_launch(kWhere);
}

// ---- BF16 on Hopper

using grouped_bf16::Arguments;
using grouped_bf16::Mode;

bool takes(const Tensor& x) {
  const auto address = reinterpret_cast<std::uintptr_t>(x.raw());
  bool fits = address % 16 == 0 && x.size(-1) % 8 == 0;
  for (int dim = 0; dim + 1 < x.rank(); ++dim) fits = fits && x.stride(dim) % 8 == 0;
  return fits;
}

bool on_hopper(const Tensor& x, const Tensor& y, const Tensor& z, std::int64_t experts) {
  return x.dtype() == DType::BF16 && has(Feature::Grouped) && takes(x) && takes(y) && takes(z) &&
         experts <= grouped_bf16::kMaxExperts;
}

// Boxes of 64 columns x `rows` of (rows, columns) or (experts, rows, columns).
CUtensorMap map_2d(const Tensor& x, std::uint32_t rows) {
  return ptx::make_tensor_map<2>(
      CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, x.raw(),
      {static_cast<std::uint64_t>(x.size(1)), static_cast<std::uint64_t>(x.size(0))},
      {static_cast<std::uint64_t>(x.stride(0)) * 2}, {64, rows}, CU_TENSOR_MAP_SWIZZLE_128B);
}
CUtensorMap map_3d(const Tensor& x, std::uint32_t rows) {
  return ptx::make_tensor_map<3>(
      CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, x.raw(),
      {static_cast<std::uint64_t>(x.size(2)), static_cast<std::uint64_t>(x.size(1)),
       static_cast<std::uint64_t>(x.size(0))},
      {static_cast<std::uint64_t>(x.stride(1)) * 2, static_cast<std::uint64_t>(x.stride(0)) * 2},
      {64, rows, 1}, CU_TENSOR_MAP_SWIZZLE_128B);
}

/// Blocks that run at one time, in whole clusters.
template <class Kernel>
int resident_blocks(Kernel* kernel) {
  using namespace grouped_bf16;
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, kTotal), kWhere);
  cudaLaunchAttribute cluster{};
  cluster.id = cudaLaunchAttributeClusterDimension;
  cluster.val.clusterDim = {kCluster, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = {kCluster, 1, 1};
  config.blockDim = {kThreads, 1, 1};
  config.dynamicSmemBytes = kTotal;
  config.attrs = &cluster;
  config.numAttrs = 1;
  int clusters = 0;
  check(cudaOccupancyMaxActiveClusters(&clusters, kernel, &config), kWhere);
  require(clusters > 0, kWhere, "the kernel does not fit on this GPU");
  return clusters * kCluster;
}

template <Mode MODE, class Out>
void launch(Context& context, const Arguments& arguments) {
  using namespace grouped_bf16;
  const auto kernel = grouped_kernel<MODE, Out>;
  static const int blocks = resident_blocks(kernel);
  kernel<<<blocks, kThreads, kTotal, stream_of(context)>>>(arguments);
  check_launch(kWhere);
}

template <Mode MODE>
void hopper_rows(Context& context, const Tensor& x, const Tensor& w, const Tensor& offsets,
                 const Tensor& y) {
  Arguments p{};
  p.a = map_2d(x, grouped_bf16::kRows);
  p.b = map_3d(w, MODE == Mode::forward ? grouped_bf16::kColumns / 2 : 64);
  p.result = y.raw();
  p.offsets = offsets.data<std::int32_t>();
  p.experts = static_cast<int>(w.size(0));
  p.n = static_cast<int>(y.size(1));
  p.k = static_cast<int>(x.size(1));
  p.stride = y.stride(0);
  if (y.dtype() == DType::BF16) {
    p.c = map_2d(y, 64);
    launch<MODE, __nv_bfloat16>(context, p);
  } else {
    launch<MODE, float>(context, p);
  }
}

void hopper_weight(Context& context, const Tensor& dc, const Tensor& a, const Tensor& offsets,
                   bool add, const Tensor& db) {
  Arguments p{};
  p.add = add;
  p.a = map_2d(dc, 64);
  p.b = map_2d(a, 64);
  p.result = db.raw();
  p.offsets = offsets.data<std::int32_t>();
  p.experts = static_cast<int>(db.size(0));
  p.m = static_cast<int>(db.size(1));
  p.n = static_cast<int>(db.size(2));
  p.stride = db.stride(1);
  p.c = ptx::make_tensor_map<3>(
      CU_TENSOR_MAP_DATA_TYPE_FLOAT32, db.raw(),
      {static_cast<std::uint64_t>(db.size(2)), static_cast<std::uint64_t>(db.size(1)),
       static_cast<std::uint64_t>(db.size(0))},
      {static_cast<std::uint64_t>(db.stride(1)) * 4, static_cast<std::uint64_t>(db.stride(0)) * 4},
      {grouped_bf16::kAddColumns, 64, 1}, CU_TENSOR_MAP_SWIZZLE_128B);
  launch<Mode::weight_grad, float>(context, p);
}

// ---- the operations

template <Mode MODE>
void multiply_rows(Context& context, const Tensor& x, const Tensor& w, const Tensor& offsets,
                   const Tensor& y) {
  if (y.numel() == 0 || w.size(0) == 0) return;
  constexpr bool kTransposed = MODE == Mode::forward;
  const bool rounds = y.dtype() == DType::BF16;
  if (x.size(1) > 0 && on_hopper(x, w, y, w.size(0))) {
    hopper_rows<MODE>(context, x, w, offsets, y);
  } else if (x.dtype() == DType::BF16 && w.dtype() == DType::BF16 && rounds) {
    plain_rows<bf16, bf16>(context, x, w, kTransposed, offsets, y);
  } else if (x.dtype() == DType::BF16 && w.dtype() == DType::BF16) {
    plain_rows<bf16, float>(context, x, w, kTransposed, offsets, y);
  } else {
    plain_rows<float, float>(context, x, w, kTransposed, offsets, y);
  }
}
}  // namespace

void grouped_product(Context& context, const Tensor& a, const Tensor& b, const Tensor& offsets,
                     const Tensor& c) {
  contract::grouped_product(kWhere, a, b, offsets, c);
  multiply_rows<Mode::forward>(context, a, b, offsets, c);
}
TESSERA_CUDA_OPERATION(grouped_product)

void grouped_product_input_grad(Context& context, const Tensor& dc, const Tensor& b,
                                const Tensor& offsets, const Tensor& da) {
  contract::grouped_product_input_grad(kWhere, dc, b, offsets, da);
  multiply_rows<Mode::input_grad>(context, dc, b, offsets, da);
}
TESSERA_CUDA_OPERATION(grouped_product_input_grad)

void grouped_product_weight_grad(Context& context, const Tensor& dc, const Tensor& a,
                                 const Tensor& offsets, float beta, const Tensor& db) {
  contract::grouped_product_weight_grad(kWhere, dc, a, offsets, beta, db);
  const bool add = beta != 0;
  if (db.numel() == 0 || (add && a.size(0) == 0)) return;
  require(db.dtype() == DType::F32, kWhere, "expected weight gradients of F32, got {}",
          db.describe());
  if (a.size(0) > 0 && a.dtype() == DType::BF16 && on_hopper(dc, a, db, db.size(0))) {
    hopper_weight(context, dc, a, offsets, add, db);
  } else if (a.dtype() == DType::BF16) {
    plain_weight<bf16>(context, dc, a, offsets, add, db);
  } else {
    plain_weight<float>(context, dc, a, offsets, add, db);
  }
}
TESSERA_CUDA_OPERATION(grouped_product_weight_grad)

}  // namespace tessera::kernels::cuda
