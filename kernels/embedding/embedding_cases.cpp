// SPDX-License-Identifier: MIT
#include "kernels/cases.h"
#include "kernels/embedding/embedding.h"

namespace tessera::kernels {

namespace {
struct Shape {
  std::int64_t tokens, vocabulary, d;
  std::string text() const { return fmt::format("{} tokens of ({}, {})", tokens, vocabulary, d); }
  bool benchmark() const { return tokens * d > 1'000'000; }
  double row_bytes(DType dtype) const {
    return double(tokens) * double(d) * double(size_of(dtype));
  }
};

Case forward_case(const Shape& s, DType dtype, DType out) {
  return {.op = "embedding_forward",
          .label = s.text() + " to " + short_name(out),
          .dtype = dtype,
          .tolerance = out == dtype ? 0.0 : 3e-3,
          .bytes = s.row_bytes(dtype) + s.row_bytes(out),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor tokens = run.integers(DType::I32, {s.tokens}, 0, s.vocabulary);
            const Tensor table = run.normal({s.vocabulary, s.d});
            const Tensor y = run.output("y", {s.tokens, s.d}, {.dtype = out});
            run.execute([&](Context& c) { embedding_forward(c, tokens, table, y); });
          }};
}

/// Few rows for many tokens: most rows are added to several times.
Case backward_case(const Shape& s, DType dtype) {
  return {.op = "embedding_backward",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = 1e-6,
          .bytes = 3 * s.row_bytes(dtype),
          .benchmark = s.benchmark(),
          .same_for_any_threads = !s.benchmark(),
          .body = [=](CaseRun& run) {
            const Tensor tokens = run.integers(DType::I32, {s.tokens}, 0, s.vocabulary);
            const Tensor dy = run.normal({s.tokens, s.d});
            const DType wide = dtype == DType::BF16 ? DType::F32 : dtype;
            const Tensor d_table =
                run.in_out("d_table", run.normal({s.vocabulary, s.d}, {.dtype = wide}));
            run.execute([&](Context& c) { embedding_backward(c, tokens, dy, d_table); });
            if (s.benchmark()) return;
            const Tensor table = run.normal({s.vocabulary, s.d});
            const Tensor y = run.temporary({s.tokens, s.d});
            run.check_gradient({{table, d_table, true}},
                               [&](Context& c) { embedding_forward(c, tokens, table, y); },
                               {{y, dy}});
          }};
}
}  // namespace

void register_embedding_cases(CaseList& cases) {
  for (const Shape& shape : {Shape{0, 3, 4}, Shape{1, 1, 1}, Shape{37, 5, 19}, Shape{300, 11, 260},
                             Shape{2048, 8192, 2048}, Shape{8192, 32768, 1024}}) {
    cases.push_back(forward_case(shape, DType::F32, DType::F32));
    cases.push_back(backward_case(shape, DType::F32));
    cases.push_back(forward_case(shape, DType::F32, DType::BF16));
    cases.back().on_cpu = false;
    cases.push_back(backward_case(shape, DType::BF16));
    cases.back().on_cpu = false;
  }
  cases.push_back(forward_case({37, 5, 19}, DType::F64, DType::F64));
  cases.push_back(backward_case({37, 5, 19}, DType::F64));
}

}  // namespace tessera::kernels
