// SPDX-License-Identifier: MIT
// Quantisation on the CPU: strips of 128 rows are made in FP32, rounded to BF16, then written in
// both layouts, so that a strip is in the cache when it is read again. In parallel over strips.
#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/arguments.h"
#include "kernels/convert/convert.h"
#include "kernels/quantise/quantise_strip.h"
#include "kernels/vector_math.h"

namespace tessera::kernels::cpu {

namespace {
/// Calls body(T{}) with the type of the elements of an operand.
template <class Body>
void with_element(const char* where, const char* name, const Tensor& tensor, Body&& body) {
  if (tensor.dtype() == DType::BF16) return body(bf16{});
  with_float(where, name, tensor, body);
}
template <class T>
float to_float(T value) {
  return static_cast<float>(value);
}

void check_layouts(const char* where, const Quantised& out, std::int64_t rows, std::int64_t cols) {
  require(cols % 8 == 0, where, "expected columns in multiples of 8, got {}", cols);
  if (out.values) {
    expect_shape(where, "values", out.values, {rows, cols});
    expect_contiguous(where, "values", out.values);
    expect_shape(where, "scales", out.scales, {scale_tiles(cols), -1});
    require(out.scales.size(1) >= rows, where, "expected scales of {} rows, got {}", rows,
            out.scales.describe());
  }
  if (out.values_t) {
    expect_shape(where, "values_t", out.values_t, {cols, -1});
    require(out.values_t.size(1) >= (rows + 15) / 16 * 16, where,
            "expected values_t with {} columns or more, got {}", (rows + 15) / 16 * 16,
            out.values_t.describe());
    expect_shape(where, "scales_t", out.scales_t, {scale_tiles(rows), -1});
    require(out.scales_t.size(1) >= cols, where, "expected scales_t of {} columns, got {}", cols,
            out.scales_t.describe());
  }
}

/// Quantises `rows` rows; make(row, to) writes one as floats, which are then rounded to BF16.
template <class Make>
void quantise_rows(std::int64_t rows, std::int64_t cols, const Quantised& out, const Make& make) {
  parallel_for(scale_tiles(rows), 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> strip(static_cast<std::size_t>(kScaleTile * cols));
    for (std::int64_t tile = begin; tile < end; ++tile) {
      const std::int64_t first = tile * kScaleTile, count = std::min(kScaleTile, rows - first);
      for (std::int64_t r = 0; r < count; ++r) {
        float* row = strip.data() + r * cols;
        make(first + r, row);
#pragma omp simd
        for (std::int64_t c = 0; c < cols; ++c) row[c] = rounded(row[c]);
      }
      if (out.values) write_rows(strip.data(), first, count, cols, out);
      if (out.values_t) write_columns(strip.data(), first, count, cols, out);
    }
  });
}

std::int64_t live(const char* where, const Tensor& live_rows, std::int64_t rows) {
  if (!live_rows) return rows;
  expect_shape(where, "live_rows", live_rows, {1});
  return std::clamp<std::int64_t>(*live_rows.data<std::int32_t>(), 0, rows);
}

/// Writes what was rounded to BF16 into a row of y, whatever its type; nothing where y is absent.
void keep(const Tensor& y, std::int64_t row, const float* from) {
  if (!y) return;
  with_element("quantise", "y", y, [&]<class Y>(Y) {
    Y* to = row_of<Y>(y, row);
    for (std::int64_t c = 0; c < y.size(1); ++c) store(to[c], rounded(from[c]));
  });
}

/// Rows that the permutation uses; checks what both routed operations need of it.
std::int64_t used_rows(const char* where, const Permutation& p, std::int64_t rows,
                       const Quantised& out) {
  require(!out.values_t || p.alignment % kScaleTile == 0, where,
          "expected groups of rows in multiples of {}, got {}", kScaleTile, p.alignment);
  const std::int64_t used = p.offsets.data<std::int32_t>()[p.offsets.size(0) - 1];
  require(used <= rows && used <= p.slot_of_row.size(0), where,
          "{} rows are used but the tensors have {}", used, rows);
  return used;
}

/// Rows of what a permutation fills; values_t may have more columns than there are rows.
std::int64_t rows_of(const Permutation& p, const Quantised& out) {
  return out.values ? out.values.size(0) : p.slot_of_row.size(0);
}
}  // namespace

void quantise(Context&, const Tensor& x, const Tensor& live_rows, const Quantised& out) {
  const char* where = "quantise";
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  check_layouts(where, out, rows, cols);
  with_element(where, "x", x, [&]<class T>(T) {
    quantise_rows(live(where, live_rows, rows), cols, out, [&](std::int64_t row, float* to) {
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
  expect_shape(where, "w", w, {-1, -1, -1});
  expect_contiguous(where, "w", w);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  require(n % 16 == 0 && k % 16 == 0, where, "expected n and k in multiples of 16, got {}",
          w.describe());
  const std::int64_t down = scale_tiles(n), across = scale_tiles(k);
  if (out.values) {
    expect_shape(where, "values", out.values, {batch, n, k});
    expect_shape(where, "scales", out.scales, {batch, down, across});
  }
  if (out.values_t) {
    expect_shape(where, "values_t", out.values_t, {batch, k, n});
    expect_shape(where, "scales_t", out.scales_t, {batch, across, down});
  }
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
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  const std::int64_t cols = x.size(1), rows = live(where, live_rows, x.size(0));
  check_layouts(where, out, x.size(0), cols);
  require(out.values && !out.values_t, where, "one layout is made: that by rows");
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
  expect_shape(where, "w", w, {-1, -1, -1});
  expect_contiguous(where, "w", w);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  require(n % 16 == 0 && k % 16 == 0, where, "expected n and k in multiples of 16, got {}",
          w.describe());
  require(out.values && !out.values_t, where, "one layout is made: (batch, n, k)");
  expect_shape(where, "values", out.values, {batch, n, k});
  expect_shape(where, "scales", out.scales, {batch, scale_tiles(n), scale_tiles(k)});
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

namespace {
/// The type sums are made in.
template <class T>
using Wide = std::conditional_t<std::is_same_v<T, double>, double, float>;

void check_halves(const char* where, const QuantisedHalves& halves, std::int64_t rows,
                  std::int64_t cols) {
  expect_shape(where, "kept values", halves.values, {2, rows, cols});
  expect_contiguous(where, "kept values", halves.values);
  expect_shape(where, "kept scales", halves.scales, {2, scale_tiles(cols), -1});
  require(halves.scales.size(2) >= rows, where, "expected scales of {} rows, got {}", rows,
          halves.scales.describe());
}

/// One half as the layout by rows of a matrix (R, C).
Quantised half_of(const QuantisedHalves& halves, std::int64_t which) {
  return {halves.values[which], halves.scales[which], {}, {}};
}

/// The weight of each row, or 1.
double weight_of(const Tensor& row_weights, std::int64_t row) {
  if (!row_weights) return 1;
  return row_weights.dtype() == DType::F64 ? row_weights.data<double>()[row]
                                           : double(row_weights.data<float>()[row]);
}

/// One row of a layout by rows, as floats.
void dequantise_row(const Quantised& from, std::int64_t row, std::int64_t cols, float* to) {
  const f8e4m3* values = row_of<f8e4m3>(from.values, row);
  for (std::int64_t tile = 0; tile < scale_tiles(cols); ++tile) {
    const float scale = row_of<float>(from.scales, tile)[row];
    const std::int64_t end = std::min(cols, (tile + 1) * kScaleTile);
    for (std::int64_t c = tile * kScaleTile; c < end; ++c) {
      to[c] = static_cast<float>(values[c]) * scale;
    }
  }
}
}  // namespace

void swiglu_quantise(Context&, const Tensor& gate_up, const Tensor& live_rows,
                     const Tensor& row_weights, const Tensor& y, const QuantisedHalves& kept,
                     const Quantised& out) {
  const char* where = "swiglu_quantise";
  expect_shape(where, "gate_up", gate_up, {-1, -1});
  expect_contiguous(where, "gate_up", gate_up);
  const std::int64_t rows = gate_up.size(0), width = gate_up.size(1) / 2;
  require(gate_up.size(1) % 2 == 0, where, "expected gate and up, got {}", gate_up.describe());
  check_layouts(where, out, rows, width);
  if (y) expect_shape(where, "y", y, {rows, width});
  if (row_weights) expect_shape(where, "row_weights", row_weights, {rows});
  if (kept.values) check_halves(where, kept, rows, width);
  with_element(where, "gate_up", gate_up, [&]<class T>(T) {
    const std::int64_t used = live(where, live_rows, rows);
    for (std::int64_t which = 0; kept.values && which < 2; ++which) {
      quantise_rows(used, width, half_of(kept, which), [&](std::int64_t row, float* to) {
        const T* from = row_of<T>(gate_up, row) + which * width;
        std::transform(from, from + width, to, to_float<T>);
      });
    }
    quantise_rows(used, width, out, [&](std::int64_t row, float* to) {
      const T *gate = row_of<T>(gate_up, row), *up = gate + width;
      const auto weight = static_cast<Wide<T>>(weight_of(row_weights, row));
#pragma omp simd
      for (std::int64_t c = 0; c < width; ++c) {
        to[c] = static_cast<float>(silu(static_cast<Wide<T>>(gate[c])) *
                                   static_cast<Wide<T>>(up[c]) * weight);
      }
      keep(y, row, to);
    });
  });
}

namespace {
/// Backward of SwiGLU over one row of floats; returns dy . swiglu.
template <class T>
T swiglu_backward_row(const T* dy, const float* gate, const float* up, T weight, std::int64_t width,
                      float* d_gate, float* d_up, float* y) {
  T dot = 0;
#pragma omp simd reduction(+ : dot)
  for (std::int64_t c = 0; c < width; ++c) {
    const T g = gate[c], u = up[c], s = sigmoid(g), activated = g * s, d = weight * dy[c];
    dot += dy[c] * (activated * u);
    y[c] = static_cast<float>(weight * (activated * u));
    d_gate[c] = static_cast<float>(d * u * (s * (T(1) + g * (T(1) - s))));
    d_up[c] = static_cast<float>(d * activated);
  }
  return dot;
}
}  // namespace

void swiglu_backward_quantise(Context&, const Tensor& dy, const QuantisedHalves& kept,
                              const Tensor& live_rows, const Tensor& row_weights,
                              const Quantised& d_gate_up, const Quantised& y,
                              const Tensor& d_row_weights) {
  const char* where = "swiglu_backward_quantise";
  expect_shape(where, "dy", dy, {-1, -1});
  expect_contiguous(where, "dy", dy);
  const std::int64_t rows = dy.size(0), width = dy.size(1);
  check_halves(where, kept, rows, width);
  check_layouts(where, d_gate_up, rows, 2 * width);
  check_layouts(where, y, rows, width);
  require(bool(row_weights) == bool(d_row_weights), where,
          "row_weights and d_row_weights go together");
  if (row_weights) expect_shape(where, "row_weights", row_weights, {rows});
  if (row_weights) expect_shape(where, "d_row_weights", d_row_weights, {rows});
  const std::int64_t used = live(where, live_rows, rows);
  const auto size = static_cast<std::size_t>(width);
  with_element(where, "dy", dy, [&]<class T>(T) {
    /// Calls with the row's dy, gate, up and weight; `pieces` receives d_gate, d_up, y.
    const auto run = [&](std::int64_t row, float* d_gate, float* d_up, float* of_y) {
      std::vector<Wide<T>> d(size);
      std::vector<float> gate(size), up(size);
      std::transform(row_of<T>(dy, row), row_of<T>(dy, row) + width, d.begin(),
                     [](T value) { return static_cast<Wide<T>>(value); });
      dequantise_row(half_of(kept, 0), row, width, gate.data());
      dequantise_row(half_of(kept, 1), row, width, up.data());
      return swiglu_backward_row(d.data(), gate.data(), up.data(),
                                 static_cast<Wide<T>>(weight_of(row_weights, row)), width, d_gate,
                                 d_up, of_y);
    };
    quantise_rows(used, 2 * width, d_gate_up, [&](std::int64_t row, float* to) {
      std::vector<float> of_y(size);
      const Wide<T> dot = run(row, to, to + width, of_y.data());
      if (!d_row_weights) return;
      with_float(where, "d_row_weights", d_row_weights,
                 [&]<class W>(W) { d_row_weights.data<W>()[row] = static_cast<W>(dot); });
    });
    quantise_rows(used, width, y, [&](std::int64_t row, float* to) {
      std::vector<float> d_gate(size), d_up(size);
      run(row, d_gate.data(), d_up.data(), to);
    });
  });
}

void permute_quantise(Context&, const Tensor& x, const Permutation& p, const Quantised& out) {
  const char* where = "permute_quantise";
  expect_shape(where, "x", x, {-1, -1});
  expect_contiguous(where, "x", x);
  const std::int64_t cols = x.size(1), rows = rows_of(p, out);
  check_layouts(where, out, rows, cols);
  const std::int64_t used = used_rows(where, p, rows, out), top_k = p.row_of_slot.size(1);
  const auto* slots = p.slot_of_row.data<std::int32_t>();
  with_element(where, "x", x, [&]<class T>(T) {
    quantise_rows(used, cols, out, [&](std::int64_t row, float* to) {
      if (slots[row] < 0) {
        std::fill_n(to, cols, 0.0f);
        return;
      }
      const T* from = row_of<T>(x, slots[row] / top_k);
      std::transform(from, from + cols, to, to_float<T>);
    });
  });
}

void permute_tiles(Context&, const Quantised& x, const Permutation& p, const Quantised& out) {
  const char* where = "permute_tiles";
  require(x.values && out.values, where, "values are absent");
  const std::int64_t tokens = p.row_of_slot.size(0), top_k = p.row_of_slot.size(1);
  const std::int64_t rows = out.values.size(0), cols = out.values.size(1);
  const Quantised from{x.values, x.scales, {}, {}}, to{out.values, out.scales, {}, {}};
  check_layouts(where, from, tokens, cols);
  check_layouts(where, to, rows, cols);
  const std::int64_t used = used_rows(where, p, rows, to), tiles = scale_tiles(cols);
  const auto* slots = p.slot_of_row.data<std::int32_t>();
  parallel_for(used, 64, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t token = slots[row] < 0 ? -1 : slots[row] / top_k;
      auto* values = row_of<f8e4m3>(to.values, row);
      if (token < 0) {
        std::fill_n(values, cols, f8e4m3(0.0f));
      } else {
        std::copy_n(row_of<f8e4m3>(from.values, token), cols, values);
      }
      for (std::int64_t tile = 0; tile < tiles; ++tile) {
        row_of<float>(to.scales, tile)[row] =
            token < 0 ? scale_of(0) : row_of<float>(from.scales, tile)[token];
      }
    }
  });
}

namespace {
void check_norm(const char* where, const Tensor& x, const Tensor& weight, const Tensor& y,
                const Tensor& rstd, const Quantised& out) {
  expect_shape(where, "x", x, {-1, -1});
  check_layouts(where, out, x.size(0), x.size(1));
  expect_shape(where, "weight", weight, {x.size(1)});
  expect_shape(where, "rstd", rstd, {x.size(0)});
  if (y) expect_shape(where, "y", y, {x.size(0), x.size(1)});
}
}  // namespace

void rms_norm_quantise(Context& context, const Tensor& x, const Tensor& weight, float eps,
                       const Tensor& y, const Tensor& copy, const Tensor& rstd,
                       const Quantised& out) {
  check_norm("rms_norm_quantise", x, weight, y, rstd, out);
  if (copy) convert(context, x, copy);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_float("rms_norm_quantise", "x", x, [&]<class T>(T) {
    parallel_for(rows, rows_per_piece(cols), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const T* from = row_of<T>(x, row);
        T sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t c = 0; c < cols; ++c) sum += from[c] * from[c];
        rstd.data<T>()[row] = T(1) / std::sqrt(sum / static_cast<T>(cols) + static_cast<T>(eps));
      }
    });
  });
  rms_norm_requantise(context, x, weight, rstd, y, out);
}

void rms_norm_requantise(Context&, const Tensor& x, const Tensor& weight, const Tensor& rstd,
                         const Tensor& y, const Quantised& out) {
  check_norm("rms_norm_requantise", x, weight, y, rstd, out);
  const std::int64_t rows = x.size(0), cols = x.size(1);
  with_float("rms_norm_requantise", "x", x, [&]<class T>(T) {
    const T* w = weight.data<T>();
    quantise_rows(rows, cols, out, [&](std::int64_t row, float* to) {
      const T* from = row_of<T>(x, row);
      const T r = rstd.data<T>()[row];
      for (std::int64_t c = 0; c < cols; ++c) to[c] = static_cast<float>(from[c] * r * w[c]);
      keep(y, row, to);
    });
  });
}

}  // namespace tessera::kernels::cpu
