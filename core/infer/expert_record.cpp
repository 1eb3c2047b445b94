// SPDX-License-Identifier: MIT
#include "core/infer/expert_record.h"

#include <algorithm>
#include <cstring>

#include "core/base/error.h"
#include "core/base/memory.h"

namespace tessera {

ExpertRecord::ExpertRecord(const ModelConfig& config)
    : layers_(
          config.n_routed_experts > 0
              ? std::max<std::int64_t>(0, config.num_hidden_layers - config.first_k_dense_replace)
              : 0),
      top_k_(config.num_experts_per_tok),
      experts_(config.n_routed_experts) {}

namespace {
/// The values of a contiguous tensor on the host.
template <class T>
std::vector<T> on_host(const Tensor& tensor) {
  std::vector<T> values(static_cast<std::size_t>(tensor.numel()));
  if (tensor.device() == Device::Cuda) {
    cuda_memory().copy(values.data(), tensor.raw(), tensor.bytes());
  } else {
    std::memcpy(values.data(), tensor.raw(), tensor.bytes());
  }
  return values;
}

std::vector<float> as_floats(const Tensor& tensor) {
  if (tensor.dtype() != DType::F64) return on_host<float>(tensor);
  const std::vector<double> wide = on_host<double>(tensor);
  std::vector<float> values(wide.size());
  std::transform(wide.begin(), wide.end(), values.begin(),
                 [](double x) { return static_cast<float>(x); });
  return values;
}
}  // namespace

void ExpertRecord::routed(const Tensor& picks, const Tensor& weights) {
  require(next_layer_ < layers_, "experts",
          "the model has more layers with experts than its shape");
  const std::vector<std::int32_t> ids = on_host<std::int32_t>(picks);
  const std::vector<float> gates = as_floats(weights);
  const std::int64_t count = picks.size(0);
  if (next_layer_ == 0) {
    picks_.resize(row(tokens_ + count, 0));
    weights_.resize(row(tokens_ + count, 0));
  }
  for (std::int64_t t = 0; t < count; ++t) {
    const std::size_t to = row(tokens_ + t, next_layer_);
    std::copy_n(ids.begin() + t * top_k_, top_k_, picks_.begin() + static_cast<std::ptrdiff_t>(to));
    std::copy_n(gates.begin() + t * top_k_, top_k_,
                weights_.begin() + static_cast<std::ptrdiff_t>(to));
  }
  if (++next_layer_ < layers_) return;
  next_layer_ = 0;
  tokens_ += count;
}

std::span<const std::int32_t> ExpertRecord::picks(std::int64_t token, std::int64_t layer) const {
  return std::span(picks_).subspan(row(token, layer), static_cast<std::size_t>(top_k_));
}

std::span<const float> ExpertRecord::weights(std::int64_t token, std::int64_t layer) const {
  return std::span(weights_).subspan(row(token, layer), static_cast<std::size_t>(top_k_));
}

std::vector<std::int64_t> ExpertRecord::usage() const {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(layers_ * experts_));
  for (std::int64_t token = 0; token < tokens_; ++token) {
    for (std::int64_t layer = 0; layer < layers_; ++layer) {
      for (const std::int32_t expert : picks(token, layer)) {
        ++counts[static_cast<std::size_t>(layer * experts_ + expert)];
      }
    }
  }
  return counts;
}

void ExpertRecord::truncate(std::int64_t tokens) {
  tokens_ = std::min(tokens_, tokens);
  next_layer_ = 0;
  picks_.resize(row(tokens_, 0));
  weights_.resize(row(tokens_, 0));
}

}  // namespace tessera
