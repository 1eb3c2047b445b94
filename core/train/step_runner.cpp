// SPDX-License-Identifier: MIT
#include "core/train/step_runner.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/progress.h"
#include "core/train/fixed_sums.h"
#include "kernels/balance/balance.h"
#include "kernels/convert/convert.h"
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

std::int32_t StepInput::micro_batches() const {
  return static_cast<std::int32_t>((std::ssize(rows) + micro_batch_sequences - 1) /
                                   micro_batch_sequences);
}

StepRunner::StepRunner(Model& model, Communicator& pipeline, const PipelineShape& shape,
                       Sends sends)
    : model_(model),
      pipeline_(pipeline),
      shape_(shape),
      sends_(sends),
      again_(Arena::measuring(model.device())) {
  require(pipeline.size() == shape.ranks, "trainer", "{} ranks are to do the work of {}",
          pipeline.size(), shape.ranks);
}

void StepRunner::reserve(const StepMemory& memory, std::int64_t micro_batches) {
  recordings_.clear();
  slots_.clear();
  message_memory_.clear();
  memory_ = memory;
  const bool makes_again = memory.again_bytes > 0;
  again_ =
      makes_again ? Arena(memory.again_bytes, model_.device()) : Arena::measuring(model_.device());
  const Schedule schedule = make_schedule(shape_, shape_.allowed(micro_batches));
  pool_ =
      SlotPool(schedule.actions[static_cast<std::size_t>(pipeline_.rank())],
               [&](std::int32_t stage) { return memory_.keep_bytes_of_parts[part_index(stage)]; });
}

// ---- Slots --------------------------------------------------------------------------------------

std::size_t StepRunner::part_index(std::int32_t stage) const {
  const std::deque<ModelPart>& parts = model_.parts();
  const auto at = std::find_if(parts.begin(), parts.end(),
                               [&](const ModelPart& part) { return part.stage().index == stage; });
  require(at != parts.end(), "trainer", "this rank does not hold stage {}", stage);
  return static_cast<std::size_t>(at - parts.begin());
}

StepRunner::Slot& StepRunner::take_slot(std::int32_t stage, std::int32_t micro_batch,
                                        const StepInput& input) {
  const std::size_t index = pool_.take(stage);
  while (slots_.size() <= index) slots_.emplace_back(Arena::measuring(model_.device()));
  Slot& slot = slots_[index];
  if (!slot.is_made) {
    // A few spare bytes: a mapping cannot be empty.
    slot.keep = Arena(pool_.bytes(index) + 4096, model_.device());
    slot.is_made = true;
  }
  slot.keep.reset();
  slot.stash = {};
  slot.stage = stage;
  slot.micro_batch = micro_batch;
  const TokenColumns columns = joined_rows(input.rows, micro_batch * input.micro_batch_sequences,
                                           input.micro_batch_sequences);
  slot.micro.emplace(columns, model_.device(), std::move(slot.columns));
  return slot;
}

StepRunner::Slot& StepRunner::slot_of(const PipelineAction& action) {
  for (Slot& slot : slots_) {
    if (slot.stage == action.stage && slot.micro_batch == action.micro_batch) return slot;
  }
  throw Error("trainer", fmt::format("{} has no forward before it", describe(action)));
}

/// NOTE: what is in it stays there until another micro-batch takes the slot: it may be on its way.
void StepRunner::release(Slot& slot) {
  if (slot.micro) slot.columns = slot.micro->take_memory();
  slot.micro.reset();
  slot.stage = slot.micro_batch = -1;
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [&](const Slot& other) { return &other == &slot; });
  pool_.release(static_cast<std::size_t>(at - slots_.begin()));
}

void StepRunner::release_all() {
  for (Slot& slot : slots_) release(slot);
  pool_.release_all();
  for (Message& message : inbox_) message_memory_.push_back(std::move(message.memory));
  inbox_.clear();
}

std::size_t StepRunner::most_kept_bytes() const {
  std::size_t bytes = 0;
  for (const Slot& slot : slots_) bytes += slot.keep.peak_bytes();
  return bytes;
}

Pass StepRunner::pass_of(Context& context, Slot& slot, const StepInput& input) {
  Pass pass{context, slot.keep, model_.precision()};
  pass.recompute = model_.recompute();
  if (memory_.again_bytes > 0) pass.again = &again_;
  pass.patience = input.patience;
  return pass;
}

// ---- Messages -----------------------------------------------------------------------------------

bool StepRunner::Message::is_of(bool forward, std::int32_t stage, std::int32_t micro_batch) const {
  return made_by.is_forward() == forward && made_by.stage == stage &&
         made_by.micro_batch == micro_batch;
}

/// Room in the inbox for the output of `made_by`.
StepRunner::Message& StepRunner::new_message(const PipelineAction& made_by,
                                             const StepInput& input) {
  std::int64_t tokens = 0;
  const std::int64_t first = made_by.micro_batch * input.micro_batch_sequences;
  const std::int64_t end = std::min(first + input.micro_batch_sequences, std::ssize(input.rows));
  for (std::int64_t row = first; row < end; ++row) {
    tokens += std::ssize(input.rows[static_cast<std::size_t>(row)].tokens);
  }
  const DType type = model_.precision().inner();
  const std::int64_t hidden = model_.config().hidden_size;
  const std::size_t bytes = static_cast<std::size_t>(tokens * hidden) * size_of(type);
  Message& message = inbox_.emplace_back();
  message.made_by = made_by;
  if (!message_memory_.empty()) {
    message.memory = std::move(message_memory_.back());
    message_memory_.pop_back();
  }
  if (message.memory.bytes() < std::max<std::size_t>(bytes, 1))
    message.memory = Buffer(std::max<std::size_t>(bytes, 1), model_.device());
  message.x = message.memory.view(type, {tokens, hidden});
  return message;
}

const Tensor& StepRunner::output_of(const PipelineAction& action) const {
  const Message& output = action.is_forward() ? forward_output_ : backward_output_;
  require(output.is_of(action.is_forward(), action.stage, action.micro_batch), "trainer",
          "the output of the {} is not there any more", describe(action));
  return output.x;
}

/// The message of the stage `from_stage` for the slot's micro-batch, in the slot's own memory.
Tensor StepRunner::take_message(Context& context, Slot& slot, bool forward,
                                std::int32_t from_stage) {
  const auto at = std::find_if(inbox_.begin(), inbox_.end(), [&](const Message& message) {
    return message.is_of(forward, from_stage, slot.micro_batch);
  });
  require(at != inbox_.end(), "trainer", "nothing came from stage {} for micro-batch {}",
          from_stage, slot.micro_batch);
  const Tensor x = slot.keep.take(at->x.dtype(), {at->x.size(0), at->x.size(1)});
  kernels::convert(context, at->x, x);
  message_memory_.push_back(std::move(at->memory));
  inbox_.erase(at);
  return x;
}

// ---- Steps --------------------------------------------------------------------------------------

const Program& StepRunner::program_of(std::optional<Plan>& plan, const Schedule& schedule) const {
  if (!plan || plan->micro_batches != schedule.micro_batches) {
    std::vector<Program> programs = programs_of(schedule, sends_);
    plan = Plan{schedule.micro_batches,
                std::move(programs[static_cast<std::size_t>(pipeline_.rank())])};
  }
  return plan->program;
}

bool StepRunner::run(Context& context, const StepInput& input, const StepSums& sums) {
  const Purpose purpose{.input = input, .sums = &sums, .total = {}};
  const std::int32_t count = input.micro_batches();
  release_all();
  if (is_alone()) {
    for (std::int32_t i = 0; i < count; ++i) {
      if (!run_micro_batch(context, i, purpose)) return false;
    }
    return true;
  }
  for (const ProgramStep& step : program_of(step_plan_, make_schedule(shape_, count))) {
    carry_out(context, step, purpose);
  }
  return !input.any_rank(false);
}

/// False where a rank gave the step up.
bool StepRunner::run_micro_batch(Context& context, std::int32_t micro_batch,
                                 const Purpose& purpose) {
  const StepInput& input = purpose.input;
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
  if (!given_up) attempt([&] { whole_micro_batch(context, micro_batch, purpose); });
  release_all();
  return input.together || !input.any_rank(given_up);
}

/// Forward and at once backward, as one CUDA graph where it can be.
void StepRunner::whole_micro_batch(Context& context, std::int32_t micro_batch,
                                   const Purpose& purpose) {
  const StepInput& input = purpose.input;
  Slot& slot = take_slot(0, micro_batch, input);
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
  const auto work = [&] {
    parameters.mark_gradients(first);
    slot.keep.reset();
    slot.stash = {};
    forward_and_backward(context, slot, purpose);
  };
  if (input.timeline) {
    work();
  } else {
    recordings_.run(context, key, work);
  }
  // What was taken as a micro-batch's own is old for the next one.
  parameters.mark_gradients(purpose.sums->fixed != nullptr);
}

void StepRunner::forward_and_backward(Context& context, Slot& slot, const Purpose& purpose) {
  const auto span = [&](const char* what) {
    return Timeline::Span{.what = what, .stage = slot.stage, .micro_batch = slot.micro_batch};
  };
  {
    const Timeline::Scope scope(purpose.input.timeline, context, span("forward"));
    forward(context, slot, purpose);
  }
  const Timeline::Scope scope(purpose.input.timeline, context, span("backward"));
  backward(context, slot, purpose, /*weights_later=*/false);
}

namespace {
const char* name_of(const ProgramStep& step) {
  switch (step.kind) {
    case ProgramStep::Kind::Work:
      return name_of(step.action.kind);
    case ProgramStep::Kind::Send:
      return "send";
    case ProgramStep::Kind::Receive:
      return "receive";
    case ProgramStep::Kind::Keep:
      break;
  }
  return "keep";
}
}  // namespace

void StepRunner::carry_out(Context& context, const ProgramStep& step, const Purpose& purpose) {
  const Timeline::Scope scope(
      purpose.input.timeline, context,
      {.what = name_of(step), .stage = step.action.stage, .micro_batch = step.action.micro_batch});
  switch (step.kind) {
    case ProgramStep::Kind::Work:
      return work(context, step.action, purpose);
    case ProgramStep::Kind::Send:
      return pipeline_.send(context, output_of(step.action), step.peer);
    case ProgramStep::Kind::Receive:
      return pipeline_.receive(context, new_message(step.action, purpose.input).x, step.peer);
    case ProgramStep::Kind::Keep:
      return kernels::convert(context, output_of(step.action),
                              new_message(step.action, purpose.input).x);
  }
}

void StepRunner::work(Context& context, const PipelineAction& action, const Purpose& purpose) {
  switch (action.kind) {
    case Kind::Forward: {
      Slot& slot = take_slot(action.stage, action.micro_batch, purpose.input);
      forward(context, slot, purpose);
      if (!purpose.sums) release(slot);
      return;
    }
    case Kind::Backward: {
      Slot& slot = slot_of(action);
      backward(context, slot, purpose, /*weights_later=*/false);
      return release(slot);
    }
    case Kind::InputBackward:
      return backward(context, slot_of(action), purpose, /*weights_later=*/true);
    case Kind::WeightBackward: {
      Slot& slot = slot_of(action);
      finish_weights(context, slot, *purpose.sums);
      return release(slot);
    }
  }
}

void StepRunner::forward(Context& context, Slot& slot, const Purpose& purpose) {
  const ModelPart& part = part_of(slot);
  const Microbatch& batch = slot.micro->batch();
  const Rotary rotary = model_.rotary(batch.sequences);
  Pass pass = pass_of(context, slot, purpose.input);
  const Tensor x =
      part.stage().is_first ? Tensor() : take_message(context, slot, true, slot.stage - 1);
  part.forward(pass, batch.sequences, rotary, x, slot.stash);
  if (part.stage().is_last) return losses(context, slot, purpose);
  forward_output_ = {{Kind::Forward, slot.stage, slot.micro_batch}, slot.stash.hidden, {}};
}

void StepRunner::losses(Context& context, Slot& slot, const Purpose& purpose) {
  const Objective& objective = purpose.input.objective;
  Microbatch batch = slot.micro->batch();
  if (!purpose.sums) batch.mtp_tokens = Tensor();  // a validation is of the next token alone
  const CrossEntropy term(batch.targets, batch.weights, objective.loss_scale);
  Pass pass = pass_of(context, slot, purpose.input);
  part_of(slot).losses(pass, batch, model_.rotary(batch.sequences), term, objective, slot.stash);
  if (!purpose.sums) return kernels::sum(context, slot.stash.head.losses, purpose.total);
  const StepSums& sums = *purpose.sums;
  const Tensor to = sums.fixed ? sums.fixed->losses(slot.micro_batch) : sums.losses;
  kernels::sum(context, slot.stash.head.losses, to.slice(0, 0, 1));
  if (slot.stash.mtp.head.losses) {
    kernels::sum(context, slot.stash.mtp.head.losses, to.slice(0, 1, 2));
  }
}

void StepRunner::backward(Context& context, Slot& slot, const Purpose& purpose,
                          bool weights_later) {
  const ModelPart& part = part_of(slot);
  const StepSums& sums = *purpose.sums;
  const Objective& objective = purpose.input.objective;
  const Microbatch& batch = slot.micro->batch();
  Pass pass = pass_of(context, slot, purpose.input);
  if (weights_later) pass.later = &slot.weights;
  const Tensor dx = part.stage().is_last ? slot.stash.head.dx
                                         : take_message(context, slot, false, slot.stage + 1);
  std::int64_t held = 0;  // layers with experts in the parts before
  for (std::size_t i = 0; i < part_index(slot.stage); ++i) {
    held += std::ssize(model_.parts()[i].moe_blocks());
  }
  const std::int64_t blocks = std::ssize(part.moe_blocks());
  const Tensor balance_losses = sums.balance_losses.slice(0, held, held + blocks);
  part.backward(pass, batch, model_.rotary(batch.sequences), objective, slot.stash, balance_losses,
                dx);
  backward_output_ = {{Kind::Backward, slot.stage, slot.micro_batch}, dx, {}};
  if (objective.balance_alpha > 0 && blocks > 0) {
    add_balance_losses(context, slot, sums, balance_losses);
  }
  const std::int64_t first = moe_layers_before(model_.config(), part.stage().first);
  for (std::int64_t i = 0; i < blocks; ++i) {
    kernels::add_counts(context, part.moe_stash(slot.stash, i).routed.loads, sums.loads[first + i]);
  }
  if (sums.fixed) sums.fixed->add_made(context, part, slot.micro_batch);
  if (!weights_later) finish_weights(context, slot, sums);
}

/// `balance_losses`: those of the layers of the slot's part.
void StepRunner::add_balance_losses(Context& context, const Slot& slot, const StepSums& sums,
                                    const Tensor& balance_losses) {
  if (!sums.fixed) return kernels::sum(context, balance_losses, sums.losses.slice(0, 2, 3));
  const Tensor to = sums.fixed->balance_losses(slot.micro_batch);
  const std::int64_t first = moe_layers_before(model_.config(), part_of(slot).stage().first);
  for (std::int64_t i = 0; i < balance_losses.numel(); ++i) {
    kernels::sum(context, balance_losses.slice(0, i, i + 1), to.slice(0, first + i, first + i + 1));
  }
}

void StepRunner::finish_weights(Context& context, Slot& slot, const StepSums& sums) {
  slot.weights.run(context);
  model_.parameters().clear_old_gradients(context);
  if (sums.fixed) sums.fixed->add_products(context, part_of(slot), slot.micro_batch);
}

void StepRunner::validate(Context& context, const StepInput& input, const Tensor& total) {
  const Purpose purpose{.input = input, .sums = nullptr, .total = total};
  const Schedule schedule = forward_only(shape_, input.micro_batches());
  release_all();
  try {
    for (const ProgramStep& step : program_of(validation_plan_, schedule)) {
      carry_out(context, step, purpose);
    }
  } catch (...) {
    release_all();
    throw;
  }
  pipeline_.broadcast(context, total, schedule.routes.front().back());
}

}  // namespace tessera
