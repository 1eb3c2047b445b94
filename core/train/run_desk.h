// SPDX-License-Identifier: MIT
// The desk of a run, on rank 0 alone: the log, requests from outside, spikes, and what is due. What
// it decides is an order that every rank carries out.
#pragma once

#include <chrono>
#include <deque>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/run/run_folder.h"
#include "core/train/event_sink.h"
#include "core/train/spikes.h"
#include "core/train/stop_watch.h"
#include "core/train/train_run.h"
#include "core/train/trainer.h"

namespace tessera {

/// What all ranks do next. Plain, so that it can be broadcast.
struct RunOrder {
  enum class Action : std::int64_t {
    Step,       ///< train one
    Validate,   ///< measure the held-out loss
    Sample,     ///< write samples
    Save,       ///< write a checkpoint, as one is due
    SaveAsked,  ///< write one, as somebody asked for it by itself
    RollBack,   ///< back to the checkpoint of `step`, and past the data that led here
    Stop,       ///< leave; the run can be resumed
    Finish,     ///< leave; the curriculum is at its end
    Fail,       ///< leave with an error, which rank 0 knows
  };
  Action action = Action::Step;
  std::int64_t step = 0;        ///< RollBack: the next step of the checkpoint to go back to
  std::int64_t tell_ranks = 0;  ///< Step: all then tell rank 0 what they did; 1 or 0
};

class RunDesk {
 public:
  /// All that is named here must outlive the desk.
  RunDesk(const RunFolder& folder, const RunSpec& spec, const TrainRunOptions& options,
          EventSink& log);

  EventSink& log() { return sink_; }
  /// Set when somebody asked to stop, by a signal or in the folder.
  const std::atomic<bool>& stop_flag() const { return stop_.flag(); }

  /// Another rank was asked to stop: what was decided and does not save is given up.
  void stop_for_rank();

  /// Training in this process begins: `saved` where it goes on from a checkpoint.
  void begin(const Trainer& trainer, bool saved);
  /// The next order. Throws Error where the run cannot go on.
  RunOrder next(const Trainer& trainer);

  // What became of an order.
  void trained(const Trainer& trainer, const StepReport& report);
  void was_not_finite(const NotFinite& error);
  void saved(const Trainer& trainer, const std::filesystem::path& checkpoint, std::uint64_t bytes,
             double seconds);
  /// Nothing was saved, as `what` of the weights or moments is not finite.
  void found_spoilt(const Trainer& trainer, const std::string& what);
  void rolled_back(const Trainer& trainer);
  /// Work was given up that leaves nothing to save: a checkpoint that was being written, or one
  /// that was being gone back to.
  void stopped_unsaved();
  /// To be called while a checkpoint is written that nobody asked for by itself. A stop that saves
  /// needs this very checkpoint; for one that does not save, Stopped is thrown.
  void look_while_saving(const Trainer& trainer);

  /// The last words of a run, and what train_run() returns.
  RunState end(RunOrder::Action action);

  SpikeDetector& spikes() { return spikes_; }
  /// Relative to the run folder where it lies in there, so that a folder that was moved or copied
  /// still tells the truth.
  std::string inside_folder(const std::filesystem::path& path) const;

 private:
  enum class Wish : std::uint8_t { GoOn, StopSaving, StopNow };
  void decide(const Trainer& trainer);
  void add_due(const Trainer& trainer);
  void add_saving(const Trainer& trainer, RunOrder::Action how = RunOrder::Action::Save);
  void begin_stop(const Trainer& trainer, Wish wish);
  void roll_back(std::int64_t from_step, const std::string& reason);
  [[noreturn]] void give_up(const std::string& reason);
  Wish look_for_requests(const Trainer& trainer);
  std::vector<Control> requests();
  void pause(bool on);

  const RunFolder& folder_;
  const RunSpec& spec_;
  const TrainRunOptions& options_;
  EventSink& sink_;
  StopWatch stop_;
  SpikeDetector spikes_;

  std::deque<RunOrder> orders_;  ///< decided, not carried out yet
  bool paused_ = false;
  std::chrono::steady_clock::time_point ranks_told_{};
  bool stepped_ = false;          ///< the last order trained a step: what is due comes first
  std::string stop_reason_;       ///< of a stop that has begun; empty: none has
  std::int64_t first_step_ = 0;   ///< first step that this process trains
  std::int64_t saved_step_ = -1;  ///< next step of the newest checkpoint
  RollbackEvent rollback_;        ///< the one that is under way, or the last
  std::filesystem::path rolled_back_to_;
  std::int64_t rollbacks_ = 0;  ///< to the checkpoint `rolled_back_to_`
  bool told_no_checkpoint_ = false, told_stop_ = false;
  bool rank_asked_ = false;        ///< a rank without a desk was asked to stop
  std::vector<Control> requests_;  ///< taken from the folder, and not answered yet
};

}  // namespace tessera
