// SPDX-License-Identifier: MIT
// Sums for reports and loads on the GPU.
#include "kernels/reduce/reduce.h"

#include "kernels/cuda/reduce.cuh"
#include "kernels/reduce/reduce_contract.h"

namespace tessera::kernels::cuda {

namespace {
struct Itself {
  __device__ double operator()(double value) const { return value; }
};

__global__ void add_kernel(const std::int64_t* from, std::int64_t count, std::int64_t* to) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) to[i] += from[i];
}
}  // namespace

void sum(Context& context, const Tensor& x, const Tensor& total) {
  contract::sum("sum", x, total);
  with_float("sum", "x", x, [&]<class T>(T) {
    add_sum(context, "sum", x.data<T>(), x.numel(), Itself{}, total.data<double>());
  });
}
TESSERA_CUDA_OPERATION(sum)

void add_counts(Context& context, const Tensor& counts, const Tensor& total) {
  contract::add_counts("add_counts", counts, total);
  if (counts.numel() == 0) return;
  add_kernel<<<blocks_for(counts.numel(), 256), 256, 0, stream_of(context)>>>(
      counts.data<std::int64_t>(), counts.numel(), total.data<std::int64_t>());
  check_launch("add_counts");
}
TESSERA_CUDA_OPERATION(add_counts)

}  // namespace tessera::kernels::cuda
