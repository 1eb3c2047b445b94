// SPDX-License-Identifier: MIT
#include "core/train/step_memory.h"

#include <algorithm>

#include "core/train/microbatch.h"

namespace tessera {

namespace {
StepMemory most_of(StepMemory a, const StepMemory& b) {
  a.keep_bytes = std::max(a.keep_bytes, b.keep_bytes);
  a.again_bytes = std::max(a.again_bytes, b.again_bytes);
  a.scratch_bytes = std::max(a.scratch_bytes, b.scratch_bytes);
  for (std::size_t i = 0; i < a.keep_bytes_of_parts.size(); ++i) {
    a.keep_bytes_of_parts[i] = std::max(a.keep_bytes_of_parts[i], b.keep_bytes_of_parts[i]);
  }
  return a;
}
}  // namespace

WeightGradients weight_gradients_of(const PipelineShape& shape) {
  if (!shape.splits_backward()) return WeightGradients::AtOnce;
  return shape.schedule == PipelineSchedule::ZeroBubble ? WeightGradients::Later
                                                        : WeightGradients::Either;
}

StepMemory measure_step_memory(const Model& model, std::int64_t sequences, std::int64_t length,
                               bool with_balance_loss, WeightGradients weights,
                               const ContextPlace& place) {
  if (weights == WeightGradients::Either) {
    const auto measured = [&](WeightGradients one) {
      return measure_step_memory(model, sequences, length, with_balance_loss, one, place);
    };
    return most_of(measured(WeightGradients::AtOnce), measured(WeightGradients::Later));
  }
  const MicrobatchBuffer buffer = MicrobatchBuffer::shapes(
      sequences, length, static_cast<int>(model.config().num_nextn_predict_layers), model.device(),
      place);
  const Microbatch& batch = buffer.batch();
  const Rotary rotary = model.rotary(batch.sequences);
  const Objective objective{.loss_scale = 1,
                            .mtp_scale = 1,
                            .balance_alpha = with_balance_loss ? 1.0 : 0.0,
                            .balance_scale = 1};
  StepMemory most;
  for (const ModelPart& part : model.parts()) {
    Arena keep = Arena::measuring(model.device()), scratch = Arena::measuring(model.device()),
          again = Arena::measuring(model.device()), sums = Arena::measuring(model.device());
    Context context{.device = model.device(), .scratch = &scratch, .dry_run = true};
    Pass pass{context, keep, model.precision()};
    pass.recompute = model.recompute();
    pass.again = &again;
    WeightWork later;
    PartStash stash;
    const auto message = [&] {
      return keep.take(model.precision().inner(),
                       {batch.sequences.count(), model.config().hidden_size});
    };
    const Tensor balance_losses = sums.take(DType::F64, {std::ssize(part.moe_blocks()) + 1});
    part.forward(pass, batch.sequences, rotary, part.stage().is_first ? Tensor() : message(),
                 stash);
    if (part.stage().is_last) {
      const CrossEntropy term(batch.targets, {}, objective.loss_scale);
      part.losses(pass, batch, rotary, term, objective, stash);
    }
    if (weights == WeightGradients::Later) pass.later = &later;
    part.backward(pass, batch, rotary, objective, stash, balance_losses,
                  part.stage().is_last ? stash.head.dx : message());
    later.run(context);
    most.keep_bytes_of_parts.push_back(keep.peak_bytes());
    most.keep_bytes = std::max(most.keep_bytes, keep.peak_bytes());
    most.again_bytes = std::max(most.again_bytes, again.peak_bytes());
    most.scratch_bytes = std::max(most.scratch_bytes, scratch.peak_bytes());
  }
  return most;
}

}  // namespace tessera
