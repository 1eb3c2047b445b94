// SPDX-License-Identifier: MIT
// AdamW over all parameters of a model: norm, clip, update (DeepSeek-V3 report, section 4.2).
#pragma once

#include <vector>

#include "core/base/communicator.h"
#include "core/model/parameters.h"

namespace tessera {

struct OptimiserOptions {
  double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double weight_decay = 0.1;   ///< on matrices only
  double clip = 1.0;           ///< largest global gradient norm; 0: no limit
  DType moments = DType::F32;  ///< F32 or BF16
};

struct OptimiserReport {
  double grad_norm = 0;  ///< before clipping
  double clip = 1;       ///< factor the gradients were scaled with
};

/// Bytes that the moments of a model take.
std::size_t moment_bytes(const ParameterSet& parameters, DType moments);

class Optimiser {
 public:
  Optimiser(ParameterSet& parameters, const OptimiserOptions& options, Device device);

  /// The global norm of the gradients and the factor that clips it; update() uses that factor.
  OptimiserReport measure(Context& context);
  /// The same over the ranks that hold the stages of a pipeline, in their order, and those that
  /// share the experts of a stage, after the gradients were summed over those that hold the same
  /// parameters. A collective call.
  OptimiserReport measure(Context& context, Communicator& stages, Communicator& experts);
  /// The same from the sum of squares of all gradients.
  OptimiserReport measured(Context& context, double sum_of_squares);
  /// One step with what measure() found; then renews the copies that products read.
  void update(Context& context, double learning_rate);

  /// Moments as "m.<parameter>" and "v.<parameter>".
  struct Moment {
    std::string name;
    Tensor data;
  };
  std::vector<Moment> moments() const;
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  OptimiserReport clip(Context& context);
  ParameterSet& parameters_;
  OptimiserOptions options_;
  Buffer memory_, scalars_;
  Tensor sum_, scale_;
  std::vector<Tensor> m_, v_;  ///< one for each trained parameter, in order
  std::int64_t steps_ = 0;
};

}  // namespace tessera
