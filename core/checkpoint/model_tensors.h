// SPDX-License-Identifier: MIT
// Which tensor of a folder holds which weight of a model: released names, and the other forms in
// which people's folders hold the same model.
//   - all experts of a layer in one tensor (experts.gate_up_proj, gate rows first; transformers 5);
//   - another beginning of all names, as models that read pictures have for their text half;
//   - no selection bias where the gate has none (DeepSeek-V2).
// Passed over, and told: tensors without elements, rotary tables, scales of activations, MTP layers
// that are not wanted, the other media of a model that has some.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/weights.h"

namespace tessera {

class Model;

/// Where a folder holds one released tensor.
struct TensorPlace {
  std::string name;                 ///< released
  std::vector<std::int64_t> shape;  ///< shape of the weight
  std::string stored;               ///< the tensor's name in the folder; empty: absent, zeros
  std::int64_t first_row = 0;       ///< in `stored`, whose rows are all dimensions but the last
};

struct ModelTensors {
  std::vector<TensorPlace> places;  ///< in the model's storage order
  std::vector<std::string> notes;   ///< what was passed over, one sentence for each kind
};

enum class MtpTensors {
  PassOver,  ///< for inference
  Repeated,  ///< the model's own are wanted, and what released folders repeat is passed over
  All,       ///< what released folders repeat, and layers behind the first one, are places too
};

/// Finds every weight of `model` in `source`. Throws Error naming the folder and the tensor when
/// one is missing or has another shape, or when the folder holds tensors that the model has no
/// place for. Nothing is read; everything found or passed over counts as used.
ModelTensors match_tensors(const Model& model, const HfConfig& config, WeightSource& source,
                           MtpTensors mtp);

/// Makes `config` describe what the folder holds, where config.json commonly says otherwise: MTP
/// layers that are not there, and a stored head of its own where config.json says that the head is
/// the embedding (transformers and vLLM use the stored one). Adds notes.
void settle_config(HfConfig& config, WeightSource& source);

}  // namespace tessera
