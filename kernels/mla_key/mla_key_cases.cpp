// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/mla_key/mla_key.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t tokens, heads, d_nope, d_rope, pad = 0;
  std::string text() const {
    return fmt::format("({}, {}, {} + {}){}", tokens, heads, d_nope, d_rope, pad ? " strided" : "");
  }
  std::int64_t d() const { return d_nope + d_rope; }
  double bytes(DType dtype) const {
    const double per_token = double(heads * (d() + d_nope) + d_rope);
    return double(tokens) * per_token * double(size_of(dtype));
  }
  bool benchmark() const { return tokens * heads * d() > 1'000'000; }
};

/// Beside keys in BF16 the rotary part is in F32.
DType rotary(DType keys) {
  return keys == DType::BF16 ? DType::F32 : keys;
}

Case forward_case(const Shape& s, DType dtype) {
  return {.op = "mla_key_forward",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = dtype == DType::BF16 ? 3e-3 : 0,  // a copy
          .bytes = s.bytes(dtype),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor nope = run.normal({s.tokens, s.heads, s.d_nope}, {.pad = s.pad});
            const Tensor rope =
                run.normal({s.tokens, s.d_rope}, {.dtype = rotary(dtype), .pad = 2 * s.pad});
            const Tensor k = run.output("k", {s.tokens, s.heads, s.d()});
            run.execute([&](Context& c) { mla_key_forward(c, nope, rope, k); });
          }};
}

Case backward_case(const Shape& s, DType dtype) {
  return {
      .op = "mla_key_backward",
      .label = s.text(),
      .dtype = dtype,
      .tolerance = 1e-6,
      .bytes = s.bytes(dtype),
      .benchmark = s.benchmark(),
      .same_for_any_threads = !s.benchmark(),
      .body = [=](CaseRun& run) {
        const Tensor dk = run.normal({s.tokens, s.heads, s.d()});
        const Tensor d_nope = run.output("dk_nope", {s.tokens, s.heads, s.d_nope}, {.pad = s.pad});
        const Tensor d_rope =
            run.output("dk_rope", {s.tokens, s.d_rope}, {.dtype = rotary(dtype), .pad = 2 * s.pad});
        run.execute([&](Context& c) { mla_key_backward(c, dk, d_nope, d_rope); });
        if (s.benchmark()) return;
        const Tensor nope = run.normal({s.tokens, s.heads, s.d_nope});
        const Tensor rope = run.normal({s.tokens, s.d_rope});
        const Tensor k = run.temporary({s.tokens, s.heads, s.d()});
        run.check_gradient({{nope, d_nope}, {rope, d_rope}},
                           [&](Context& c) { mla_key_forward(c, nope, rope, k); }, {{k, dk}});
      }};
}

/// The gradient of the rotary parts alone: rows of a wider tensor.
Case tail_case(const Shape& s, DType dtype) {
  return {.op = "mla_key_backward",
          .label = fmt::format("({}, {}, {}) rotary parts alone", s.tokens, s.heads, s.d_rope),
          .dtype = dtype,
          .tolerance = 1e-6,
          .bytes = double(s.tokens) * double(s.heads * s.d_rope) * double(size_of(dtype)),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor dk = run.normal({s.tokens, s.heads, s.d_rope}, {.pad = s.pad});
            const Tensor d_rope = run.output("dk_rope", {s.tokens, s.d_rope},
                                             {.dtype = rotary(dtype), .pad = 2 * s.pad});
            run.execute([&](Context& c) { mla_key_backward(c, dk, {}, d_rope); });
          }};
}

/// Only the GPU takes these types.
CaseList cases_in_bf16(const Shape& s) {
  CaseList cases{forward_case(s, DType::BF16), backward_case(s, DType::BF16),
                 tail_case(s, DType::BF16)};
  for (Case& the_case : cases) the_case.on_cpu = false;
  return cases;
}
}  // namespace

void register_mla_key_cases(CaseList& cases) {
  for (const Shape& shape : {Shape{0, 2, 4, 4}, Shape{1, 1, 1, 2}, Shape{9, 5, 7, 6, 3},
                             Shape{70, 8, 32, 16}, Shape{2048, 16, 128, 64}}) {
    cases.push_back(forward_case(shape, DType::F32));
    cases.push_back(backward_case(shape, DType::F32));
    cases.push_back(tail_case(shape, DType::F32));
    for (Case& the_case : cases_in_bf16(shape)) cases.push_back(the_case);
  }
  for (Case& the_case : cases_in_bf16({32768, 8, 128, 64})) {
    the_case.timed_only = true;
    cases.push_back(the_case);
  }
  cases.push_back(forward_case({9, 5, 7, 6, 3}, DType::F64));
  cases.push_back(backward_case({9, 5, 7, 6, 3}, DType::F64));
}

}  // namespace tessera::kernels
