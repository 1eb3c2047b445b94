// SPDX-License-Identifier: MIT
// What commands show on a terminal.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "core/base/progress.h"
#include "core/events/events.h"
#include "core/events/step_pace.h"

namespace tessera::app {

/// "1 h 02 min", "3 min 20 s", "12 s".
std::string duration(double seconds);
/// 12345678 -> "12.3 M".
std::string count(double value);
/// 12345678 -> "12.3 MB"; powers of ten.
std::string byte_count(double bytes);

/// "shards: 40 % of 12.3 MB"; as much of it as is known.
std::string phase_text(const PhaseProgress& progress);

/// Columns padded to their widest cell; numbers (cells that begin with a digit) to the right.
std::string table(const std::vector<std::string>& head,
                  const std::vector<std::vector<std::string>>& rows);

/// Shows a run as it goes: one line that is rewritten on a terminal, and a line now and then where
/// the output goes to a file. A step has the number that it has in the log and in the window,
/// counted from 0; how far the run is, is told in steps done.
class RunView {
 public:
  RunView(std::int64_t total_steps, std::int64_t total_tokens, bool show_samples = true);
  void event(const Event& event);
  void event_now(const EventBody& body);
  void phase(const PhaseProgress& progress);
  void finish_line();

  double first_validation() const { return first_validation_; }
  double last_validation() const { return last_validation_; }

 private:
  void step(const StepEvent& event);
  void tell(const ValidationEvent& event);
  void tell(const SampleEvent& event);
  void tell(const CheckpointEvent& event);
  void tell(const SpikeEvent& event);
  void tell(const RollbackEvent& event);
  void tell(const MessageEvent& event);
  void tell(const StateEvent& event);
  void tell(const PhaseEvent& event);
  void tell(const StepEvent& event) { step(event); }
  template <class Other>
  void tell(const Other&) {}  // nothing that a person needs to see
  void line(const std::string& text, bool keep);

  std::int64_t total_steps_, total_tokens_;
  bool show_samples_;
  bool is_terminal_;
  bool line_open_ = false;
  double first_validation_ = kNotMeasured, last_validation_ = kNotMeasured;
  StepPace pace_;
  double last_shown_ = 0;
  std::string phase_;
};

}  // namespace tessera::app
