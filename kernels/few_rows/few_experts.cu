// SPDX-License-Identifier: MIT
// A layer with experts for few tokens on the GPU, in two launches: each token's experts read it
// where it is, without sorting. Experts that several tokens pick are read again, from the L2 cache.
#include <algorithm>

#include "kernels/few_rows/few_rows.cuh"
#include "kernels/few_rows/few_rows_contract.h"

namespace tessera::kernels::cuda {

namespace few_rows {
namespace {
struct ExpertsTask {
  const __nv_bfloat16 *h, *gate_up, *down, *shared_gate_up, *shared_down;
  const std::int32_t* picks;
  const float* weights;
  __nv_bfloat16* activated;
  void* y;
  std::int64_t h_row, picks_row, weights_row, y_row;
  int tokens, top_k, slots, experts, hidden, width, shared_width, widest;
  bool narrow;

  /// Activated values of a token.
  __host__ __device__ int columns() const { return top_k * width + shared_width; }
};

/// The expert of a slot: the shared one is -1, none is -2.
__device__ inline int expert_of(const ExpertsTask& p, int token, int slot) {
  if (slot == p.top_k) return -1;
  const int e = p.picks[token * p.picks_row + slot];
  return e >= 0 && e < p.experts ? e : -2;
}

/// A warp has a column of one slot: those of all slots stand one behind the other.
__global__ void __launch_bounds__(kThreads) up_kernel(const __grid_constant__ ExpertsTask p) {
  extern __shared__ __align__(16) unsigned char memory[];
  auto* h = reinterpret_cast<__nv_bfloat16*>(memory);
  const int lane = threadIdx.x % kWarp, index = blockIdx.x * kWarps + threadIdx.x / kWarp;
  const int slot = min(index / p.width, p.top_k), column = index - slot * p.width;
  const int token = blockIdx.y;
  ptx::wait_for_grid_before();
  // NOTE: after the wait: the next kernel reads the picks before its own.
  ptx::launch_dependents();
  const __nv_bfloat16* from = p.h + token * p.h_row;
  for (int at = threadIdx.x * kEight; at < p.hidden; at += kThreads * kEight) {
    *reinterpret_cast<uint4*>(h + at) = *reinterpret_cast<const uint4*>(from + at);
  }
  __syncthreads();
  if (index >= p.columns()) return;
  const int e = expert_of(p, token, slot);
  const int width = e == -1 ? p.shared_width : p.width;
  __nv_bfloat16* out = p.activated + (std::int64_t{token} * p.slots + slot) * p.widest + column;
  if (e == -2) {
    if (lane == 0) store(*out, 0.0f);
    return;
  }
  const __nv_bfloat16* first =
      e == -1 ? p.shared_gate_up : p.gate_up + std::int64_t{e} * 2 * width * p.hidden;
  const __nv_bfloat16* const w[2] = {first + std::int64_t{column} * p.hidden,
                                     first + std::int64_t{width + column} * p.hidden};
  float sums[2][1] = {};
  add_products<1, 2>(sums, w, h, p.hidden, lane);
  const float gate = to_float(__float2bfloat16_rn(warp_sum(sums[0][0])));
  const float up = to_float(__float2bfloat16_rn(warp_sum(sums[1][0])));
  if (lane != 0) return;
  const float weight = e == -1 ? 1.0f : p.weights[token * p.weights_row + slot];
  store(*out, weight * (gate / (1.0f + expf(-gate)) * up));
}

/// A slot's matrix of weights: rows of `width`.
struct DownSlot {
  const __nv_bfloat16* weights;
  std::int64_t width;
};

/// Goes through one row of all slots' weights, one slot behind the other, by eights of elements: a
/// lane has every 32nd.
class DownRow {
 public:
  __device__ DownRow(const ExpertsTask& p, const DownSlot* slots, int row, int item)
      : slots_(slots), row_(row), each_(p.width / kEight), last_(p.top_k) {
    slot_ = min(item / each_, last_);
    at_ = item - slot_ * each_;
    find();
  }
  __device__ const __nv_bfloat16* here() const { return from_ + at_ * kEight; }
  __device__ void advance() {
    at_ += kWarp;
    while (at_ >= each_ && slot_ < last_) {
      at_ -= each_;
      ++slot_;
      find();
    }
  }

 private:
  __device__ void find() { from_ = slots_[slot_].weights + row_ * slots_[slot_].width; }

  const DownSlot* slots_;
  const __nv_bfloat16* from_;
  int row_, each_, last_, slot_, at_;
};

__device__ inline DownSlot down_slot(const ExpertsTask& p, int token, int slot) {
  if (slot == p.top_k) return {p.shared_down, p.shared_width};
  const int e = max(expert_of(p, token, slot), 0);  // of none the activated values are 0
  return {p.down + std::int64_t{e} * p.hidden * p.width, p.width};
}

__global__ void __launch_bounds__(kThreads) down_kernel(const __grid_constant__ ExpertsTask p) {
  constexpr int kDownAhead = 8;  // eights on their way at once
  extern __shared__ __align__(16) unsigned char memory[];
  auto* values = reinterpret_cast<__nv_bfloat16*>(memory);
  const int total = p.columns(), items = total / kEight;
  auto* slots = reinterpret_cast<DownSlot*>(values + total);
  const int lane = threadIdx.x % kWarp, row = blockIdx.x * kWarps + threadIdx.x / kWarp;
  const int token = blockIdx.y;
  ptx::launch_dependents();
  for (int slot = threadIdx.x; slot <= p.top_k; slot += kThreads) {
    slots[slot] = down_slot(p, token, slot);
  }
  __syncthreads();
  if (row < p.hidden) {
    for (int item = lane * 8; item < items; item += kWarp * 8) {  // 128 bytes at a time
      asm volatile("prefetch.global.L2 [%0];\n" ::"l"(DownRow(p, slots, row, item).here()));
    }
  }
  ptx::wait_for_grid_before();
  const __nv_bfloat16* from = p.activated + std::int64_t{token} * p.slots * p.widest;
  for (int item = threadIdx.x; item < items; item += kThreads) {
    const int each = p.width / kEight, slot = min(item / each, p.top_k);
    *reinterpret_cast<uint4*>(values + item * kEight) =
        *reinterpret_cast<const uint4*>(from + slot * p.widest + (item - slot * each) * kEight);
  }
  __syncthreads();
  if (row >= p.hidden) return;
  float sum = 0;
  DownRow weights(p, slots, row, lane);
  for (int first = lane; first < items; first += kDownAhead * kWarp) {
    Eight<__nv_bfloat16> w[kDownAhead];
#pragma unroll
    for (int ahead = 0; ahead < kDownAhead; ++ahead) {
      if (first + ahead * kWarp >= items) break;
      w[ahead].load(weights.here());
      weights.advance();
    }
#pragma unroll
    for (int ahead = 0; ahead < kDownAhead; ++ahead) {
      const int item = first + ahead * kWarp;
      if (item >= items) break;
      Eight<__nv_bfloat16> x;
      x.bits = *reinterpret_cast<const uint4*>(values + item * kEight);
      float a[kEight], b[kEight];
      w[ahead].unpack(a);
      x.unpack(b);
#pragma unroll
      for (int i = 0; i < kEight; ++i) sum = fmaf(a[i], b[i], sum);
    }
  }
  sum = warp_sum(sum);
  if (lane != 0) return;
  const std::int64_t at = token * p.y_row + row;
  if (p.narrow) {
    auto* y = static_cast<__nv_bfloat16*>(p.y) + at;
    store(*y, to_float(*y) + sum);
  } else {
    static_cast<float*>(p.y)[at] += sum;
  }
}
}  // namespace
}  // namespace few_rows

void few_experts(Context& context, const Tensor& h, const Tensor& picks, const Tensor& weights,
                 const ExpertWeights& experts, const Tensor& activated, const Tensor& y) {
  const char* where = "few_experts";
  contract::few_experts(where, h, picks, weights, experts, activated, y);
  for (const Tensor* t : {&h, &experts.gate_up, &experts.down, &experts.shared_gate_up,
                          &experts.shared_down, &activated}) {
    if (!*t) continue;
    expect_dtype(where, "h and all weights", *t, DType::BF16);
    require(allows_packs(8, {t}), where,
            "the GPU takes rows of a multiple of 8 elements at addresses that are multiples of 16");
  }
  expect_dtype(where, "weights", weights, DType::F32);
  require(y.dtype() == DType::BF16 || y.dtype() == DType::F32, where,
          "expected y of type F32 or BF16, got {}", y.describe());
  if (h.size(0) == 0) return;
  few_rows::ExpertsTask p{};
  p.h = device_data<bf16>(h);
  p.gate_up = device_data<bf16>(experts.gate_up);
  p.down = device_data<bf16>(experts.down);
  if (experts.shared_down) {
    p.shared_gate_up = device_data<bf16>(experts.shared_gate_up);
    p.shared_down = device_data<bf16>(experts.shared_down);
  }
  p.picks = picks.data<std::int32_t>();
  p.weights = weights.data<float>();
  p.activated = device_data<bf16>(activated);
  p.y = y.raw();
  p.h_row = h.stride(0);
  p.picks_row = picks.stride(0);
  p.weights_row = weights.stride(0);
  p.y_row = y.stride(0);
  p.tokens = static_cast<int>(h.size(0));
  p.top_k = static_cast<int>(picks.size(1));
  p.slots = static_cast<int>(experts.slots(picks.size(1)));
  p.experts = static_cast<int>(experts.down.size(0));
  p.hidden = static_cast<int>(h.size(1));
  p.width = static_cast<int>(experts.width());
  p.shared_width = static_cast<int>(experts.shared_width());
  p.widest = static_cast<int>(experts.widest());
  p.narrow = y.dtype() == DType::BF16;
  require(p.tokens <= 65535, where, "too many rows: {}", h.describe());
  const auto tokens = static_cast<unsigned>(p.tokens);
  const dim3 up(blocks_for(p.columns(), few_rows::kWarps), tokens);
  few_rows::launch(context, where, few_rows::up_kernel, up, static_cast<std::size_t>(p.hidden) * 2,
                   p);
  const std::size_t values = static_cast<std::size_t>(p.columns()) * 2;
  const dim3 down(blocks_for(p.hidden, few_rows::kWarps), tokens);
  few_rows::launch(context, where, few_rows::down_kernel, down,
                   values + static_cast<std::size_t>(p.top_k + 1) * sizeof(few_rows::DownSlot), p);
}
TESSERA_CUDA_OPERATION(few_experts)

}  // namespace tessera::kernels::cuda
