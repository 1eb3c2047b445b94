// SPDX-License-Identifier: MIT
#include <algorithm>
#include <numeric>

#include "kernels/cases.h"
#include "kernels/grouped_product/grouped_product.h"

namespace tessera::kernels {

namespace {
/// Group sizes in units of kGroupAlignment rows.
struct Setting {
  std::vector<std::int64_t> groups;
  std::int64_t n, k;
  std::int64_t spare_rows = 16;  ///< after the last group: neither read nor written

  static constexpr std::int64_t kAlignment = 16;
  std::int64_t experts() const { return std::int64_t(groups.size()); }
  std::int64_t used() const {
    return kAlignment * std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
  }
  std::int64_t rows() const { return used() + spare_rows; }
  std::int64_t largest() const {
    return kAlignment * *std::max_element(groups.begin(), groups.end());
  }
  std::string text() const {
    return fmt::format("{} rows of {} experts, n {}, k {}", used(), experts(), n, k);
  }
  double flops() const { return 2.0 * double(used()) * double(n) * double(k); }
  double bytes(DType dtype) const {
    const double in = double(size_of(dtype)), out = dtype == DType::F64 ? 8 : 4;
    return double(used()) * (double(k) * in + double(n) * out) +
           double(experts()) * double(n) * double(k) * in;
  }
  bool benchmark() const { return flops() > 1e8; }

  Tensor offsets(CaseRun& run) const {
    std::vector<std::int64_t> at{0};
    for (std::int64_t group : groups) at.push_back(at.back() + kAlignment * group);
    return run.integers(DType::I32, {experts() + 1}, at);
  }
};

/// Fields that the three operations share; sums are of `length` products.
Case base_case(const Setting& s, const char* op, DType dtype, std::int64_t length) {
  return {.op = op,
          .label = s.text(),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? bf16_sum_tolerance(2e-6, length) : 2e-6,
          .flops = s.flops(),
          .bytes = s.bytes(dtype),
          .dense = {s.used(), s.n, s.k},
          .benchmark = s.benchmark()};
}

DType result_type(const CaseRun& run) {
  return run.dtype() == DType::F64 ? DType::F64 : DType::F32;
}

Case forward_case(const Setting& s, DType dtype) {
  Case c = base_case(s, "grouped_product", dtype, s.k);
  c.body = [=](CaseRun& run) {
    const Tensor a = run.normal({s.rows(), s.k}), b = run.normal({s.experts(), s.n, s.k});
    const Tensor offsets = s.offsets(run);
    const Tensor y = run.output("c", {s.rows(), s.n}, {.dtype = result_type(run)});
    run.untouched_from(y, s.used());
    run.execute([&](Context& x) { grouped_product(x, a, b, offsets, y); });
  };
  return c;
}

Case input_grad_case(const Setting& s, DType dtype) {
  Case c = base_case(s, "grouped_product_input_grad", dtype, s.n);
  c.dense = {s.used(), s.k, s.n};
  c.body = [=](CaseRun& run) {
    const Tensor dc = run.normal({s.rows(), s.n}), b = run.normal({s.experts(), s.n, s.k});
    const Tensor offsets = s.offsets(run);
    const Tensor da = run.output("da", {s.rows(), s.k}, {.dtype = result_type(run)});
    run.untouched_from(da, s.used());
    run.execute([&](Context& x) { grouped_product_input_grad(x, dc, b, offsets, da); });
    if (s.benchmark()) return;
    const Tensor a = run.normal({s.rows(), s.k}), y = run.temporary({s.rows(), s.n});
    run.check_gradient({{a.slice(0, 0, s.used()), da.slice(0, 0, s.used())}},
                       [&](Context& x) { grouped_product(x, a, b, offsets, y); },
                       {{y.slice(0, 0, s.used()), dc.slice(0, 0, s.used())}});
  };
  return c;
}

Case weight_grad_case(const Setting& s, DType dtype, bool adds) {
  Case c = base_case(s, "grouped_product_weight_grad", dtype, s.largest());
  if (!adds) c.label += ", written";
  c.dense = {s.n, s.k, s.used()};
  c.body = [=](CaseRun& run) {
    const Tensor dc = run.normal({s.rows(), s.n}), a = run.normal({s.rows(), s.k});
    const Tensor offsets = s.offsets(run);
    const TensorOptions result{.dtype = result_type(run)};
    const Tensor db = adds ? run.in_out("db", run.normal({s.experts(), s.n, s.k}, result))
                           : run.output("db", {s.experts(), s.n, s.k}, result);
    const float beta = adds ? 1 : 0;
    run.execute([&](Context& x) { grouped_product_weight_grad(x, dc, a, offsets, beta, db); });
    if (s.benchmark()) return;
    const Tensor b = run.normal({s.experts(), s.n, s.k}), y = run.temporary({s.rows(), s.n});
    run.check_gradient({{b, db, adds}}, [&](Context& x) { grouped_product(x, a, b, offsets, y); },
                       {{y.slice(0, 0, s.used()), dc.slice(0, 0, s.used())}});
  };
  return c;
}

/// BF16 results of BF16 operands, which only the GPU has.
Case rounding_case(const Setting& s, bool forward) {
  Case c =
      base_case(s, forward ? "grouped_product" : "grouped_product_input_grad", DType::BF16, s.k);
  c.label += " to bf16";
  c.tolerance = 4e-3;
  c.on_cpu = false;
  c.bytes -= 2 * double(s.used() * s.n);
  if (!forward) c.dense = {s.used(), s.k, s.n};
  c.body = [=](CaseRun& run) {
    const Tensor x = run.normal({s.rows(), forward ? s.k : s.n});
    const Tensor b = run.normal({s.experts(), s.n, s.k}), offsets = s.offsets(run);
    const Tensor y = run.output("y", {s.rows(), forward ? s.n : s.k});
    run.untouched_from(y, s.used());
    run.execute([&](Context& context) {
      if (forward) {
        grouped_product(context, x, b, offsets, y);
      } else {
        grouped_product_input_grad(context, x, b, offsets, y);
      }
    });
  };
  return c;
}

void add(CaseList& cases, const Setting& setting, DType dtype) {
  cases.push_back(forward_case(setting, dtype));
  cases.push_back(input_grad_case(setting, dtype));
  for (const bool adds : {true, false}) cases.push_back(weight_grad_case(setting, dtype, adds));
}
}  // namespace

void register_grouped_product_cases(CaseList& cases) {
  const Setting settings[] = {
      {{1}, 1, 1, 0},
      {{0, 0, 0}, 8, 8},
      {{0, 3, 0, 1, 0}, 24, 40},
      {{2, 1, 4}, 33, 7},
      {{40, 1, 0, 9, 3}, 96, 64},
      {std::vector<std::int64_t>(32, 1), 64, 48, 0},
      {{20, 13, 9, 25, 1, 16, 12, 0, 31, 2, 17, 18, 10, 14, 8, 60}, 512, 256},
  };
  for (const Setting& setting : settings) {
    add(cases, setting, DType::F32);
    add(cases, setting, DType::BF16);
  }
  for (const bool forward : {true, false}) {
    for (const Setting& setting : settings) cases.push_back(rounding_case(setting, forward));
  }
  add(cases, settings[2], DType::F64);
  // 8 experts of 2048 x 7168 with 512 rows each, as one node of 32 sees them.
  const Setting large{std::vector<std::int64_t>(8, 32), 2048, 1792};
  add(cases, large, DType::BF16);
  // The shape that GPUs are measured with: 64 experts of 1024 rows; and those of the small preset.
  for (const auto& [n, k] : {std::pair{1536, 2048}, std::pair{1024, 1024}, std::pair{1024, 512}}) {
    const Setting measured{std::vector<std::int64_t>(64, 64), n, k, 0};
    for (Case c :
         {rounding_case(measured, true), rounding_case(measured, false),
          forward_case(measured, DType::BF16), weight_grad_case(measured, DType::BF16, true),
          weight_grad_case(measured, DType::BF16, false)}) {
      c.timed_only = true;
      cases.push_back(c);
    }
  }
}

}  // namespace tessera::kernels
