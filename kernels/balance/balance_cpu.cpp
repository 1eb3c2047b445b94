// SPDX-License-Identifier: MIT
#include "kernels/balance/balance.h"
#include "kernels/balance/balance_parts.h"

#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/balance/balance_contract.h"
#include "kernels/balance/balance_parts_contract.h"
#include "kernels/top_k.h"

namespace tessera::kernels::cpu {

namespace {
/// Which sequence each token is in. Throws Error unless `starts` rises from 0 to `tokens`.
std::vector<std::int32_t> sequences_of(const std::int32_t* starts, std::int64_t sequences,
                                       std::int64_t tokens) {
  std::vector<std::int32_t> sequence(static_cast<std::size_t>(tokens));
  require(starts[0] == 0 && starts[sequences] == tokens, "sequence_balance",
          "starts go from {} to {}, expected 0 to {}", starts[0], starts[sequences], tokens);
  for (std::int64_t s = 0; s < sequences; ++s) {
    require(starts[s] <= starts[s + 1] && starts[s + 1] <= tokens, "sequence_balance",
            "starts fall after sequence {}", s);
    std::fill(sequence.begin() + starts[s], sequence.begin() + starts[s + 1],
              static_cast<std::int32_t>(s));
  }
  return sequence;
}

/// The top-k of the scores alone, (tokens, top_k).
template <class T>
std::vector<std::int32_t> favourites(const Tensor& scores, int top_k) {
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  std::vector<std::int32_t> picks(static_cast<std::size_t>(tokens * top_k));
  parallel_for(tokens, rows_per_piece(8 * experts), [&](std::int64_t begin, std::int64_t end) {
    std::vector<T> values(static_cast<std::size_t>(top_k));
    for (std::int64_t t = begin; t < end; ++t) {
      TopK<T> best(top_k, values.data(), picks.data() + t * top_k);
      const T* row = row_of<T>(scores, t);
      for (std::int64_t e = 0; e < experts; ++e) best.offer(row[e], static_cast<std::int32_t>(e));
    }
  });
  return picks;
}

/// With p_i = s_i / sum_j s_j: writes d = factor * gradient of sum_i f_i p_i, returns that sum.
template <class T>
double one_token(const T* s, const double* f, std::int64_t experts, double factor, T* d) {
  double sum = 0, inner = 0;
#pragma omp simd reduction(+ : sum, inner)
  for (std::int64_t e = 0; e < experts; ++e) {
    sum += static_cast<double>(s[e]);
    inner += f[e] * static_cast<double>(s[e]);
  }
  const double inverse = sum > 0 ? 1 / sum : 0;  // all scores may have underflowed
  inner *= inverse;
  const double step = factor * inverse;
#pragma omp simd
  for (std::int64_t e = 0; e < experts; ++e) d[e] = static_cast<T>(step * (f[e] - inner));
  return inner;
}
}  // namespace

void sequence_balance(Context&, const Tensor& scores, const Tensor& starts, int top_k, double alpha,
                      double gradient_scale, const Tensor& loss, const Tensor& d_scores) {
  const char* where = "sequence_balance";
  contract::sequence_balance(where, scores, starts, top_k, loss, d_scores);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  const std::int64_t sequences = starts.size(0) - 1;
  const std::int32_t* start = starts.data<std::int32_t>();
  const std::vector<std::int32_t> sequence = sequences_of(start, sequences, tokens);
  const auto length = [start](std::int64_t s) { return double(start[s + 1] - start[s]); };

  with_float(where, "scores", scores, [&]<class T>(T) {
    const std::vector<std::int32_t> picks = favourites<T>(scores, top_k);
    std::vector<double> f(static_cast<std::size_t>(sequences * experts));
    for (std::int64_t slot = 0; slot < tokens * top_k; ++slot) {
      const std::int64_t s = sequence[static_cast<std::size_t>(slot / top_k)];
      const double share = static_cast<double>(experts) / (top_k * length(s));
      f[static_cast<std::size_t>(s * experts + picks[static_cast<std::size_t>(slot)])] += share;
    }
    double filled = 0;
    for (std::int64_t s = 0; s < sequences; ++s) filled += length(s) > 0 ? 1 : 0;
    // sum_i f_i P_i is the mean over tokens of sum_i f_i p_i, so P itself is never needed.
    std::vector<double> share_of_loss(static_cast<std::size_t>(tokens));
    parallel_for(tokens, rows_per_piece(experts), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t t = begin; t < end; ++t) {
        const std::int64_t s = sequence[static_cast<std::size_t>(t)];
        const double weight = alpha / (filled * length(s));
        share_of_loss[static_cast<std::size_t>(t)] =
            weight * one_token(row_of<T>(scores, t), f.data() + s * experts, experts,
                               weight * gradient_scale, row_of<T>(d_scores, t));
      }
    });
    double total = 0;
    for (double share : share_of_loss) total += share;
    *loss.data<double>() = total;
  });
}

void sequence_picks(Context&, const Tensor& scores, const Tensor& starts, int top_k,
                    const Tensor& counts) {
  const char* where = "sequence_picks";
  contract::sequence_picks(where, scores, starts, top_k, counts);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  const std::int64_t sequences = starts.size(0) - 1;
  const auto sequence = sequences_of(starts.data<std::int32_t>(), sequences, tokens);
  for (std::int64_t s = 0; s < sequences; ++s) {
    std::fill_n(row_of<std::int64_t>(counts, s), experts, std::int64_t{0});
  }
  with_float(where, "scores", scores, [&]<class T>(T) {
    const std::vector<std::int32_t> picks = favourites<T>(scores, top_k);
    for (std::int64_t slot = 0; slot < tokens * top_k; ++slot) {
      const std::int64_t s = sequence[static_cast<std::size_t>(slot / top_k)];
      ++row_of<std::int64_t>(counts, s)[picks[static_cast<std::size_t>(slot)]];
    }
  });
}

void sequence_balance_part(Context&, const Tensor& scores, const Tensor& starts,
                           const Tensor& lengths, const Tensor& counts, int top_k, double alpha,
                           double gradient_scale, const Tensor& loss, const Tensor& d_scores) {
  const char* where = "sequence_balance_part";
  contract::sequence_balance(where, scores, starts, top_k, loss, d_scores);
  contract::whole_sequences(where, scores, starts, lengths, counts);
  const std::int64_t tokens = scores.size(0), experts = scores.size(1);
  const std::int64_t sequences = starts.size(0) - 1;
  const auto sequence = sequences_of(starts.data<std::int32_t>(), sequences, tokens);
  const std::int32_t* length = lengths.data<std::int32_t>();
  double filled = 0;
  std::vector<double> f(static_cast<std::size_t>(sequences * experts));
  for (std::int64_t s = 0; s < sequences; ++s) {
    if (length[s] == 0) continue;
    filled += 1;
    const double share = static_cast<double>(experts) / (top_k * static_cast<double>(length[s]));
    const std::int64_t* count = row_of<std::int64_t>(counts, s);
    for (std::int64_t e = 0; e < experts; ++e) {
      f[static_cast<std::size_t>(s * experts + e)] = share * static_cast<double>(count[e]);
    }
  }
  with_float(where, "scores", scores, [&]<class T>(T) {
    double total = 0;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const std::int64_t s = sequence[static_cast<std::size_t>(t)];
      const double weight = alpha / (filled * length[s]);
      total += weight * one_token(row_of<T>(scores, t), f.data() + s * experts, experts,
                                  weight * gradient_scale, row_of<T>(d_scores, t));
    }
    *loss.data<double>() = total;
  });
}

void bias_update(Context&, const Tensor& counts, float speed, BiasUpdate rule, const Tensor& bias) {
  const char* where = "bias_update";
  contract::bias_update(where, counts, bias);
  const std::int64_t experts = counts.size(0);
  const std::int64_t* count = counts.data<std::int64_t>();
  float* b = bias.data<float>();
  __extension__ using Wide = __int128;  // experts times a 64-bit count
  Wide total = 0;
  for (std::int64_t e = 0; e < experts; ++e) total += count[e];
  if (total == 0) return;
  for (std::int64_t e = 0; e < experts; ++e) {
    // load - mean, times experts: exact, so that an expert at the mean stays where it is.
    const Wide excess = static_cast<Wide>(count[e]) * experts - total;
    if (rule == BiasUpdate::Sign) {
      if (excess != 0) b[e] -= excess > 0 ? speed : -speed;
    } else {
      // NOTE: the product of two floats is exact in F64, so that fusing it with the subtraction or
      // not gives the same bits; the GPU does the same.
      const auto ratio =
          static_cast<float>(static_cast<double>(excess) / static_cast<double>(total));
      b[e] = static_cast<float>(static_cast<double>(b[e]) -
                                static_cast<double>(speed) * static_cast<double>(ratio));
    }
  }
}

}  // namespace tessera::kernels::cpu
