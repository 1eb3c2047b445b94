// SPDX-License-Identifier: MIT
//
// Checks of the quantisation kernels: every byte and scale against the host.
#pragma once

#include <bit>
#include <string>

#include "kernels/swiglu/swiglu_quantise_launch.h"
#include "tests/kernels/fp8_gpu_support.cuh"

namespace fp8_gpu {

using namespace tessera::kernels::cuda;
using namespace tessera::kernels::cuda::e4m3;

inline int failures = 0;
inline void report(const std::string& name, bool good, const std::string& detail = {}) {
  if (!good) ++failures;
  if (!good || !detail.empty()) {
    std::printf("%-60s %s %s\n", name.c_str(), good ? "ok" : "FAILED", detail.c_str());
  }
}

// The recipe on the host.
inline float scale_of(float largest) {
  return std::fmax(largest, 1e-4f) / 448.0f;
}
inline uint8_t value_of(float x, float largest) {
  const float inverse = 448.0f / std::fmax(largest, 1e-4f);
  return tessera::f8e4m3(x * inverse).bits;
}
inline bool same_byte(uint8_t a, uint8_t b) {
  return a == b || ((a & 0x7f) == 0x7f && (b & 0x7f) == 0x7f);  // any NaN
}

// Counts differing bytes and scales of `rows` x `cols` values x, tiles of tile_r x tile_c.
// at(r, c): index of the byte; scale_at(tile row, tile column): index of the scale.
template <class X, class At, class ScaleAt>
int64_t differing(int64_t rows, int cols, int tile_r, int tile_c, const X& x,
                  const std::vector<uint8_t>& values, const At& at,
                  const std::vector<float>& scales, const ScaleAt& scale_at) {
  int64_t bad = 0;
  for (int64_t r0 = 0; r0 < rows; r0 += tile_r) {
    for (int c0 = 0; c0 < cols; c0 += tile_c) {
      float largest = 0;
      const int64_t r1 = std::min<int64_t>(rows, r0 + tile_r);
      const int c1 = std::min(cols, c0 + tile_c);
      for (int64_t r = r0; r < r1; ++r) {
        for (int c = c0; c < c1; ++c) largest = std::fmax(largest, std::fabs(x(r, c)));
      }
      bad += scales[static_cast<size_t>(scale_at(r0 / tile_r, c0 / tile_c))] != scale_of(largest);
      for (int64_t r = r0; r < r1; ++r) {
        for (int c = c0; c < c1; ++c) {
          bad += !same_byte(values[static_cast<size_t>(at(r, c))], value_of(x(r, c), largest));
        }
      }
    }
  }
  return bad;
}

struct ActivationBuffers {
  ActivationBuffers(int64_t rows_, int cols_)
      : rows(rows_),
        cols(cols_),
        stride((rows_ + 15) / 16 * 16),
        stride_c((cols_ + 3) / 4 * 4),
        values(static_cast<size_t>(rows_ * cols_)),
        values_t(static_cast<size_t>(stride * cols_)),
        scales(static_cast<size_t>((cols_ + 127) / 128 * stride)),
        scales_t(static_cast<size_t>((rows_ + 127) / 128 * stride_c)) {
    values.poison();
    values_t.poison();
    scales.poison();
    scales_t.poison();
  }
  QuantisedActivation out() const {
    return {values.data(),   scales.data(), stride,  values_t.data(),
            scales_t.data(), stride,        stride_c};
  }
  int64_t rows;
  int cols;
  int64_t stride, stride_c;
  DeviceArray<uint8_t> values, values_t;
  DeviceArray<float> scales, scales_t;
};

// Both layouts of the first `live` rows against x; rows beyond must still be poisoned.
inline void check_activation(const std::string& name, const std::vector<float>& x,
                             const ActivationBuffers& b, int64_t live) {
  const auto at_x = [&](int64_t r, int c) { return x[static_cast<size_t>(r * b.cols + c)]; };
  const auto values = b.values.host(), values_t = b.values_t.host();
  int64_t bad = differing(
      live, b.cols, 1, 128, at_x, values, [&](int64_t r, int c) { return r * b.cols + c; },
      b.scales.host(), [&](int64_t r, int64_t t) { return t * b.stride + r; });
  report(name + " rows", bad == 0, std::to_string(bad) + " differ");
  bad = differing(
      live, b.cols, 128, 1, at_x, values_t, [&](int64_t r, int c) { return c * b.stride + r; },
      b.scales_t.host(), [&](int64_t t, int64_t c) { return t * b.stride_c + c; });
  report(name + " transposed", bad == 0, std::to_string(bad) + " differ");
  int64_t touched = 0;
  for (int64_t r = live; r < b.rows; ++r) {
    for (int c = 0; c < b.cols; ++c) {
      touched += values[static_cast<size_t>(r * b.cols + c)] != 0xff;
      touched +=
          r >= (live + 15) / 16 * 16 && values_t[static_cast<size_t>(c * b.stride + r)] != 0xff;
    }
  }
  report(name + " untouched beyond live rows", touched == 0);
}

inline std::vector<float> to_floats(const std::vector<__nv_bfloat16>& from) {
  std::vector<float> to(from.size());
  for (size_t i = 0; i < from.size(); ++i) to[i] = __bfloat162float(from[i]);
  return to;
}

// NaN, infinity, zeros, tiny tiles, ties and halves in the first rows.
inline void plant_special(DeviceArray<__nv_bfloat16>& x, int cols) {
  auto host = x.host();
  for (int c = 0; c < std::min(cols, 128) && host.size() >= static_cast<size_t>(3 * cols); ++c) {
    host[static_cast<size_t>(c)] = __float2bfloat16(0.0f);
    host[static_cast<size_t>(cols + c)] = __float2bfloat16(1e-6f * static_cast<float>(c));
    host[static_cast<size_t>(2 * cols + c)] = __float2bfloat16(c == 0 ? 448.0f : 0.03125f * c);
  }
  if (host.size() >= static_cast<size_t>(4 * cols)) {
    host[static_cast<size_t>(3 * cols)] = __float2bfloat16(NAN);
    host[static_cast<size_t>(3 * cols + 1)] = __float2bfloat16(-INFINITY);
  }
  check(cudaMemcpy(x.data(), host.data(), x.bytes(), cudaMemcpyHostToDevice), "copy");
}

inline void check_quantise_activation(int64_t rows, int cols, int64_t live) {
  DeviceArray<__nv_bfloat16> x(static_cast<size_t>(rows * cols));
  fill(x, 11);
  plant_special(x, cols);
  const DeviceArray<int32_t> live_rows(std::vector<int32_t>{static_cast<int32_t>(live)});
  const ActivationBuffers b(rows, cols);
  quantise_activation(nullptr, x.data(), rows, cols, live == rows ? nullptr : live_rows.data(),
                      b.out());
  check_activation(fmt::format("quantise ({}, {}) live {}", rows, cols, live), to_floats(x.host()),
                   b, live);
}

inline void check_swiglu(int64_t rows, int width, int64_t live) {
  DeviceArray<__nv_bfloat16> h(static_cast<size_t>(rows * width * 2)),
      y(static_cast<size_t>(rows * width));
  fill(h, 12, 0.3f);
  y.poison();
  const DeviceArray<int32_t> live_rows(std::vector<int32_t>{static_cast<int32_t>(live)});
  const ActivationBuffers b(rows, width);
  swiglu_quantise(nullptr, h.data(), rows, width, live_rows.data(), nullptr, y.data(), {}, b.out());
  const auto in = to_floats(h.host()), got = to_floats(y.host());
  double worst = 0;
  for (int64_t r = 0; r < live; ++r) {
    for (int c = 0; c < width; ++c) {
      const double g = in[static_cast<size_t>(r * 2 * width + c)];
      const double u = in[static_cast<size_t>(r * 2 * width + width + c)];
      const double want = g / (1 + std::exp(-g)) * u;
      const double error = std::fabs(got[static_cast<size_t>(r * width + c)] - want);
      worst = std::fmax(worst, error / (std::fabs(want) + 1e-30));
      if (!(error <= std::fabs(want) * 0x1.02p-8 + 1e-30)) worst = 1;
    }
  }
  const std::string name = fmt::format("swiglu ({}, {}) live {}", rows, width, live);
  report(name + " values", worst < 0.01, fmt::format("largest relative error {:.2e}", worst));
  check_activation(name, got, b, live);
}

template <class T>
void check_quantise_weight(int batch, int n, int k) {
  const auto count = static_cast<size_t>(batch) * static_cast<size_t>(n * k);
  DeviceArray<T> w(count);
  fill(w, 13, 0.02f);
  DeviceArray<uint8_t> values(count), values_t(count);
  const int nb = (n + 127) / 128, kb = (k + 127) / 128;
  DeviceArray<float> scales(static_cast<size_t>(batch * nb * kb)), scales_t(scales.count());
  values.poison();
  values_t.poison();
  scales.poison();
  scales_t.poison();
  constexpr bool kBf16 = sizeof(T) == 2;
  quantise_weight(nullptr, w.data(), kBf16, batch, n, k,
                  {values.data(), scales.data(), values_t.data(), scales_t.data()});
  const auto host = w.host();
  int64_t bad = 0;
  for (int e = 0; e < batch; ++e) {
    const int64_t first = static_cast<int64_t>(e) * n * k, first_scale = e * nb * kb;
    const auto x = [&](int64_t r, int c) {
      return static_cast<float>(host[static_cast<size_t>(first + r * k + c)]);
    };
    bad += differing(
        n, k, 128, 128, x, values.host(), [&](int64_t r, int c) { return first + r * k + c; },
        scales.host(), [&](int64_t r, int64_t c) { return first_scale + r * kb + c; });
    bad += differing(
        n, k, 128, 128, x, values_t.host(), [&](int64_t r, int c) { return first + c * n + r; },
        scales_t.host(), [&](int64_t r, int64_t c) { return first_scale + c * nb + r; });
  }
  report(fmt::format("quantise {} weight ({}, {}, {})", kBf16 ? "bf16" : "f32", batch, n, k),
         bad == 0, std::to_string(bad) + " differ");
}

inline void check_all_quantise() {
  for (const auto& [rows, cols] :
       {std::pair{128, 128}, {384, 576}, {131, 264}, {1, 8}, {640, 2048}}) {
    check_quantise_activation(rows, cols, rows);
  }
  check_quantise_activation(512, 256, 256);
  check_quantise_activation(512, 256, 0);
  check_swiglu(384, 384, 256);
  check_swiglu(130, 72, 130);
  check_quantise_weight<float>(1, 128, 128);
  check_quantise_weight<float>(3, 576, 208);
  check_quantise_weight<__nv_bfloat16>(2, 256, 384);
}

}  // namespace fp8_gpu
