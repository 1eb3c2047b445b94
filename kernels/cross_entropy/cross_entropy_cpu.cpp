// SPDX-License-Identifier: MIT
#include "kernels/cross_entropy/cross_entropy.h"

#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/cross_entropy/cross_entropy_contract.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {
// Sums of a block are in T, those of blocks in F64: a vocabulary is over a hundred thousand wide.
constexpr std::int64_t kBlock = 1024;

template <class T>
T highest(const T* x, std::int64_t count) {
  T most = x[0];
#pragma omp simd reduction(max : most)
  for (std::int64_t i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
  return most;
}

/// sum exp(x - shift); with `keep`, x becomes the exponentials.
template <bool keep, class T>
double sum_exp(T* x, std::int64_t count, T shift) {
  double total = 0;
  for (std::int64_t from = 0; from < count; from += kBlock) {
    const std::int64_t to = std::min(count, from + kBlock);
    T sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = from; i < to; ++i) {
      const T e = vector_exp(x[i] - shift);
      if constexpr (keep) x[i] = e;
      sum += e;
    }
    total += static_cast<double>(sum);
  }
  return total;
}

/// Returns the loss of one row; with `gradient`, logits become it times `scale`.
template <class T>
T one_row(T* logits, std::int64_t vocabulary, std::int32_t target, bool gradient, double scale) {
  if (target < 0) {
    if (gradient) std::fill_n(logits, vocabulary, T(0));
    return T(0);
  }
  const T shift = highest(logits, vocabulary), logit = logits[target];
  const double sum = gradient ? sum_exp<true>(logits, vocabulary, shift)
                              : sum_exp<false>(logits, vocabulary, shift);
  if (gradient) {
    const T factor = static_cast<T>(scale / sum);
#pragma omp simd
    for (std::int64_t i = 0; i < vocabulary; ++i) logits[i] *= factor;
    logits[target] -= static_cast<T>(scale);
  }
  return static_cast<T>(std::log(sum) + static_cast<double>(shift - logit));
}

/// The weight of each row's loss.
template <class T>
class RowWeights {
 public:
  explicit RowWeights(const Tensor& weights) : at_(weights ? weights.data<T>() : nullptr) {}
  T operator[](std::int64_t row) const { return at_ ? at_[row] : T(1); }

 private:
  const T* at_;
};

/// That every target is in the vocabulary, or -1.
void check_targets(const char* where, const Tensor& logits, const Tensor& targets) {
  const std::int64_t rows = logits.size(0), vocabulary = logits.size(1);
  const std::int32_t* target = targets.data<std::int32_t>();
  for (std::int64_t row = 0; row < rows; ++row) {
    require(target[row] >= -1 && target[row] < vocabulary, where,
            "target {} of row {} is outside [-1, {})", target[row], row, vocabulary);
  }
}
}  // namespace

void cross_entropy(Context&, const Tensor& logits, const Tensor& targets, const Tensor& weights,
                   double gradient_scale, const Tensor& loss) {
  const char* where = "cross_entropy";
  contract::cross_entropy(where, logits, targets, weights, loss);
  check_targets(where, logits, targets);
  const std::int64_t rows = logits.size(0), vocabulary = logits.size(1);
  const std::int32_t* target = targets.data<std::int32_t>();
  with_float(where, "logits", logits, [&]<class T>(T) {
    T* out = loss.data<T>();
    const RowWeights<T> weight(weights);
    parallel_for(rows, rows_per_piece(4 * vocabulary), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        out[row] = weight[row] * one_row(row_of<T>(logits, row), vocabulary, target[row],
                                         gradient_scale != 0,
                                         gradient_scale * static_cast<double>(weight[row]));
      }
    });
  });
}

void cross_entropy_gradient(Context&, const Tensor& logits, const Tensor& targets,
                            const Tensor& weights, double gradient_scale, const Tensor& loss,
                            const Tensor& gradient) {
  const char* where = "cross_entropy_gradient";
  contract::cross_entropy_gradient(where, logits, targets, weights, gradient_scale, loss, gradient);
  check_targets(where, logits, targets);
  const std::int64_t rows = logits.size(0), vocabulary = logits.size(1);
  const std::int32_t* target = targets.data<std::int32_t>();
  with_float(where, "logits", logits, [&]<class T>(T) {
    with_output_of<T>(where, "gradient", gradient, [&]<class G>(G) {
      T* out = loss.data<T>();
      const RowWeights<T> weight(weights);
      parallel_for(rows, rows_per_piece(4 * vocabulary), [&](std::int64_t begin, std::int64_t end) {
        std::vector<T> work(static_cast<std::size_t>(vocabulary));
        for (std::int64_t row = begin; row < end; ++row) {
          std::copy_n(row_of<T>(logits, row), vocabulary, work.data());
          out[row] = weight[row] * one_row(work.data(), vocabulary, target[row], true,
                                           gradient_scale * static_cast<double>(weight[row]));
          G* to = row_of<G>(gradient, row);
#pragma omp simd
          for (std::int64_t i = 0; i < vocabulary; ++i) store(to[i], work[i]);
        }
      });
    });
  });
}

}  // namespace tessera::kernels::cpu
