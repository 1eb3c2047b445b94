// SPDX-License-Identifier: MIT
//
// Checks of the FP8 expert products against FP64 sums of the dequantised operands.
#pragma once

#include <numeric>
#include <random>

#include "kernels/product_fp8/product_fp8_launch.h"
#include "tests/kernels/fp8_gpu_quantise.cuh"

namespace fp8_gpu {

// Offsets from 128-row blocks per group.
inline std::vector<int32_t> offsets_of(const std::vector<int>& blocks) {
  std::vector<int32_t> offsets{0};
  for (const int b : blocks) offsets.push_back(offsets.back() + 128 * b);
  return offsets;
}

// Operands of a forward product, quantised; `spare` rows past the groups hold NaN.
struct ForwardData {
  ForwardData(const std::vector<int>& blocks, int n_, int k_, int64_t spare, uint32_t seed)
      : n(n_),
        k(k_),
        experts(static_cast<int>(blocks.size())),
        host_offsets(offsets_of(blocks)),
        used(host_offsets.back()),
        rows(used + spare),
        offsets(host_offsets),
        a(static_cast<size_t>(rows * k)),
        b(static_cast<size_t>(experts) * static_cast<size_t>(n) * static_cast<size_t>(k)),
        a_scale(static_cast<size_t>(rows * k_tiles())),
        b_scale(static_cast<size_t>(experts * n_tiles() * k_tiles())),
        c(static_cast<size_t>(rows * n)) {
    a.poison();
    a_scale.poison();
    const DeviceArray<__nv_bfloat16> x(static_cast<size_t>(used * k)), w(b.count());
    fill(x, seed);
    fill(w, seed + 1, 0.02f);
    QuantisedActivation out;
    out.values = a.data();
    out.scales = a_scale.data();
    out.scale_stride = rows;
    quantise_activation(nullptr, x.data(), used, k, nullptr, out);
    quantise_weight(nullptr, w.data(), true, experts, n, k, {b.data(), b_scale.data()});
    check(cudaDeviceSynchronize(), "forward data");
  }
  int k_tiles() const { return (k + 127) / 128; }
  int n_tiles() const { return (n + 127) / 128; }
  double operations() const { return 2.0 * static_cast<double>(used) * n * k; }
  GroupedFp8Product product(int tile_n) const {
    return {
        a.data(), a_scale.data(), b.data(), b_scale.data(), offsets.data(), c.data(), rows, rows, n,
        k,        experts,        tile_n};
  }
  int n, k, experts;
  std::vector<int32_t> host_offsets;
  int64_t used, rows;
  DeviceArray<int32_t> offsets;
  DeviceArray<uint8_t> a, b;
  DeviceArray<float> a_scale, b_scale;
  DeviceArray<__nv_bfloat16> c;
};

// Bound of one element's error, as a part of the sum of magnitudes of its products: the tensor
// cores align the 32 products of a step and the sum so far to the largest and cut them 13 bits
// below it, 33 / 2^13 of it at worst. What a wrong index or scale does shows in the norm of the
// error.
constexpr double kTensorCoreError = 33 * 0x1p-13;

struct ErrorSum {
  double squares = 0, of_reference = 0;
  int64_t wild = 0;  // elements beyond the bound of their own rounding
  void add(double got, double want, double bound) {
    squares += (got - want) * (got - want);
    of_reference += want * want;
    if (!(std::fabs(got - want) <= bound)) ++wild;
  }
  double relative() const { return of_reference > 0 ? std::sqrt(squares / of_reference) : 0; }
};

// Up to `count` elements of a (rows, columns) result; all of them if they are fewer.
inline std::vector<std::pair<int64_t, int64_t>> sample(int64_t rows, int64_t columns,
                                                       int64_t count) {
  std::vector<std::pair<int64_t, int64_t>> out;
  if (rows * columns <= count) {
    for (int64_t i = 0; i < rows * columns; ++i) out.emplace_back(i / columns, i % columns);
    return out;
  }
  std::mt19937_64 random(5);
  for (int64_t i = 0; i < count; ++i) {
    out.emplace_back(static_cast<int64_t>(random() % static_cast<uint64_t>(rows)),
                     static_cast<int64_t>(random() % static_cast<uint64_t>(columns)));
  }
  return out;
}

inline void check_forward(const std::string& name, ForwardData& d, int tile_n) {
  d.c.poison();
  grouped_product_fp8(nullptr, d.product(tile_n));
  check(cudaDeviceSynchronize(), "grouped_product_fp8");
  const auto got = to_floats(d.c.host());
  int64_t unwritten = 0, touched = 0;
  for (int64_t i = 0; i < d.rows * d.n; ++i) {
    const bool nan = std::isnan(got[static_cast<size_t>(i)]);
    unwritten += i < d.used * d.n && nan;
    touched += i >= d.used * d.n && !nan;
  }
  const auto picks = sample(d.used, d.n, 1 << 20);
  std::vector<Dot> list;
  for (const auto& [r, c] : picks) {
    const auto e = std::upper_bound(d.host_offsets.begin(), d.host_offsets.end(), r) -
                   d.host_offsets.begin() - 1;
    list.push_back({r, r, e * d.n + c, (e * d.n_tiles() + c / 128) * d.k_tiles(), 0, d.k});
  }
  const auto want = dots(list, {d.a.data(), d.k, d.a_scale.data(), d.rows},
                         {d.b.data(), d.k, d.b_scale.data(), 1});
  ErrorSum error;
  for (size_t i = 0; i < picks.size(); ++i) {
    const float value = got[static_cast<size_t>(picks[i].first * d.n + picks[i].second)];
    error.add(value, want[i].x, std::fabs(want[i].x) * 0x1p-8 + want[i].y * kTensorCoreError);
  }
  report(fmt::format("forward {} width {}", name, tile_n),
         unwritten == 0 && touched == 0 && error.wild == 0 && error.relative() < 3e-3,
         fmt::format("error {:.2e}, {} of {} beyond bounds, {} unwritten, {} touched",
                     error.relative(), error.wild, picks.size(), unwritten, touched));
}

// Operands of a weight gradient, tokens contiguous; `spare` tokens past the groups hold NaN.
struct WeightGradData {
  WeightGradData(const std::vector<int>& blocks, int m_, int n_, int64_t spare, uint32_t seed)
      : m(m_),
        n(n_),
        experts(static_cast<int>(blocks.size())),
        host_offsets(offsets_of(blocks)),
        used(host_offsets.back()),
        tokens(used + spare),
        stride_m((m_ + 3) / 4 * 4),
        offsets(host_offsets),
        a(static_cast<size_t>(tokens * m)),
        b(static_cast<size_t>(tokens * n)),
        a_scale(static_cast<size_t>(tokens / 128 * stride_m)),
        b_scale(static_cast<size_t>(tokens / 128 * n)),
        dw(static_cast<size_t>(experts) * static_cast<size_t>(m) * static_cast<size_t>(n)) {
    quantise(a, a_scale, m, stride_m, seed);
    quantise(b, b_scale, n, n, seed + 1);
  }
  void quantise(DeviceArray<uint8_t>& to, DeviceArray<float>& scale, int cols, int64_t stride,
                uint32_t seed) const {
    to.poison();
    scale.poison();
    const DeviceArray<__nv_bfloat16> x(static_cast<size_t>(used * cols));
    fill(x, seed);
    QuantisedActivation out;
    out.values_t = to.data();
    out.scales_t = scale.data();
    out.stride_t = tokens;
    out.scale_stride_t = stride;
    quantise_activation(nullptr, x.data(), used, cols, nullptr, out);
    check(cudaDeviceSynchronize(), "weight gradient data");
  }
  double operations() const { return 2.0 * static_cast<double>(used) * m * n; }
  GroupedFp8WeightGrad gradient(bool accumulate) const {
    return {a.data(),
            a_scale.data(),
            b.data(),
            b_scale.data(),
            offsets.data(),
            dw.data(),
            tokens,
            tokens,
            stride_m,
            n,
            m,
            n,
            experts,
            accumulate};
  }
  int m, n, experts;
  std::vector<int32_t> host_offsets;
  int64_t used, tokens, stride_m;
  DeviceArray<int32_t> offsets;
  DeviceArray<uint8_t> a, b;
  DeviceArray<float> a_scale, b_scale, dw;
};

inline void check_weight_grad(const std::string& name, WeightGradData& d, bool accumulate) {
  std::vector<float> before(d.dw.count());
  if (accumulate) {
    fill(d.dw, 77);
    before = d.dw.host();
  } else {
    d.dw.poison();
  }
  grouped_weight_grad_fp8(nullptr, d.gradient(accumulate));
  check(cudaDeviceSynchronize(), "grouped_weight_grad_fp8");
  const auto got = d.dw.host();
  const int64_t unwritten =
      std::count_if(got.begin(), got.end(), [](float v) { return std::isnan(v); });
  const auto picks = sample(static_cast<int64_t>(d.experts) * d.m, d.n, 1 << 20);
  std::vector<Dot> list;
  for (const auto& [r, c] : picks) {
    const auto e = static_cast<size_t>(r / d.m);
    list.push_back({r % d.m, r % d.m, c, c, d.host_offsets[e], d.host_offsets[e + 1]});
  }
  const auto want = dots(list, {d.a.data(), d.tokens, d.a_scale.data(), d.stride_m},
                         {d.b.data(), d.tokens, d.b_scale.data(), d.n});
  ErrorSum error;
  for (size_t i = 0; i < picks.size(); ++i) {
    const auto at = static_cast<size_t>(picks[i].first * d.n + picks[i].second);
    const double whole = want[i].x + static_cast<double>(before[at]);
    error.add(got[at], whole, want[i].y * kTensorCoreError + std::fabs(whole) * 0x1p-22);
  }
  report(fmt::format("weight grad {}{}", name, accumulate ? " added" : ""),
         unwritten == 0 && error.wild == 0 && error.relative() < 5e-4,
         fmt::format("error {:.2e}, {} of {} beyond bounds, {} unwritten", error.relative(),
                     error.wild, picks.size(), unwritten));
}

// The first `count` cases.
inline void check_all_products(size_t count) {
  struct Case {
    const char* name;
    std::vector<int> blocks;
    int n, k;
  };
  std::vector<int> many(256);
  for (size_t i = 0; i < many.size(); ++i) many[i] = static_cast<int>(mix(i, 3) % 3);
  std::vector<int> huge(16, 0);
  huge[11] = 32;
  std::vector<Case> cases = {{"one tile", {1}, 128, 128},
                             {"with empty", {0, 1, 0, 3}, 256, 256},
                             {"ragged", {1, 2, 0, 5, 1, 0, 1, 3}, 576, 208},
                             {"one huge", huge, 448, 2048},
                             {"nothing", {0, 0, 0}, 256, 256},
                             {"256 experts", many, 512, 512}};
  cases.resize(std::min(count, cases.size()));
  for (const Case& c : cases) {
    ForwardData forward(c.blocks, c.n, c.k, 384, 21);
    for (const int width : {128, 192, 256}) check_forward(c.name, forward, width);
  }
  for (const Case& c : cases) {
    WeightGradData gradient(c.blocks, c.k, c.n, 256, 31);
    for (const bool accumulate : {false, true}) check_weight_grad(c.name, gradient, accumulate);
  }
}

}  // namespace fp8_gpu
