// SPDX-License-Identifier: MIT
#include "core/model/parameters.h"

#include <numeric>

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/base/random.h"
#include "core/base/transfer.h"
#include "kernels/convert/convert.h"

namespace tessera {

namespace {
constexpr std::int64_t kAlignElements = 64;

std::int64_t count(const Parameter& p) {
  return std::accumulate(p.shape.begin(), p.shape.end(), std::int64_t{1}, std::multiplies<>());
}

std::int64_t padded(const Parameter& p) {
  return (count(p) + kAlignElements - 1) / kAlignElements * kAlignElements;
}

Tensor shaped(const Tensor& flat, std::int64_t first, const Parameter& p) {
  const Tensor run = flat.slice(0, first, first + count(p));
  switch (p.shape.size()) {
    case 1:
      return run.reshape({p.shape[0]});
    case 2:
      return run.reshape({p.shape[0], p.shape[1]});
    default:
      return run.reshape({p.shape[0], p.shape[1], p.shape[2]});
  }
}

/// Fills the view of each released name: equal runs of rows, experts outermost.
void place_parts(Parameter& p) {
  const std::int64_t each = count(p) / static_cast<std::int64_t>(p.parts.size());
  const std::int64_t columns = p.shape.back();
  std::int64_t first = 0;
  for (Parameter::Part& part : p.parts) {
    part.first = first;
    const Tensor run = p.value.reshape({count(p)}).slice(0, first, first + each);
    part.value = p.shape.size() == 1 ? run : run.reshape({each / columns, columns});
    first += each;
  }
}
}  // namespace

Parameter& ParameterSet::declare(std::string name, std::vector<std::int64_t> shape, Init init,
                                 bool decay) {
  Parameter p;
  p.name = name;
  p.shape = std::move(shape);
  p.init = init;
  p.decay = decay;
  p.parts = {{std::move(name), {}, 0}};
  return parameters_.emplace_back(std::move(p));
}

Parameter& ParameterSet::declare_state(std::string name, std::vector<std::int64_t> shape) {
  Parameter& p = declare(std::move(name), std::move(shape), Init::Zeros, false);
  p.trained = false;
  return p;
}

void ParameterSet::split(Parameter& parameter, std::vector<std::string> released_names) {
  require(!released_names.empty() &&
              count(parameter) % static_cast<std::int64_t>(released_names.size()) == 0,
          "parameters", "{} cannot be split into {} equal parts", parameter.name,
          released_names.size());
  parameter.parts.clear();
  for (std::string& name : released_names) parameter.parts.push_back({std::move(name), {}, 0});
}

std::int64_t ParameterSet::flat_size() const {
  std::int64_t total = 0;
  for (const Parameter& p : parameters_) total += p.trained ? padded(p) : 0;
  return total;
}

void ParameterSet::allocate(const Precision& precision, bool with_gradients, Device device,
                            bool measuring) {
  const auto buffer = [&](std::size_t bytes) {
    return measuring ? Buffer::measuring(bytes, device) : Buffer(bytes, device);
  };
  const std::int64_t total = flat_size();
  const auto elements = static_cast<std::size_t>(total);
  values_ = buffer(elements * size_of(precision.activation));
  flat_values_ = values_.view(precision.activation, {total});
  flat_operands_ = flat_values_;
  if (precision.operand != precision.activation) {
    operands_ = buffer(elements * size_of(precision.operand));
    flat_operands_ = operands_.view(precision.operand, {total});
  }
  if (with_gradients) {
    gradients_ = buffer(elements * size_of(precision.activation));
    flat_gradients_ = gradients_.view(precision.activation, {total});
  }
  std::int64_t state_elements = 0;
  for (const Parameter& p : parameters_) state_elements += p.trained ? 0 : padded(p);
  states_ = buffer(static_cast<std::size_t>(state_elements) * sizeof(float));
  const Tensor flat_states = states_.view(DType::F32, {state_elements});

  std::int64_t next = 0, next_state = 0;
  for (Parameter& p : parameters_) {
    if (p.trained) {
      p.value = shaped(flat_values_, next, p);
      p.operand = shaped(flat_operands_, next, p);
      if (with_gradients) p.grad = shaped(flat_gradients_, next, p);
      next += padded(p);
    } else {
      p.value = p.operand = shaped(flat_states, next_state, p);
      next_state += padded(p);
    }
    place_parts(p);
  }
}

namespace {
template <class T>
void fill_initial(const Parameter& p, const Tensor& value, std::uint64_t seed, double sigma) {
  T* data = value.data<T>();
  const Random random(seed, stream_of(p.name));
  parallel_for(count(p), 1 << 14, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      if (p.init == Init::Normal) {
        data[i] = static_cast<T>(sigma * random.normal(static_cast<std::uint64_t>(i)));
      } else {
        data[i] = p.init == Init::Ones ? T(1) : T(0);
      }
    }
  });
}

void fill_initial(const Parameter& p, const Tensor& value, std::uint64_t seed, double sigma) {
  if (value.dtype() == DType::F64) {
    fill_initial<double>(p, value, seed, sigma);
  } else {
    fill_initial<float>(p, value, seed, sigma);
  }
}
}  // namespace

void ParameterSet::initialise(std::uint64_t seed, double sigma) {
  for (Parameter& p : parameters_) {
    if (p.value.device() == Device::Cpu) {
      fill_initial(p, p.value, seed, sigma);
      continue;
    }
    const Buffer staging(p.value.bytes());
    const Tensor made = staging.view(p.value.dtype(), {count(p)});
    fill_initial(p, made, seed, sigma);
    copy_from_host(made.raw(), p.value);
  }
}

void ParameterSet::refresh_operands(Context& context) {
  if (operands_.bytes() > 0) kernels::convert(context, flat_values_, flat_operands_);
}

void ParameterSet::zero_gradients(Context& context) {
  if (flat_gradients_) kernels::fill(context, 0.0, flat_gradients_);
}

Parameter& ParameterSet::find(const std::string& name) {
  for (Parameter& p : parameters_) {
    if (p.name == name) return p;
  }
  throw Error("parameters", fmt::format("there is no parameter \"{}\"", name));
}

}  // namespace tessera
