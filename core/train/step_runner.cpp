// SPDX-License-Identifier: MIT
#include "core/train/step_runner.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/train/fixed_sums.h"
#include "kernels/balance/balance.h"
#include "kernels/reduce/reduce.h"

namespace tessera {

using Kind = PipelineAction::Kind;

TokenColumns joined_rows(const StepRows& rows, std::int64_t first, std::int64_t count) {
  const std::int64_t end = std::min(first + count, std::ssize(rows));
  TokenColumns columns = rows.at(static_cast<std::size_t>(first));
  for (std::int64_t row = first + 1; row < end; ++row) {
    columns.append(rows[static_cast<std::size_t>(row)]);
  }
  return columns;
}

StepRunner::StepRunner(Model& model, Communicator& pipeline) : model_(model), pipeline_(pipeline) {
  require(model.parts().size() == 1, "trainer", "this rank holds {} stages of the pipeline, not 1",
          model.parts().size());
}

void StepRunner::reserve(const StepMemory& memory, std::int64_t slots) {
  recordings_.clear();
  slots_.clear();
  for (std::int64_t i = 0; i < slots; ++i) {
    // A few spare bytes: a mapping cannot be empty.
    slots_.emplace_back(Arena(memory.keep_bytes + 4096, model_.device()));
  }
}

// ---- Slots --------------------------------------------------------------------------------------

StepRunner::Slot& StepRunner::take_slot(std::int32_t micro_batch, const StepInput& input) {
  const auto free = std::find_if(slots_.begin(), slots_.end(),
                                 [](const Slot& slot) { return slot.micro_batch < 0; });
  require(free != slots_.end(), "trainer", "there are only {} slots for micro-batches",
          slots_.size());
  free->micro_batch = micro_batch;
  const TokenColumns columns = joined_rows(input.rows, micro_batch * input.micro_batch_sequences,
                                           input.micro_batch_sequences);
  free->micro.emplace(columns, model_.device(), std::move(free->columns));
  return *free;
}

StepRunner::Slot& StepRunner::slot_of(std::int32_t micro_batch) {
  for (Slot& slot : slots_) {
    if (slot.micro_batch == micro_batch) return slot;
  }
  throw Error("trainer", fmt::format("micro-batch {} has not been forward", micro_batch));
}

void StepRunner::release(Slot& slot) {
  if (slot.micro) slot.columns = slot.micro->take_memory();
  slot.micro.reset();
  slot.keep.reset();
  slot.stash = {};
  slot.micro_batch = -1;
}

void StepRunner::release_all() {
  for (Slot& slot : slots_) release(slot);
}

Pass StepRunner::pass_of(Context& context, Slot& slot, const StepInput& input) const {
  Pass pass{context, slot.keep, model_.precision()};
  pass.patience = input.patience;
  return pass;
}

// ---- Actions ------------------------------------------------------------------------------------

bool StepRunner::run(Context& context, const Schedule& schedule, const StepInput& input,
                     const StepSums& sums) {
  const auto rank = static_cast<std::size_t>(pipeline_.rank());
  if (!is_alone()) {
    for (const PipelineAction& action : schedule.actions.at(rank)) {
      carry_out(context, action, input, sums);
    }
    return !input.any_rank(false);
  }
  for (std::int32_t i = 0; i < schedule.micro_batches; ++i) {
    if (!run_micro_batch(context, i, input, sums)) return false;
  }
  return true;
}

/// False where a rank gave the step up.
bool StepRunner::run_micro_batch(Context& context, std::int32_t micro_batch, const StepInput& input,
                                 const StepSums& sums) {
  bool given_up = false;
  const auto attempt = [&](const auto& work) {
    try {
      work();
    } catch (const Stopped&) {
      given_up = true;
    }
  };
  attempt([&] {
    if (input.before) input.before(micro_batch);
  });
  if (input.together && input.any_rank(given_up)) return false;
  if (!given_up) attempt([&] { forward_and_backward(context, micro_batch, input, sums); });
  release_all();
  return input.together || !input.any_rank(given_up);
}

/// As one CUDA graph where it can be.
void StepRunner::forward_and_backward(Context& context, std::int32_t micro_batch,
                                      const StepInput& input, const StepSums& sums) {
  Slot& slot = take_slot(micro_batch, input);
  const Microbatch& batch = slot.micro->batch();
  const Sequences& sequences = batch.sequences;
  const ParameterSet& parameters = model_.parameters();
  const bool first = parameters.has_old_gradients();
  const StepRecordings::Key key{slot.micro->address(),
                                sequences.count(),
                                sequences.starts.size(0) - 1,
                                sequences.max_length,
                                input.objective,
                                bool(batch.weights),
                                first};
  recordings_.run(context, key, [&] {
    parameters.mark_gradients(first);
    slot.keep.reset();
    slot.stash = {};
    forward(context, slot, input, sums);
    backward(context, slot, input, sums, /*weights_later=*/false);
  });
  // What was taken as a micro-batch's own is old for the next one.
  parameters.mark_gradients(sums.fixed != nullptr);
}

void StepRunner::carry_out(Context& context, const PipelineAction& action, const StepInput& input,
                           const StepSums& sums) {
  switch (action.kind) {
    case Kind::Forward:
      return forward(context, take_slot(action.micro_batch, input), input, sums);
    case Kind::Backward: {
      Slot& slot = slot_of(action.micro_batch);
      backward(context, slot, input, sums, /*weights_later=*/false);
      return release(slot);
    }
    case Kind::InputBackward:
      return backward(context, slot_of(action.micro_batch), input, sums, /*weights_later=*/true);
    case Kind::WeightBackward: {
      Slot& slot = slot_of(action.micro_batch);
      finish_weights(context, slot, sums);
      return release(slot);
    }
  }
}

Tensor StepRunner::receive(Context& context, Slot& slot, int from) {
  const std::int64_t tokens = slot.micro->batch().sequences.count();
  const Tensor x =
      slot.keep.take(model_.precision().inner(), {tokens, model_.config().hidden_size});
  pipeline_.receive(context, x, from);
  return x;
}

void StepRunner::forward(Context& context, Slot& slot, const StepInput& input,
                         const StepSums& sums) {
  const Microbatch& batch = slot.micro->batch();
  const Rotary rotary = model_.rotary(batch.sequences);
  Pass pass = pass_of(context, slot, input);
  const Tensor x =
      part().stage().is_first ? Tensor() : receive(context, slot, pipeline_.rank() - 1);
  part().forward(pass, batch.sequences, rotary, x, slot.stash);
  if (!part().stage().is_last) {
    return pipeline_.send(context, slot.stash.hidden, pipeline_.rank() + 1);
  }
  const CrossEntropy term(batch.targets, batch.weights, input.objective.loss_scale);
  part().losses(pass, batch, rotary, term, input.objective, slot.stash);
  const Tensor losses = sums.fixed ? sums.fixed->losses(slot.micro_batch) : sums.losses;
  kernels::sum(context, slot.stash.head.losses, losses.slice(0, 0, 1));
  if (slot.stash.mtp.head.losses) {
    kernels::sum(context, slot.stash.mtp.head.losses, losses.slice(0, 1, 2));
  }
}

void StepRunner::backward(Context& context, Slot& slot, const StepInput& input,
                          const StepSums& sums, bool weights_later) {
  const Microbatch& batch = slot.micro->batch();
  Pass pass = pass_of(context, slot, input);
  if (weights_later) pass.later = &slot.weights;
  const Tensor dx =
      part().stage().is_last ? slot.stash.head.dx : receive(context, slot, pipeline_.rank() + 1);
  part().backward(pass, batch, model_.rotary(batch.sequences), input.objective, slot.stash,
                  sums.balance_losses, dx);
  if (!part().stage().is_first) pipeline_.send(context, dx, pipeline_.rank() - 1);
  if (input.objective.balance_alpha > 0 && sums.balance_losses.numel() > 0) {
    add_balance_losses(context, slot, sums);
  }
  const std::int64_t first = moe_layers_before(model_.config(), part().stage().first);
  for (std::int64_t i = 0; i < std::ssize(part().moe_blocks()); ++i) {
    kernels::add_counts(context, part().moe_stash(slot.stash, i).routed.loads,
                        sums.loads[first + i]);
  }
  if (sums.fixed) sums.fixed->add_made(context, part(), slot.micro_batch);
  if (!weights_later) finish_weights(context, slot, sums);
}

void StepRunner::add_balance_losses(Context& context, const Slot& slot, const StepSums& sums) {
  if (!sums.fixed) return kernels::sum(context, sums.balance_losses, sums.losses.slice(0, 2, 3));
  const Tensor losses = sums.fixed->balance_losses(slot.micro_batch);
  const std::int64_t first = moe_layers_before(model_.config(), part().stage().first);
  for (std::int64_t i = 0; i < std::ssize(part().moe_blocks()); ++i) {
    kernels::sum(context, sums.balance_losses.slice(0, i, i + 1),
                 losses.slice(0, first + i, first + i + 1));
  }
}

void StepRunner::finish_weights(Context& context, Slot& slot, const StepSums& sums) {
  slot.weights.run(context);
  model_.parameters().clear_old_gradients(context);
  if (sums.fixed) sums.fixed->add_products(context, part(), slot.micro_batch);
}

void StepRunner::validate(Context& context, const StepInput& input, const Tensor& total) {
  const std::int64_t count =
      (std::ssize(input.rows) + input.micro_batch_sequences - 1) / input.micro_batch_sequences;
  for (std::int32_t i = 0; i < count; ++i) {
    Slot& slot = take_slot(i, input);
    Microbatch batch = slot.micro->batch();
    batch.mtp_tokens = Tensor();
    const Rotary rotary = model_.rotary(batch.sequences);
    Pass pass = pass_of(context, slot, input);
    try {
      const Tensor x =
          part().stage().is_first ? Tensor() : receive(context, slot, pipeline_.rank() - 1);
      part().forward(pass, batch.sequences, rotary, x, slot.stash);
      if (part().stage().is_last) {
        part().losses(pass, batch, rotary, CrossEntropy(batch.targets, batch.weights, 0), {},
                      slot.stash);
        kernels::sum(context, slot.stash.head.losses, total);
      } else {
        pipeline_.send(context, slot.stash.hidden, pipeline_.rank() + 1);
      }
    } catch (...) {
      release_all();
      throw;
    }
    release(slot);
  }
  pipeline_.broadcast(context, total, pipeline_.size() - 1);
}

}  // namespace tessera
