// SPDX-License-Identifier: MIT
// Decoding on the CPU. All heads share the cache, so a block of positions is read once, in place
// where it lies in one page in the type of the sums, and then is two small products over the heads.
// The context is cut into chunks of a fixed length, whatever the number of rows and threads, and
// their results are merged in order: a row's result has the same bits in any batch.
#include "kernels/attention_decode/attention_decode.h"

#include <algorithm>
#include <vector>

#include "core/base/threads.h"
#include "kernels/attention_decode/attention_decode_contract.h"
#include "kernels/product/row_gemm.h"
#include "kernels/running_softmax.h"

namespace tessera::kernels::cpu {

namespace {

constexpr const char* kWhere = "attention_decode";
constexpr std::int64_t kChunk = 512;  // positions of one task
constexpr std::int64_t kBlock = 64;   // positions of one product

struct Decode {
  const Tensor &q, &cache, &pages, &lengths, &o;
  float scale;

  std::int64_t heads() const { return q.size(1); }
  std::int64_t d() const { return q.size(2); }
  std::int64_t d_latent() const { return o.size(2); }
  std::int64_t length(std::int64_t row) const { return lengths.data<std::int32_t>()[row]; }
  /// The page of a position. Throws Error where it is outside of the cache.
  std::int64_t page(std::int64_t row, std::int64_t position) const {
    const auto* table = pages.data<std::int32_t>() + row * pages.stride(0);
    const std::int64_t page = table[position / cache.size(1)];
    require(page >= 0 && page < cache.size(0), kWhere, "row {} position {} is in page {} of {}",
            row, position, page, cache.size(0));
    return page;
  }
};

/// Positions [from, to) of one row.
struct Chunk {
  std::int64_t row, from, to;
};

/// What one chunk adds to a row: per head the softmax so far and the sum of weights times values.
template <class T>
struct Partial {
  std::vector<RunningSoftmax<T>> softmax;
  std::vector<T> sums;  // (heads, d_latent)

  void reset(const Decode& x) {
    softmax.assign(static_cast<std::size_t>(x.heads()), {});
    sums.resize(static_cast<std::size_t>(x.heads() * x.d_latent()));
  }
};

/// Keys of positions [from, to), contiguous (to - from, d).
template <class T, class Stored>
void gather(const Decode& x, const Chunk& positions, T* keys) {
  const std::int64_t page_tokens = x.cache.size(1), d = x.d();
  for (std::int64_t j = positions.from; j < positions.to; ++j, keys += d) {
    const Stored* in = x.cache.data<Stored>() + x.page(positions.row, j) * x.cache.stride(0) +
                       (j % page_tokens) * x.cache.stride(1);
#pragma omp simd
    for (std::int64_t i = 0; i < d; ++i) keys[i] = static_cast<T>(in[i]);
  }
}

/// Positions [at, at + count) of a row as rows of T: the cache itself, or what gather() made.
template <class T, class Stored>
Rows<const T> keys_at(const Decode& x, std::int64_t row, std::int64_t at, std::int64_t count,
                      T* keys) {
  if constexpr (std::is_same_v<T, Stored>) {
    const std::int64_t page_tokens = x.cache.size(1), place = at % page_tokens;
    if (place + count <= page_tokens) {
      const std::int64_t page = x.page(row, at);
      return {x.cache.data<T>() + page * x.cache.stride(0) + place * x.cache.stride(1),
              x.cache.stride(1)};
    }
  }
  gather<T, Stored>(x, {row, at, at + count}, keys);
  return {keys, x.d()};
}

template <class T, class Stored>
void decode_chunk(const Decode& x, const Chunk& chunk, Partial<T>& partial) {
  static thread_local std::vector<T> keys, scores;
  const std::int64_t heads = x.heads(), d = x.d(), d_latent = x.d_latent();
  keys.resize(static_cast<std::size_t>(kBlock * d));
  scores.resize(static_cast<std::size_t>(heads * kBlock));
  partial.reset(x);
  const Rows<const T> q{x.q.data<T>() + chunk.row * x.q.stride(0), std::max(x.q.stride(1), d)};

  for (std::int64_t at = chunk.from; at < chunk.to; at += kBlock) {
    const std::int64_t count = std::min(kBlock, chunk.to - at);
    const Rows<const T> block = keys_at<T, Stored>(x, chunk.row, at, count, keys.data());
    row_gemm<T, T>(Transpose::B, {heads, count, d}, q, block, false, {scores.data(), count});
    multiply_row(scores.data(), heads * count, static_cast<T>(x.scale));
    for (std::int64_t h = 0; h < heads; ++h) {
      const T factor =
          partial.softmax[static_cast<std::size_t>(h)].update(scores.data() + h * count, count);
      if (at > chunk.from) multiply_row(partial.sums.data() + h * d_latent, d_latent, factor);
    }
    row_gemm<T, T>(Transpose::None, {heads, d_latent, count}, {scores.data(), count}, block,
                   at > chunk.from, {partial.sums.data(), d_latent});
  }
}

/// o of one row and head from the row's chunks.
template <class T>
void merge(const Decode& x, std::int64_t row, std::int64_t head, const Partial<T>* partials,
           std::int64_t count) {
  const auto softmax_of = [&](std::int64_t c) -> const RunningSoftmax<T>& {
    return partials[c].softmax[static_cast<std::size_t>(head)];
  };
  T max = softmax_of(0).max, sum = 0;
  for (std::int64_t c = 1; c < count; ++c) max = std::max(max, softmax_of(c).max);
  for (std::int64_t c = 0; c < count; ++c) {
    sum += softmax_of(c).sum * vector_exp(softmax_of(c).max - max);
  }
  const std::int64_t d_latent = x.d_latent();
  T* out = x.o.data<T>() + row * x.o.stride(0) + head * x.o.stride(1);
  std::fill_n(out, d_latent, T(0));
  for (std::int64_t c = 0; c < count; ++c) {
    const T weight = vector_exp(softmax_of(c).max - max) / sum;
    const T* in = partials[c].sums.data() + head * d_latent;
#pragma omp simd
    for (std::int64_t i = 0; i < d_latent; ++i) out[i] += weight * in[i];
  }
}

template <class T, class Stored>
void decode(const Decode& x) {
  const std::int64_t rows = x.q.size(0), heads = x.heads();
  std::vector<Chunk> chunks;
  std::vector<std::int64_t> first;  // chunk of each row
  for (std::int64_t row = 0; row < rows; ++row) {
    first.push_back(static_cast<std::int64_t>(chunks.size()));
    for (std::int64_t at = 0; at < x.length(row); at += kChunk) {
      chunks.push_back({row, at, std::min(at + kChunk, x.length(row))});
    }
  }
  first.push_back(static_cast<std::int64_t>(chunks.size()));

  std::vector<Partial<T>> partials(chunks.size());
  parallel_tasks(first.back(), [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    decode_chunk<T, Stored>(x, chunks[at], partials[at]);
  });
  parallel_for(rows * heads, rows_per_piece(x.d_latent()), [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t i = from; i < to; ++i) {
      const auto row = static_cast<std::size_t>(i / heads);
      merge(x, i / heads, i % heads, partials.data() + first[row], first[row + 1] - first[row]);
    }
  });
}

void expect_lengths(const Decode& x) {
  const std::int64_t room = x.pages.size(1) * x.cache.size(1);
  for (std::int64_t row = 0; row < x.q.size(0); ++row) {
    require(x.length(row) >= 1 && x.length(row) <= room, kWhere,
            "row {} has length {}, its pages hold 1 to {}", row, x.length(row), room);
  }
}

}  // namespace

void attention_decode(Context&, const Tensor& q, const Tensor& cache, const Tensor& pages,
                      const Tensor& lengths, float scale, const Tensor& o) {
  contract::attention_decode(kWhere, q, cache, pages, lengths, o);
  const Decode x{q, cache, pages, lengths, o, scale};
  expect_lengths(x);
  with_float(kWhere, "q", q, [&]<class T>(T) {
    with_output_of<T>(kWhere, "cache", cache, [&]<class Stored>(Stored) { decode<T, Stored>(x); });
  });
}

void attention_decode_alone(Context& context, const Tensor& q, const Tensor& cache,
                            const Tensor& pages, const Tensor& lengths, float scale,
                            const Tensor& o) {
  attention_decode(context, q, cache, pages, lengths, scale, o);  // chunks are of a fixed length
}

}  // namespace tessera::kernels::cpu
