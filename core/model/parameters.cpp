// SPDX-License-Identifier: MIT
#include "core/model/parameters.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <type_traits>

#include "core/base/error.h"
#include "core/base/normals.h"
#include "core/base/progress.h"
#include "core/base/random.h"
#include "core/base/threads.h"
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
    first += each;
    if (!p.value) continue;
    const Tensor run = p.value.reshape({count(p)}).slice(0, part.first, first);
    part.value = p.shape.size() == 1 ? run : run.reshape({each / columns, columns});
  }
}

bool is_packed(WeightForm form) {
  return form == WeightForm::Q8_0 || form == WeightForm::Q4_0;
}

/// Whether both ways in which products read the rows of heads are whole blocks.
bool packs_heads(const Parameter& p) {
  return p.reads == Parameter::Reads::Operand && p.head_rows > 0 &&
         p.head_first % kernels::kPackedBlock == 0 && p.shape.back() % kernels::kPackedBlock == 0;
}

/// Whether the values themselves are held: they are what is trained, or somebody reads them.
bool holds_value(const Parameter& p, WeightForm form) {
  using Reads = Parameter::Reads;
  if (!p.trained || form == WeightForm::Masters) return true;
  if (p.reads == Reads::Product) return false;
  return p.reads != Reads::Operand || (is_packed(form) && !packs_heads(p));
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

Parameter& ParameterSet::declare_linear(std::string name, std::vector<std::int64_t> shape,
                                        Parameter::Linear linear) {
  Parameter& p = declare(std::move(name), std::move(shape));
  p.linear = linear;
  p.reads = Parameter::Reads::Product;
  return p;
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
  for (const Parameter& p : parameters_) {
    total += p.trained && holds_value(p, form_) ? padded(p) : 0;
  }
  return total;
}

void ParameterSet::allocate(const Precision& precision, bool with_gradients, Device device,
                            bool measuring) {
  const auto buffer = [&](std::size_t bytes) {
    return measuring ? Buffer::measuring(bytes, device) : Buffer(bytes, device);
  };
  // One that is only measured is a plan of the same forms.
  const bool alike = precision.operand == precision.activation;
  const bool once = alike && precision.weights == WeightForm::Operands;  // they are the values
  form_ = with_gradients || once ? WeightForm::Masters : precision.weights;
  const std::int64_t total = flat_size();
  const auto elements = static_cast<std::size_t>(total);
  values_ = buffer(elements * size_of(precision.activation));
  flat_values_ = values_.view(precision.activation, {total});
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
    if (p.trained && !holds_value(p, form_)) {
      p.value = {};
    } else if (p.trained) {
      p.flat_first = next;
      p.value = shaped(flat_values_, next, p);
      if (with_gradients) p.grad = shaped(flat_gradients_, next, p);
      next += padded(p);
    } else {
      p.value = p.operand = shaped(flat_states, next_state, p);
      next_state += padded(p);
    }
    place_parts(p);
  }
  allocate_operands(precision, device, measuring);
  allocate_quantised(precision, device, measuring);
  allocate_packed(precision, device, measuring);
}

void ParameterSet::allocate_operands(const Precision& precision, Device device, bool measuring) {
  using Linear = Parameter::Linear;
  const bool copies = precision.operand != precision.activation;
  const auto is_copied = [&](const Parameter& p) {
    if (form_ != WeightForm::Masters && p.reads == Parameter::Reads::Value) return false;
    return copies && p.trained && !(precision.fp8_backward() && p.linear == Linear::Yes);
  };
  std::int64_t total = 0;
  for (Parameter& p : parameters_) {
    if (p.trained && !copies) p.operand = p.value;
    total += is_copied(p) ? padded(p) : 0;
  }
  if (total == 0) return;
  const std::size_t bytes = static_cast<std::size_t>(total) * size_of(precision.operand);
  operands_ = measuring ? Buffer::measuring(bytes, device) : Buffer(bytes, device);
  const Tensor flat = operands_.view(precision.operand, {total});
  std::int64_t next = 0;
  for (Parameter& p : parameters_) {
    if (!is_copied(p)) continue;
    p.operand = shaped(flat, next, p);
    next += padded(p);
  }
}

void ParameterSet::separate_runs(std::int64_t runs) {
  std::int64_t each = 0;
  for (const Parameter& p : parameters_) each += p.sharing == Sharing::Experts ? padded(p) : 0;
  const DType type = flat_gradients_.dtype();
  const std::int64_t elements = each * (runs - 1);
  run_gradients_ =
      Buffer(static_cast<std::size_t>(elements) * size_of(type), flat_gradients_.device());
  const Tensor flat = run_gradients_.view(type, {elements});
  std::int64_t next = 0;
  for (Parameter& p : parameters_) {
    p.more_grads.clear();
    p.apart = p.sharing == Sharing::Experts;
    if (!p.apart) continue;
    for (std::int64_t run = 1; run < runs; ++run, next += padded(p)) {
      p.more_grads.push_back(shaped(flat, next, p));
    }
  }
}

namespace {
/// The layouts of a weight in E4M3, taken from an arena of bytes by `take`.
template <class Take>
kernels::QuantisedWeight quantised_layouts(const Parameter& p, bool both, const Take& take) {
  const std::size_t rank = p.shape.size();
  const std::int64_t batch = rank == 3 ? p.shape[0] : 1, n = p.shape[rank - 2],
                     k = p.shape[rank - 1];
  require(n % 16 == 0 && k % 16 == 0, "precision",
          "{} is ({}, {}); products in FP8 take sizes in multiples of 16", p.name, n, k);
  const std::int64_t down = kernels::scale_tiles(n), across = kernels::scale_tiles(k);
  kernels::QuantisedWeight w;
  w.values = take(DType::F8E4M3, batch, n, k);
  w.scales = take(DType::F32, batch, down, across);
  if (both) {
    w.values_t = take(DType::F8E4M3, batch, k, n);
    w.scales_t = take(DType::F32, batch, across, down);
  }
  return w;
}
}  // namespace

void ParameterSet::allocate_quantised(const Precision& precision, Device device, bool measuring) {
  if (!precision.fp8_forward()) return;
  const bool both = precision.fp8_backward();
  constexpr std::size_t kAlignBytes = 256;
  std::size_t total = 0;
  Tensor all;
  const auto take = [&](DType type, std::int64_t a, std::int64_t b, std::int64_t c) {
    const std::size_t bytes = static_cast<std::size_t>(a * b * c) * size_of(type);
    auto* at = all ? static_cast<std::byte*>(all.raw()) + total : nullptr;
    total += (bytes + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
    return Tensor(at, type, {a, b, c}, device);
  };
  const auto lay_out = [&] {
    total = 0;
    for (Parameter& p : parameters_) {
      if (p.linear != Parameter::Linear::No) p.fp8 = quantised_layouts(p, both, take);
    }
  };
  lay_out();
  if (total == 0) return;
  quantised_ = measuring ? Buffer::measuring(total, device) : Buffer(total, device);
  all = quantised_.view(DType::U8, {static_cast<std::int64_t>(total)});
  lay_out();
}

void ParameterSet::allocate_packed(const Precision& precision, Device device, bool measuring) {
  using Reads = Parameter::Reads;
  if (!is_packed(form_)) return;
  // The head, which is no linear layer, has 8 bits in either form, as in files of GGUF.
  const auto packing_of = [&](const Parameter& p) {
    const bool four = form_ == WeightForm::Q4_0 && p.linear != Parameter::Linear::No;
    return four ? kernels::Packing::Q4_0 : kernels::Packing::Q8_0;
  };
  std::size_t total = 0;
  Tensor all;
  const auto take = [&](DType type, std::int64_t a, std::int64_t b, std::int64_t c) {
    constexpr std::size_t kAlignBytes = 256;
    const std::size_t bytes = static_cast<std::size_t>(a * b * c) * size_of(type);
    auto* at = all ? static_cast<std::byte*>(all.raw()) + total : nullptr;
    total += (bytes + kAlignBytes - 1) / kAlignBytes * kAlignBytes;
    return Tensor(at, type, {a, b, c}, device);
  };
  const auto lay_out = [&] {
    total = 0;
    for (Parameter& p : parameters_) {
      const bool by_heads = packs_heads(p);
      if (p.reads != Reads::Product && p.reads != Reads::ValueAndProduct && !by_heads) continue;
      const std::size_t rank = p.shape.size();
      const std::int64_t rows = p.shape[rank - 2], columns = p.shape.back();
      if (columns % kernels::kPackedBlock != 0) {
        throw Error("weights",
                    fmt::format("{} has rows of {} numbers; in {} they are held in blocks of {}",
                                p.parts.front().released_name, columns, precision.weight_name(),
                                kernels::kPackedBlock),
                    "leave out --weights: this model is read at precision fp32 or bf16");
      }
      p.packed =
          kernels::packed_layout(packing_of(p), rank == 3 ? p.shape[0] : 1, rows, columns, take);
      if (!by_heads) continue;
      p.packed_t =
          kernels::packed_layout(packing_of(p), rows / p.head_rows, columns, p.head_first, take);
    }
  };
  lay_out();
  if (total == 0) return;
  packed_ = measuring ? Buffer::measuring(total, device) : Buffer(total, device);
  all = packed_.view(DType::U8, {static_cast<std::int64_t>(total)});
  lay_out();
}

namespace {
/// The first rows of every head, transposed: (heads, columns, first).
std::vector<float> transposed_heads(const Parameter& p, const Tensor& rows) {
  const std::int64_t columns = p.shape.back(), first = p.head_first;
  const std::int64_t heads = p.shape.front() / p.head_rows;
  std::vector<float> made(static_cast<std::size_t>(heads * columns * first));
  parallel_for(heads, 1, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t head = from; head < to; ++head) {
      const float* in = rows.data<float>() + head * p.head_rows * columns;
      float* out = made.data() + head * columns * first;
      for (std::int64_t i = 0; i < first; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) out[j * first + i] = in[i * columns + j];
      }
    }
  });
  return made;
}
}  // namespace

std::int64_t ParameterSet::most_rows(const Parameter& p) {
  constexpr std::int64_t kElements = 1 << 19;  // stay in the processor's cache
  const std::int64_t columns = p.shape.back();
  return p.packed_t ? count(p) / columns : std::max<std::int64_t>(1, kElements / columns);
}

void ParameterSet::hold_rows(Context& context, const Parameter& p, std::int64_t first_row,
                             const Tensor& rows, const std::string& name) {
  const std::int64_t columns = p.shape.back(), end = first_row + rows.size(0);
  if (p.operand && p.operand.raw() != p.value.raw()) {
    const Tensor all = p.operand.reshape({count(p) / columns, columns});
    kernels::convert(context, rows, all.slice(0, first_row, end));
  }
  if (!p.packed) return;
  const kernels::PackedWeight to = p.packed.rows(first_row, end);
  if (const std::int64_t refused = kernels::pack_weight(rows, to); refused >= 0) {
    throw Error(
        "weights",
        fmt::format("{} has a number in column {} that {} cannot hold: {}", name, refused % columns,
                    kernels::name_of(to.packing()), rows.data<float>()[refused]),
        "leave out --weights, or use weights that are whole");
  }
  if (!p.packed_t) return;
  require(end - first_row == p.shape.front(), "weights", "{} is held in one piece", name);
  std::vector<float> heads = transposed_heads(p, rows);
  const Tensor view(heads.data(), DType::F32, {p.packed_t.batch(), columns, p.head_first});
  require(kernels::pack_weight(view, p.packed_t) < 0, "weights", "{} cannot be held by heads",
          name);
}

std::size_t ParameterSet::operand_bytes(const Parameter& p) {
  std::size_t bytes = p.operand && p.operand.raw() != p.value.raw() ? p.operand.bytes() : 0;
  if (p.packed) bytes += p.packed.bytes();
  if (p.packed_t) bytes += p.packed_t.bytes();
  for (const Tensor& t : {p.fp8.values, p.fp8.scales, p.fp8.values_t, p.fp8.scales_t}) {
    if (t) bytes += t.bytes();
  }
  return bytes;
}

namespace {
/// First values of the parameter's elements from `first` on. `to` may be a part of a larger tensor.
template <class T>
void fill_initial(const Parameter& p, std::int64_t first, std::span<T> to, std::uint64_t seed,
                  double sigma) {
  const std::uint64_t stream = stream_of(p.name);
  const auto fill = [&](std::int64_t from, std::span<T> part) {
    if (p.init != Init::Normal) {
      std::fill(part.begin(), part.end(), p.init == Init::Ones ? T(1) : T(0));
    } else if constexpr (std::is_same_v<T, float>) {
      fill_normals(seed, stream, sigma, static_cast<std::uint64_t>(from), part);
    } else {
      const Random random(seed, stream);
      for (T& value : part) value = sigma * random.normal(static_cast<std::uint64_t>(from++));
    }
  };
  parallel_for(
      static_cast<std::int64_t>(to.size()), 1 << 14, [&](std::int64_t from, std::int64_t until) {
        fill(p.first_element + first + from,
             to.subspan(static_cast<std::size_t>(from), static_cast<std::size_t>(until - from)));
      });
}

template <class T>
std::span<T> values_of(const Tensor& x) {
  return {x.data<T>(), static_cast<std::size_t>(x.numel())};
}

/// Through a buffer that stays in the processor's cache: a fresh one of a parameter's size would
/// have all of its pages made by one thread first.
void initialise_on_gpu(const Parameter& p, const Buffer& staging, std::uint64_t seed,
                       double sigma) {
  require(p.value.dtype() == DType::F32, "initialise", "expected F32 on a GPU, got {}",
          p.value.describe());
  const Tensor flat = p.value.reshape({count(p)});
  const auto most = static_cast<std::int64_t>(staging.bytes() / sizeof(float));
  for (std::int64_t first = 0; first < count(p); first += most) {
    const std::int64_t until = std::min(first + most, count(p));
    const Tensor made = staging.view(DType::F32, {until - first});
    fill_initial(p, first, values_of<float>(made), seed, sigma);
    copy_from_host(made.raw(), flat.slice(0, first, until));
  }
}
}  // namespace

namespace {
/// What is held in other forms alone: made in pieces that stay in the processor's cache.
void initialise_held(const Parameter& p, const Buffer& staging, std::uint64_t seed, double sigma) {
  Context context;
  const std::int64_t columns = p.shape.back(), rows = count(p) / columns;
  const std::int64_t most = ParameterSet::most_rows(p);
  for (std::int64_t first = 0; first < rows; first += most) {
    const Tensor made = staging.view(DType::F32, {std::min(most, rows - first), columns});
    fill_initial(p, first * columns, values_of<float>(made), seed, sigma);
    ParameterSet::hold_rows(context, p, first, made, p.name);
  }
}
}  // namespace

void ParameterSet::initialise(std::uint64_t seed, double sigma, const std::atomic<bool>* stop) {
  constexpr std::size_t kStagingBytes = std::size_t{32} << 20;
  Buffer staging, held;
  for (const Parameter& p : parameters_) {
    throw_if_stopped(stop, "model");
    if (!p.value) {
      const std::size_t bytes =
          static_cast<std::size_t>(most_rows(p) * p.shape.back()) * sizeof(float);
      if (held.bytes() < bytes) held = Buffer(bytes);
      initialise_held(p, held, seed, sigma);
    } else if (p.value.device() != Device::Cpu) {
      if (staging.bytes() == 0) staging = Buffer(kStagingBytes);
      initialise_on_gpu(p, staging, seed, sigma);
    } else if (p.value.dtype() == DType::F64) {
      fill_initial(p, 0, values_of<double>(p.value), seed, sigma);
    } else {
      fill_initial(p, 0, values_of<float>(p.value), seed, sigma);
    }
  }
}

void ParameterSet::refresh_operands(Context& context) {
  for (const Parameter& p : parameters_) {
    if (!p.value) continue;  // written where it is held: hold_rows()
    if (p.trained && p.operand && p.operand.raw() != p.value.raw()) {
      kernels::convert(context, p.value.reshape({count(p)}), p.operand.reshape({count(p)}));
    }
    if (p.packed) {
      const std::int64_t columns = p.shape.back();
      hold_rows(context, p, 0, p.value.reshape({count(p) / columns, columns}), p.name);
    }
    refresh_quantised(context, p);
  }
}

void ParameterSet::refresh_quantised(Context& context, const Parameter& p) {
  if (!p.fp8.values) return;
  const Tensor& w = p.fp8.values;
  const Tensor value = p.value.reshape({w.size(0), w.size(1), w.size(2)});
  if (p.fp8.values_t) {
    kernels::quantise_weight(context, value, p.fp8);
  } else {
    kernels::quantise_weight_tensor(context, value, p.fp8);
  }
}

namespace {
/// Whether the first product of a step writes the gradient instead of adding to it.
bool writes_gradient(const Parameter& p) {
  return p.trained && p.linear != Parameter::Linear::No;
}
}  // namespace

bool ParameterSet::has_old_gradients() const {
  return std::any_of(parameters_.begin(), parameters_.end(),
                     [](const Parameter& p) { return p.grad_is_old; });
}

void ParameterSet::mark_gradients(bool old) const {
  for (const Parameter& p : parameters_) p.grad_is_old = old && writes_gradient(p);
}

std::vector<FlatRun> ParameterSet::runs() const {
  std::vector<FlatRun> runs;
  for (const Parameter& p : parameters_) {
    if (!p.trained) continue;
    if (runs.empty() || runs.back().sharing != p.sharing) {
      runs.push_back({p.sharing, p.flat_first, p.flat_first});
    }
    runs.back().end = p.flat_first + padded(p);
  }
  return runs;
}

std::vector<Tensor> ParameterSet::gradients_of(Sharing sharing) const {
  std::vector<Tensor> gradients;
  for (const FlatRun& run : runs()) {
    if (run.sharing == sharing) gradients.push_back(flat_gradients_.slice(0, run.from, run.end));
  }
  return gradients;
}

void ParameterSet::zero_gradients(Context& context) {
  if (!flat_gradients_) return;
  // Runs of parameters between those that are written; padding is zero and stays so.
  std::int64_t from = 0, at = 0;
  const auto clear = [&](std::int64_t to) {
    if (to > from) kernels::fill(context, 0.0, flat_gradients_.slice(0, from, to));
  };
  for (const Parameter& p : parameters_) {
    if (!p.trained) continue;
    const std::int64_t end = at + padded(p);
    p.grad_is_old = writes_gradient(p);
    if (p.grad_is_old) {
      clear(at);
      from = end;
    }
    at = end;
  }
  clear(at);
}

void ParameterSet::clear_old_gradients(Context& context) const {
  if (context.dry_run) return;
  for (const Parameter& p : parameters_) {
    if (!p.grad_is_old) continue;
    kernels::fill(context, 0.0, p.grad);
    for (const Tensor& grad : p.more_grads) kernels::fill(context, 0.0, grad);
    p.grad_is_old = false;
  }
}

Parameter& ParameterSet::find(const std::string& name) {
  for (Parameter& p : parameters_) {
    if (p.name == name) return p;
  }
  throw Error("parameters", fmt::format("there is no parameter \"{}\"", name));
}

}  // namespace tessera
