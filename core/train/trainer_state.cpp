// SPDX-License-Identifier: MIT
// What a trainer puts into a checkpoint and takes from one.
#include "core/base/error.h"
#include "core/checkpoint/model_io.h"
#include "core/train/trainer.h"

namespace tessera {

namespace {
std::vector<NamedTensor> moments_of(const Optimiser& optimiser) {
  std::vector<NamedTensor> tensors;
  for (const Optimiser::Moment& moment : optimiser.moments()) {
    const std::int64_t count = moment.data.numel();
    tensors.push_back({state_name(moment.name, moment.first, count, moment.whole), moment.data});
  }
  return tensors;
}

/// Names of what a checkpoint of the whole model holds: where this rank has a part of the model,
/// other ranks read the rest.
struct WholeNames {
  std::vector<std::string> weights, states;

  explicit WholeNames(const Model& model) {
    if (model.layout().is_whole(model.config())) return;
    const Model whole(model.config(), model.precision(), /*for_training=*/false, model.device(),
                      /*measuring=*/true);
    for (const Parameter& p : whole.parameters().all()) {
      for (const Parameter::Part& part : p.parts) weights.push_back(part.released_name);
      if (!p.trained) continue;
      states.push_back("m." + p.name);
      states.push_back("v." + p.name);
    }
  }
};
}  // namespace

CheckpointContents Trainer::contents() const {
  return {.step = next_step_,
          .config = config_,
          .weights = named_weights(*model_),
          .optimiser = moments_of(optimiser_),
          .state = {{"version", 1},
                    {"next_step", next_step_},
                    {"tokens", tokens()},
                    {"optimiser_steps", optimiser_.steps()},
                    {"data", source_->state()}},
          .files = source_->files()};
}

void Trainer::restore(const Checkpoint& checkpoint, bool keep_data_position,
                      const std::atomic<bool>* stop) {
  const WholeNames names(*model_);
  checkpoint.read_weights(named_weights(*model_), stop, names.weights);
  checkpoint.read_optimiser(moments_of(optimiser_), stop, names.states);
  add_ends(checkpoint.config().eos_token_ids);
  model_->parameters().refresh_operands(context_);
  try {
    const nlohmann::json& state = checkpoint.state();
    if (state.at("version") != 1) {
      throw Error(checkpoint.path().string(), "the state is of a newer version",
                  "update the program");
    }
    next_step_ = state.at("next_step");
    optimiser_.set_steps(state.at("optimiser_steps"));
    if (!keep_data_position) source_->restore(state.at("data"), last_stage());
  } catch (const nlohmann::json::exception& e) {
    throw Error(checkpoint.path().string(), fmt::format("state.json: {}", e.what()),
                "resume from another checkpoint");
  }
  stage_ = -1;
  enter_stage(last_stage());  // with the rotary table that the checkpoint was written with
}

}  // namespace tessera
