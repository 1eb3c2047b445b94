// SPDX-License-Identifier: MIT
#include "kernels/cases.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <span>

#include "core/base/error.h"
#include "core/base/op.h"
#include "core/base/random.h"
#include "core/base/threads.h"

namespace tessera::kernels {

namespace {
using Bytes = std::vector<std::byte>;
constexpr std::size_t kGuardBytes = 256;
constexpr auto kGuard = std::byte{0xC3};
constexpr auto kUnwrittenFloat = std::byte{0xFF};  // NaN in every floating type
constexpr auto kUnwrittenInteger = std::byte{0xA5};
constexpr std::uint64_t kSeed = 671;
constexpr std::int64_t kInputGrain = 1 << 16;
constexpr std::int64_t kRandomPeriod = 1000003;  // large benchmark tensors repeat their values
constexpr std::int64_t kGradientSamples = 24;
constexpr double kElementFactor = 50;  // see Case::tolerance
constexpr std::size_t kPoisonedScratchBytes = std::size_t{4} << 20;

bool is_floating(DType dtype) {
  return dtype <= DType::F8E5M2;
}

double to_double(const std::byte* at, DType dtype) {
  const auto as = [at]<class T>(T value) {
    std::memcpy(&value, at, sizeof(T));
    return value;
  };
  switch (dtype) {
    case DType::F64:
      return as(double{});
    case DType::F32:
      return as(float{});
    case DType::BF16:
      return static_cast<float>(as(bf16{}));
    case DType::F16:
      return static_cast<float>(as(f16{}));
    case DType::F8E4M3:
      return static_cast<float>(as(f8e4m3{}));
    case DType::F8E5M2:
      return static_cast<float>(as(f8e5m2{}));
    case DType::F8E8M0:
      return static_cast<float>(as(f8e8m0{}));
    case DType::I64:
      return static_cast<double>(as(std::int64_t{}));
    case DType::I32:
      return as(std::int32_t{});
    case DType::I16:
      return as(std::int16_t{});
    case DType::I8:
      return as(std::int8_t{});
    case DType::U8:
    case DType::Bool:
      return as(std::uint8_t{});
  }
  return 0;
}

void from_double(double value, std::byte* at, DType dtype) {
  const auto put = [at](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (dtype) {
    case DType::F64:
      return put(value);
    case DType::F32:
      return put(static_cast<float>(value));
    case DType::BF16:
      return put(bf16(static_cast<float>(value)));
    case DType::F8E4M3:
      return put(f8e4m3(static_cast<float>(value)));
    case DType::I64:
      return put(static_cast<std::int64_t>(value));
    case DType::I32:
      return put(static_cast<std::int32_t>(value));
    case DType::I16:
      return put(static_cast<std::int16_t>(value));
    case DType::I8:
      return put(static_cast<std::int8_t>(value));
    case DType::U8:
      return put(static_cast<std::uint8_t>(value));
    default:
      throw Error("cases", fmt::format("cannot make values of {}", name_of(dtype)));
  }
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device,
                std::size_t bytes) {
  if (bytes == 0) return;
  if (to_device == Device::Cpu && from_device == Device::Cpu) {
    std::memcpy(to, from, bytes);
  } else {
    require(cuda_memory().copy, "cases", "no CUDA backend is loaded");
    cuda_memory().copy(to, from, bytes);
  }
}

/// Calls visit(row, offset) for every run of contiguous elements; `offset` counts elements from the
/// tensor's first, `row` is the index in dimension 0.
template <class Visit>
void for_each_run(const Tensor& tensor, const Visit& visit) {
  std::array<std::int64_t, 3> extent{1, 1, 1}, stride{0, 0, 0};
  const int outer = tensor.rank() - 1;
  for (int dim = 0; dim < outer; ++dim) {
    extent[static_cast<std::size_t>(dim)] = tensor.size(dim);
    stride[static_cast<std::size_t>(dim)] = tensor.stride(dim);
  }
  for (std::int64_t i = 0; i < extent[0]; ++i) {
    for (std::int64_t j = 0; j < extent[1]; ++j) {
      for (std::int64_t k = 0; k < extent[2]; ++k) {
        visit(i, i * stride[0] + j * stride[1] + k * stride[2]);
      }
    }
  }
}

/// A shape with `pad` more elements in its last dimension, and the bytes of that.
std::int64_t padded_elements(CaseRun::Shape shape, std::int64_t pad) {
  std::int64_t count = 1, last = 0;
  for (std::int64_t extent : shape) count *= last = extent;
  return last == 0 ? 0 : count / last * (last + pad);
}

Tensor padded_view(void* data, DType dtype, CaseRun::Shape shape, std::int64_t pad, Device device) {
  if (pad == 0) return Tensor(data, dtype, shape, device);
  const std::int64_t* s = shape.begin();
  switch (shape.size()) {
    case 2:
      return Tensor(data, dtype, {s[0], s[1] + pad}, device).slice(-1, 0, s[1]);
    case 3:
      return Tensor(data, dtype, {s[0], s[1], s[2] + pad}, device).slice(-1, 0, s[2]);
    case 4:
      return Tensor(data, dtype, {s[0], s[1], s[2], s[3] + pad}, device).slice(-1, 0, s[3]);
    default:
      return Tensor(data, dtype, shape, device);
  }
}

class ThreadCount {
 public:
  explicit ThreadCount(int threads) : before_(omp_get_max_threads()) {
    omp_set_num_threads(threads);
  }
  ~ThreadCount() { omp_set_num_threads(before_); }
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};
}  // namespace

enum class Role : std::uint8_t { Input, Output, Temporary };

struct CaseRun::Record {
  std::string name;
  Role role = Role::Input;
  Tensor tensor;
  Buffer memory;  // guard, elements and pads, guard
  Bytes before;   // what memory held before the operation
  DType under_test = DType::F32;
  double tolerance = 0;
  std::int64_t untouched_from = std::numeric_limits<std::int64_t>::max();

  std::byte* element(Bytes& image, std::int64_t offset) const {
    return image.data() + kGuardBytes + static_cast<std::size_t>(offset) * size_of(tensor.dtype());
  }
  const std::byte* element(const Bytes& image, std::int64_t offset) const {
    return image.data() + kGuardBytes + static_cast<std::size_t>(offset) * size_of(tensor.dtype());
  }
  void upload() {
    copy_bytes(memory.data(), memory.device(), before.data(), Device::Cpu, before.size());
  }
  Bytes download() const {
    Bytes image(before.size());
    copy_bytes(image.data(), Device::Cpu, memory.data(), memory.device(), image.size());
    return image;
  }
};

CaseRun::CaseRun(const Case& the_case, Mode mode, Device device, Arena& scratch)
    : case_(the_case), mode_(mode) {
  context_.device = device;
  context_.scratch = &scratch;
  if (mode == Mode::Time) return;
  // Nothing may count on what scratch memory held before.
  const Bytes poison(kPoisonedScratchBytes, kUnwrittenFloat);
  Arena::Frame frame(scratch);
  const Tensor space = scratch.take(DType::U8, {static_cast<std::int64_t>(poison.size())});
  copy_bytes(space.raw(), device, poison.data(), Device::Cpu, poison.size());
}

CaseRun::~CaseRun() = default;

CaseRun::Record& CaseRun::allocate(Shape shape, DType under_test, const TensorOptions& options) {
  const bool widen = mode_ == Mode::Reference && is_floating(under_test) && !options.fixed;
  const DType dtype = widen ? DType::F64 : under_test;
  const std::int64_t elements = padded_elements(shape, options.pad);
  const std::size_t bytes = static_cast<std::size_t>(elements) * size_of(dtype);

  Record& record = records_.emplace_back();
  record.name = fmt::format("tensor {}", records_.size());
  record.under_test = under_test;
  record.tolerance = options.tolerance.value_or(case_.tolerance);
  record.memory = Buffer(bytes + 2 * kGuardBytes, context_.device);
  record.tensor = padded_view(static_cast<std::byte*>(record.memory.data()) + kGuardBytes, dtype,
                              shape, options.pad, context_.device);
  record.before.assign(bytes + 2 * kGuardBytes, kGuard);
  std::fill_n(record.before.begin() + kGuardBytes, bytes,
              is_floating(dtype) ? kUnwrittenFloat : kUnwrittenInteger);
  return record;
}

CaseRun::Record& CaseRun::find(const Tensor& tensor) {
  for (Record& record : records_) {
    if (record.tensor.raw() == tensor.raw()) return record;
  }
  throw Error("cases", fmt::format("{} was not made by this CaseRun", tensor.describe()));
}

template <class Value>
Tensor CaseRun::make_input(Shape shape, const TensorOptions& options, Value value) {
  const DType under_test = options.dtype.value_or(case_.dtype);
  Record& record = allocate(shape, under_test, options);
  const DType dtype = record.tensor.dtype();
  const std::int64_t width = record.tensor.size(-1);
  std::vector<std::int64_t> runs;  // offset of each
  for_each_run(record.tensor, [&](std::int64_t, std::int64_t offset) { runs.push_back(offset); });
  parallel_for(static_cast<std::int64_t>(runs.size()) * width, kInputGrain,
               [&](std::int64_t from, std::int64_t to) {
                 std::int64_t run = from / width, column = from % width;
                 for (std::int64_t at = from; at < to; ++at) {
                   const std::int64_t offset = runs[static_cast<std::size_t>(run)] + column;
                   // The reference sees the value that the type under test can hold.
                   std::byte rounded[8];
                   from_double(options.offset + options.scale * value(at), rounded, under_test);
                   from_double(to_double(rounded, under_test),
                               record.element(record.before, offset), dtype);
                   if (++column == width) {
                     column = 0;
                     ++run;
                   }
                 }
               });
  record.upload();
  return record.tensor;
}

Tensor CaseRun::normal(Shape shape, const TensorOptions& options) {
  const Random random(kSeed, records_.size());
  const std::int64_t period = std::min(kRandomPeriod, padded_elements(shape, 0));
  std::vector<double> drawn(static_cast<std::size_t>(period));
  for (std::size_t i = 0; i < drawn.size(); ++i) drawn[i] = random.normal(i);
  return make_input(shape, options, [&](std::int64_t i) {
    return drawn[static_cast<std::size_t>(i % kRandomPeriod)];
  });
}

Tensor CaseRun::uniform(Shape shape, double low, double high, const TensorOptions& options) {
  const Random random(kSeed, records_.size());
  return make_input(shape, options, [=](std::int64_t i) {
    return low + (high - low) * random.uniform(static_cast<std::uint64_t>(i));
  });
}

Tensor CaseRun::zeros(Shape shape, const TensorOptions& options) {
  return make_input(shape, options, [](std::int64_t) { return 0.0; });
}

Tensor CaseRun::values(Shape shape, std::span<const double> given, const TensorOptions& options) {
  require(static_cast<std::int64_t>(given.size()) == padded_elements(shape, 0), "cases",
          "{} values given for another number of elements", given.size());
  return make_input(shape, options,
                    [given](std::int64_t i) { return given[static_cast<std::size_t>(i)]; });
}

Tensor CaseRun::integers(DType dtype, Shape shape, std::int64_t low, std::int64_t high) {
  const Random random(kSeed, records_.size());
  const auto bound = static_cast<std::uint64_t>(high - low);
  return make_input(shape, {.dtype = dtype}, [=](std::int64_t i) {
    const std::uint64_t drawn = random.below(static_cast<std::uint64_t>(i), bound);
    return static_cast<double>(low + static_cast<std::int64_t>(drawn));
  });
}

Tensor CaseRun::integers(DType dtype, Shape shape, std::span<const std::int64_t> given) {
  require(static_cast<std::int64_t>(given.size()) == padded_elements(shape, 0), "cases",
          "{} values given for another number of elements", given.size());
  return make_input(shape, {.dtype = dtype}, [given](std::int64_t i) {
    return static_cast<double>(given[static_cast<std::size_t>(i)]);
  });
}

Tensor CaseRun::copy(const Tensor& input) {
  const Record& source = find(input);
  std::vector<double> elements;
  elements.reserve(static_cast<std::size_t>(input.numel()));
  for_each_run(source.tensor, [&](std::int64_t, std::int64_t offset) {
    for (std::int64_t i = 0; i < source.tensor.size(-1); ++i) {
      elements.push_back(
          to_double(source.element(source.before, offset + i), source.tensor.dtype()));
    }
  });
  const TensorOptions options{.dtype = source.under_test};
  const auto value = [&](std::int64_t i) { return elements[static_cast<std::size_t>(i)]; };
  const Tensor& t = source.tensor;
  switch (t.rank()) {
    case 1:
      return make_input({t.size(0)}, options, value);
    case 2:
      return make_input({t.size(0), t.size(1)}, options, value);
    case 3:
      return make_input({t.size(0), t.size(1), t.size(2)}, options, value);
    default:
      return make_input({t.size(0), t.size(1), t.size(2), t.size(3)}, options, value);
  }
}

Tensor CaseRun::output(std::string name, Shape shape, const TensorOptions& options) {
  Record& record = allocate(shape, options.dtype.value_or(case_.dtype), options);
  record.name = std::move(name);
  record.role = Role::Output;
  record.upload();
  return record.tensor;
}

Tensor CaseRun::in_out(std::string name, const Tensor& input, std::optional<double> tolerance) {
  Record& record = find(input);
  record.name = std::move(name);
  record.role = Role::Output;
  record.tolerance = tolerance.value_or(record.tolerance);
  return input;
}

Tensor CaseRun::temporary(Shape shape, const TensorOptions& options) {
  Record& record = allocate(shape, options.dtype.value_or(case_.dtype), options);
  record.role = Role::Temporary;
  record.upload();
  return record.tensor;
}

void CaseRun::untouched_from(const Tensor& output, std::int64_t row) {
  find(output).untouched_from = row;
}

std::int64_t CaseRun::read_integer(const Tensor& tensor, std::int64_t index) const {
  const std::size_t size = size_of(tensor.dtype());
  std::byte value[8];
  copy_bytes(value, Device::Cpu,
             static_cast<const std::byte*>(tensor.raw()) + static_cast<std::size_t>(index) * size,
             tensor.device(), size);
  return static_cast<std::int64_t>(to_double(value, tensor.dtype()));
}

void CaseRun::execute(const std::function<void(Context&)>& call) {
  executed_ = true;
  if (mode_ == Mode::Time) {
    time(call);
  } else {
    call(context_);
  }
}

double CaseRun::evaluate(const std::function<void(Context&)>& forward,
                         std::initializer_list<CotangentPair> cotangents) {
  forward(context_);
  double sum = 0;
  for (const CotangentPair& pair : cotangents) {
    const Tensor &y = pair.output, &dy = pair.cotangent;
    require(y.numel() == dy.numel(), "cases", "output {} but cotangent {}", y.describe(),
            dy.describe());
    std::vector<const double*> rows;
    for_each_run(dy, [&](std::int64_t, std::int64_t at) {
      rows.push_back(static_cast<const double*>(dy.raw()) + at);
    });
    std::size_t row = 0;
    for_each_run(y, [&](std::int64_t, std::int64_t at) {
      const double *a = static_cast<const double*>(y.raw()) + at, *b = rows[row++];
      for (std::int64_t i = 0; i < y.size(-1); ++i) sum += a[i] * b[i];
    });
  }
  return sum;
}

void CaseRun::check_gradient(std::initializer_list<GradientPair> gradients,
                             const std::function<void(Context&)>& forward,
                             std::initializer_list<CotangentPair> cotangents, double step,
                             double tolerance) {
  if (mode_ != Mode::Reference) return;
  require(executed_, "cases", "check_gradient before execute");
  for (const GradientPair& pair : gradients) {
    std::vector<std::int64_t> at_variable, at_gradient;
    const auto collect = [](const Tensor& tensor, std::vector<std::int64_t>& offsets) {
      for_each_run(tensor, [&](std::int64_t, std::int64_t offset) {
        for (std::int64_t i = 0; i < tensor.size(-1); ++i) offsets.push_back(offset + i);
      });
    };
    collect(pair.variable, at_variable);
    collect(pair.gradient, at_gradient);
    require(at_variable.size() == at_gradient.size(), "cases", "variable {} but gradient {}",
            pair.variable.describe(), pair.gradient.describe());
    const Record& record = find(pair.gradient);
    const std::size_t count = at_variable.size();
    const std::size_t samples = std::min<std::size_t>(count, kGradientSamples);
    const Random random(kSeed, stream_of("gradient check"));
    double difference = 0, size = 0;
    for (std::size_t sample = 0; sample < samples; ++sample) {
      const std::size_t index = count <= kGradientSamples ? sample : random.below(sample, count);
      double& x = static_cast<double*>(pair.variable.raw())[at_variable[index]];
      const double kept = x, h = step * std::max(1.0, std::fabs(x));
      x = kept + h;
      const double above = evaluate(forward, cotangents);
      x = kept - h;
      const double below = evaluate(forward, cotangents);
      x = kept;
      const double numeric = (above - below) / (2 * h);
      double analytic = static_cast<const double*>(pair.gradient.raw())[at_gradient[index]];
      if (pair.added) {
        analytic -= to_double(record.element(record.before, at_gradient[index]), DType::F64);
      }
      difference += (numeric - analytic) * (numeric - analytic);
      size += numeric * numeric;
    }
    const double error = std::sqrt(difference) / (size > 0 ? std::sqrt(size) : 1.0);
    gradient_error_ = std::max(gradient_error_, error);
    if (!(error <= tolerance)) {
      failure_ =
          fmt::format("gradient {} differs from finite differences by {:.2g} (allowed {:.2g})",
                      record.name, error, tolerance);
    }
  }
}

/// Looks at what runs left behind.
class CaseJudge {
 public:
  struct Values {
    std::string name;
    DType dtype;
    double tolerance;
    Bytes packed;  // the elements that had to be written, row major
  };

  static std::string& failure(CaseRun& run) { return run.failure_; }
  static double gradient_error(const CaseRun& run) { return run.gradient_error_; }

  /// The outputs of a run. Fails when bytes have changed that had to stay.
  static std::vector<Values> collect(CaseRun& run) {
    if (!run.executed_ && run.failure_.empty()) run.failure_ = "the case executed nothing";
    std::vector<Values> outputs;
    for (const CaseRun::Record& record : run.records_) {
      const Bytes after = record.download();
      Bytes expected = record.before;
      Values values{record.name, record.tensor.dtype(), record.tolerance, {}};
      const auto width = static_cast<std::size_t>(record.tensor.size(-1)) * size_of(values.dtype);
      if (record.role != Role::Input) {
        for_each_run(record.tensor, [&](std::int64_t row, std::int64_t offset) {
          const std::int64_t index = record.tensor.rank() == 1 ? 0 : row;
          if (index >= record.untouched_from) return;
          const std::byte* from = record.element(after, offset);
          std::memcpy(record.element(expected, offset), from, width);
          values.packed.insert(values.packed.end(), from, from + width);
        });
      }
      if (record.role == Role::Output) outputs.push_back(std::move(values));
      if (run.failure_.empty()) run.failure_ = first_change(record, expected, after);
    }
    return outputs;
  }

  static void compare(const std::vector<Values>& tested, const std::vector<Values>& reference,
                      CaseResult& result) {
    require(tested.size() == reference.size(), "cases",
            "the reference has {} outputs, the run under test {}", reference.size(), tested.size());
    for (std::size_t i = 0; i < tested.size(); ++i) {
      const Values &out = tested[i], &ref = reference[i];
      if (is_floating(ref.dtype)) {
        compare_floats(out, ref, result);
      } else if (out.packed != ref.packed) {
        fail(result, fmt::format("{}: {}", out.name, first_integer_difference(out, ref)));
      }
    }
  }

  static void fail(CaseResult& result, std::string message) {
    result.outcome = CaseOutcome::Failed;
    if (result.message.empty()) result.message = std::move(message);
  }

 private:
  static std::string first_change(const CaseRun::Record& record, const Bytes& expected,
                                  const Bytes& after) {
    const auto [is, was] = std::mismatch(after.begin(), after.end(), expected.begin());
    if (is == after.end()) return {};
    const auto at = std::distance(after.begin(), is) - static_cast<std::ptrdiff_t>(kGuardBytes);
    const char* what = record.role == Role::Input ? "input or its guard band was changed"
                                                  : "written outside of what it may write";
    return fmt::format("{} {}: {}, at byte {} from its start", record.name,
                       record.tensor.describe(), what, at);
  }

  static std::string first_integer_difference(const Values& out, const Values& ref) {
    const std::size_t size = size_of(out.dtype);
    if (out.packed.size() != ref.packed.size()) return "different numbers of rows were written";
    for (std::size_t at = 0; at < out.packed.size(); at += size) {
      const double a = to_double(&out.packed[at], out.dtype),
                   b = to_double(&ref.packed[at], ref.dtype);
      if (a != b) return fmt::format("element {} is {}, reference {}", at / size, a, b);
    }
    return "differs from the reference";
  }

  static void compare_floats(const Values& out, const Values& ref, CaseResult& result) {
    const std::size_t out_size = size_of(out.dtype), ref_size = size_of(ref.dtype);
    const std::size_t count = ref.packed.size() / ref_size;
    if (out.packed.size() / out_size != count) {
      return fail(result, fmt::format("{}: different numbers of rows were written", out.name));
    }
    double difference = 0, size = 0;
    std::vector<double> a(count), b(count);
    for (std::size_t i = 0; i < count; ++i) {
      a[i] = to_double(&out.packed[i * out_size], out.dtype);
      b[i] = to_double(&ref.packed[i * ref_size], ref.dtype);
      if (std::isnan(a[i]) || std::isnan(b[i])) {
        return fail(result, fmt::format("{}: element {} is {}, reference {}; not written?",
                                        out.name, i, a[i], b[i]));
      }
      if (a[i] == b[i]) {  // also infinities of the same sign
        size += std::isinf(b[i]) ? 0.0 : b[i] * b[i];
        continue;
      }
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      size += b[i] * b[i];
    }
    const double error = std::sqrt(difference) / (size > 0 ? std::sqrt(size) : 1.0);
    if (error >= result.error) {
      result.error = error;
      result.tolerance = out.tolerance;
    }
    if (!(error <= out.tolerance)) {
      return fail(result, fmt::format("{}: relative error {:.2g} is above {:.2g}", out.name, error,
                                      out.tolerance));
    }
    const double rms = count ? std::sqrt(size / static_cast<double>(count)) : 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      if (a[i] == b[i] || size == 0) continue;
      const double allowed = kElementFactor * out.tolerance * (std::fabs(b[i]) + rms);
      if (!(std::fabs(a[i] - b[i]) <= allowed)) {
        return fail(result, fmt::format("{}: element {} is {}, reference {}, allowed +-{:.2g}",
                                        out.name, i, a[i], b[i], allowed));
      }
    }
  }
};

std::string why_not(const Case& the_case, Device device) {
  if (device == Device::Cpu) return the_case.on_cpu ? "" : "not on the CPU with these types";
  if (!the_case.on_cuda || the_case.dtype == DType::F64) return "not on the GPU with these types";
  try {
    cuda_operation(the_case.op.c_str());
  } catch (const Error& error) {
    return error.what_failed();
  }
  return "";
}

namespace {
std::vector<CaseJudge::Values> run_once(const Case& the_case, CaseRun::Mode mode, Device device,
                                        CaseResult& result) {
  Arena scratch(CaseRun::kScratchBytes, device);
  CaseRun run(the_case, mode, device, scratch);
  the_case.body(run);
  auto values = CaseJudge::collect(run);
  result.gradient_error = std::max(result.gradient_error, CaseJudge::gradient_error(run));
  if (const std::string& failure = CaseJudge::failure(run); !failure.empty()) {
    CaseJudge::fail(result, mode == CaseRun::Mode::Reference ? "reference: " + failure : failure);
  }
  return values;
}

void check_threads(const Case& the_case, CaseResult& result) {
  std::vector<std::vector<CaseJudge::Values>> runs;
  for (int threads : {1, 3}) {
    ThreadCount count(threads);
    runs.push_back(run_once(the_case, CaseRun::Mode::Test, Device::Cpu, result));
  }
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    if (runs[0][i].packed != runs[1][i].packed) {
      CaseJudge::fail(result,
                      fmt::format("{}: one thread and three give different bits", runs[0][i].name));
    }
  }
}
}  // namespace

CaseResult run_case(const Case& the_case, Device device) {
  CaseResult result;
  result.op = the_case.op;
  result.label = the_case.label;
  result.dtype = the_case.dtype;
  result.tolerance = the_case.tolerance;
  result.message = why_not(the_case, device);
  if (!result.message.empty()) {
    result.outcome = CaseOutcome::Unsupported;
    return result;
  }
  result.outcome = CaseOutcome::Passed;
  try {
    const auto tested = run_once(the_case, CaseRun::Mode::Test, device, result);
    const auto reference = run_once(the_case, CaseRun::Mode::Reference, Device::Cpu, result);
    CaseJudge::compare(tested, reference, result);
    if (the_case.same_for_any_threads && device == Device::Cpu) check_threads(the_case, result);
  } catch (const std::exception& error) {
    CaseJudge::fail(result, error.what());
  }
  return result;
}

std::vector<CaseResult> run_cases(const CaseList& cases, Device device, std::string_view op,
                                  const std::function<void(const CaseResult&)>& report) {
  std::vector<CaseResult> results;
  for (const Case& the_case : cases) {
    if (the_case.timed_only || (!op.empty() && the_case.op != op)) continue;
    results.push_back(run_case(the_case, device));
    if (report) report(results.back());
  }
  return results;
}

std::string short_name(DType dtype) {
  std::string name(name_of(dtype));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return name;
}

}  // namespace tessera::kernels
