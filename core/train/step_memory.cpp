// SPDX-License-Identifier: MIT
#include "core/train/step_memory.h"

#include "core/train/microbatch.h"

namespace tessera {

StepMemory measure_step_memory(const Model& model, std::int64_t sequences, std::int64_t length,
                               bool with_balance_loss) {
  Arena keep = Arena::measuring(model.device()), scratch = Arena::measuring(model.device());
  Context context{.device = model.device(), .scratch = &scratch, .dry_run = true};
  Pass pass{context, keep, model.precision()};
  const MicrobatchBuffer batch = MicrobatchBuffer::shapes(
      sequences, length, static_cast<int>(model.config().num_nextn_predict_layers), model.device());
  const Objective objective{.loss_scale = 1,
                            .mtp_scale = 1,
                            .balance_alpha = with_balance_loss ? 1.0 : 0.0,
                            .balance_scale = 1};
  const Tensor balance_losses = keep.take(DType::F64, {model.moe_blocks() + 1});
  ModelStash stash;
  model.forward_loss(pass, batch.batch(), objective, stash);
  model.backward(pass, batch.batch(), objective, stash, balance_losses);
  return {keep.peak_bytes(), scratch.peak_bytes()};
}

}  // namespace tessera
