// SPDX-License-Identifier: MIT
#include "core/base/error.h"
#include "kernels/cases.h"
#include "kernels/permute/permute.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::string name;
  std::int64_t tokens, top_k, experts, d;
  std::int64_t used_experts;  ///< only experts below this are picked
  std::int64_t alignment = kGroupAlignment;
  bool some_absent = false;  ///< every third slot picks nothing
  std::string text() const {
    return fmt::format("{} tokens, top {} of {}, d {}{}", tokens, top_k, experts, d, name);
  }
  std::int64_t rows() const { return max_permuted_rows(tokens, top_k, experts, alignment); }
  double slot_elements() const { return double(tokens) * double(top_k) * double(d); }
  double token_elements() const { return double(tokens) * double(d); }
  bool benchmark() const { return tokens * d > 1'000'000; }
};

/// Distinct experts for each token, as a router gives them.
Tensor picks_of(CaseRun& run, const Setting& s) {
  const Tensor first = run.integers(DType::I32, {s.tokens, 1}, 0, s.used_experts);
  std::vector<std::int64_t> picks;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    for (std::int64_t i = 0; i < s.top_k; ++i) {
      const bool absent = s.some_absent && (t + i) % 3 == 0;
      const std::int64_t pick = (run.read_integer(first, t) + i * 7 * i) % s.used_experts;
      picks.push_back(absent ? kNoPick : pick);
    }
  }
  return run.integers(DType::I32, {s.tokens, s.top_k}, picks);
}

Permutation outputs(CaseRun& run, const Setting& s) {
  return {run.output("counts", {s.experts}, {.dtype = DType::I64}),
          run.output("offsets", {s.experts + 1}, {.dtype = DType::I32}),
          run.output("row_of_slot", {s.tokens, s.top_k}, {.dtype = DType::I32}),
          run.output("slot_of_row", {s.rows()}, {.dtype = DType::I32}), s.alignment};
}

Permutation planned(CaseRun& run, const Setting& s) {
  const Tensor picks = picks_of(run, s);
  const Permutation p = outputs(run, s);
  permute_plan(run.context(), picks, p);
  return p;
}

/// No slot is lost or counted twice, on whatever device.
void check_total(const CaseRun& run, const Setting& s, const Permutation& p) {
  if (s.some_absent) return;
  std::int64_t total = 0;
  for (std::int64_t e = 0; e < s.experts; ++e) total += run.read_integer(p.counts, e);
  require(total == s.tokens * s.top_k, "permute_plan",
          "counts sum to {} for {} tokens with {} each", total, s.tokens, s.top_k);
}

Case plan_case(const Setting& s) {
  return {.op = "permute_plan",
          .label = s.text(),
          .bytes = double(s.tokens * s.top_k) * 12,
          .benchmark = s.benchmark(),
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor picks = picks_of(run, s);
            const Permutation p = outputs(run, s);
            run.execute([&](Context& c) { permute_plan(c, picks, p); });
            if (run.mode() != CaseRun::Mode::Time) check_total(run, s, p);
          }};
}

Case forward_case(const Setting& s, DType dtype, DType out) {
  return {.op = "permute_forward",
          .label = s.text() + " to " + short_name(out),
          .dtype = dtype,
          .tolerance = out != dtype ? 3e-3 : 0.0,
          .bytes = s.token_elements() * double(size_of(dtype)) +
                   s.slot_elements() * double(size_of(out)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor x = run.normal({s.tokens, s.d});
            const Tensor y = run.output("y", {s.rows(), s.d}, {.dtype = out});
            run.untouched_from(y, run.read_integer(p.offsets, s.experts));
            run.execute([&](Context& c) { permute_forward(c, x, p, y); });
          }};
}

/// Sums of rows of `dtype` in F32 (F64) are exact enough, unless the result is rounded.
double sum_tolerance(DType result) {
  return result == DType::BF16 ? 3e-3 : 1e-6;
}

Case combine_case(const Setting& s, DType dtype, DType result) {
  return {.op = "combine",
          .label = s.text() + " to " + short_name(result),
          .dtype = dtype,
          .tolerance = sum_tolerance(result),
          .flops = s.slot_elements(),
          .bytes = s.slot_elements() * double(size_of(dtype)) +
                   2 * s.token_elements() * double(size_of(result)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor y = run.normal({s.rows(), s.d});
            const Tensor out = run.in_out("out", run.normal({s.tokens, s.d}, {.dtype = result}));
            run.execute([&](Context& c) { combine(c, y, p, out); });
            if (s.benchmark()) return;
            const std::int64_t used = run.read_integer(p.offsets, s.experts);
            const Tensor x = run.normal({s.tokens, s.d}), rows = run.temporary({s.rows(), s.d});
            run.check_gradient({{x, out, true}},
                               [&](Context& c) { permute_forward(c, x, p, rows); },
                               {{rows.slice(0, 0, used), y.slice(0, 0, used)}});
          }};
}

Case weights_case(const Setting& s) {
  return {.op = "permute_weights",
          .label = s.text(),
          .tolerance = 0,
          .bytes = double(s.tokens * s.top_k) * 8,
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor weights = run.normal({s.tokens, s.top_k});
            const Tensor rows = run.output("row_weights", {s.rows()});
            run.execute([&](Context& c) { permute_weights(c, weights, p, rows); });
          }};
}

Case weights_backward_case(const Setting& s) {
  return {.op = "permute_weights_backward",
          .label = s.text(),
          .tolerance = 0,
          .bytes = double(s.tokens * s.top_k) * 12,
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor rows = run.normal({s.rows()});
            const Tensor d_weights = run.output("d_weights", {s.tokens, s.top_k});
            run.execute([&](Context& c) { permute_weights_backward(c, rows, p, d_weights); });
          }};
}

/// Sums of BF16 rows, which only the GPU makes.
CaseList cases_in_bf16(const Setting& s) {
  CaseList cases;
  for (DType result : {DType::F32, DType::BF16}) {
    cases.push_back(combine_case(s, DType::BF16, result));
    cases.back().on_cpu = false;
  }
  return cases;
}
}  // namespace

void register_permute_quantise_cases(CaseList& cases);  // permute_quantise_cases.cpp

void register_permute_cases(CaseList& cases) {
  register_permute_quantise_cases(cases);
  const Setting settings[] = {
      {"", 0, 2, 4, 8, 4},
      {"", 1, 1, 1, 1, 1},
      {"", 16, 2, 5, 33, 5},
      {", three experts empty", 45, 2, 6, 20, 3},
      {", one expert for all", 50, 1, 4, 7, 1},
      {"", 600, 8, 256, 40, 256},
      {", some picks absent", 45, 3, 6, 20, 6, kGroupAlignment, true},
      {", groups of 128", 300, 4, 7, 64, 6, 128},
      {"", 4096, 8, 256, 1024, 256},
      {", groups of 128", 4096, 8, 64, 1024, 64, 128},
  };
  for (const Setting& setting : settings) {
    cases.push_back(plan_case(setting));
    cases.push_back(forward_case(setting, DType::F32, DType::F32));
    cases.push_back(forward_case(setting, DType::F32, DType::BF16));
    cases.push_back(forward_case(setting, DType::BF16, DType::BF16));
    cases.push_back(combine_case(setting, DType::F32, DType::F32));
    cases.push_back(weights_case(setting));
    cases.push_back(weights_backward_case(setting));
    for (Case& the_case : cases_in_bf16(setting)) cases.push_back(the_case);
  }
  const Setting large{", groups of 128", 8192, 8, 64, 1024, 64, 128};
  CaseList timed = cases_in_bf16(large);
  timed.push_back(forward_case(large, DType::BF16, DType::BF16));
  for (Case& the_case : timed) {
    the_case.timed_only = true;
    cases.push_back(the_case);
  }
  cases.push_back(plan_case({", groups of 128", 32768, 8, 64, 64, 64, 128}));
  cases.push_back(plan_case({"", 9000, 8, 64, 1, 64}));
  cases.push_back(forward_case(settings[2], DType::F64, DType::F64));
  cases.push_back(combine_case(settings[2], DType::F64, DType::F64));
}

}  // namespace tessera::kernels
