// SPDX-License-Identifier: MIT
// Carries out this rank's actions of a step: forward and backward of micro-batches through the part
// of the model that it holds, and the messages between stages.
#pragma once

#include <deque>
#include <functional>
#include <optional>

#include "core/base/communicator.h"
#include "core/model/model.h"
#include "core/schedule/schedule.h"
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
  /// Called before each micro-batch where the pipeline has one stage; may throw Stopped.
  std::function<void(std::int64_t micro_batch)> before;
  /// Whether any rank has given the step up; called by all ranks alike.
  std::function<bool(bool given_up)> any_rank;
};

class StepRunner {
 public:
  /// `pipeline`: the ranks that hold the stages, in their order; one rank where there is one stage.
  StepRunner(Model& model, Communicator& pipeline);

  /// To be called when memory, lengths or rotary tables change. `slots`: micro-batches that are
  /// kept at once.
  void reserve(const StepMemory& memory, std::int64_t slots);
  void enable_graphs(bool on) { recordings_.enable(on); }

  /// This rank's actions of the schedule. False where a rank gave the step up, which then did
  /// nothing but to sums and gradients. With more than one stage a step that has begun is carried
  /// through.
  bool run(Context& context, const Schedule& schedule, const StepInput& input,
           const StepSums& sums);

  /// Adds the losses of the rows to `total` (1) F64, the same on every stage. Throws Stopped.
  void validate(Context& context, const StepInput& input, const Tensor& total);

  /// Micro-batches that were replayed as CUDA graphs, so far.
  std::int64_t replayed() const { return recordings_.replayed(); }

 private:
  /// The memory of a micro-batch from its forward to the end of its backward.
  struct Slot {
    explicit Slot(Arena memory) : keep(std::move(memory)) {}
    Arena keep;
    Buffer columns;  ///< used again by the next micro-batch
    std::optional<MicrobatchBuffer> micro;
    PartStash stash;
    WeightWork weights;
    std::int32_t micro_batch = -1;
  };

  bool run_micro_batch(Context& context, std::int32_t micro_batch, const StepInput& input,
                       const StepSums& sums);
  void forward_and_backward(Context& context, std::int32_t micro_batch, const StepInput& input,
                            const StepSums& sums);
  void carry_out(Context& context, const PipelineAction& action, const StepInput& input,
                 const StepSums& sums);
  void forward(Context& context, Slot& slot, const StepInput& input, const StepSums& sums);
  void backward(Context& context, Slot& slot, const StepInput& input, const StepSums& sums,
                bool weights_later);
  void finish_weights(Context& context, Slot& slot, const StepSums& sums);
  void add_balance_losses(Context& context, const Slot& slot, const StepSums& sums);

  Slot& take_slot(std::int32_t micro_batch, const StepInput& input);
  Slot& slot_of(std::int32_t micro_batch);
  static void release(Slot& slot);
  void release_all();
  Tensor receive(Context& context, Slot& slot, int from);
  Pass pass_of(Context& context, Slot& slot, const StepInput& input) const;
  const ModelPart& part() const { return model_.parts().front(); }
  bool is_alone() const { return pipeline_.size() == 1; }

  Model& model_;
  Communicator& pipeline_;
  std::deque<Slot> slots_;
  StepRecordings recordings_;
};

/// Rows [first, first + count) as one micro-batch.
TokenColumns joined_rows(const StepRows& rows, std::int64_t first, std::int64_t count);

}  // namespace tessera
