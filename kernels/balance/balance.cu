// SPDX-License-Identifier: MIT
// Balance loss and bias update on the GPU. Counts are integers, sums of the loss in F64 and in a
// fixed order; the bias update gives the CPU's bits.
#include "kernels/balance/balance.h"

#include "kernels/balance/balance_contract.h"
#include "kernels/cuda/pack.cuh"
#include "kernels/cuda/pieces.cuh"
#include "kernels/cuda/reduce.cuh"
#include "kernels/cuda/select.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr int kMostWarps = 8;
constexpr int kTokensPerWarp = 16;
constexpr std::int64_t kSharedBytes = 48 * 1024;

struct Balance {
  Rows<const float> scores;
  const std::int32_t* starts;
  std::int64_t sequences, tokens;
  int experts, top_k;
  double alpha, gradient_scale;
  Rows<float> d_scores;
  std::int32_t* picked;  ///< (sequences, experts): tokens whose top-k holds the expert
  double* losses;        ///< (blocks): shares of the loss
};

/// The tokens of a block follow each other; its warps take them in turn.
__device__ inline std::int64_t token_of_warp(int turn) {
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  return static_cast<std::int64_t>(blockIdx.x) * warps * kTokensPerWarp + turn * warps +
         threadIdx.x / kWarp;
}

/// The sequence that holds the token: the last one that starts at it or before.
__device__ inline std::int64_t sequence_of(const Balance& b, std::int64_t token) {
  std::int64_t low = 0, high = b.sequences - 1;
  while (low < high) {
    const std::int64_t middle = (low + high + 1) / 2;
    if (b.starts[middle] <= token) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return low;
}

/// Raises the fault unless starts rise from 0 to the number of tokens.
__global__ void __launch_bounds__(256)
    check_starts_kernel(const Balance b, tessera::cuda::Fault fault) {
  const std::int64_t s = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (s > b.sequences) return;
  const bool right = (s > 0 || b.starts[s] == 0) && (s == 0 || b.starts[s - 1] <= b.starts[s]) &&
                     (s < b.sequences || b.starts[s] == b.tokens);
  if (!right) fault.raise(static_cast<unsigned>(s));
}

/// Counts favourites, a token at a time per warp: in shared memory for the sequence in which the
/// block begins, which is that of nearly all its tokens. Integers: their order changes nothing.
__global__ void __launch_bounds__(kMostWarps* kWarp) count_kernel(const Balance b) {
  extern __shared__ std::uint32_t memory[];
  const int lane = threadIdx.x % kWarp;
  auto* of_block = reinterpret_cast<std::int32_t*>(memory);
  std::uint32_t* orders = memory + (1 + threadIdx.x / kWarp) * b.experts;
  for (int e = static_cast<int>(threadIdx.x); e < b.experts; e += static_cast<int>(blockDim.x)) {
    of_block[e] = 0;
  }
  __syncthreads();
  const std::int64_t first = token_of_warp(0) - threadIdx.x / kWarp;
  const std::int64_t home = sequence_of(b, first);
  for (int turn = 0; turn < kTokensPerWarp; ++turn) {
    const std::int64_t token = token_of_warp(turn);
    if (token >= b.tokens) break;
    for (int e = lane; e < b.experts; e += kWarp) orders[e] = order_of(b.scores[token][e]);
    __syncwarp();
    const bool at_home = token < b.starts[home + 1];
    std::int32_t* counts = at_home ? of_block : b.picked + sequence_of(b, token) * b.experts;
    select_largest(orders, b.experts, b.top_k, [&](int, int expert) {
      if (lane == 0) atomicAdd(counts + expert, 1);
    });
    __syncwarp();
  }
  __syncthreads();
  for (int e = static_cast<int>(threadIdx.x); e < b.experts; e += static_cast<int>(blockDim.x)) {
    if (of_block[e] > 0) atomicAdd(b.picked + home * b.experts + e, of_block[e]);
  }
}

/// A token's share of the loss and its gradient, by one warp; the share in every lane.
__device__ inline double balance_token(const Balance& b, std::int64_t token, int filled) {
  const int lane = threadIdx.x % kWarp;
  const std::int64_t s = sequence_of(b, token);
  const double length = b.starts[s + 1] - b.starts[s];
  const double share =
      static_cast<double>(b.experts) / (b.top_k * length);  // what one pick adds to f
  const double weight = b.alpha / (filled * length);
  const std::int32_t* counts = b.picked + s * b.experts;
  const float* scores = b.scores[token];
  double sum = 0, inner = 0;
  for (int e = lane; e < b.experts; e += kWarp) {
    sum += static_cast<double>(scores[e]);
    inner += share * counts[e] * static_cast<double>(scores[e]);
  }
  sum = warp_sum(sum);
  const double inverse = sum > 0 ? 1 / sum : 0;  // all scores may have underflowed
  inner = warp_sum(inner) * inverse;
  const double step = weight * b.gradient_scale * inverse;
  for (int e = lane; e < b.experts; e += kWarp) {
    b.d_scores[token][e] = static_cast<float>(step * (share * counts[e] - inner));
  }
  return weight * inner;
}

/// A token at a time per warp. With p_i = s_i / sum_j s_j: the token's share of sum_i f_i P_i is a
/// mean of sum_i f_i p_i, so P itself is never needed.
__global__ void __launch_bounds__(kMostWarps* kWarp) token_kernel(const Balance b) {
  __shared__ int filled;
  if (threadIdx.x == 0) filled = 0;
  __syncthreads();
  int mine = 0;
  for (std::int64_t s = threadIdx.x; s < b.sequences; s += blockDim.x) {
    mine += b.starts[s] < b.starts[s + 1] ? 1 : 0;
  }
  if (mine > 0) atomicAdd(&filled, mine);
  __syncthreads();
  double loss = 0;
  for (int turn = 0; turn < kTokensPerWarp && token_of_warp(turn) < b.tokens; ++turn) {
    loss += balance_token(b, token_of_warp(turn), filled);
  }
  __shared__ double of_warps[kMostWarps];
  if (threadIdx.x % kWarp == 0) of_warps[threadIdx.x / kWarp] = loss;
  __syncthreads();
  if (threadIdx.x > 0) return;
  for (unsigned w = 1; w < blockDim.x / kWarp; ++w) loss += of_warps[w];
  b.losses[blockIdx.x] = loss;
}

/// One block: 128-bit integers as on the CPU, every thread with the whole sum.
__global__ void __launch_bounds__(1024) bias_kernel(const std::int64_t* counts, int experts,
                                                    float speed, BiasUpdate rule, float* bias) {
  __extension__ using Wide = __int128;  // experts times a 64-bit count
  Wide total = 0;
  for (int e = 0; e < experts; ++e) total += counts[e];
  if (total == 0) return;
  for (int e = static_cast<int>(threadIdx.x); e < experts; e += static_cast<int>(blockDim.x)) {
    const Wide excess = static_cast<Wide>(counts[e]) * experts - total;
    if (rule == BiasUpdate::Sign) {
      if (excess != 0) bias[e] -= excess > 0 ? speed : -speed;
    } else {
      // NOTE: the product of two floats is exact in F64, so that fusing it with the subtraction or
      // not gives the same bits; the CPU does the same.
      const auto ratio =
          static_cast<float>(static_cast<double>(excess) / static_cast<double>(total));
      bias[e] = static_cast<float>(static_cast<double>(bias[e]) -
                                   static_cast<double>(speed) * static_cast<double>(ratio));
    }
  }
}
}  // namespace

void sequence_balance(Context& context, const Tensor& scores, const Tensor& starts, int top_k,
                      double alpha, double gradient_scale, const Tensor& loss,
                      const Tensor& d_scores) {
  const char* where = "sequence_balance";
  contract::sequence_balance(where, scores, starts, top_k, loss, d_scores);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  const std::int64_t sequences = starts.size(0) - 1;
  require(sequences > 0 || tokens == 0, where, "{} tokens in no sequence", tokens);
  require(experts * 8 <= kSharedBytes, where, "{} experts are too many for one GPU block", experts);
  const cudaStream_t stream = stream_of(context);

  Pieces pieces;
  const auto picked = pieces.reserve<std::int32_t>(sequences * experts);
  const auto warps = std::min<std::int64_t>(kMostWarps, kSharedBytes / (experts * 4) - 1);
  const unsigned blocks = blocks_for(tokens, static_cast<int>(warps) * kTokensPerWarp);
  const auto losses = pieces.reserve<double>(blocks);
  pieces.take(context);
  const Balance operands{read_rows<float>(scores),
                         starts.data<std::int32_t>(),
                         sequences,
                         tokens,
                         static_cast<int>(experts),
                         top_k,
                         alpha,
                         gradient_scale,
                         rows_of<float>(d_scores),
                         pieces.at(picked),
                         pieces.at(losses)};
  check_starts_kernel<<<blocks_for(sequences + 1, 256), 256, 0, stream>>>(
      operands, tessera::cuda::fault(where,
                                     "starts fall, or do not go from 0 to the number of "
                                     "tokens, at sequence {}"));
  check_launch(where);
  if (tokens > 0) {
    check(cudaMemsetAsync(operands.picked, 0,
                          static_cast<std::size_t>(sequences * experts) * sizeof(std::int32_t),
                          stream),
          where);
    const auto threads = static_cast<unsigned>(warps * kWarp);
    count_kernel<<<blocks, threads, static_cast<std::size_t>((warps + 1) * experts) * 4, stream>>>(
        operands);
    check_launch(where);
    token_kernel<<<blocks, threads, 0, stream>>>(operands);
    check_launch(where);
  }
  finish_sum<false><<<1, kMostSumBlocks, 0, stream>>>(operands.losses, tokens > 0 ? blocks : 0,
                                                      loss.data<double>());
  check_launch(where);
}
TESSERA_CUDA_OPERATION(sequence_balance)

void bias_update(Context& context, const Tensor& counts, float speed, BiasUpdate rule,
                 const Tensor& bias) {
  const char* where = "bias_update";
  contract::bias_update(where, counts, bias);
  const std::int64_t experts = counts.size(0);
  if (experts == 0) return;
  const auto threads =
      static_cast<unsigned>(std::min<std::int64_t>(1024, (experts + kWarp - 1) / kWarp * kWarp));
  bias_kernel<<<1, threads, 0, stream_of(context)>>>(
      counts.data<std::int64_t>(), static_cast<int>(experts), speed, rule, bias.data<float>());
  check_launch(where);
}
TESSERA_CUDA_OPERATION(bias_update)

}  // namespace tessera::kernels::cuda
