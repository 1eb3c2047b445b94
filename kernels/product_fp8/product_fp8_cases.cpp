// SPDX-License-Identifier: MIT
// Operands are quantised by the operations themselves, so that the reference multiplies the same
// E4M3 numbers in F64. Tolerance: the tensor cores add with about 14 bits, 2e-4 to 3e-4 here.
#include <numeric>

#include "kernels/cases.h"
#include "kernels/product_fp8/product_fp8.h"

namespace tessera::kernels {

namespace {
constexpr double kSums = 1e-3, kRounded = 4e-3;

/// Group sizes in units of 128 rows; none: a dense product of `rows`.
struct Setting {
  std::vector<std::int64_t> groups;
  std::int64_t rows, n, k;
  bool accumulates = false;
  bool one_scale = false;  ///< operands of `tensorwise`

  std::int64_t experts() const { return groups.empty() ? 1 : std::int64_t(groups.size()); }
  std::int64_t used() const {
    return groups.empty()
               ? rows
               : kScaleTile * std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
  }
  double flops() const { return 2.0 * double(used()) * double(n) * double(k); }
  bool benchmark() const { return flops() > 1e8; }
  std::string text() const {
    return fmt::format("{} rows{}, n {}, k {}{}{}", used(),
                       groups.empty() ? "" : fmt::format(" of {} experts", experts()), n, k,
                       accumulates ? ", added" : "", one_scale ? ", one scale" : "");
  }
  Tensor offsets(CaseRun& run) const {
    if (groups.empty()) return {};
    std::vector<std::int64_t> at{0};
    for (std::int64_t group : groups) at.push_back(at.back() + kScaleTile * group);
    return run.integers(DType::I32, {experts() + 1}, at);
  }
};

Tensor space(CaseRun& run, std::initializer_list<std::int64_t> shape, DType dtype) {
  return run.temporary(shape, {.dtype = dtype, .fixed = true});
}

/// x (rows, cols) quantised, with scales of rows in multiples of 4 as the GPU wants them.
Quantised operand(CaseRun& run, std::int64_t rows, std::int64_t cols, bool transposed,
                  bool one_scale = false) {
  const Tensor x = run.normal({rows, cols});
  Quantised made;
  if (transposed) {
    made.values_t = space(run, {cols, (rows + 15) / 16 * 16}, DType::F8E4M3);
    made.scales_t = space(run, {scale_tiles(rows), cols}, DType::F32);
  } else {
    made.values = space(run, {rows, cols}, DType::F8E4M3);
    made.scales = space(run, {scale_tiles(cols), (rows + 3) / 4 * 4}, DType::F32);
  }
  if (one_scale) {
    quantise_tensor(run.context(), x, {}, made);
  } else {
    quantise(run.context(), x, {}, made);
  }
  return made;
}

QuantisedWeight weights(CaseRun& run, const Setting& s) {
  const Tensor w = run.normal({s.experts(), s.n, s.k}, {.scale = 0.05});
  QuantisedWeight made;
  made.values = space(run, {s.experts(), s.n, s.k}, DType::F8E4M3);
  made.scales = space(run, {s.experts(), scale_tiles(s.n), scale_tiles(s.k)}, DType::F32);
  if (s.one_scale) {
    quantise_weight_tensor(run.context(), w, made);
    return made;
  }
  made.values_t = space(run, {s.experts(), s.k, s.n}, DType::F8E4M3);
  made.scales_t = space(run, {s.experts(), scale_tiles(s.k), scale_tiles(s.n)}, DType::F32);
  quantise_weight(run.context(), w, made);
  return made;
}

Tensor result(CaseRun& run, const Setting& s, std::int64_t cols) {
  if (s.accumulates) return run.in_out("c", run.normal({s.rows, cols}));
  const Tensor c = run.output("c", {s.rows, cols});
  if (s.used() < s.rows) run.untouched_from(c, s.used());
  return c;
}

Case base_case(const Setting& s, const char* op, DType dtype) {
  return {.op = op,
          .label = s.text() + (dtype == DType::BF16 ? " to bf16" : ""),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? kRounded : kSums,
          .flops = s.flops(),
          .bytes = double(s.used()) * double(s.k + s.n * std::int64_t(size_of(dtype))) +
                   double(s.experts()) * double(s.n) * double(s.k),
          .dense = {s.used(), s.n, s.k},
          .benchmark = s.benchmark(),
          .on_cpu = dtype != DType::BF16};
}

Case forward_case(const Setting& s, DType dtype) {
  Case c = base_case(s, "product_fp8", dtype);
  c.body = [=](CaseRun& run) {
    const Quantised a = operand(run, s.rows, s.k, false, s.one_scale);
    const QuantisedWeight b = weights(run, s);
    const Tensor offsets = s.offsets(run), y = result(run, s, s.n);
    run.execute([&](Context& x) { product_fp8(x, a, b, offsets, s.accumulates ? 1 : 0, y); });
  };
  return c;
}

Case input_grad_case(const Setting& s, DType dtype) {
  Case c = base_case(s, "product_fp8_input_grad", dtype);
  c.dense = {s.used(), s.k, s.n};
  c.body = [=](CaseRun& run) {
    const Quantised dc = operand(run, s.rows, s.n, false);
    const QuantisedWeight b = weights(run, s);
    const Tensor offsets = s.offsets(run), da = result(run, s, s.k);
    run.execute(
        [&](Context& x) { product_fp8_input_grad(x, dc, b, offsets, s.accumulates ? 1 : 0, da); });
  };
  return c;
}

Case weight_grad_case(const Setting& s, bool adds) {
  Case c = base_case(s, "product_fp8_weight_grad", DType::F32);
  c.dense = {s.n, s.k, s.used()};
  if (!adds) c.label += ", written";
  c.body = [=](CaseRun& run) {
    const Quantised dc = operand(run, s.rows, s.n, true), a = operand(run, s.rows, s.k, true);
    const Tensor offsets = s.offsets(run);
    const Tensor db = adds ? run.in_out("db", run.normal({s.experts(), s.n, s.k}))
                           : run.output("db", {s.experts(), s.n, s.k});
    run.execute([&](Context& x) { product_fp8_weight_grad(x, dc, a, offsets, adds ? 1 : 0, db); });
  };
  return c;
}

/// The library's product of numbers that E4M3 has.
Case library_case(std::int64_t m, std::int64_t n, std::int64_t k, DType dtype) {
  const double flops = 2.0 * double(m) * double(n) * double(k);
  return {.op = "library_product_fp8",
          .label = fmt::format("({}, {}, {}){}", m, n, k, dtype == DType::BF16 ? " to bf16" : ""),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? kRounded : kSums,
          .flops = flops,
          .bytes = double(m + n) * double(k) + double(m * n) * double(size_of(dtype)),
          .benchmark = flops > 1e8,
          .on_cpu = dtype != DType::BF16,
          .body = [=](CaseRun& run) {
            const TensorOptions numbers{.dtype = DType::F8E4M3, .fixed = true};
            const Tensor a = run.normal({m, k}, numbers), b = run.normal({n, k}, numbers);
            const Tensor c = run.output("c", {m, n});
            run.execute([&](Context& x) { library_product_fp8(x, a, b, c); });
          }};
}
}  // namespace

void register_product_fp8_cases(CaseList& cases) {
  const Setting settings[] = {
      {{}, 0, 16, 16},
      {{}, 1, 16, 16},
      {{}, 1, 16, 16, true},
      {{}, 37, 48, 80},
      {{}, 130, 144, 272, true},
      {{}, 300, 320, 128},
      {{}, 513, 528, 144, true},
      {{0, 0, 0}, 128, 32, 32},
      {{1, 0, 3, 1}, 768, 144, 96},
      {{2, 1}, 384, 272, 400},
      {{}, 4096, 1536, 512},  // a weight gradient in parts
      {{}, 4096, 1024, 1024, true},
      {{5, 4, 0, 9, 2, 4, 6, 2}, 4096, 1024, 512},
  };
  for (const Setting& s : settings) {
    cases.push_back(forward_case(s, DType::F32));
    cases.push_back(input_grad_case(s, DType::F32));
    cases.push_back(weight_grad_case(s, true));
    cases.push_back(weight_grad_case(s, false));
    cases.push_back(forward_case(s, DType::BF16));
    cases.push_back(input_grad_case(s, DType::BF16));
  }
  for (Setting s : {settings[3], settings[8]}) {
    s.one_scale = true;
    cases.push_back(forward_case(s, DType::F32));
    cases.push_back(forward_case(s, DType::BF16));
  }
  for (const DType dtype : {DType::F32, DType::BF16}) {
    cases.push_back(library_case(16, 32, 48, dtype));
    cases.push_back(library_case(272, 144, 400, dtype));
  }
  // Shapes of the presets numbers-small and numbers-medium, and the shape that GPUs are measured
  // with.
  for (const Setting& s : {Setting{{}, 32768, 1024, 1024}, Setting{{}, 32768, 1536, 512},
                           Setting{{}, 32768, 320, 1024}, Setting{{}, 16384, 8192, 2048},
                           Setting{std::vector<std::int64_t>(64, 32), 262144, 1024, 1024},
                           Setting{std::vector<std::int64_t>(64, 8), 65536, 1536, 2048},
                           Setting{std::vector<std::int64_t>(4, 64), 32768, 4096, 7168},
                           Setting{{}, 32768, 4096, 7168}}) {
    for (Case c :
         {forward_case(s, DType::BF16), forward_case(s, DType::F32),
          input_grad_case(s, DType::BF16), weight_grad_case(s, true), weight_grad_case(s, false)}) {
      c.timed_only = true;
      c.benchmark = true;
      cases.push_back(c);
    }
  }
}

}  // namespace tessera::kernels
