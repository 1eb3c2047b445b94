// SPDX-License-Identifier: MIT
// Choosing tokens on the GPU: one block a row. Probabilities are never sorted: what stands at a
// given sum or place of the falling order is found by halving the range of their bits, four parts a
// pass. Sums are of whole numbers, so that their order does not matter.
#include "kernels/choose/choose.h"

#include "kernels/choose/choose_contract.h"
#include "kernels/cuda/reduce.cuh"
#include "kernels/ptx/dependent_launch.cuh"

namespace tessera::kernels::cuda {

namespace {
constexpr int kChooseThreads = 1024;
constexpr int kChooseWarps = kChooseThreads / kWarp;
constexpr double kOneMass = 0x1p62;

struct ChooseTask {
  Rows<const float> logits;
  const double* draws;
  std::int32_t* chosen;
  float* probabilities;  // (rows, width)
  int width;
};

__device__ inline unsigned long long mass_of(float probability) {
  return static_cast<unsigned long long>(static_cast<double>(probability) * kOneMass);
}
/// Grows with the probability, which is not negative.
__device__ inline unsigned bits_of(float probability) {
  return __float_as_uint(probability);
}

/// Number and mass of some tokens.
struct Amount {
  unsigned long long mass;
  unsigned count;
};
struct AddAmounts {
  __device__ Amount operator()(const Amount& a, const Amount& b) const {
    return {a.mass + b.mass, a.count + b.count};
  }
};

__device__ inline Amount reduce_amount(Amount value, Amount* shared) {
#pragma unroll
  for (int step = kWarp / 2; step > 0; step /= 2) {
    value.mass += __shfl_xor_sync(kAllLanes, value.mass, step);
    value.count += __shfl_xor_sync(kAllLanes, value.count, step);
  }
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = value;
  __syncthreads();
  Amount total = shared[0];
  for (int warp = 1; warp < kChooseWarps; ++warp) total = AddAmounts{}(total, shared[warp]);
  __syncthreads();
  return total;
}

/// The row's probabilities, and the searches in them.
struct Falling {
  const float* p;
  int count;
  unsigned least;  ///< tokens of fewer bits are left out
  Amount* shared;

  /// Tokens of `bits` or more.
  __device__ void above(const unsigned (&bits)[3], Amount (&amounts)[3]) const {
#pragma unroll
    for (int i = 0; i < 3; ++i) amounts[i] = {0, 0};
    for (int at = threadIdx.x; at < count; at += kChooseThreads) {
      const float value = p[at];
      const unsigned own = bits_of(value);
      const unsigned long long mass = mass_of(value);
#pragma unroll
      for (int i = 0; i < 3; ++i) {
        const bool in = own >= bits[i] && own >= least;
        amounts[i].mass += in ? mass : 0;
        amounts[i].count += in ? 1 : 0;
      }
    }
#pragma unroll
    for (int i = 0; i < 3; ++i) amounts[i] = reduce_amount(amounts[i], shared);
  }

  /// The token with which `enough(sum of all up to it)` first holds, in the falling order: its
  /// bits, how many of equal bits stand up to it, and the sum. False: it never holds.
  template <class Enough>
  __device__ bool find(Enough enough, unsigned& bits, unsigned& place, Amount& sum) const {
    // Invariant: enough(all of `low` bits or more) holds, enough(all of `high` or more) does not.
    unsigned long long low = least, high = 0x3f800001u;  // above 1
    Amount before{0, 0}, with{0, 0};                     // what `high` has, and `low`
    {
      const unsigned all[3] = {least, least, least};
      Amount amounts[3];
      above(all, amounts);
      sum = with = amounts[0];
      if (!enough(sum)) return false;
    }
    while (high - low > 1) {
      const unsigned long long step = (high - low + 3) / 4;
      unsigned tries[3];
#pragma unroll
      for (int i = 0; i < 3; ++i) {
        const unsigned long long to = low + step * (i + 1);
        tries[i] = static_cast<unsigned>(to < high ? to : high);
      }
      Amount amounts[3];
      above(tries, amounts);
#pragma unroll
      for (int i = 2; i >= 0; --i) {  // rising bits hold less
        if (tries[i] >= high) continue;
        if (enough(amounts[i])) {
          low = tries[i];
          with = amounts[i];
          break;
        }
        high = tries[i];
        before = amounts[i];
      }
    }
    bits = static_cast<unsigned>(low);
    // All of these bits weigh the same: count them up.
    const unsigned long long each = mass_of(__uint_as_float(bits));
    unsigned few = 1, many = with.count - before.count;
    while (few < many) {
      const unsigned middle = few + (many - few) / 2;
      const Amount there{before.mass + each * middle, before.count + middle};
      if (enough(there)) {
        many = middle;
      } else {
        few = middle + 1;
      }
    }
    place = few;
    sum = {before.mass + each * few, before.count + few};
    return true;
  }

  /// The id of the place-th token of these bits, by rising ids.
  __device__ int id_at(unsigned bits, unsigned place, int* found) const {
    const int each = (count + kChooseThreads - 1) / kChooseThreads;
    const int from = min(static_cast<int>(threadIdx.x) * each, count), to = min(from + each, count);
    unsigned own = 0;
    for (int at = from; at < to; ++at) own += bits_of(p[at]) == bits ? 1 : 0;
    // Those of the threads before.
    unsigned sum = own;
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int step = 1; step < kWarp; step *= 2) {
      const unsigned other = __shfl_up_sync(kAllLanes, sum, step);
      if (lane >= step) sum += other;
    }
    if (lane == kWarp - 1) shared[threadIdx.x / kWarp].count = sum;
    if (threadIdx.x == 0) *found = -1;
    __syncthreads();
    unsigned before = sum - own;
    for (int warp = 0; warp < static_cast<int>(threadIdx.x) / kWarp; ++warp) {
      before += shared[warp].count;
    }
    if (before < place && place <= before + own) {
      for (int at = from; at < to; ++at) {
        if (bits_of(p[at]) == bits && ++before == place) *found = at;
      }
    }
    __syncthreads();
    const int id = *found;
    __syncthreads();
    return id;
  }
};

/// Probabilities of the row into memory; returns the largest.
__device__ inline float make_probabilities(const float* logits, float* p, int count, double scale) {
  __shared__ float largest_of[kChooseWarps];
  __shared__ double sums[kChooseWarps];
  float largest = -INFINITY;
  for (int at = threadIdx.x; at < count; at += kChooseThreads) largest = fmaxf(largest, logits[at]);
  largest = row_reduce(largest, largest_of, Larger{});
  const double factor = scale > 0 ? scale : 1;
  double total = 0;
  for (int at = threadIdx.x; at < count; at += kChooseThreads) {
    const double weight = exp((static_cast<double>(logits[at]) - largest) * factor);
    p[at] = static_cast<float>(weight);
    total += weight;
  }
  total = row_reduce(total, sums, Add{});
  const float divisor = static_cast<float>(total);
  float best = 0;
  for (int at = threadIdx.x; at < count; at += kChooseThreads) {
    p[at] = __fdiv_rn(p[at], divisor);
    best = fmaxf(best, p[at]);
  }
  return row_reduce(best, largest_of, Larger{});
}

__global__ void __launch_bounds__(kChooseThreads)
    choose_kernel(const __grid_constant__ ChooseTask t) {
  __shared__ Amount shared[kChooseWarps];
  __shared__ int counts[kChooseWarps], found;
  const std::int64_t row = blockIdx.x;
  ptx::wait_for_grid_before();
  const float* logits = t.logits[row];
  const double* draw = t.draws + row * kDrawColumns;
  std::int32_t* chosen = t.chosen + row * kChosenColumns;
  int broken = 0;
  for (int at = threadIdx.x; at < t.width; at += kChooseThreads) broken += !isfinite(logits[at]);
  broken = row_reduce(broken, counts, Add{});
  if (broken > 0) {
    if (threadIdx.x == 0) {
      chosen[kChosenId] = -1;
      chosen[kChosenProbability] = 0;
      chosen[kChosenBroken] = broken;
    }
    return;
  }
  const int real = static_cast<int>(draw[kDrawVocabulary]);
  const int count = real > 0 ? min(real, t.width) : t.width;
  float* p = t.probabilities + row * t.width;
  const float best = make_probabilities(logits, p, count, draw[kDrawScale]);
  unsigned bits = bits_of(best), place = 1;
  if (draw[kDrawScale] > 0) {
    // The smallest float that is not less than min_p times the best.
    const double least = draw[kDrawMinP] * static_cast<double>(best);
    const float above = __double2float_ru(least);
    const Falling tokens{p, count, bits_of(above), shared};
    const auto most = static_cast<unsigned>(fmin(draw[kDrawTopK], 2147483647.0));
    const double enough = draw[kDrawTopP] * kOneMass;
    Amount sum;
    tokens.find(
        [&](const Amount& a) {
          return (most > 0 && a.count >= most) || static_cast<double>(a.mass) >= enough;
        },
        bits, place, sum);
    // The product may be rounded up to the sum itself.
    const unsigned long long wanted =
        min(static_cast<unsigned long long>(static_cast<double>(sum.mass) * draw[kDrawUniform]),
            sum.mass - 1);
    tokens.find([&](const Amount& a) { return a.mass > wanted; }, bits, place, sum);
  }
  const Falling tokens{p, count, 0, shared};
  const int id = tokens.id_at(bits, place, &found);
  if (threadIdx.x == 0) {
    chosen[kChosenId] = id;
    chosen[kChosenProbability] = static_cast<std::int32_t>(bits);
    chosen[kChosenBroken] = 0;
  }
}
}  // namespace

void choose(Context& context, const Tensor& logits, const Tensor& draws, const Tensor& chosen) {
  const char* where = "choose";
  contract::choose(where, logits, draws, chosen);
  expect_dtype(where, "logits", logits, DType::F32);
  const std::int64_t rows = logits.size(0), width = logits.size(1);
  require(width < (std::int64_t{1} << 30), where, "too many logits: {}", logits.describe());
  if (rows == 0) return;
  ChooseTask t{};
  t.logits = read_rows<float>(logits);
  t.draws = draws.data<double>();
  t.chosen = chosen.data<std::int32_t>();
  t.probabilities = static_cast<float*>(
      workspace(context, static_cast<std::size_t>(rows * width) * sizeof(float)));
  t.width = static_cast<int>(width);
  choose_kernel<<<static_cast<unsigned>(rows), kChooseThreads, 0, stream_of(context)>>>(t);
  check_launch(where);
}
TESSERA_CUDA_OPERATION(choose)

}  // namespace tessera::kernels::cuda
