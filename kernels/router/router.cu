// SPDX-License-Identifier: MIT
// The router on the GPU: one warp per token, its scores and what it chooses from in shared memory.
#include "kernels/router/router.h"

#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/select.cuh"
#include "kernels/router/router_contract.h"

namespace tessera::kernels::cuda {

namespace {
constexpr float kTransformersEpsilon = 1e-20f;
constexpr int kMostWarps = 8;
constexpr std::int64_t kSharedBytes = 48 * 1024;

/// The warps of a block, each with `bytes` of shared memory.
struct Warps {
  int count;
  std::size_t shared_bytes;

  Warps(const char* where, std::int64_t bytes)
      : count(static_cast<int>(std::clamp<std::int64_t>(kSharedBytes / bytes, 0, kMostWarps))),
        shared_bytes(static_cast<std::size_t>(count * bytes)) {
    require(count > 0, where, "too many experts for one GPU block: {} bytes of shared memory",
            bytes);
  }
  unsigned blocks(std::int64_t tokens) const { return blocks_for(tokens, count); }
  unsigned threads() const { return static_cast<unsigned>(count * kWarp); }
};

__device__ inline std::int64_t token_of_warp() {
  return static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / kWarp) + threadIdx.x / kWarp;
}

struct Forward {
  Rows<const float> logits;
  const float* bias;
  Rows<float> scores, weights;
  Rows<std::int32_t> picks;
  std::int64_t tokens;
  int experts;
  RouterConfig config;
  tessera::cuda::Fault logit_fault, bias_fault;
};

/// scores <- sigmoid or softmax of the logits, which are in `scores`.
__device__ inline void score(Scoring scoring, float* scores, int experts, int lane) {
  if (scoring == Scoring::Sigmoid) {
    for (int e = lane; e < experts; e += kWarp) scores[e] = 1.0f / (1.0f + expf(-scores[e]));
    return;
  }
  float highest = -INFINITY;
  for (int e = lane; e < experts; e += kWarp) highest = fmaxf(highest, scores[e]);
  highest = warp_reduce(highest, Larger{});
  float sum = 0;
  for (int e = lane; e < experts; e += kWarp) {
    scores[e] = expf(scores[e] - highest);
    sum += scores[e];
  }
  sum = warp_sum(sum);
  for (int e = lane; e < experts; e += kWarp) scores[e] /= sum;
}

/// Where the choice s + b of an expert stands: rows of groups, padded so that lanes that read the
/// same place of several groups use different banks.
struct GroupLayout {
  int size, lanes;  ///< experts of a group; lanes that share one

  GroupLayout(int experts, int groups) : size(experts / groups), lanes(1) {
    while (2 * lanes * groups <= kWarp && 2 * lanes <= size) lanes *= 2;
  }
  int words(int groups) const { return groups * (size + lanes); }
  __device__ int place(int group, int i) const { return group * (size + lanes) + i; }
};

/// The largest s + b of a group, or the sum of its two largest; in all of the group's lanes.
__device__ inline float score_of_group(GroupScore rule, const GroupLayout& layout,
                                       const float* choice, int group, int lane) {
  float first = -INFINITY, second = -INFINITY;
  for (int i = lane % layout.lanes; i < layout.size; i += layout.lanes) {
    const float value = choice[layout.place(group, i)];
    second = fmaxf(second, fminf(first, value));
    first = fmaxf(first, value);
  }
  for (int step = layout.lanes / 2; step > 0; step /= 2) {
    const float other = __shfl_xor_sync(kAllLanes, first, step);
    second = fmaxf(fmaxf(second, __shfl_xor_sync(kAllLanes, second, step)), fminf(first, other));
    first = fmaxf(first, other);
  }
  return rule == GroupScore::TopTwoSum && layout.size > 1 ? first + second : first;
}

/// Marks the best groups in `kept`.
__device__ inline void keep_groups(const RouterConfig& config, const GroupLayout& layout,
                                   const float* choice, int lane, std::uint32_t* groups,
                                   std::uint32_t* kept) {
  const int at_once = kWarp / layout.lanes;
  for (int first = 0; first < config.groups; first += at_once) {
    const int group = first + lane / layout.lanes;
    const bool is_group = group < config.groups;
    const float value =
        score_of_group(config.group_score, layout, choice, is_group ? group : 0, lane);
    if (is_group && lane % layout.lanes == 0) {
      groups[group] = order_of(value);
      kept[group] = 0;
    }
  }
  __syncwarp();
  select_largest(groups, config.groups, config.kept_groups, [&](int, int group) {
    if (lane == 0) kept[group] = 1;
  });
}

/// 32-bit words of shared memory per warp.
std::int64_t forward_words(std::int64_t experts, const RouterConfig& config,
                           const GroupLayout& layout) {
  return 2 * experts + layout.words(config.groups) + 2 * config.groups + config.top_k;
}

__global__ void __launch_bounds__(kMostWarps* kWarp)
    forward_kernel(const Forward f, const GroupLayout layout, int words) {
  extern __shared__ std::uint32_t memory[];
  const int lane = threadIdx.x % kWarp, experts = f.experts, size = layout.size;
  const RouterConfig& config = f.config;
  const std::int64_t token = token_of_warp();
  if (token >= f.tokens) return;
  std::uint32_t* mine = memory + threadIdx.x / kWarp * words;
  auto* scores = reinterpret_cast<float*>(mine);
  std::uint32_t* orders = mine + experts;
  auto* picks = reinterpret_cast<std::int32_t*>(orders + experts);
  std::uint32_t *groups = orders + experts + config.top_k, *kept = groups + config.groups;
  auto* choice = reinterpret_cast<float*>(kept + config.groups);

  bool finite = true, finite_bias = true;
  for (int e = lane; e < experts; e += kWarp) {
    scores[e] = f.logits[token][e];
    finite = finite && isfinite(scores[e]);
  }
  if (!finite) f.logit_fault.raise(static_cast<unsigned>(token));
  __syncwarp();
  score(config.scoring, scores, experts, lane);
  const bool all_kept = config.kept_groups == config.groups;
  for (int e = lane; e < experts; e += kWarp) {
    const float bias = f.bias[e], sum = scores[e] + bias;
    finite_bias = finite_bias && isfinite(bias);
    f.scores[token][e] = scores[e];
    orders[e] = order_of(sum);
    if (!all_kept) choice[layout.place(e / size, e % size)] = sum;
  }
  if (!finite_bias) f.bias_fault.raise(static_cast<unsigned>(token));
  __syncwarp();
  if (!all_kept) {
    keep_groups(config, layout, choice, lane, groups, kept);
    const std::uint32_t dropped = config.transformers_masking ? order_of(0.0f) : 0;
    for (int e = lane; e < experts; e += kWarp) {
      if (kept[e / size] == 0) orders[e] = dropped;
    }
    __syncwarp();
  }
  float sum = 0;  // in the order of picks, as on the CPU
  const auto take = [&](int i, int expert) {
    if (lane == 0) picks[i] = expert;
    sum += scores[expert];
  };
  if (config.in_turn) {
    for (int i = 0; i < config.top_k; ++i) {
      take(i, pick_in_turn(token, i, config.top_k, experts));
    }
    __syncwarp();
  } else {
    select_largest(orders, experts, config.top_k, take);
  }
  if (config.transformers_masking) sum += kTransformersEpsilon;
  if (!config.normalise) sum = 1;
  // NOTE: sigmoid underflows to 0 below about -104; such a token then gets weights of 0, not NaN.
  const float factor = sum > 0 ? config.scale / sum : 0.0f;
  for (int i = lane; i < config.top_k; i += kWarp) {
    f.picks[token][i] = picks[i];
    f.weights[token][i] = scores[picks[i]] * factor;
  }
}

struct Backward {
  Rows<const float> d_weights, d_scores, scores;
  Rows<const std::int32_t> picks;
  Rows<float> d_logits;
  std::int64_t tokens;
  int experts;
  RouterConfig config;
};

__global__ void __launch_bounds__(kMostWarps* kWarp) backward_kernel(const Backward b) {
  extern __shared__ std::uint32_t memory[];
  const int lane = threadIdx.x % kWarp, experts = b.experts;
  const RouterConfig& config = b.config;
  const std::int64_t token = token_of_warp();
  if (token >= b.tokens) return;
  auto* d = reinterpret_cast<float*>(memory) + threadIdx.x / kWarp * experts;
  const float *scores = b.scores[token], *d_weights = b.d_weights[token];
  const std::int32_t* picks = b.picks[token];

  for (int e = lane; e < experts; e += kWarp) d[e] = b.d_scores ? b.d_scores[token][e] : 0.0f;
  __syncwarp();
  // The gradient that comes through the gate weights.
  float sum = config.transformers_masking ? kTransformersEpsilon : 0.0f, inner = 0;
  for (int i = lane; i < config.top_k; i += kWarp) inner += d_weights[i] * scores[picks[i]];
  float picked = 0;
  for (int i = lane; i < config.top_k; i += kWarp) picked += scores[picks[i]];
  sum += warp_sum(picked);
  inner = warp_sum(inner) / sum;
  for (int i = lane; i < config.top_k; i += kWarp) {
    if (!config.normalise) {
      d[picks[i]] += config.scale * d_weights[i];
    } else if (sum > 0) {
      d[picks[i]] += config.scale / sum * (d_weights[i] - inner);
    }
  }
  __syncwarp();
  float* d_logits = b.d_logits[token];
  if (config.scoring == Scoring::Sigmoid) {
    for (int e = lane; e < experts; e += kWarp) d_logits[e] = d[e] * scores[e] * (1.0f - scores[e]);
    return;
  }
  float along = 0;
  for (int e = lane; e < experts; e += kWarp) along += d[e] * scores[e];
  along = warp_sum(along);
  for (int e = lane; e < experts; e += kWarp) d_logits[e] = scores[e] * (d[e] - along);
}

}  // namespace

void router_forward(Context& context, const Tensor& logits, const Tensor& bias,
                    const RouterConfig& config, const Tensor& scores, const Tensor& picks,
                    const Tensor& weights) {
  const char* where = "router_forward";
  contract::router_forward(where, logits, bias, config, scores, picks, weights);
  const std::int64_t tokens = logits.size(0), experts = logits.size(1);
  if (tokens == 0) return;
  const GroupLayout layout(static_cast<int>(experts), config.groups);
  const std::int64_t words = forward_words(experts, config, layout);
  const Warps warps(where, words * 4);
  const Forward operands{read_rows<float>(logits),
                         bias.data<float>(),
                         rows_of<float>(scores),
                         rows_of<float>(weights),
                         rows_of<std::int32_t>(picks),
                         tokens,
                         static_cast<int>(experts),
                         config,
                         tessera::cuda::fault(where,
                                              "a logit of token {} is not finite: the model "
                                              "has diverged"),
                         tessera::cuda::fault(where,
                                              "the selection bias of an expert is not finite "
                                              "(seen at token {})")};
  forward_kernel<<<warps.blocks(tokens), warps.threads(), warps.shared_bytes, stream_of(context)>>>(
      operands, layout, static_cast<int>(words));
  check_launch(where);
}
TESSERA_CUDA_OPERATION(router_forward)

void router_backward(Context& context, const Tensor& d_weights, const Tensor& d_scores,
                     const Tensor& scores, const Tensor& picks, const RouterConfig& config,
                     const Tensor& d_logits) {
  const char* where = "router_backward";
  contract::router_backward(where, d_weights, d_scores, scores, picks, config, d_logits);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  if (tokens == 0) return;
  const Warps warps(where, experts * 4);
  const Backward operands{read_rows<float>(d_weights), read_rows<float>(d_scores),
                          read_rows<float>(scores),    read_rows<std::int32_t>(picks),
                          rows_of<float>(d_logits),    tokens,
                          static_cast<int>(experts),   config};
  backward_kernel<<<warps.blocks(tokens), warps.threads(), warps.shared_bytes,
                    stream_of(context)>>>(operands);
  check_launch(where);
}
TESSERA_CUDA_OPERATION(router_backward)

}  // namespace tessera::kernels::cuda
