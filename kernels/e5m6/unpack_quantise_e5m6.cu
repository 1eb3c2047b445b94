// SPDX-License-Identifier: MIT
// From E5M6 to the plain matrix and E4M3 in one pass: a block per tile of 128 x 128, as quantise
// has it (kernels/quantise/quantise_tile.cuh).
#include "kernels/cuda/pack.cuh"
#include "kernels/e5m6/e5m6_operands.cuh"
#include "kernels/e5m6/e5m6_tile.cuh"
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

namespace {
static_assert(kE5m6Tile == e4m3::kTile && e4m3::kTile / 8 == kE5m6Threads);

template <class Y>
__global__ void __launch_bounds__(e4m3::kThreads, 3)
    unpack_quantise_kernel(const PackedMatrix packed, Y* y, const e4m3::QuantisedActivation out) {
  __shared__ e4m3::ActivationShared shared;
  const e4m3::Place place = e4m3::place_of(packed.rows, packed.cols);
  const int thread = static_cast<int>(threadIdx.x % kE5m6Threads);
  const std::int64_t row0 = static_cast<std::int64_t>(blockIdx.y) * e4m3::kTile;
  const int column0 = static_cast<int>(blockIdx.x) * e4m3::kTile;
  const PackedRows from(packed, place.row, static_cast<int>(blockIdx.x), thread);
  e4m3::with_place(place, row0, column0, [&](const auto& here) {
    PackedEight loaded[8];
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      if (here.has_row(r)) loaded[r] = from[r];
    }
    Y* to = y + here.row * packed.cols + here.column;
    e4m3::PairBlock block;
#pragma unroll
    for (int r = 0; r < 8; ++r) {
      const uint4 v = decode_eight(loaded[r], thread);
      block.set_row(r, v);
      if (here.has_row(r) && here.has_columns()) {
        store_pairs(to + r * static_cast<unsigned>(packed.cols), v);
      }
    }
    e4m3::quantise_tile(block, here, row0, column0, out, shared);
  });
}
}  // namespace

void unpack_quantise_e5m6(Context& context, const PackedE5m6& packed, const Tensor& y,
                          const Quantised& out) {
  const char* where = "unpack_quantise_e5m6";
  const PackedMatrix from = packed_matrix(where, "y", y, packed);
  const e4m3::QuantisedActivation to = e4m3::layouts_of(where, out, from.rows, from.cols);
  if (y.numel() == 0) return;
  const dim3 grid = e4m3::tiles(from.rows, from.cols, 1, where);
  with_real(where, "y", y, [&]<class T>(T) {
    unpack_quantise_kernel<<<grid, e4m3::kThreads, 0, stream_of(context)>>>(from, device_data<T>(y),
                                                                            to);
  });
  check_launch(where);
}
TESSERA_CUDA_OPERATION(unpack_quantise_e5m6)

}  // namespace tessera::kernels::cuda
