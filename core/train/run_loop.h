// SPDX-License-Identifier: MIT
// The run as every rank goes through it: data, model, then one order after another.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "core/base/communicator.h"
#include "core/run/run_folder.h"
#include "core/train/prepare.h"
#include "core/train/run_desk.h"
#include "core/train/stop_watch.h"
#include "core/train/trainer.h"

namespace tessera {

class RunLoop {
 public:
  /// `desk` on rank 0, null on the others. All that is named here must outlive the loop.
  RunLoop(const RunFolder& folder, const RunSpec& spec, Communicator& ranks,
          const TrainRunOptions& options, RunDesk* desk);

  /// From the newest whole checkpoint, else from the one it was forked from, else from the start.
  /// Finished or Stopped. What ends it with an error on rank 0 ends it on every rank.
  RunState train();

 private:
  void prepare();
  void greet();
  void prepare_data_of_run();
  void start();
  void advise();
  void tell_size();
  void resume_from(const std::filesystem::path& checkpoint);
  RunState stop_before_first_step();

  RunOrder next_order();
  RunOrder share_order(bool& asked);
  /// False where the order ends the run.
  bool carry_out(const RunOrder& order);
  void step(bool tell_ranks);
  void validate();
  void write_samples();
  void save(bool asked);
  void write_checkpoint(const CheckpointContents& contents, bool asked);
  void roll_back(std::int64_t step);
  void restore(const std::filesystem::path& checkpoint, bool keep_data_position);
  std::filesystem::path checkpoint_of_step(std::int64_t step);
  void throw_if_any_stopped();
  void report_step(const StepReport& report);
  void report_experts(const StepReport& report, std::vector<float> biases);
  void report_ranks(const StepReport& report);

  RunSpec spec_of_folder() const;
  std::filesystem::path shards_folder() const;
  std::filesystem::path starting_checkpoint() const;
  const std::atomic<bool>* stop_flag() const { return desk_ ? &desk_->stop_flag() : nullptr; }
  void phase(const char* name);
  template <class Work>
  void first_rank_first(const Work& work);
  template <class Work>
  void together(const Work& work);

  const RunFolder& folder_;
  RunSpec spec_;
  const TrainRunOptions& options_;
  Communicator& ranks_;
  Context control_;  ///< of what ranks tell each other from the host
  RunDesk* desk_;
  std::optional<StopRelay> relay_;  ///< on ranks without a desk
  PreparedData data_;
  std::unique_ptr<Trainer> trainer_;
  double peak_flops_ = 0;  ///< rank 0 only

  /// Of the steps since rank 0 was told last.
  struct OwnWork {
    std::int64_t steps = 0;
    double seconds = 0, work = 0;
  };
  OwnWork own_;
};

}  // namespace tessera
