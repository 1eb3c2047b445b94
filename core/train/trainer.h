// SPDX-License-Identifier: MIT
// One optimiser step after another: batch, forward, backward, reduce, clip, update, balance,
// report. What a run does around its steps (checkpoints, validation, events) is in train_run.h.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <vector>

#include "core/base/communicator.h"
#include "core/base/error.h"
#include "core/base/patience.h"
#include "core/base/profile.h"
#include "core/base/recording.h"
#include "core/checkpoint/checkpoint.h"
#include "core/model/context_exchange.h"
#include "core/model/expert_exchange_ranks.h"
#include "core/model/model.h"
#include "core/spec/curriculum.h"
#include "core/spec/spec.h"
#include "core/train/fixed_sums.h"
#include "core/train/optimiser.h"
#include "core/train/rank_groups.h"
#include "core/train/step_memory.h"
#include "core/train/step_runner.h"
#include "core/train/step_source.h"
#include "core/train/step_timeline.h"
#include "core/train/weight_exchange.h"

namespace tessera {

/// What experts on other ranks, and ranks of context, cost a step; all zero without them.
struct ExchangeReport {
  std::int64_t context_bytes = 0;  ///< latents between ranks of context, of all ranks together
  std::int64_t bytes = 0;          ///< that ranks sent to other ranks, of all ranks together
  std::int64_t tokens = 0;         ///< tokens of the step, once for every layer with experts
  std::int64_t token_ranks = 0;    ///< copies of them that went to a rank, their own included
  std::vector<std::int64_t> received{};  ///< those by the place of the rank among the experts
};

struct StepReport {
  CurriculumStep at;
  double loss = 0;          ///< mean cross-entropy of the next token, nats
  double mtp_loss = 0;      ///< the same for the token after it; NaN without MTP
  double balance_loss = 0;  ///< weighted, summed over layers; NaN when off
  OptimiserReport optimiser;
  double seconds = 0;
  std::vector<float> max_vio;  ///< per MoE block: max load / mean load - 1
  ExchangeReport exchange{};
};

/// The loss or the gradients of a step are not finite. The step changed nothing but the position in
/// the data, which is behind its batch.
class NotFinite : public Error {
 public:
  NotFinite(std::int64_t step, const std::string& what) : Error("trainer", what), step_(step) {}
  std::int64_t step() const { return step_; }

 private:
  std::int64_t step_;
};

class Trainer {
 public:
  /// `specials` are those of the source's vocabulary. The spec was checked before. Throws Stopped
  /// when `stop` is set while weights to begin with are made or read.
  Trainer(const RunSpec& spec, std::unique_ptr<StepSource> source, const SpecialTokens& specials,
          Communicator& ranks, const std::atomic<bool>* stop = nullptr);

  /// One optimiser step. Throws NotFinite when the loss or the gradients are not.
  StepReport step();
  /// The same, but when `stop` is set while more work is left than `patience` lasts, the step is
  /// given up as if it had not begun, also in the middle of a micro-batch, and nothing is returned.
  std::optional<StepReport> step_unless(const std::atomic<bool>* stop,
                                        std::chrono::milliseconds patience = kUsualPatience);
  bool finished() const { return next_step_ >= curriculum_.total_steps(); }
  std::int64_t next_step() const { return next_step_; }
  std::int64_t tokens() const { return curriculum_.at_step(next_step_).tokens; }

  /// Mean loss over held-out sequences of a source, with the length and the model of the stage that
  /// was trained last; before the first step, of the first stage. Changes nothing that training or
  /// a checkpoint depends on. Throws Stopped when `stop` is set on the way.
  double validate(const std::string& source, std::int64_t sequences,
                  const std::atomic<bool>* stop = nullptr);

  /// Loads (blocks, experts) I64 of the last step: all layers with experts of the model, whichever
  /// rank holds them, MTP's last.
  const Tensor& loads() const { return loads_; }
  /// Selection biases of all these layers, (blocks * experts). A collective call.
  std::vector<float> biases();

  /// Everything that the next step depends on. Views stay valid as long as the trainer.
  CheckpointContents contents() const;
  /// Continues where `checkpoint` was written, to the last bit. With `keep_data_position` the data
  /// goes on from where it is now instead. Throws Stopped when `stop` is set on the way: the
  /// trainer is then neither here nor there, and must not be saved.
  void restore(const Checkpoint& checkpoint, bool keep_data_position = false,
               const std::atomic<bool>* stop = nullptr);
  /// Leaves out the batches of `steps` steps.
  void skip_data(std::int64_t steps);

  /// Tokens that end an answer of this model: the vocabulary's own, and those of the weights that
  /// it began with. Checkpoints name them as well.
  std::vector<std::int32_t> ends() const;

  Model& model() { return *model_; }
  const RankGroups& groups() const { return groups_; }
  const Curriculum& curriculum() const { return curriculum_; }
  /// From the next step on. A collective call, as are the ends of steps then.
  void record_timeline(const TimelineRequest& request);
  /// Writes what was recorded where the run ends before all steps that were asked for.
  void finish_timeline();
  void set_profile(Profile* profile) { context_.profile = profile; }
  /// Off: sums may be taken in whatever order is quickest, and differ from run to run.
  void set_deterministic(bool on) { context_.deterministic = on; }
  /// Micro-batches that were replayed as CUDA graphs, so far.
  std::int64_t replayed() const { return runner_.replayed(); }

  /// Weights, the copies that products read, gradients, moments and the arenas of the present
  /// stage.
  std::size_t memory_bytes() const;
  const StepMemory& step_memory() const { return step_memory_; }
  /// What of step_memory() was in use at most since the present stage began.
  StepMemory used_memory() const;

 private:
  CurriculumStep last_stage() const;
  void enter_stage(const CurriculumStep& at);
  void give_up_step(const nlohmann::json& data_before);
  void add_ends(const std::vector<std::int64_t>& ends);
  void begin_weights(const std::atomic<bool>* stop);
  void clear_sums();
  /// The weights of a step's targets over all ranks: of the next token, and of MTP.
  struct StepTargets {
    double next = 0, mtp = 0;
  };
  StepTargets count_targets(const StepRows& rows);
  Objective objective_of(const CurriculumStep& at, const StepTargets& targets) const;
  bool any_rank(bool here);
  Timeline* timeline() const { return timeline_ ? timeline_->timeline() : nullptr; }
  void reduce();
  OptimiserReport measure_gradients();
  ExchangeReport exchanged();
  void balance_experts(const CurriculumStep& at);
  StepReport report(const CurriculumStep& at, const StepTargets& targets,
                    const OptimiserReport& optimiser) const;
  /// Whether no rank waits for this one inside a micro-batch, so that it may be given up there.
  bool is_alone() const { return groups_.mesh().pipeline == 1 && !meets_inside(); }
  /// Whether ranks meet inside a micro-batch, as they share experts or sequences.
  bool meets_inside() const { return groups_.mesh().expert > 1 || groups_.mesh().context > 1; }
  StepRows own_parts(StepRows rows) const;
  StepSums sums() const { return {sums_, balance_losses_, loads_, fixed_.get()}; }

  RunSpec spec_;
  Curriculum curriculum_;
  RankGroups groups_;
  std::unique_ptr<StepSource> source_;
  std::unique_ptr<RanksExchange> exchange_;  ///< where experts are on several ranks
  ContextExchange context_exchange_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<FixedSums> fixed_;  ///< where sums keep their order on every layout
  WeightExchange weights_;
  Optimiser optimiser_;
  HfConfig config_;

  StepMemory step_memory_;  ///< of all slots together
  Stream cuda_stream_;
  Arena scratch_;
  Context context_;
  StepRunner runner_;
  Buffer sums_memory_, loads_memory_;
  Tensor sums_;            ///< (3) F64: losses, MTP losses, balance losses of the step
  Tensor balance_losses_;  ///< (blocks) F64 of one micro-batch
  Tensor loads_;
  std::unique_ptr<StepTimeline> timeline_;
  int stage_ = -1;
  std::int64_t next_step_ = 0;
};

}  // namespace tessera
