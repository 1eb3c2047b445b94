// SPDX-License-Identifier: MIT
#include "core/eval/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/base/error.h"
#include "core/base/transfer.h"
#include "core/eval/recorded_outputs.h"

namespace tessera {

namespace {
double element(const Tensor& t, std::int64_t i) {
  switch (t.dtype()) {
    case DType::F64:
      return t.data<double>()[i];
    case DType::BF16:
      return static_cast<double>(static_cast<float>(t.data<bf16>()[i]));
    case DType::F16:
      return static_cast<double>(static_cast<float>(t.data<f16>()[i]));
    default:  // throws where it is none
      return static_cast<double>(t.data<float>()[i]);
  }
}

void require_equal_sizes(const Tensor& ours, const StoredTensor& theirs) {
  require(ours.is_contiguous() && ours.numel() == theirs.numel(), "verify",
          "{} is {} here and {} in the record", theirs.name, ours.describe(), theirs.describe());
}
}  // namespace

namespace {
/// Nothing differs where both are zero; otherwise a difference from zeros is without bound.
double ratio(double difference, double magnitude) {
  return difference == 0 ? 0 : difference / magnitude;
}
}  // namespace

double first_value(const StoredTensor& tensor) {
  require(tensor.numel() > 0, "verify", "{} is {}, expected a value", tensor.name,
          tensor.describe());
  return element(tensor.view(), 0);
}

double relative(double a, double b) {
  return std::fabs(a - b) / std::fabs(b);
}

double largest_difference(const Tensor& given, const StoredTensor& theirs) {
  require_equal_sizes(given, theirs);
  const HostCopy copy(given);
  const Tensor& ours = *copy;
  const Tensor wanted = theirs.view();
  double difference = 0, magnitude = 0;
  for (std::int64_t i = 0; i < ours.numel(); ++i) {
    const double b = element(wanted, i), d = std::fabs(element(ours, i) - b);
    if (std::isnan(d)) return d;
    difference = std::max(difference, d);
    magnitude = std::max(magnitude, std::fabs(b));
  }
  return ratio(difference, magnitude);
}

double norm_of_difference(const Tensor& given, const StoredTensor& theirs) {
  require_equal_sizes(given, theirs);
  const HostCopy copy(given);
  const Tensor& ours = *copy;
  const Tensor wanted = theirs.view();
  double difference = 0, magnitude = 0;
  for (std::int64_t i = 0; i < ours.numel(); ++i) {
    const double b = element(wanted, i), d = element(ours, i) - b;
    difference += d * d;
    magnitude += b * b;
  }
  // An expert without tokens has a gradient of zero in both.
  if (magnitude == 0) return std::sqrt(difference);
  return std::sqrt(difference / magnitude);
}

RouterDifference compare_picks(const Tensor& given_picks, const Tensor& given_weights,
                               const StoredTensor& their_picks, const StoredTensor& their_weights) {
  const HostCopy picks_copy(given_picks), weights_copy(given_weights);
  const Tensor &picks = *picks_copy, &weights = *weights_copy;
  const std::vector<std::int64_t> expert = integers_of(their_picks);
  const Tensor weight = their_weights.view();
  require(picks.numel() == their_picks.numel() && weights.numel() == weight.numel(), "verify",
          "picks are {} here and {} in the record", picks.describe(), their_picks.describe());
  RouterDifference result;
  double difference = 0, magnitude = 0;
  const std::int64_t k = picks.size(1);
  for (std::int64_t t = 0; t < picks.size(0); ++t) {
    std::map<std::int64_t, double> ours, theirs;
    for (std::int64_t i = t * k; i < (t + 1) * k; ++i) {
      ours[picks.data<std::int32_t>()[i]] = element(weights, i);
      theirs[expert[static_cast<std::size_t>(i)]] = element(weight, i);
    }
    const bool equal = std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end(),
                                  [](const auto& a, const auto& b) { return a.first == b.first; });
    if (!equal) {
      ++result.tokens_differing;
      continue;
    }
    for (const auto& [e, w] : theirs) {
      difference = std::max(difference, std::fabs(ours[e] - w));
      magnitude = std::max(magnitude, std::fabs(w));
    }
  }
  result.weight_error = magnitude > 0 ? difference / magnitude : 0;
  return result;
}

std::vector<GradientPart> gradient_parts(const Parameter& parameter,
                                         const SafetensorsFile& reference) {
  if (reference.find(parameter.name)) return {{parameter.name, parameter.grad}};
  std::vector<GradientPart> parts;
  const Tensor flat = parameter.grad.reshape({parameter.grad.numel()});
  for (const Parameter::Part& part : parameter.parts) {
    parts.push_back(
        {part.released_name, flat.slice(0, part.first, part.first + part.value.numel())});
  }
  return parts;
}

namespace {
double norm(const Tensor& given) {
  const HostCopy copy(given);
  const Tensor& t = *copy;
  double sum = 0;
  for (std::int64_t i = 0; i < t.numel(); ++i) sum += element(t, i) * element(t, i);
  return std::sqrt(sum);
}
}  // namespace

double norm_of(const Model& model, const std::string& name) {
  for (const Parameter& parameter : model.parameters().all()) {
    if (parameter.name == name) return norm(parameter.value);
    for (const Parameter::Part& part : parameter.parts) {
      if (part.released_name == name) return norm(part.value);
    }
  }
  throw Error("verify", fmt::format("the model has no weight {}", name));
}

}  // namespace tessera
