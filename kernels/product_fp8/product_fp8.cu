// SPDX-License-Identifier: MIT
// FP8 products on the GPU: on Hopper the kernels of kernels/grouped_product, which take a dense
// product as one group, elsewhere product_fp8_plain.cuh. A weight gradient with fewer tiles than
// multiprocessors is cut along tokens; the parts are added in order.
#include <algorithm>

#include "core/base/cuda/launch.h"
#include "kernels/cuda/has.h"
#include "kernels/product_fp8/product_fp8_contract.h"
#include "kernels/product_fp8/product_fp8_launch.h"
#include "kernels/product_fp8/product_fp8_plain.cuh"

namespace tessera::kernels::cuda {

namespace {
const std::int32_t* offsets_pointer(const Tensor& offsets) {
  return offsets ? offsets.data<std::int32_t>() : nullptr;
}

void multiply(Context& context, const fp8::RowsProduct& p) {
  const bool is_f32 = p.c.dtype() == DType::F32;
  require(is_f32 || p.c.dtype() == DType::BF16, p.where, "expected a result of F32 or BF16, got {}",
          p.c.describe());
  if (p.c.numel() == 0) return;
  if (!has(Feature::ProductFp8)) return fp8_plain::multiply(context, p);
  GroupedFp8Product product{};
  product.a = p.values.data<f8e4m3>();
  product.a_scale = p.scales.data<float>();
  product.b = p.weights.data<f8e4m3>();
  product.b_scale = p.weight_scales.data<float>();
  product.offsets = offsets_pointer(p.offsets);
  product.c = p.c.raw();
  product.rows = p.rows();
  product.a_scale_stride = p.scales.stride(0);
  product.n = static_cast<int>(p.n());
  product.k = static_cast<int>(p.k());
  product.experts = static_cast<int>(p.experts());
  product.is_f32 = is_f32;
  product.add = p.add;
  grouped_product_fp8(stream_of(context), product);
  check_launch(p.where);
}

// ---- the weight gradient of a dense product in parts

constexpr int kMostParts = 16;

/// Parts along tokens that take least time, by what an H100 takes for 128 tokens of a tile
/// (256 x 128) and for the bytes of the parts; only ratios matter.
int choose_parts(std::int64_t m, std::int64_t n, std::int64_t tokens) {
  constexpr double kTileUs = 1.1, kBytesPerUs = 2.5e6;
  const std::int64_t blocks = (tokens + 127) / 128, sms = tessera::cuda::multiprocessors();
  const std::int64_t tiles = (m + 255) / 256 * ((n + 255) / 256) * 2;
  int best = 1;
  double least = 0;
  for (int parts = 1; parts <= kMostParts && parts <= blocks; ++parts) {
    const std::int64_t waves = (parts * tiles + sms - 1) / sms;
    const double bytes = parts == 1 ? 0 : double(2 * parts + 2) * double(m) * double(n) * 4;
    const double cost =
        double(waves) * double((blocks + parts - 1) / parts) * kTileUs + bytes / kBytesPerUs;
    if (parts == 1 || cost < least) {
      best = parts;
      least = cost;
    }
  }
  return best;
}

__global__ void __launch_bounds__(256)
    add_parts_kernel(const float4* made, int parts, std::int64_t count, bool add, float4* to) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  float4 sum = made[i];
  for (int part = 1; part < parts; ++part) {
    const float4 v = made[part * count + i];
    sum.x += v.x;
    sum.y += v.y;
    sum.z += v.z;
    sum.w += v.w;
  }
  const float4 old = add ? to[i] : make_float4(0, 0, 0, 0);
  to[i] = make_float4(old.x + sum.x, old.y + sum.y, old.z + sum.z, old.w + sum.w);
}
}  // namespace

void product_fp8(Context& context, const Quantised& a, const QuantisedWeight& b,
                 const Tensor& offsets, float beta, const Tensor& c) {
  multiply(context, fp8::forward_of(a, b, offsets, beta, c));
}
TESSERA_CUDA_OPERATION(product_fp8)

void product_fp8_input_grad(Context& context, const Quantised& dc, const QuantisedWeight& b,
                            const Tensor& offsets, float beta, const Tensor& da) {
  multiply(context, fp8::input_grad_of(dc, b, offsets, beta, da));
}
TESSERA_CUDA_OPERATION(product_fp8_input_grad)

void product_fp8_weight_grad(Context& context, const Quantised& dc, const Quantised& a,
                             const Tensor& offsets, float beta, const Tensor& db) {
  const char* where = "product_fp8_weight_grad";
  const std::int64_t tokens = fp8::check_weight_grad(where, dc, a, offsets, beta, db);
  const cudaStream_t stream = stream_of(context);
  if (db.numel() == 0) return;
  if (tokens == 0) {
    if (beta == 0) check(cudaMemsetAsync(db.raw(), 0, db.bytes(), stream), where);
    return;
  }
  if (!has(Feature::ProductFp8) || db.size(2) % 16 != 0) {
    return fp8_plain::weight_grad(context, dc, a, offsets, beta != 0, db);
  }
  require(dc.values_t.stride(0) == a.values_t.stride(0), where,
          "expected operands with rows of one stride");
  GroupedFp8WeightGrad p{};
  p.a = dc.values_t.data<f8e4m3>();
  p.a_scale = dc.scales_t.data<float>();
  p.b = a.values_t.data<f8e4m3>();
  p.b_scale = a.scales_t.data<float>();
  p.offsets = offsets_pointer(offsets);
  p.dw = db.data<float>();
  p.tokens = tokens;
  p.token_stride = a.values_t.stride(0);
  p.a_scale_stride = dc.scales_t.stride(0);
  p.b_scale_stride = a.scales_t.stride(0);
  p.m = static_cast<int>(db.size(1));
  p.n = static_cast<int>(db.size(2));
  p.experts = static_cast<int>(db.size(0));
  p.accumulate = beta != 0;
  const int parts = offsets ? 1 : choose_parts(p.m, p.n, tokens);
  if (parts == 1) {
    grouped_weight_grad_fp8(stream, p);
    return check_launch(where);
  }
  const std::int64_t size = std::int64_t{p.m} * p.n;
  auto* made = static_cast<float*>(
      workspace(context, static_cast<std::size_t>(parts * size) * sizeof(float)));
  p.dw = made;
  p.experts = parts;
  p.accumulate = false;
  grouped_weight_grad_fp8(stream, p);
  check_launch(where);
  add_parts_kernel<<<blocks_for(size / 4, 256), 256, 0, stream>>>(
      reinterpret_cast<const float4*>(made), parts, size / 4, beta != 0,
      reinterpret_cast<float4*>(db.data<float>()));
  check_launch(where);
}
TESSERA_CUDA_OPERATION(product_fp8_weight_grad)

}  // namespace tessera::kernels::cuda
