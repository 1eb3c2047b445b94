// SPDX-License-Identifier: MIT
#include "core/train/optimiser.h"

#include <cmath>

#include "core/base/error.h"
#include "kernels/adamw/adamw.h"
#include "kernels/convert/convert.h"

namespace tessera {

std::size_t moment_bytes(std::span<const Piece> pieces, DType moments) {
  std::int64_t total = 0;
  for (const Piece& piece : pieces) total += 2 * piece.count;
  return static_cast<std::size_t>(total) * size_of(moments);
}

Optimiser::Optimiser(ParameterSet& parameters, const OptimiserOptions& options, Device device,
                     std::vector<Piece> pieces)
    : parameters_(parameters),
      options_(options),
      scalars_(2 * sizeof(double), device),
      pieces_(std::move(pieces)) {
  require(options.moments == DType::F32 || options.moments == DType::BF16, "optimiser",
          "moments are {}, expected F32 or BF16", name_of(options.moments));
  memory_ = Buffer(moment_bytes(pieces_, options.moments), device);
  const auto total = static_cast<std::int64_t>(memory_.bytes() / size_of(options.moments));
  const Tensor flat = memory_.view(options.moments, {total});
  std::int64_t at = 0;
  for (const Piece& piece : pieces_) {
    m_.push_back(flat.slice(0, at, at + piece.count));
    v_.push_back(flat.slice(0, at + piece.count, at + 2 * piece.count));
    at += 2 * piece.count;
  }
  sum_ = scalars_.view(DType::F64, {2}).slice(0, 0, 1);
  scale_ = scalars_.view(DType::F64, {2}).slice(0, 1, 2);
}

OptimiserReport Optimiser::measure(Context& context) {
  kernels::fill(context, 0.0, sum_);
  kernels::sum_of_squares(context, parameters_.flat_gradients(), sum_);
  return clip(context);
}

OptimiserReport Optimiser::measure(Context& context, Communicator& pipeline, bool counts,
                                   bool counts_ends) {
  if (pipeline.size() == 1) return measure(context);
  kernels::fill(context, 0.0, sum_);
  for (const Sharing sharing : {Sharing::Stage, Sharing::Experts, Sharing::Ends}) {
    if (!(sharing == Sharing::Ends ? counts_ends : counts)) continue;
    for (const Tensor& run : parameters_.gradients_of(sharing)) {
      kernels::sum_of_squares(context, run, sum_);
    }
  }
  pipeline.all_reduce(context, sum_);
  return clip(context);
}

OptimiserReport Optimiser::clip(Context& context) {
  kernels::clip_scale(context, sum_, options_.clip, scale_);
  double values[2];
  if (sum_.device() == Device::Cuda) {
    cuda_memory().copy(values, sum_.raw(), sizeof values);
  } else {
    values[0] = *sum_.data<double>();
    values[1] = *scale_.data<double>();
  }
  return {std::sqrt(values[0]), values[1]};
}

OptimiserReport Optimiser::measured(Context& context, double sum_of_squares) {
  kernels::fill(context, sum_of_squares, sum_);
  return clip(context);
}

OptimiserReport Optimiser::measured(Context& context, const Tensor& sum_of_squares) {
  kernels::fill(context, 0.0, sum_);
  kernels::add(context, sum_of_squares, sum_);
  return clip(context);
}

void Optimiser::update_whole(Context& context, const kernels::AdamWConfig& config,
                             const Parameter& p, std::size_t at) {
  const std::int64_t count = p.value.numel();
  const bool is_copied = p.operand && p.operand.raw() != p.value.raw();
  const Tensor& w = p.fp8.values;
  if (p.fp8.values_t && !is_copied) {
    kernels::adamw_quantise(context, config, p.grad.reshape({count}), scale_,
                            p.value.reshape({w.size(0), w.size(1), w.size(2)}), m_[at], v_[at],
                            p.fp8);
  } else {
    kernels::adamw(context, config, p.grad.reshape({count}), scale_, p.value.reshape({count}),
                   m_[at], v_[at], is_copied ? p.operand.reshape({count}) : Tensor());
    ParameterSet::refresh_quantised(context, p);
  }
}

void Optimiser::update(Context& context, double learning_rate) {
  ++steps_;
  for (std::size_t at = 0; at < pieces_.size(); ++at) {
    const Piece& piece = pieces_[at];
    const Parameter& p = *piece.parameter;
    const kernels::AdamWConfig config{.learning_rate = learning_rate,
                                      .beta1 = options_.beta1,
                                      .beta2 = options_.beta2,
                                      .epsilon = options_.epsilon,
                                      .weight_decay = p.decay ? options_.weight_decay : 0.0,
                                      .step = steps_};
    const std::int64_t count = p.value.numel(), end = piece.first + piece.count;
    if (piece.count == count) {
      update_whole(context, config, p, at);
    } else {
      kernels::adamw(context, config, p.grad.reshape({count}).slice(0, piece.first, end), scale_,
                     p.value.reshape({count}).slice(0, piece.first, end), m_[at], v_[at], {});
    }
  }
}

std::vector<Optimiser::Moment> Optimiser::moments() const {
  std::vector<Moment> all;
  for (std::size_t at = 0; at < pieces_.size(); ++at) {
    const Parameter& p = *pieces_[at].parameter;
    const std::int64_t first = p.first_element + pieces_[at].first;
    const std::int64_t whole = p.whole_elements > 0 ? p.whole_elements : p.value.numel();
    all.push_back({"m." + p.name, first, whole, m_[at]});
    all.push_back({"v." + p.name, first, whole, v_[at]});
  }
  return all;
}

}  // namespace tessera
