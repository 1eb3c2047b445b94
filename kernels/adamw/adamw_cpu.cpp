// SPDX-License-Identifier: MIT
#include "kernels/adamw/adamw.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <vector>

#include "core/base/threads.h"
#include "kernels/adamw/adamw_contract.h"
#include "kernels/vector_sum.h"

namespace tessera::kernels::cpu {

namespace {
constexpr std::int64_t kChunk = 16384;  // fixed, so that sums do not depend on threads

template <class T>
double squares(const T* x, std::int64_t count) {
  return vector_sum<double>(count, [x](std::int64_t i) {
    const double value = static_cast<double>(x[i]);
    return value * value;
  });
}

/// The constants of one step, in the type of the weights.
template <class T>
struct Step {
  Step(const AdamWConfig& c, double gradient_scale)
      : scale(static_cast<T>(gradient_scale)),
        keep(static_cast<T>(1 - c.learning_rate * c.weight_decay)),
        new1(static_cast<T>(1 - c.beta1)),
        beta2(static_cast<T>(c.beta2)),
        new2(static_cast<T>(1 - c.beta2)),
        epsilon(static_cast<T>(c.epsilon)) {
    const double t = static_cast<double>(c.step);
    size = static_cast<T>(c.learning_rate / (1 - std::pow(c.beta1, t)));
    root = static_cast<T>(std::sqrt(1 - std::pow(c.beta2, t)));
  }
  T scale, keep, new1, beta2, new2, epsilon;
  T size;  ///< lr / (1 - beta1^t)
  T root;  ///< sqrt(1 - beta2^t)
};

/// Order of arithmetic as in PyTorch: m by interpolation, the correction of v on its root.
template <bool copies, class T, class M, class V, class C>
void update(const Step<T>& step, std::int64_t count, const T* gradient, T* weight, M* m, V* v,
            C* copy) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const T g = gradient[i] * step.scale;
    const T old_m = static_cast<T>(m[i]), old_v = static_cast<T>(v[i]);
    const T new_m = old_m + step.new1 * (g - old_m);
    const T new_v = old_v * step.beta2 + step.new2 * g * g;
    const T denominator = std::sqrt(new_v) / step.root + step.epsilon;
    const T new_weight = weight[i] * step.keep - step.size * (new_m / denominator);
    weight[i] = new_weight;
    if constexpr (copies) store(copy[i], new_weight);
    store(m[i], new_m);
    store(v[i], new_v);
  }
}

}  // namespace

void sum_of_squares(Context&, const Tensor& x, const Tensor& sum) {
  const char* where = "sum_of_squares";
  contract::sum_of_squares(where, x, sum);
  const double before = *sum.data<double>();
  const std::int64_t count = x.numel(), chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> partial(static_cast<std::size_t>(chunks));
  with_float(where, "x", x, [&]<class T>(T) {
    const T* data = x.data<T>();
    parallel_for(chunks, 2, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t chunk = begin; chunk < end; ++chunk) {
        const std::int64_t from = chunk * kChunk, to = std::min(count, from + kChunk);
        partial[static_cast<std::size_t>(chunk)] = squares(data + from, to - from);
      }
    });
  });
  double total = 0;
  for (double part : partial) total += part;
  *sum.data<double>() = before + total;
}

void clip_scale(Context&, const Tensor& sum, double max_norm, const Tensor& scale) {
  contract::clip_scale("clip_scale", sum, scale);
  const double squared = *sum.data<double>();
  double factor = 1;
  if (!std::isfinite(squared)) {
    factor = std::numeric_limits<double>::quiet_NaN();  // max_norm / infinity would hide it as 0
  } else if (max_norm > 0 && squared > 0) {
    factor = std::min(1.0, max_norm / std::sqrt(squared));
  }
  *scale.data<double>() = factor;
}

void adamw(Context&, const AdamWConfig& config, const Tensor& gradient, const Tensor& scale,
           const Tensor& weight, const Tensor& m, const Tensor& v, const Tensor& copy) {
  const char* where = "adamw";
  contract::adamw(where, config, gradient, scale, weight, m, v, copy);
  const std::int64_t count = weight.numel();
  const double factor = *scale.data<double>();
  with_float(where, "weight", weight, [&]<class T>(T) {
    const Step<T> step(config, factor);
    const T* g = gradient.data<T>();
    T* w = weight.data<T>();
    with_output_of<T>(where, "m", m, [&]<class M>(M) {
      with_output_of<T>(where, "v", v, [&]<class V>(V) {
        M* first = m.data<M>();
        V* second = v.data<V>();
        const auto run = [&]<bool copies, class C>(std::bool_constant<copies>, C* to) {
          parallel_for(count, kElementsPerPiece, [&](std::int64_t begin, std::int64_t end) {
            update<copies>(step, end - begin, g + begin, w + begin, first + begin, second + begin,
                           to + (copies ? begin : 0));
          });
        };
        if (!copy) return run(std::false_type{}, w);
        with_output_of<T>(where, "copy", copy,
                          [&]<class C>(C) { run(std::true_type{}, copy.data<C>()); });
      });
    });
  });
}

void adamw_quantise(Context& context, const AdamWConfig& config, const Tensor& gradient,
                    const Tensor& scale, const Tensor& weight, const Tensor& m, const Tensor& v,
                    const QuantisedWeight& out) {
  contract::adamw_quantise("adamw_quantise", config, gradient, scale, weight, m, v, out);
  adamw(context, config, gradient, scale, weight, m, v, {});
  quantise_weight(context, weight, out);
}

}  // namespace tessera::kernels::cpu
