// SPDX-License-Identifier: MIT
#include "kernels/attention/attention.h"

#include "kernels/cases.h"

namespace tessera::kernels {

namespace {
struct Setting {
  std::vector<std::int64_t> lengths;
  std::int64_t heads, d_qk, d_v, pad = 0;

  std::int64_t tokens() const {
    std::int64_t sum = 0;
    for (std::int64_t length : lengths) sum += length;
    return sum;
  }
  std::int64_t longest() const {
    std::int64_t most = 0;
    for (std::int64_t length : lengths) most = std::max(most, length);
    return most;
  }
  std::string text() const {
    const std::string of = lengths.size() <= 8
                               ? fmt::format("{} tokens", fmt::join(lengths, "+"))
                               : fmt::format("{} tokens in {} sequences", tokens(), lengths.size());
    return fmt::format("{}, {} heads of {}/{}{}", of, heads, d_qk, d_v, pad ? " strided" : "");
  }
  float scale() const { return 1.0f / std::sqrt(static_cast<float>(d_qk)); }
  /// Pairs of a query and a key it sees, over all heads.
  double pairs() const {
    double sum = 0;
    for (std::int64_t length : lengths) sum += 0.5 * double(length) * double(length + 1);
    return sum * double(heads);
  }
  double elements() const { return double(tokens()) * double(heads) * double(d_qk + d_v); }
  bool benchmark() const { return pairs() > 1e6; }

  Tensor starts(CaseRun& run) const {
    std::vector<std::int64_t> at{0};
    for (std::int64_t length : lengths) at.push_back(at.back() + length);
    return run.integers(DType::I32, {std::int64_t(at.size())}, at);
  }
  Tensor input(CaseRun& run, std::int64_t d, double scale = 1) const {
    return run.normal({tokens(), heads, d}, {.pad = pad, .scale = scale});
  }
  Tensor output(CaseRun& run, const char* name, std::int64_t d) const {
    return run.output(name, {tokens(), heads, d}, {.pad = pad});
  }
};

/// lse stays in F32 where the rest is BF16.
TensorOptions row_type(const CaseRun& run) {
  if (run.dtype() == DType::BF16) return {.dtype = DType::F32, .tolerance = 1e-5};
  return {};
}

/// `size` of the scores' standard deviation: large ones make softmax pick single keys.
Case forward_case(const Setting& s, DType dtype, double size = 1) {
  return {.op = "attention_forward",
          .label = s.text() + (size > 1 ? " large scores" : ""),
          .dtype = dtype,
          .tolerance = 2e-6 * size,
          .flops = 2 * s.pairs() * double(s.d_qk + s.d_v),
          .bytes = 2 * s.elements() * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor q = s.input(run, s.d_qk, size), k = s.input(run, s.d_qk);
            const Tensor v = s.input(run, s.d_v), starts = s.starts(run);
            const Tensor o = s.output(run, "o", s.d_v);
            const Tensor lse = run.output("lse", {s.heads, s.tokens()}, row_type(run));
            run.execute([&](Context& c) {
              attention_forward(c, q, k, v, starts, s.longest(), s.scale(), o, lse);
            });
          }};
}

Case backward_case(const Setting& s, DType dtype) {
  return {
      .op = "attention_backward",
      .label = s.text(),
      .dtype = dtype,
      .tolerance = 5e-6,
      .flops = 2 * s.pairs() * double(3 * s.d_qk + 2 * s.d_v),
      .bytes = 4 * s.elements() * double(size_of(dtype)),
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor q = s.input(run, s.d_qk), k = s.input(run, s.d_qk), v = s.input(run, s.d_v);
        const Tensor starts = s.starts(run), d_o = s.input(run, s.d_v);
        const Tensor o = run.temporary({s.tokens(), s.heads, s.d_v});
        const Tensor lse = run.temporary({s.heads, s.tokens()}, row_type(run));
        const auto forward = [&](Context& c) {
          attention_forward(c, q, k, v, starts, s.longest(), s.scale(), o, lse);
        };
        forward(run.context());
        const Tensor dq = s.output(run, "dq", s.d_qk), dk = s.output(run, "dk", s.d_qk);
        const Tensor dv = s.output(run, "dv", s.d_v);
        run.execute([&](Context& c) {
          attention_backward(c, q, k, v, starts, s.longest(), s.scale(), o, lse, d_o, dq, dk, dv);
        });
        if (!s.benchmark()) run.check_gradient({{q, dq}, {k, dk}, {v, dv}}, forward, {{o, d_o}});
      }};
}

/// Keys in parts as MLA has them: the last `rope` columns are one row for all heads, whose gradient
/// is one row per head.
Case parts_forward_case(const Setting& s, std::int64_t rope, DType dtype) {
  Case c = forward_case(s, dtype);
  c.label += fmt::format(", {} columns shared", rope);
  c.body = [=](CaseRun& run) {
    const Tensor q = s.input(run, s.d_qk), first = s.input(run, s.d_qk - rope);
    const Tensor tail = run.normal({s.tokens(), 1, rope});
    const Tensor v = s.input(run, s.d_v), starts = s.starts(run);
    const Tensor o = s.output(run, "o", s.d_v);
    const Tensor lse = run.output("lse", {s.heads, s.tokens()}, row_type(run));
    run.execute([&](Context& context) {
      attention_forward(context, q, {first, tail}, v, starts, s.longest(), s.scale(), o, lse);
    });
  };
  return c;
}

Case parts_backward_case(const Setting& s, std::int64_t rope, DType dtype) {
  Case c = backward_case(s, dtype);
  c.label += fmt::format(", {} columns shared", rope);
  c.body = [=](CaseRun& run) {
    const Tensor q = s.input(run, s.d_qk), first = s.input(run, s.d_qk - rope);
    const Tensor tail = run.normal({s.tokens(), 1, rope}), v = s.input(run, s.d_v);
    const Tensor starts = s.starts(run), d_o = s.input(run, s.d_v);
    const Tensor o = run.temporary({s.tokens(), s.heads, s.d_v});
    const Tensor lse = run.temporary({s.heads, s.tokens()}, row_type(run));
    const auto forward = [&](Context& context) {
      attention_forward(context, q, {first, tail}, v, starts, s.longest(), s.scale(), o, lse);
    };
    forward(run.context());
    const Tensor dq = s.output(run, "dq", s.d_qk);
    const Tensor d_first = s.output(run, "dk", s.d_qk - rope);
    const Tensor d_tail = run.output("dk tail", {s.tokens(), s.heads, rope});
    const Tensor dv = s.output(run, "dv", s.d_v);
    run.execute([&](Context& context) {
      attention_backward(context, q, {first, tail}, v, starts, s.longest(), s.scale(), o, lse, d_o,
                         dq, {d_first, d_tail}, dv);
    });
    // A shared row's gradient is the sum over heads, which is not this operation's.
    if (!s.benchmark())
      run.check_gradient({{q, dq}, {first, d_first}, {v, dv}}, forward, {{o, d_o}});
  };
  return c;
}
}  // namespace

namespace {
/// More tokens than the GPU works on at one time, in sequences of many lengths.
Setting many_sequences() {
  Setting s{{}, 1, 48, 32};
  for (std::int64_t i = 0; i < 350; ++i) s.lengths.push_back(i * 37 % 401);
  return s;
}
}  // namespace

/// Those of attention_ranges.h.
void register_attention_ranges_cases(CaseList& cases);

void register_attention_cases(CaseList& cases) {
  register_attention_ranges_cases(cases);
  const Setting settings[] = {
      {{}, 2, 8, 8},
      {{1}, 1, 2, 1},
      {{0, 3, 0, 1, 0}, 2, 8, 8},
      {{17, 5, 40}, 3, 24, 16, 8},
      {{65, 0, 130, 64}, 2, 48, 32, 8},
      {{257}, 1, 24, 16},
      {{129, 31}, 2, 192, 128},
      {{700}, 2, 48, 32},
      {std::vector<std::int64_t>(8, 256), 8, 48, 32},
      {{2048}, 4, 96, 64},
      {{1024, 1024}, 8, 192, 128},
      many_sequences(),
  };
  for (const Setting& setting : settings) {
    cases.push_back(forward_case(setting, DType::F32));
    cases.push_back(backward_case(setting, DType::F32));
  }
  cases.push_back(forward_case(settings[4], DType::F64));
  cases.push_back(backward_case(settings[4], DType::F64));
  cases.push_back(forward_case(settings[4], DType::F32, 20));
  // BF16 is the GPU's alone: its error is that of P, dS and the results, rounded.
  const auto narrow = [&](Case c, double tolerance) {
    c.tolerance = tolerance;
    c.on_cpu = false;
    c.same_for_any_threads = false;
    cases.push_back(c);
  };
  for (const Setting& setting : settings) {
    narrow(forward_case(setting, DType::BF16), 4e-3);
    narrow(backward_case(setting, DType::BF16), 8e-3);
  }
  const std::pair<Setting, std::int64_t> in_parts[] = {
      {{{1}, 1, 3, 1}, 2}, {{{17, 5, 40}, 3, 24, 16, 8}, 8}, {{{129, 31, 300}, 2, 192, 128}, 64}};
  for (const auto& [setting, rope] : in_parts) {
    for (const Case& c : {parts_forward_case(setting, rope, DType::F32),
                          parts_backward_case(setting, rope, DType::F32)}) {
      cases.push_back(c);
    }
    narrow(parts_forward_case(setting, rope, DType::BF16), 4e-3);
    narrow(parts_backward_case(setting, rope, DType::BF16), 8e-3);
  }
  // The shape that GPUs are measured with.
  const Setting measured{std::vector<std::int64_t>(4, 4096), 16, 192, 128};
  for (Case c : {forward_case(measured, DType::BF16), backward_case(measured, DType::BF16)}) {
    c.on_cpu = false;
    c.timed_only = true;
    cases.push_back(c);
  }
}

}  // namespace tessera::kernels
