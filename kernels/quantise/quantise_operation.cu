// SPDX-License-Identifier: MIT
// The operations of kernels/quantise/quantise.h whose kernels are in quantise.cu.
#include "kernels/quantise/quantise_operands.cuh"

namespace tessera::kernels::cuda {

void quantise(Context& context, const Tensor& x, const Tensor& live_rows, const Quantised& out) {
  const char* where = "quantise";
  contract::quantise(where, x, live_rows, out);
  const bool narrow = e4m3::is_bf16(where, "x", x);
  e4m3::quantise_activation(stream_of(context), x.raw(), narrow, x.size(0),
                            static_cast<int>(x.size(1)), e4m3::live_pointer(live_rows),
                            e4m3::layouts_of(where, out, x.size(0), x.size(1)));
}
TESSERA_CUDA_OPERATION(quantise)

void quantise_weight(Context& context, const Tensor& w, const kernels::QuantisedWeight& out) {
  const char* where = "quantise_weight";
  contract::weights(where, w, out);
  const bool narrow = e4m3::is_bf16(where, "w", w);
  const std::int64_t batch = w.size(0), n = w.size(1), k = w.size(2);
  e4m3::QuantisedWeight to;
  if (out.values) {
    to.values = out.values.data<f8e4m3>();
    to.scales = out.scales.data<float>();
  }
  if (out.values_t) {
    to.values_t = out.values_t.data<f8e4m3>();
    to.scales_t = out.scales_t.data<float>();
  }
  e4m3::quantise_weight(stream_of(context), w.raw(), narrow, static_cast<int>(batch),
                        static_cast<int>(n), static_cast<int>(k), to);
}
TESSERA_CUDA_OPERATION(quantise_weight)

}  // namespace tessera::kernels::cuda
