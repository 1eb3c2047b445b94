// SPDX-License-Identifier: MIT
// Between a Model in memory and folders in the released format.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "core/checkpoint/hf_config.h"
#include "core/checkpoint/weights.h"
#include "core/model/model.h"

namespace tessera {

/// Views of all weights under their released names, the selection biases included, in storage
/// order. They stay valid as long as the model.
std::vector<NamedTensor> named_weights(const Model& model);

/// The same plus what released folders repeat for the MTP layer: its embedding and its head.
std::vector<NamedTensor> released_weights(const Model& model);

/// Fills every weight and renews what products read; see match_tensors() for the forms in which
/// folders hold them. Throws Error for a missing tensor, a wrong shape, or tensors of the source
/// that the model has no place for: an output head of its own too, where the model's is tied. What
/// is passed over is told in the log.
void load_weights(Model& model, WeightSource& source, Context& context);

/// Tells in the log what was passed over in a folder.
void log_notes(const std::filesystem::path& folder, const std::vector<std::string>& notes);

/// A folder in the released format, or a checkpoint of a run. MTP layers that config.json announces
/// and the folder lacks are left out; for inference they are not loaded at all. `config` is what
/// was loaded, where config.json and the folder differ (settle_config()). What is passed over is
/// told in the log.
struct LoadedModel {
  HfConfig config;
  std::unique_ptr<Model> model;
};
LoadedModel load_model(const std::filesystem::path& folder, const Precision& precision,
                       bool for_training, Context& context);

}  // namespace tessera
