// SPDX-License-Identifier: MIT
// The operations for few rows on the CPU: the reference of those on the GPU, row by row.
#include <algorithm>
#include <cmath>
#include <vector>

#include "core/base/threads.h"
#include "kernels/few_rows/few_rows_contract.h"

namespace tessera::kernels::cpu {

namespace {
/// Elements of a row, of any type, as T.
template <class T>
void read_few(const Tensor& x, std::int64_t at, std::int64_t count, T* to) {
  with_element("few_rows", "a row", x, [&]<class From>(From) {
    const From* from = x.data<From>() + at;
    for (std::int64_t i = 0; i < count; ++i) {
      if constexpr (std::is_same_v<From, bf16>) {
        to[i] = static_cast<T>(static_cast<float>(from[i]));
      } else {
        to[i] = static_cast<T>(from[i]);
      }
    }
  });
}

template <class T>
void write_few(const Tensor& y, std::int64_t at, T value, bool add) {
  with_element("few_rows", "y", y, [&]<class To>(To) {
    T before = 0;
    if (add) read_few(y, at, 1, &before);
    store(y.data<To>()[at], before + value);
  });
}

template <class T>
void write_row(const Tensor& y, std::int64_t at, const std::vector<T>& values) {
  for (const T value : values) write_few(y, at++, value, false);
}

template <class T>
void round_to(DType dtype, std::vector<T>& values) {
  if (dtype != DType::BF16) return;
  for (T& value : values) {
    value = static_cast<T>(static_cast<float>(bf16(static_cast<float>(value))));
  }
}

template <class T>
T few_dot(const std::vector<T>& a, const std::vector<T>& b) {
  T sum = 0;
  for (std::size_t i = 0; i < b.size(); ++i) sum += a[i] * b[i];
  return sum;
}

template <class T>
void few_norm(std::vector<T>& row, const std::vector<T>& weight, T epsilon) {
  T sum = 0;
  for (const T value : row) sum += value * value;
  const T r = T(1) / std::sqrt(sum / static_cast<T>(row.size()) + epsilon);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = row[i] * r * weight[i];
}

/// The type that sums are in: F64 where anything is.
template <class Body>
void with_sums_of(const Tensor& x, Body&& body) {
  if (x.dtype() == DType::F64) return body(double{});
  body(float{});
}

std::int64_t few_batch_stride(const Tensor& x) {
  return x.rank() == 3 ? x.stride(0) : 0;
}

/// All columns of y for rows that are given as vectors.
template <class T>
void few_columns(const std::vector<std::vector<T>>& rows, const RowsProduct& product,
                 std::int64_t batch) {
  const Tensor &w = product.w, &y = product.y;
  const std::int64_t k = w.size(-1);
  parallel_for(w.size(-2), rows_per_piece(k), [&](std::int64_t from, std::int64_t to) {
    std::vector<T> column(static_cast<std::size_t>(k));
    for (std::int64_t c = from; c < to; ++c) {
      read_few(w, batch * few_batch_stride(w) + c * w.stride(-2), k, column.data());
      for (std::size_t t = 0; t < rows.size(); ++t) {
        const auto row = static_cast<std::int64_t>(t);
        write_few(y, batch * few_batch_stride(y) + row * y.stride(-2) + c, few_dot(rows[t], column),
                  product.add);
      }
    }
  });
}
}  // namespace

void rows_products(Context&, const Tensor& x, const Tensor& norm, float epsilon,
                   const Tensor& normed, const RowsProduct& first, const RowsProduct& second) {
  contract::rows_products("rows_products", x, norm, normed, first, second);
  const std::int64_t count = x.rank() == 3 ? x.size(0) : 1, k = x.size(-1);
  const DType rounded = normed ? normed.dtype() : first.w.dtype();
  with_sums_of(x, [&]<class T>(T) {
    std::vector<T> weight(static_cast<std::size_t>(k));
    if (norm) read_few(norm, 0, k, weight.data());
    for (std::int64_t batch = 0; batch < count; ++batch) {
      std::vector<std::vector<T>> rows;
      for (std::int64_t t = 0; t < x.size(-2); ++t) {
        std::vector<T>& row = rows.emplace_back(static_cast<std::size_t>(k));
        read_few(x, batch * few_batch_stride(x) + t * x.stride(-2), k, row.data());
        if (norm) few_norm(row, weight, static_cast<T>(epsilon));
        round_to(rounded, row);
        if (!normed) continue;
        for (std::int64_t i = 0; i < k; ++i) {
          write_few(normed, t * normed.stride(0) + i, row[static_cast<std::size_t>(i)], false);
        }
      }
      few_columns(rows, first, batch);
      if (second.w) few_columns(rows, second, batch);
    }
  });
}

namespace {
/// Rotates a vector by the angles of a position.
template <class T>
void turn_pairs(std::vector<T>& x, const Tensor& cos, const Tensor& sin, std::int64_t position) {
  const float* c = cos.data<float>() + position * cos.stride(0);
  const float* s = sin.data<float>() + position * sin.stride(0);
  for (std::size_t i = 0; i + 1 < x.size(); i += 2) {
    const T x0 = x[i], x1 = x[i + 1], cosine = c[i / 2], sine = s[i / 2];
    x[i] = cosine * x0 - sine * x1;
    x[i + 1] = sine * x0 + cosine * x1;
  }
}
}  // namespace

void latent_step(Context&, const Tensor& q, const Tensor& kv_a, const Tensor& norm, float epsilon,
                 const Tensor& positions, const Tensor& cos, const Tensor& sin, const Tensor& slots,
                 const Tensor& up, const Tensor& cache, const Tensor& absorbed) {
  const char* where = "latent_step";
  contract::latent_step(where, q, kv_a, norm, positions, cos, sin, slots, up, cache, absorbed);
  const std::int64_t c = norm.size(0), r = kv_a.size(1) - c,
                     cache_rows = cache.size(0) * cache.size(1);
  with_float(where, "kv_a", kv_a, [&]<class T>(T) {
    std::vector<T> weight(static_cast<std::size_t>(c)), latent(weight.size());
    std::vector<T> pairs(static_cast<std::size_t>(r)), weight_row(latent.size());
    std::vector<T> query(static_cast<std::size_t>(q.size(2)));
    read_few(norm, 0, c, weight.data());
    for (std::int64_t t = 0; t < q.size(0); ++t) {
      const std::int64_t position = positions.data<std::int32_t>()[t];
      const std::int64_t slot = slots.data<std::int32_t>()[t];
      require(position >= 0 && position < cos.size(0), where, "token {} has position {} of {}", t,
              position, cos.size(0));
      require(slot >= 0 && slot < cache_rows, where, "the slot of token {} is outside the cache",
              t);
      read_few(kv_a, t * kv_a.stride(0), c, latent.data());
      few_norm(latent, weight, static_cast<T>(epsilon));
      write_row(cache, slot * (c + r), latent);
      read_few(kv_a, t * kv_a.stride(0) + c, r, pairs.data());
      turn_pairs(pairs, cos, sin, position);
      write_row(cache, slot * (c + r) + c, pairs);
      for (std::int64_t h = 0; h < q.size(1); ++h) {
        const std::int64_t to = t * absorbed.stride(0) + h * absorbed.stride(1);
        const std::int64_t from = t * q.stride(0) + h * q.stride(1), plain = q.size(2) - r;
        read_few(q, from, plain, query.data());
        std::fill(latent.begin(), latent.end(), T(0));
        for (std::int64_t i = 0; i < plain; ++i) {
          read_few(up, h * up.stride(0) + i * up.stride(1), c, weight_row.data());
          for (std::size_t j = 0; j < latent.size(); ++j) {
            latent[j] += query[static_cast<std::size_t>(i)] * weight_row[j];
          }
        }
        write_row(absorbed, to, latent);
        read_few(q, from + plain, r, pairs.data());
        turn_pairs(pairs, cos, sin, position);
        write_row(absorbed, to + c, pairs);
      }
    }
  });
}

namespace {
/// An expert's swiglu of a token, weighted, as `down` reads it.
template <class T>
void activate(const Tensor& gate_up, std::int64_t first, const std::vector<T>& h, T weight,
              DType rounded, std::vector<T>& out) {
  const auto width = static_cast<std::int64_t>(out.size()), hidden = std::ssize(h);
  std::vector<T> row(h.size());
  for (std::int64_t j = 0; j < width; ++j) {
    std::vector<T> both(2);
    read_few(gate_up, first + j * hidden, hidden, row.data());
    both[0] = few_dot(h, row);
    read_few(gate_up, first + (width + j) * hidden, hidden, row.data());
    both[1] = few_dot(h, row);
    round_to(rounded, both);
    out[static_cast<std::size_t>(j)] = weight * both[0] / (T(1) + std::exp(-both[0])) * both[1];
  }
  round_to(rounded, out);
}
}  // namespace

void few_experts(Context&, const Tensor& h, const Tensor& picks, const Tensor& weights,
                 const ExpertWeights& experts, const Tensor& activated, const Tensor& y) {
  contract::few_experts("few_experts", h, picks, weights, experts, activated, y);
  const std::int64_t hidden = h.size(1), k = picks.size(1), slots = experts.slots(k);
  with_sums_of(h, [&]<class T>(T) {
    parallel_for(h.size(0), 1, [&](std::int64_t from, std::int64_t to) {
      std::vector<T> row(static_cast<std::size_t>(hidden)), sums(row.size()), column;
      for (std::int64_t t = from; t < to; ++t) {
        read_few(h, t * h.stride(0), hidden, row.data());
        std::fill(sums.begin(), sums.end(), T(0));
        for (std::int64_t slot = 0; slot < slots; ++slot) {
          const bool is_shared = slot == k;
          const std::int64_t width = is_shared ? experts.shared_width() : experts.width();
          const std::int64_t e =
              is_shared ? 0 : picks.data<std::int32_t>()[t * picks.stride(0) + slot];
          if (e < 0 || e >= experts.down.size(0)) continue;
          T weight = 1;
          if (!is_shared) read_few(weights, t * weights.stride(0) + slot, 1, &weight);
          std::vector<T> active(static_cast<std::size_t>(width));
          activate(is_shared ? experts.shared_gate_up : experts.gate_up, e * 2 * width * hidden,
                   row, weight, activated.dtype(), active);
          const Tensor& down = is_shared ? experts.shared_down : experts.down;
          column.resize(active.size());
          for (std::int64_t i = 0; i < hidden; ++i) {
            read_few(down, (e * hidden + i) * width, width, column.data());
            sums[static_cast<std::size_t>(i)] += few_dot(active, column);
          }
        }
        for (std::int64_t i = 0; i < hidden; ++i) {
          write_few(y, t * y.stride(0) + i, sums[static_cast<std::size_t>(i)], true);
        }
      }
    });
  });
}

}  // namespace tessera::kernels::cpu
