// SPDX-License-Identifier: MIT
// AdamW over all parameters of a model: norm, clip, update (DeepSeek-V3 report, section 4.2).
#pragma once

#include <span>
#include <vector>

#include "core/base/communicator.h"
#include "core/model/parameters.h"
#include "core/train/shards.h"
#include "kernels/adamw/adamw.h"

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

/// Bytes that the moments of such pieces take.
std::size_t moment_bytes(std::span<const Piece> pieces, DType moments);

class Optimiser {
 public:
  Optimiser(ParameterSet& parameters, const OptimiserOptions& options, Device device)
      : Optimiser(parameters, options, device, all_pieces(parameters)) {}
  /// Of all parameters, or of those pieces of them that this rank updates.
  Optimiser(ParameterSet& parameters, const OptimiserOptions& options, Device device,
            std::vector<Piece> pieces);

  /// The global norm of the gradients and the factor that clips it; update() uses that factor.
  OptimiserReport measure(Context& context);
  /// The same over the ranks of a pipeline, after the gradients were summed over those that share
  /// them. `counts`, `counts_ends`: what this rank holds, and the token table, are its own to
  /// count, of the ranks that hold them. A collective call.
  OptimiserReport measure(Context& context, Communicator& pipeline, bool counts, bool counts_ends);
  /// The same from the sum of squares of all gradients, which is on the device already.
  OptimiserReport measured(Context& context, const Tensor& sum_of_squares);
  /// The same where it is on the host.
  OptimiserReport measured(Context& context, double sum_of_squares);
  /// One step of the optimiser's pieces with what measure() found. Where these are all of a
  /// parameter, then renews the copies that products read of it; else see
  /// ParameterSet::refresh_operands().
  void update(Context& context, double learning_rate);

  /// Moments as "m.<parameter>" and "v.<parameter>": the elements of the whole parameter from
  /// `first` on that this rank keeps.
  struct Moment {
    std::string name;
    std::int64_t first = 0, whole = 0;
    Tensor data;
  };
  std::vector<Moment> moments() const;
  std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  std::size_t bytes() const { return memory_.bytes(); }

 private:
  OptimiserReport clip(Context& context);
  void update_whole(Context& context, const kernels::AdamWConfig& config, const Parameter& p,
                    std::size_t at);
  ParameterSet& parameters_;
  OptimiserOptions options_;
  Buffer memory_, scalars_;
  Tensor sum_, scale_;
  std::vector<Piece> pieces_;
  std::vector<Tensor> m_, v_;  ///< one for each piece
  std::int64_t steps_ = 0;
};

}  // namespace tessera
