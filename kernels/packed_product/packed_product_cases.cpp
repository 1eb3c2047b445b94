// SPDX-License-Identifier: MIT
// The weights are packed by the product's own code from the same numbers in both runs, so that the
// reference multiplies the same packed numbers in F64. Tolerance: x is rounded to 16 bits of the
// largest of its row, 1 to 4e-5 of normal numbers.
#include <algorithm>
#include <numeric>

#include "kernels/cases.h"
#include "kernels/packed_product/packed_product.h"

namespace tessera::kernels {

namespace {
constexpr double kRoundedTo16 = 6e-5;

struct Setting {
  Packing packing;
  std::vector<std::int64_t> groups;  ///< rows of each expert; none: a dense product of `rows`
  std::int64_t rows, n, k;
  bool adds = false;
  std::int64_t pad = 0;  ///< between the rows of x and y

  std::int64_t experts() const { return groups.empty() ? 1 : std::int64_t(groups.size()); }
  std::int64_t used() const {
    return groups.empty() ? rows : std::accumulate(groups.begin(), groups.end(), std::int64_t{0});
  }
  std::int64_t busy_experts() const {
    if (groups.empty()) return 1;
    return std::count_if(groups.begin(), groups.end(), [](std::int64_t g) { return g > 0; });
  }
  double packed_bytes() const {
    const double each = packing == Packing::Q8_0 ? 34.0 / 32 : 18.0 / 32;
    return double(busy_experts()) * double(n) * double(k) * each;
  }
  double flops() const { return 2.0 * double(used()) * double(n) * double(k); }
  std::string text() const {
    return fmt::format("{}: {} rows{}, n {}, k {}{}{}", name_of(packing), used(),
                       groups.empty() ? "" : fmt::format(" of {} experts", experts()), n, k,
                       adds ? ", added" : "", pad > 0 ? ", strided" : "");
  }
};

PackedWeight weights(CaseRun& run, const Setting& s) {
  const Tensor w = run.normal({s.experts(), s.n, s.k}, {.scale = 0.05});
  const auto space = [&](DType type, std::int64_t a, std::int64_t b, std::int64_t c) {
    return run.temporary({a, b, c}, {.dtype = type, .fixed = true});
  };
  const PackedWeight made = packed_layout(s.packing, s.experts(), s.n, s.k, space);
  pack_weight(w, made);
  return made;
}

Case packed_case(const Setting& s, bool benchmark) {
  Case c{.op = "packed_product",
         .label = s.text(),
         .tolerance = kRoundedTo16,
         .flops = s.flops(),
         .bytes = s.packed_bytes() + 4.0 * double(s.used()) * double(s.n + s.k),
         .dense = {s.used(), s.n, s.k},
         .benchmark = benchmark,
         .on_cuda = false,
         .same_for_any_threads = true};
  c.body = [=](CaseRun& run) {
    const Tensor x = run.normal({s.rows, s.k}, {.pad = s.pad});
    const PackedWeight w = weights(run, s);
    Tensor offsets;
    if (!s.groups.empty()) {
      std::vector<std::int64_t> at{0};
      for (std::int64_t group : s.groups) at.push_back(at.back() + group);
      offsets = run.integers(DType::I32, {s.experts() + 1}, at);
    }
    const Tensor y = s.adds ? run.in_out("y", run.normal({s.rows, s.n}, {.pad = 2 * s.pad}))
                            : run.output("y", {s.rows, s.n}, {.pad = 2 * s.pad});
    if (s.used() < s.rows) run.untouched_from(y, s.used());
    run.execute([&](Context& x_) { packed_product(x_, x, w, offsets, s.adds ? 1.f : 0.f, y); });
  };
  return c;
}
}  // namespace

void register_packed_product_cases(CaseList& cases) {
  for (const Packing packing : {Packing::Q8_0, Packing::Q4_0}) {
    const Setting tested[] = {{packing, {}, 1, 1, 32},
                              {packing, {}, 1, 37, 96, true},
                              {packing, {}, 2, 6, 288},
                              {packing, {}, 3, 9, 32, false, 5},
                              {packing, {}, 4, 5, 64},
                              {packing, {}, 7, 131, 160, true, 3},
                              {packing, {}, 101, 66, 512},
                              {packing, {}, 0, 4, 32},
                              {packing, {1, 0, 1, 1}, 5, 12, 64},
                              {packing, {0, 5, 2, 0, 99}, 110, 35, 96},
                              {packing, {0, 0}, 3, 8, 32}};
    for (const Setting& s : tested) cases.push_back(packed_case(s, false));
    const std::vector<std::int64_t> one_token{1, 1, 1, 1, 1, 1, 1, 1};
    const std::vector<std::int64_t> prompt{64, 64, 64, 64, 64, 64, 64, 64};
    const Setting timed[] = {
        {packing, {}, 1, 32768, 1024},       {packing, {}, 4, 4096, 4096},
        {packing, {}, 16, 4096, 4096},       {packing, {}, 512, 4096, 1024},
        {packing, one_token, 8, 1024, 1024}, {packing, prompt, 512, 1024, 1024}};
    for (const Setting& s : timed) cases.push_back(packed_case(s, true));
  }
}

}  // namespace tessera::kernels
