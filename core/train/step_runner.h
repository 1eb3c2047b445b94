// SPDX-License-Identifier: MIT
// Carries out this rank's program of a step: forward and backward of micro-batches through the
// parts of the model that it holds, and the messages between stages.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "core/base/communicator.h"
#include "core/base/timeline.h"
#include "core/model/model.h"
#include "core/schedule/program.h"
#include "core/schedule/slots.h"
#include "core/train/step_memory.h"
#include "core/train/step_recordings.h"
#include "core/train/step_source.h"

namespace tessera {

class FixedSums;

/// Where a step's sums go; they are added to.
struct StepSums {
  Tensor losses;               ///< (3) F64: losses, MTP losses, balance losses
  Tensor balance_losses;       ///< (MoE layers held) F64, of one micro-batch
  Tensor loads;                ///< (MoE layers of the model, experts) I64: slots of each expert
  FixedSums* fixed = nullptr;  ///< takes losses and gradients of each micro-batch; absent: nobody
};

/// What a step works on, and who may end it.
struct StepInput {
  const StepRows& rows;
  std::int64_t micro_batch_sequences = 1;
  Objective objective;
  const Patience* patience = nullptr;
  /// Ranks meet inside a micro-batch, as they share experts: all begin it or none does.
  bool together = false;
  /// Called before each micro-batch where the pipeline has one rank; may throw Stopped.
  std::function<void(std::int64_t micro_batch)> before;
  /// Whether any rank has given the step up; called by all ranks alike.
  std::function<bool(bool given_up)> any_rank;
  Timeline* timeline = nullptr;  ///< is told of actions and messages; absent: nobody

  std::int32_t micro_batches() const;
};

class StepRunner {
 public:
  /// `pipeline`: the ranks that hold the stages, in their order; one rank where it holds them all.
  /// `sends`: what the transport does in a send.
  StepRunner(Model& model, Communicator& pipeline, const PipelineShape& shape,
             Sends sends = Sends::DoNotWait);

  /// To be called when memory, lengths or rotary tables change. `micro_batches`: most of a step.
  void reserve(const StepMemory& memory, std::int64_t micro_batches);
  /// Memory of the micro-batches that are kept at once.
  std::size_t keep_bytes() const { return pool_.total_bytes(); }
  /// The most of it, and of the memory for blocks that are made again, that was in use so far.
  std::size_t most_kept_bytes() const;
  std::size_t most_again_bytes() const { return again_.peak_bytes(); }
  void enable_graphs(bool on) { recordings_.enable(on); }

  /// This rank's part of a step. False where a rank gave the step up, which then did nothing but to
  /// sums and gradients. With more than one rank a step that has begun is carried through.
  bool run(Context& context, const StepInput& input, const StepSums& sums);

  /// Adds the losses of the rows to `total` (1) F64, the same on every rank. Throws Stopped.
  void validate(Context& context, const StepInput& input, const Tensor& total);

  /// Micro-batches that were replayed as CUDA graphs, so far.
  std::int64_t replayed() const { return recordings_.replayed(); }

 private:
  /// The memory of a micro-batch in a stage from its forward to the end of its backward.
  struct Slot {
    explicit Slot(Arena memory) : keep(std::move(memory)) {}
    Arena keep;
    bool is_made = false;  ///< has memory
    Buffer columns;        ///< used again by the next micro-batch
    std::optional<MicrobatchBuffer> micro;
    PartStash stash;
    WeightWork weights;
    std::int32_t stage = -1, micro_batch = -1;
  };
  /// What this rank does in a step of so many micro-batches.
  struct Plan {
    std::int32_t micro_batches = 0;
    Program program;
  };
  /// An output that is to be sent, or one that came and waits.
  struct Message {
    PipelineAction made_by;
    Tensor x;
    Buffer memory;
    bool is_of(bool forward, std::int32_t stage, std::int32_t micro_batch) const;
  };
  /// What actions are for: a step has sums, a validation a total.
  struct Purpose {
    const StepInput& input;
    const StepSums* sums = nullptr;
    Tensor total;
  };

  bool is_alone() const { return shape_.ranks == 1; }
  const Program& program_of(std::optional<Plan>& plan, const Schedule& schedule) const;
  bool run_micro_batch(Context& context, std::int32_t micro_batch, const Purpose& purpose);
  void whole_micro_batch(Context& context, std::int32_t micro_batch, const Purpose& purpose);
  void forward_and_backward(Context& context, Slot& slot, const Purpose& purpose);
  void carry_out(Context& context, const ProgramStep& step, const Purpose& purpose);
  void work(Context& context, const PipelineAction& action, const Purpose& purpose);
  void forward(Context& context, Slot& slot, const Purpose& purpose);
  void losses(Context& context, Slot& slot, const Purpose& purpose);
  void backward(Context& context, Slot& slot, const Purpose& purpose, bool weights_later);
  void add_balance_losses(Context& context, const Slot& slot, const StepSums& sums,
                          const Tensor& balance_losses);
  void finish_weights(Context& context, Slot& slot, const StepSums& sums);

  Slot& take_slot(std::int32_t stage, std::int32_t micro_batch, const StepInput& input);
  Slot& slot_of(const PipelineAction& action);
  void release(Slot& slot);
  void release_all();

  Message& new_message(const PipelineAction& made_by, const StepInput& input);
  const Tensor& output_of(const PipelineAction& action) const;
  Tensor take_message(Context& context, Slot& slot, bool forward, std::int32_t from_stage);

  std::size_t part_index(std::int32_t stage) const;
  const ModelPart& part_of(const Slot& slot) const {
    return model_.parts()[part_index(slot.stage)];
  }
  Pass pass_of(Context& context, Slot& slot, const StepInput& input);

  Model& model_;
  Communicator& pipeline_;
  PipelineShape shape_;
  Sends sends_;
  StepMemory memory_;
  SlotPool pool_;
  std::deque<Slot> slots_;
  Arena again_;  ///< a block that backward makes again: one at a time, whichever slot it is of
  std::deque<Message> inbox_;
  std::deque<Buffer> message_memory_;  ///< where messages lie that were taken
  Message forward_output_, backward_output_;
  std::optional<Plan> step_plan_, validation_plan_;
  StepRecordings recordings_;
};

/// Rows [first, first + count) as one micro-batch.
TokenColumns joined_rows(const StepRows& rows, std::int64_t first, std::int64_t count);

}  // namespace tessera
