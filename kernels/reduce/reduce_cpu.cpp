// SPDX-License-Identifier: MIT
#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/base/error.h"
#include "core/base/threads.h"
#include "kernels/reduce/reduce_contract.h"

namespace tessera::kernels::cpu {

namespace {
constexpr std::int64_t kChunk = 1 << 14;

template <class T>
double sum_of(const T* x, std::int64_t count) {
  const std::int64_t chunks = (count + kChunk - 1) / kChunk;
  std::vector<double> partial(static_cast<std::size_t>(chunks));
  parallel_for(chunks, 4, [&](std::int64_t from, std::int64_t to) {
    for (std::int64_t c = from; c < to; ++c) {
      const T* begin = x + c * kChunk;
      const T* end = x + std::min(count, (c + 1) * kChunk);
      partial[static_cast<std::size_t>(c)] = std::accumulate(begin, end, 0.0);
    }
  });
  return std::accumulate(partial.begin(), partial.end(), 0.0);
}
}  // namespace

void sum(Context&, const Tensor& x, const Tensor& total) {
  contract::sum("sum", x, total);
  *total.data<double>() += x.dtype() == DType::F64 ? sum_of(x.data<double>(), x.numel())
                                                   : sum_of(x.data<float>(), x.numel());
}

void add_counts(Context&, const Tensor& counts, const Tensor& total) {
  contract::add_counts("add_counts", counts, total);
  const std::int64_t* from = counts.data<std::int64_t>();
  std::int64_t* to = total.data<std::int64_t>();
  for (std::int64_t i = 0; i < counts.numel(); ++i) to[i] += from[i];
}

}  // namespace tessera::kernels::cpu
