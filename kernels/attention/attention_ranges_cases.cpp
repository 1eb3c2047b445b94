// SPDX-License-Identifier: MIT
#include "kernels/attention/attention_ranges.h"
#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
/// Ranges as attention_ranges.h has them.
struct RangesSetting {
  const char* what;
  std::vector<std::int64_t> ranges;
  std::int64_t keys, heads, d_qk, d_v, rope = 0, pad = 0;

  std::int64_t count() const { return std::ssize(ranges) / 4; }
  std::int64_t queries() const { return ranges.empty() ? 0 : ranges[ranges.size() - 3]; }
  std::string text() const {
    return fmt::format("{}: {} of {} keys, {} heads of {}/{}{}{}", what, queries(), keys, heads,
                       d_qk, d_v, rope > 0 ? fmt::format(", {} columns shared", rope) : "",
                       pad > 0 ? " strided" : "");
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(d_qk)); }
  Keys input(CaseRun& run) const {
    const Tensor first = run.normal({keys, heads, d_qk - rope}, {.pad = pad});
    return rope > 0 ? Keys(first, run.normal({keys, 1, rope})) : Keys(first);
  }
  Tensor range_rows(CaseRun& run) const { return run.integers(DType::I32, {count(), 4}, ranges); }
};

Case ranges_forward_case(const RangesSetting& s, DType dtype) {
  return {.op = "attention_ranges_forward",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 2e-6,
          .on_cuda = false,
          .same_for_any_threads = true,
          .body = [=](CaseRun& run) {
            const Tensor q = run.normal({s.queries(), s.heads, s.d_qk}, {.pad = s.pad});
            const Keys k = s.input(run);
            const Tensor v = run.normal({s.keys, s.heads, s.d_v}, {.pad = s.pad});
            const Tensor ranges = s.range_rows(run);
            const Tensor o = run.output("o", {s.queries(), s.heads, s.d_v}, {.pad = s.pad});
            const Tensor lse = run.output("lse", {s.heads, s.queries()});
            run.execute([&](Context& c) {
              attention_ranges_forward(c, q, k, v, ranges, s.scale(), o, lse);
            });
          }};
}

Case ranges_backward_case(const RangesSetting& s, DType dtype) {
  return {.op = "attention_ranges_backward",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 5e-6,
          .on_cuda = false,
          .body = [=](CaseRun& run) {
            const Tensor q = run.normal({s.queries(), s.heads, s.d_qk}, {.pad = s.pad});
            const Keys k = s.input(run);
            const Tensor v = run.normal({s.keys, s.heads, s.d_v}, {.pad = s.pad});
            const Tensor ranges = s.range_rows(run);
            const Tensor d_o = run.normal({s.queries(), s.heads, s.d_v});
            const Tensor o = run.temporary({s.queries(), s.heads, s.d_v});
            const Tensor lse = run.temporary({s.heads, s.queries()});
            const auto forward = [&](Context& c) {
              attention_ranges_forward(c, q, k, v, ranges, s.scale(), o, lse);
            };
            forward(run.context());
            const Tensor dq = run.output("dq", {s.queries(), s.heads, s.d_qk}, {.pad = s.pad});
            const Tensor first = run.output("dk", {s.keys, s.heads, s.d_qk - s.rope});
            const Tensor dv = run.output("dv", {s.keys, s.heads, s.d_v}, {.pad = s.pad});
            const Keys dk = s.rope > 0
                                ? Keys(first, run.output("dk tail", {s.keys, s.heads, s.rope}))
                                : Keys(first);
            run.execute([&](Context& c) {
              attention_ranges_backward(c, q, k, v, ranges, s.scale(), o, lse, d_o, dq, dk, dv);
            });
            // A shared row's gradient is the sum over heads, which is not this operation's.
            run.check_gradient({{q, dq}, {k.rows, first}, {v, dv}}, forward, {{o, d_o}});
          }};
}
}  // namespace

void register_attention_ranges_cases(CaseList& cases) {
  const RangesSetting settings[] = {
      {"nothing", {}, 0, 2, 8, 8},
      {"keys that nobody sees", {}, 3, 2, 8, 8},
      {"one query", {0, 1, 0, 0}, 1, 1, 4, 2},
      {"the end of a sequence", {0, 5, 0, 12}, 17, 3, 24, 16, 0, 8},
      {"first and last piece", {0, 40, 0, 0, 40, 80, 0, 120}, 160, 2, 48, 32, 16},
      {"pieces that meet", {0, 70, 0, 70, 70, 140, 0, 140}, 210, 2, 48, 32, 16},
      {"pieces longer than blocks", {0, 150, 0, 300, 150, 300, 0, 450}, 600, 1, 24, 16, 8},
      {"two sequences and gaps",
       {0, 9, 2, 6, 9, 9, 2, 15, 9, 20, 20, 24, 20, 23, 40, 70},
       80,
       2,
       24,
       16,
       8,
       8},
      {"one head of many keys", {0, 64, 0, 960}, 1024, 1, 192, 128, 64},
  };
  for (const RangesSetting& setting : settings) {
    cases.push_back(ranges_forward_case(setting, DType::F32));
    cases.push_back(ranges_backward_case(setting, DType::F32));
  }
  cases.push_back(ranges_forward_case(settings[4], DType::F64));
  cases.push_back(ranges_backward_case(settings[4], DType::F64));
}

}  // namespace tessera::kernels
