// SPDX-License-Identifier: MIT
#include "core/train/optimiser.h"

#include <cmath>

#include "core/base/error.h"
#include "kernels/adamw/adamw.h"
#include "kernels/convert/convert.h"

namespace tessera {

std::size_t moment_bytes(const ParameterSet& parameters, DType moments) {
  std::int64_t total = 0;
  for (const Parameter& p : parameters.all()) total += p.trained ? 2 * p.value.numel() : 0;
  return static_cast<std::size_t>(total) * size_of(moments);
}

Optimiser::Optimiser(ParameterSet& parameters, const OptimiserOptions& options, Device device)
    : parameters_(parameters), options_(options), scalars_(2 * sizeof(double), device) {
  require(options.moments == DType::F32 || options.moments == DType::BF16, "optimiser",
          "moments are {}, expected F32 or BF16", name_of(options.moments));
  memory_ = Buffer(moment_bytes(parameters, options.moments), device);
  const auto total = static_cast<std::int64_t>(memory_.bytes() / size_of(options.moments));
  const Tensor flat = memory_.view(options.moments, {total});
  std::int64_t at = 0;
  for (const Parameter& p : parameters.all()) {
    if (!p.trained) continue;
    const std::int64_t count = p.value.numel();
    m_.push_back(flat.slice(0, at, at + count));
    v_.push_back(flat.slice(0, at + count, at + 2 * count));
    at += 2 * count;
  }
  sum_ = scalars_.view(DType::F64, {2}).slice(0, 0, 1);
  scale_ = scalars_.view(DType::F64, {2}).slice(0, 1, 2);
}

OptimiserReport Optimiser::measure(Context& context) {
  kernels::fill(context, 0.0, sum_);
  kernels::sum_of_squares(context, parameters_.flat_gradients(), sum_);
  return clip(context);
}

OptimiserReport Optimiser::measure(Context& context, Communicator& stages, Communicator& experts) {
  if (stages.size() == 1 && experts.size() == 1) return measure(context);
  kernels::fill(context, 0.0, sum_);
  for (const Tensor& run : parameters_.gradients_of(Sharing::Experts)) {
    kernels::sum_of_squares(context, run, sum_);
  }
  if (experts.size() > 1) experts.all_reduce(context, sum_);
  for (const Sharing sharing : {Sharing::Stage, Sharing::Ends}) {
    // The first and the last stage hold the token table, and it counts once.
    if (sharing == Sharing::Ends && stages.rank() != 0) continue;
    for (const Tensor& run : parameters_.gradients_of(sharing)) {
      kernels::sum_of_squares(context, run, sum_);
    }
  }
  if (stages.size() > 1) stages.all_reduce(context, sum_);
  return clip(context);
}

OptimiserReport Optimiser::measured(Context& context, double sum_of_squares) {
  kernels::fill(context, sum_of_squares, sum_);
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

void Optimiser::update(Context& context, double learning_rate) {
  ++steps_;
  std::size_t at = 0;
  for (const Parameter& p : parameters_.all()) {
    if (!p.trained) continue;
    const kernels::AdamWConfig config{.learning_rate = learning_rate,
                                      .beta1 = options_.beta1,
                                      .beta2 = options_.beta2,
                                      .epsilon = options_.epsilon,
                                      .weight_decay = p.decay ? options_.weight_decay : 0.0,
                                      .step = steps_};
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
    ++at;
  }
}

std::vector<Optimiser::Moment> Optimiser::moments() const {
  std::vector<Moment> all;
  std::size_t at = 0;
  for (const Parameter& p : parameters_.all()) {
    if (!p.trained) continue;
    all.push_back({"m." + p.name, m_[at]});
    all.push_back({"v." + p.name, v_[at]});
    ++at;
  }
  return all;
}

}  // namespace tessera
