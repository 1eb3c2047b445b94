// SPDX-License-Identifier: MIT
// New tokens into the paged latent cache on the GPU: one pack of one token per thread.
#include "kernels/cache_write/cache_write.h"

#include "kernels/cache_write/cache_write_contract.h"
#include "kernels/cuda/pack.cuh"

namespace tessera::kernels::cuda {

namespace {
template <int N, class From, class To>
__device__ inline void copy_pack(const From* from, To* to) {
  float v[N];
  load<N>(from, v);
  save<N>(to, v);
}

template <int N, class L, class R, class C>
__global__ void __launch_bounds__(256)
    write_kernel(Rows<const L> latent, std::int64_t latent_packs, Rows<const R> rotary,
                 std::int64_t packs, const std::int32_t* slots, std::int64_t tokens, C* cache,
                 std::int64_t cache_rows, tessera::cuda::Fault fault) {
  const std::int64_t token = grid_row(), pack = grid_pack();
  if (token >= tokens || pack >= packs) return;
  const std::int64_t slot = slots[token];
  if (slot < 0 || slot >= cache_rows) {
    if (pack == 0) fault.raise(static_cast<unsigned>(token));
    return;
  }
  C* to = cache + (slot * packs + pack) * N;
  if (pack < latent_packs) {
    copy_pack<N>(latent[token] + pack * N, to);
  } else {
    copy_pack<N>(rotary[token] + (pack - latent_packs) * N, to);
  }
}
}  // namespace

void cache_write(Context& context, const Tensor& latent, const Tensor& k_rope, const Tensor& slots,
                 const Tensor& cache) {
  const char* where = "cache_write";
  contract::cache_write(where, latent, k_rope, slots, cache);
  const std::int64_t tokens = slots.size(0);
  if (tokens == 0 || cache.size(2) == 0) return;
  const auto fault = tessera::cuda::fault(where, "the slot of token {} is outside the cache");
  with_real(where, "latent", latent, [&]<class L>(L) {
    with_real(where, "k_rope", k_rope, [&]<class R>(R) {
      with_real(where, "cache", cache, [&]<class C>(C) {
        with_packs<kPack<L, R, C>>({&latent, &k_rope, &cache}, [&](auto n) {
          constexpr int N = decltype(n)::value;
          const std::int64_t packs = cache.size(2) / N;
          const RowGrid grid(tokens, packs);
          write_kernel<N><<<grid.grid, grid.block, 0, stream_of(context)>>>(
              read_rows<L>(latent), latent.size(1) / N, read_rows<R>(k_rope), packs,
              slots.data<std::int32_t>(), tokens, device_data<C>(cache),
              cache.size(0) * cache.size(1), fault);
        });
      });
    });
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(cache_write)

}  // namespace tessera::kernels::cuda
