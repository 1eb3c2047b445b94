// SPDX-License-Identifier: MIT
// Cases of permute_quantise and permute_tiles.
#include "kernels/convert/convert.h"
#include "kernels/permute/permute.h"
#include "kernels/quantise/quantised_outputs.h"

namespace tessera::kernels {

namespace {
using namespace quantised;

// ---- along a permutation

struct Routing {
  std::int64_t tokens, top_k, experts, cols;
  bool by_rows = true, transposed = true;
  std::int64_t alignment = kScaleTile;
  /// Every 4096 tokens keep to 20 experts of their own, as tokens of a sequence do; else each token
  /// chooses for itself.
  bool clustered = false;
  std::string text() const {
    std::string more = by_rows && transposed ? "" : by_rows ? " rows only" : " transposed only";
    if (alignment != kScaleTile) more += fmt::format(", groups of {}", alignment);
    if (clustered) more += ", clustered";
    return fmt::format("{} tokens, top {} of {}, d {}{}", tokens, top_k, experts, cols, more);
  }
  double layouts() const { return double(by_rows) + double(transposed); }
  std::int64_t rows() const { return max_permuted_rows(tokens, top_k, experts, alignment); }
  double slots() const { return double(tokens) * double(top_k) * double(cols); }
  bool benchmark() const { return slots() > 1e6; }
};

Permutation planned(CaseRun& run, const Routing& s) {
  const Tensor first = run.integers(DType::I32, {s.tokens, 1}, 0, s.experts);
  std::vector<std::int64_t> picks;
  for (std::int64_t t = 0; t < s.tokens; ++t) {
    const std::int64_t chosen = run.read_integer(first, t);
    for (std::int64_t i = 0; i < s.top_k; ++i) {
      picks.push_back((s.clustered ? t / 4096 * 13 + (chosen + i * 7) % 20 : chosen + i * 7 * i) %
                      s.experts);
    }
  }
  const auto index = [&](std::initializer_list<std::int64_t> shape, DType dtype = DType::I32) {
    return run.temporary(shape, {.dtype = dtype});
  };
  const Permutation p{index({s.experts}, DType::I64), index({s.experts + 1}),
                      index({s.tokens, s.top_k}), index({s.rows()}), s.alignment};
  permute_plan(run.context(), run.integers(DType::I32, {s.tokens, s.top_k}, picks), p);
  return p;
}

/// Rows beyond those in use are not written: they are cleared before.
void clear(Context& c, const Quantised& out) {
  for (const Tensor& t : {out.values, out.scales, out.values_t, out.scales_t}) {
    if (t) fill(c, 0, t);
  }
}

Case permute_case(const Routing& s, DType dtype) {
  return {.op = "permute_quantise",
          .label = s.text(),
          .dtype = dtype,
          .tolerance = kExact,
          .bytes = s.slots() * (double(size_of(dtype)) + s.layouts()),
          .benchmark = s.benchmark(),
          .body = [=](CaseRun& run) {
            const Permutation p = planned(run, s);
            const Tensor x = run.normal({s.tokens, s.cols});
            const Quantised out = outputs(run, {s.rows(), s.cols, s.by_rows, s.transposed}, kExact);
            clear(run.context(), out);
            run.execute([&](Context& c) { permute_quantise(c, x, p, out); });
          }};
}

/// The CPU quantises the permuted rows of the plain matrix: what the operation must be equal to.
Case permute_tiles_case(const Routing& s) {
  return {
      .op = "permute_tiles",
      .label = s.text(),
      .dtype = DType::BF16,
      .tolerance = kExact,
      .bytes = s.slots() * 2,
      .benchmark = s.benchmark(),
      .body = [=](CaseRun& run) {
        const Permutation p = planned(run, s);
        const Tensor x = run.normal({s.tokens, s.cols}, {.scale = 3});
        const Quantised tokens{
            run.temporary({s.tokens, s.cols}, {.dtype = DType::F8E4M3, .fixed = true}),
            run.temporary({scale_tiles(s.cols), s.tokens}, {.dtype = DType::F32, .fixed = true}),
            {},
            {}};
        quantise(run.context(), x, {}, tokens);
        const Quantised out = outputs(run, {s.rows(), s.cols, true, false}, kExact);
        clear(run.context(), out);
        run.execute([&](Context& c) { permute_tiles(c, tokens, p, out); });
      }};
}
}  // namespace

void register_permute_quantise_cases(CaseList& cases) {
  Routing large{32768, 8, 64, 2048};
  large.clustered = true;
  Routing large_by_rows = large, large_transposed = large;
  large_by_rows.transposed = large_transposed.by_rows = false;
  for (Case the_case :
       {permute_case(large, DType::BF16), permute_case(large_transposed, DType::BF16),
        permute_tiles_case(large_by_rows)}) {
    the_case.timed_only = true;  // more than a GPU's cache holds
    cases.push_back(the_case);
  }
  for (const Routing& s : {Routing{0, 2, 4, 8}, Routing{1, 1, 1, 8}, Routing{70, 2, 5, 40},
                           Routing{70, 2, 5, 40, true, false}, Routing{70, 2, 5, 40, false, true},
                           Routing{300, 4, 7, 264}, Routing{300, 4, 7, 264, true, false, 16},
                           Routing{300, 4, 7, 264, true, true, 384}, Routing{2500, 2, 3, 136},
                           Routing{4096, 8, 64, 1024}}) {
    cases.push_back(permute_case(s, DType::F32));
    cases.push_back(permute_case(s, DType::BF16));
    if (s.by_rows)
      cases.push_back(
          permute_tiles_case({s.tokens, s.top_k, s.experts, s.cols, true, false, s.alignment}));
  }
}

}  // namespace tessera::kernels
