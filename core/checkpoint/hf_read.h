// SPDX-License-Identifier: MIT
// Parts of reading and writing config.json that several sources of this folder share.
#pragma once

#include <array>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/hf_keys.h"

namespace tessera::checkpoint_internal {

struct DTypeName {
  DType dtype;
  const char* name;
};
inline constexpr std::array<DTypeName, 3> kDTypeNames{
    {{DType::F32, "float32"}, {DType::BF16, "bfloat16"}, {DType::F16, "float16"}}};

/// NOTE: the released V2 code scales the weights of picked experts only where it does not normalise
/// them, and ours does both.
inline bool scales_normalised_v2(const ModelConfig& c) {
  return c.n_routed_experts > 0 && c.scoring_func == kernels::Scoring::Softmax &&
         c.norm_topk_prob && c.routed_scaling_factor != 1.0;
}

/// Reads quantization_config: FP8 in its several spellings. Throws Error for every other kind.
void read_quantisation(HfKeys& keys, HfConfig& config);

/// Throws Error for a key that changes what a model computes and that we do not compute.
void refuse_other_architectures(HfKeys& keys);

/// Throws Error unless mlp_layer_types ("dense" or "sparse" of each layer, as transformers writes
/// it for some models) is absent or says what `model` does.
void check_layer_list(HfKeys& keys, const ModelConfig& model);

}  // namespace tessera::checkpoint_internal
