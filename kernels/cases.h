// SPDX-License-Identifier: MIT
// One description of an operation at one shape and type serves as test, self test on the user's
// machine, gradient check, support table and benchmark. It needs no test framework.
//
// A test runs the body of a case twice: on the device and with the types under test, and on the CPU
// in F64 from the same values (already rounded to the types under test). Then it compares every
// output and looks for bytes that should not have changed. In kernels/x/x_cases.cpp:
//
//   void register_rms_norm_cases(CaseList& cases) {
//     cases.push_back({.op = "rms_norm_forward", .label = "(7, 33)", .tolerance = 1e-6,
//                      .body = [](CaseRun& run) {
//       const Tensor x = run.normal({7, 33}, {.pad = 5}), weight = run.normal({33});
//       const Tensor y = run.output("y", {7, 33}), rstd = run.output("rstd", {7});
//       run.execute([&](Context& c) { rms_norm_forward(c, x, weight, 1e-6f, y, rstd); });
//     }});
//   }
//
// Tensors are told apart by the order they are asked for, so a body asks for the same ones in every
// mode. Random values depend on that order alone.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/context.h"

namespace tessera::kernels {

class CaseRun;

/// Tolerance of sums of `length` products of BF16 in F32; `least` where they are short. Tensor
/// cores cut off what they add instead of rounding it, so that the error grows with the length
/// itself and not with its root: 0.9e-9 to 1.1e-9 of the result per product for lengths of 256 to
/// 7,168, measured on an H100, in cuBLASLt's products as in our own.
inline double bf16_sum_tolerance(double least, std::int64_t length) {
  return std::max(least, 1.5e-9 * static_cast<double>(length));
}

struct Case {
  std::string op;            ///< the name of the Op under test
  std::string label;         ///< shapes and what is special, for people: "(512, 7168) strided"
  DType dtype = DType::F32;  ///< what CaseRun::dtype() gives in the run under test
  /// Bound on ||out - ref|| / ||ref|| of every floating output (and, times 50 and relative to
  /// |ref| + rms(ref), on every element). Integer outputs are compared exactly.
  double tolerance = 1e-6;
  double flops = 0, bytes = 0;  ///< what one call does, for the rates in a benchmark
  /// (m, n, k) of one dense product with as many operations: a benchmark prints the library's rate
  /// for it beside this one. Zeros: there is none.
  std::array<std::int64_t, 3> dense = {};
  /// A shape of real models: timed by benchmarks and checked by the self test, not by unit tests.
  bool benchmark = false;
  /// So large that a reference would take minutes: for benchmarks alone.
  bool timed_only = false;
  /// Which devices take these types.
  bool on_cpu = true, on_cuda = true;
  /// Results on the CPU must have the same bits with one thread and with several.
  bool same_for_any_threads = false;
  std::function<void(CaseRun&)> body = nullptr;
};
using CaseList = std::vector<Case>;

/// The cases of all operations.
CaseList all_cases();

struct TensorOptions {
  std::optional<DType> dtype = {};  ///< instead of CaseRun::dtype(); still F64 in the reference
  bool fixed = false;               ///< keep `dtype` in the reference too
  std::int64_t pad = 0;             ///< elements between rows of the last dimension: a strided view
  double scale = 1, offset = 0;     ///< random values are offset + scale * value
  std::optional<double> tolerance = {};  ///< replaces the case's tolerance for this output
};

/// A variable of a gradient check and the gradient that the backward operation gave for it.
struct GradientPair {
  Tensor variable, gradient;
  bool added = false;  ///< the operation added to the gradient: what was there before is subtracted
};
/// An output of the forward operation and the cotangent that backward was given for it.
struct CotangentPair {
  Tensor output, cotangent;
};

/// How long a case takes. A GPU at its power limit lowers its clock within milliseconds, so that
/// the same kernel differs by 15 % with what ran before; hence two numbers of everything.
struct CaseTiming {
  std::string op, label;
  DType dtype = DType::F32;
  double seconds = 0;         ///< median of one call, at the end of the budget
  double seconds_rested = 0;  ///< in the first 40 ms after a pause; on the CPU in the first samples
  double gflops_per_s = 0, gflops_per_s_rested = 0;
  double gbytes_per_s = 0;
  std::string message;  ///< why it could not be timed, or empty
};

/// What the body of a case works with. Tensors live as long as the CaseRun, on the case's device.
class CaseRun {
 public:
  enum class Mode { Test, Reference, Time };
  using Shape = std::initializer_list<std::int64_t>;
  static constexpr std::size_t kScratchBytes = std::size_t{1} << 30;

  CaseRun(const Case& the_case, Mode mode, Device device, Arena& scratch);
  ~CaseRun();
  CaseRun(const CaseRun&) = delete;
  CaseRun& operator=(const CaseRun&) = delete;

  /// For operations that prepare inputs; the one under test goes through execute().
  Context& context() { return context_; }
  Mode mode() const { return mode_; }
  /// The type under test, or F64 in the reference.
  DType dtype() const { return mode_ == Mode::Reference ? DType::F64 : case_.dtype; }

  // Inputs. The run fails when an operation changes one.
  Tensor normal(Shape shape, const TensorOptions& options = {});
  Tensor uniform(Shape shape, double low, double high, const TensorOptions& options = {});
  Tensor zeros(Shape shape, const TensorOptions& options = {});
  /// Row major; size equal to the number of elements.
  Tensor values(Shape shape, std::span<const double> given, const TensorOptions& options = {});
  Tensor values(Shape shape, std::initializer_list<double> given,
                const TensorOptions& options = {}) {
    return values(shape, std::span<const double>(given.begin(), given.size()), options);
  }
  /// In [low, high).
  Tensor integers(DType dtype, Shape shape, std::int64_t low, std::int64_t high);
  Tensor integers(DType dtype, Shape shape, std::span<const std::int64_t> given);
  Tensor integers(DType dtype, Shape shape, std::initializer_list<std::int64_t> given) {
    return integers(dtype, shape, std::span<const std::int64_t>(given.begin(), given.size()));
  }
  /// A new contiguous input of the type and the initial values of another.
  Tensor copy(const Tensor& input);

  /// Compared with the reference. Starts as NaN (integers: 0xA5 bytes), and all of it must be
  /// written, up to the row that untouched_from() names.
  Tensor output(std::string name, Shape shape, const TensorOptions& options = {});
  /// Makes an input an output too: for operations that add to it or work in place.
  Tensor in_out(std::string name, const Tensor& input, std::optional<double> tolerance = {});
  /// Starts as NaN, is not compared.
  Tensor temporary(Shape shape, const TensorOptions& options = {});
  /// Rows (dimension 0) of an output from `row` on must stay as they were.
  void untouched_from(const Tensor& output, std::int64_t row);

  /// Calls the operation under test: once, or many times in a benchmark.
  void execute(const std::function<void(Context&)>& call);

  /// After execute(): compares each gradient at some elements with central differences of
  /// sum <output, cotangent>, outputs made by `forward`. Does something in the reference alone.
  /// `step` is relative to max(1, |value|).
  void check_gradient(std::initializer_list<GradientPair> gradients,
                      const std::function<void(Context&)>& forward,
                      std::initializer_list<CotangentPair> cotangents, double step = 1e-5,
                      double tolerance = 1e-6);

  /// An element by its flat index in a contiguous I32 or I64 tensor, from wherever it is.
  std::int64_t read_integer(const Tensor& tensor, std::int64_t index) const;

 private:
  friend class CaseJudge;
  friend CaseTiming time_case(const Case& the_case, Device device, double budget_seconds);
  struct Record;
  Record& allocate(Shape shape, DType under_test, const TensorOptions& options);
  Record& find(const Tensor& tensor);
  template <class Value>
  Tensor make_input(Shape shape, const TensorOptions& options, Value value);
  double evaluate(const std::function<void(Context&)>& forward,
                  std::initializer_list<CotangentPair> cotangents);
  void time(const std::function<void(Context&)>& call);

  const Case& case_;
  Mode mode_;
  Context context_;
  std::deque<Record> records_;
  bool executed_ = false;
  CaseTiming timing_;
  double gradient_error_ = 0;
  std::string failure_;
};

enum class CaseOutcome : std::uint8_t { Passed, Failed, Unsupported };

struct CaseResult {
  std::string op, label;
  DType dtype = DType::F32;
  CaseOutcome outcome = CaseOutcome::Failed;
  double error = 0;           ///< largest relative error of an output
  double tolerance = 0;       ///< the tolerance of that output
  double gradient_error = 0;  ///< error of the gradient check, where there is one
  std::string message;        ///< why not Passed
};

/// Why the case cannot run on the device; empty when it can.
std::string why_not(const Case& the_case, Device device);

/// Never throws for what a case does: that is its result.
CaseResult run_case(const Case& the_case, Device device);

/// The cases of `op` (all when empty) in order; `report` may be null.
std::vector<CaseResult> run_cases(const CaseList& cases, Device device, std::string_view op,
                                  const std::function<void(const CaseResult&)>& report);

/// Repeats the call for about `budget_seconds`, on a GPU after a pause of a quarter of a second.
CaseTiming time_case(const Case& the_case, Device device, double budget_seconds = 0.4);

/// Short names for labels: "f32", "bf16", "f64".
std::string short_name(DType dtype);

}  // namespace tessera::kernels
