// SPDX-License-Identifier: MIT
#include "core/train/run_desk.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "core/base/error.h"
#include "core/base/progress.h"

namespace tessera {

using Action = RunOrder::Action;

namespace {
constexpr std::chrono::seconds kBetweenRanksEvents{1};
}

RunDesk::RunDesk(const RunFolder& folder, const RunSpec& spec, const TrainRunOptions& options,
                 EventSink& log)
    : folder_(folder),
      spec_(spec),
      options_(options),
      sink_(log),
      stop_(folder, options.stop),
      spikes_(spec.stability.spike_window, spec.stability.spike_factor) {}

std::string RunDesk::inside_folder(const std::filesystem::path& path) const {
  const std::filesystem::path relative = path.lexically_relative(folder_.path());
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

void RunDesk::begin(const Trainer& trainer, bool saved) {
  first_step_ = trainer.next_step();
  if (saved) saved_step_ = trainer.next_step();
  sink_.set_step(trainer.next_step() - 1);
  sink_.state(RunState::Running);
  if (trainer.next_step() == 0 && spec_.validation.every_steps > 0) {
    orders_.push_back({Action::Validate});
  }
}

RunOrder RunDesk::next(const Trainer& trainer) {
  if (orders_.empty()) decide(trainer);
  const RunOrder order = orders_.front();
  orders_.pop_front();
  return order;
}

void RunDesk::stop_for_rank() {
  rank_asked_ = true;
  stop_.tell();
  orders_.clear();
}

void RunDesk::decide(const Trainer& trainer) {
  if (std::exchange(stepped_, false)) add_due(trainer);
  if (!orders_.empty()) return;
  if (trainer.finished()) {
    if (spec_.checkpoint.on_finish) add_saving(trainer);
    orders_.push_back({Action::Finish});
    return;
  }
  const Wish wish = look_for_requests(trainer);
  if (wish != Wish::GoOn) return begin_stop(trainer, wish);
  if (!orders_.empty()) return;  // asked to save
  if (options_.most_steps > 0 && trainer.next_step() - first_step_ >= options_.most_steps) {
    return begin_stop(trainer, Wish::StopSaving);
  }
  const auto now = std::chrono::steady_clock::now();
  const bool tell = now - ranks_told_ >= kBetweenRanksEvents;
  if (tell) ranks_told_ = now;
  orders_.push_back({.action = Action::Step, .tell_ranks = tell ? 1 : 0});
}

void RunDesk::add_due(const Trainer& trainer) {
  if (stop_.look()) return;  // what is due would only hold up the stop, which saves as well
  const auto due = [&](std::int64_t every) {
    return every > 0 && (trainer.next_step() % every == 0 || trainer.finished());
  };
  if (due(spec_.validation.every_steps)) orders_.push_back({Action::Validate});
  if (due(spec_.samples.every_steps)) orders_.push_back({Action::Sample});
  if (!trainer.finished() && due(spec_.checkpoint.every_steps)) add_saving(trainer);
}

void RunDesk::add_saving(const Trainer& trainer, Action how) {
  if (saved_step_ != trainer.next_step()) orders_.push_back({how});
}

void RunDesk::begin_stop(const Trainer& trainer, Wish wish) {
  told_stop_ = true;
  sink_.state(RunState::Stopping);
  stop_reason_ = "stopped on request, not saved";
  if (wish == Wish::StopSaving) {
    stop_reason_ = "stopped on request, saved";
    add_saving(trainer);
  }
  orders_.push_back({Action::Stop});
}

RunState RunDesk::end(Action action) {
  if (action == Action::Finish) {
    sink_.state(RunState::Finished);
    return RunState::Finished;
  }
  sink_.state(RunState::Stopped, stop_reason_);
  return RunState::Stopped;
}

/// With rollback on, a spike leads back to the last checkpoint and past the data.
void RunDesk::trained(const Trainer& trainer, const StepReport& report) {
  stepped_ = true;
  sink_.set_step(trainer.next_step() - 1);
  const std::optional<Spike> spike = spikes_.add(report.loss);
  if (!spike) return;
  sink_.emit(SpikeEvent{report.at.step, spike->loss, spike->usual, spike->spread});
  if (!spec_.stability.rollback) return;
  if (!find_latest_checkpoint(folder_.path())) {
    if (std::exchange(told_no_checkpoint_, true)) return;
    return sink_.message(
        "warning", "there is no checkpoint yet to go back to after a spike: training goes on");
  }
  roll_back(report.at.step, fmt::format("the loss of step {} was {:.3f}, {:.3f} is usual",
                                        report.at.step, spike->loss, spike->usual));
}

void RunDesk::was_not_finite(const NotFinite& error) {
  roll_back(error.step(), error.what_failed());
}

/// Back to the newest checkpoint and past the data that led here. Throws Error where the spec does
/// not allow it, where there is no checkpoint, and where it has been tried often enough.
void RunDesk::roll_back(std::int64_t from_step, const std::string& reason) {
  const auto latest = find_latest_checkpoint(folder_.path());
  if (!latest || !spec_.stability.rollback) give_up(reason);
  if (latest->path != rolled_back_to_) rollbacks_ = 0;
  rolled_back_to_ = latest->path;
  if (rollbacks_ == spec_.stability.max_rollbacks) {
    give_up(fmt::format("{}, also after {} rollbacks to {}", reason, rollbacks_,
                        inside_folder(latest->path)));
  }
  ++rollbacks_;
  rollback_ = {.from_step = from_step,
               .skip_steps = spec_.stability.skip_steps,
               .checkpoint = inside_folder(latest->path),
               .reason = reason,
               .number = rollbacks_,
               .most = spec_.stability.max_rollbacks};
  stepped_ = false;  // what is due after the step that is undone is due no more
  orders_.push_back({Action::RollBack, latest->step});
}

void RunDesk::rolled_back(const Trainer& trainer) {
  saved_step_ = trainer.next_step();
  sink_.set_step(trainer.next_step() - 1);
  rollback_.to_step = trainer.next_step() - 1;
  sink_.emit(rollback_);
}

/// Nothing is saved: the newest checkpoint is the last state that is known to be good.
void RunDesk::give_up(const std::string& reason) {
  const auto latest = find_latest_checkpoint(folder_.path());
  if (!latest) {
    throw Error("training", reason,
                "nothing was saved yet: start anew with a lower curriculum[0].learning_rate");
  }
  const std::string more =
      spec_.stability.rollback ? "" : ", or with --set stability.rollback=true";
  throw Error("training", fmt::format("{}; {} is whole", reason, inside_folder(latest->path)),
              fmt::format("`tessera resume --fork {}` with --set and a lower learning rate goes on "
                          "from there{}",
                          folder_.id(), more));
}

void RunDesk::saved(const Trainer& trainer, const std::filesystem::path& checkpoint,
                    std::uint64_t bytes, double seconds) {
  saved_step_ = trainer.next_step();
  sink_.emit(CheckpointEvent{.step = trainer.next_step() - 1,
                             .tokens = trainer.tokens(),
                             .path = inside_folder(checkpoint),
                             .bytes = static_cast<std::int64_t>(bytes),
                             .seconds = seconds});
  sink_.state(paused_ ? RunState::Paused : RunState::Running);
}

void RunDesk::found_spoilt(const Trainer& trainer, const std::string& what) {
  orders_.clear();
  const std::int64_t last = trainer.next_step() - 1;
  roll_back(last, fmt::format("after step {} {} holds values that are not finite", last, what));
  if (stop_reason_.empty()) return;
  stop_reason_ = "stopped on request, at the newest checkpoint";
  orders_.push_back({Action::Stop});
}

void RunDesk::stopped_unsaved() {
  take_requests(folder_);
  orders_.clear();
  stop_reason_ = "stopped on request, not saved";
  sink_.state(RunState::Stopping);
  orders_.push_back({Action::Stop});
}

void RunDesk::look_while_saving(const Trainer& trainer) {
  if (!stop_.look()) return;
  const std::vector<Control> more = take_requests(folder_);
  requests_.insert(requests_.end(), more.begin(), more.end());
  if (std::find(requests_.begin(), requests_.end(), Control::StopNow) != requests_.end()) {
    throw Stopped("saving");
  }
  if (std::exchange(told_stop_, true)) return;
  sink_.message("note", fmt::format("asked to stop: the run ends as soon as the checkpoint after "
                                    "step {} is written",
                                    trainer.next_step() - 1));
}

/// Those that were taken from the folder while a checkpoint was written, and then those in it.
std::vector<Control> RunDesk::requests() {
  std::vector<Control> all = std::exchange(requests_, {});
  const std::vector<Control> more = take_requests(folder_);
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Comes back at once, or while the run is paused when there is something to do.
RunDesk::Wish RunDesk::look_for_requests(const Trainer& trainer) {
  while (true) {
    if (is_set(options_.stop) || rank_asked_) return Wish::StopSaving;
    for (const Control request : requests()) {
      if (request == Control::StopSaving) return Wish::StopSaving;
      if (request == Control::StopNow) return Wish::StopNow;
      if (request == Control::Save) add_saving(trainer, Action::SaveAsked);
      if (request == Control::Pause) pause(true);
      if (request == Control::Resume) pause(false);
    }
    if (!paused_ || !orders_.empty()) return Wish::GoOn;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

void RunDesk::pause(bool on) {
  if (std::exchange(paused_, on) != on) sink_.state(on ? RunState::Paused : RunState::Running);
}

}  // namespace tessera
