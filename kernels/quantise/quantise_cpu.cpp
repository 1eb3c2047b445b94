// SPDX-License-Identifier: MIT
// Quantisation on the CPU: strips of 128 rows are made in FP32, rounded to BF16, then written in
// both layouts, so that a strip is in the cache when it is read again. In parallel over strips.
#include <algorithm>

#include "core/base/threads.h"
#include "kernels/quantise/quantise_contract.h"
#include "kernels/quantise/quantise_strip.h"

namespace tessera::kernels::cpu {

void quantise(Context&, const Tensor& x, const Tensor& live_rows, const Quantised& out) {
  const char* where = "quantise";
  contract::quantise(where, x, live_rows, out);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_element(where, "x", x, [&]<class T>(T) {
    quantise_rows(live(live_rows, rows), cols, out, [&](std::int64_t row, float* to) {
      std::transform(row_of<T>(x, row), row_of<T>(x, row) + cols, to, to_float<T>);
    });
  });
}

namespace {
struct Block {
  std::int64_t n0, n1, k0, k1;
};

template <class T>
void quantise_block(const T* w, const Block& b, std::int64_t n, std::int64_t k, f8e4m3* values,
                    f8e4m3* values_t, float& scale) {
  const std::int64_t width = b.k1 - b.k0;
  std::uint32_t most = 0;
  for (std::int64_t i = b.n0; i < b.n1; ++i) {
    const T* x = w + i * k + b.k0;
    most = std::max(most, largest_bits(width, [x](std::int64_t j) { return to_float(x[j]); }));
  }
  const float inverse = inverse_of(of_bits(most));
  scale = scale_of(of_bits(most));
  ByteTile bytes;
  for (std::int64_t i = b.n0; i < b.n1; ++i) {
    const T* x = w + i * k + b.k0;
    auto& row = bytes.rows[std::size_t(i - b.n0)];
    write_e4m3(
        width, [=](std::int64_t j) { return to_float(x[j]) * inverse; }, row.data());
    if (values) std::copy_n(row.begin(), width, values + i * k + b.k0);
  }
  if (values_t) bytes.write_transposed(b.n1 - b.n0, width, values_t + b.k0 * n + b.n0, n);
}
}  // namespace

void quantise_weight(Context&, const Tensor& w, const QuantisedWeight& out) {
  const char* where = "quantise_weight";
  contract::weights(where, w, out);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  const std::int64_t down = scale_tiles(n), across = scale_tiles(k);
  auto* values = out.values ? out.values.data<f8e4m3>() : nullptr;
  auto* values_t = out.values_t ? out.values_t.data<f8e4m3>() : nullptr;
  with_element(where, "w", w, [&]<class T>(T) {
    parallel_for(batch * down * across, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t item = i / (down * across), a = i / across % down, b = i % across;
        const Block block{a * kScaleTile, std::min(n, (a + 1) * kScaleTile), b * kScaleTile,
                          std::min(k, (b + 1) * kScaleTile)};
        const std::int64_t first = item * n * k;
        float scale = 0;
        quantise_block(w.data<T>() + first, block, n, k, values ? values + first : nullptr,
                       values_t ? values_t + first : nullptr, scale);
        if (values) out.scales.data<float>()[i] = scale;
        if (values_t) out.scales_t.data<float>()[(item * across + b) * down + a] = scale;
      }
    });
  });
}

void quantise_tensor(Context&, const Tensor& x, const Tensor& live_rows, const Quantised& out) {
  const char* where = "quantise_tensor";
  contract::quantise_tensor(where, x, live_rows, out);
  const std::int64_t cols = x.size(1), rows = live(live_rows, x.size(0));
  auto* values = out.values.data<f8e4m3>();
  with_element(where, "x", x, [&]<class T>(T) {
    const T* from = x.data<T>();
    std::uint32_t bits = 0;
#pragma omp parallel for simd reduction(max : bits)
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      bits = std::max(bits, magnitude_bits(rounded(to_float(from[i]))));
    }
    const float inverse = inverse_of(of_bits(bits)), scale = scale_of(of_bits(bits));
    parallel_for(rows, rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
      const T* first = from + begin * cols;
      write_e4m3((end - begin) * cols,
                 [=](std::int64_t i) { return rounded(to_float(first[i])) * inverse; },
                 values + begin * cols);
    });
    for (std::int64_t tile = 0; tile < scale_tiles(cols); ++tile) {
      std::fill_n(row_of<float>(out.scales, tile), rows, scale);
    }
  });
}

void quantise_weight_tensor(Context&, const Tensor& w, const QuantisedWeight& out) {
  const char* where = "quantise_weight_tensor";
  contract::quantise_weight_tensor(where, w, out);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  const std::int64_t tiles = scale_tiles(n) * scale_tiles(k);
  with_element(where, "w", w, [&]<class T>(T) {
    parallel_for(batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t item = begin; item < end; ++item) {
        const T* from = w.data<T>() + item * n * k;
        f8e4m3* to = out.values.data<f8e4m3>() + item * n * k;
        const float most =
            of_bits(largest_bits(n * k, [from](std::int64_t i) { return to_float(from[i]); }));
        const float inverse = inverse_of(most);
        write_e4m3(
            n * k, [=](std::int64_t i) { return to_float(from[i]) * inverse; }, to);
        std::fill_n(out.scales.data<float>() + item * tiles, tiles, scale_of(most));
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
