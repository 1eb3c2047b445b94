// SPDX-License-Identifier: MIT
// A thread beside a rank that gives signs of life, and ends the run where ranks hang: a rank that
// waits for another one without end cannot tell it by itself.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>

#include "core/base/call_record.h"
#include "core/base/communicator.h"

namespace tessera {

class RankWatch {
 public:
  struct Options {
    std::filesystem::path records;  ///< the folder with the records of all ranks
    double hang_limit_s = 0;        ///< see find_hang()
    /// Set when this process is told to end; may be null.
    const std::atomic<bool>* asked_to_end = nullptr;
  };

  /// `ranks` and what the options point to must outlive it. A rank that hangs is told to `ranks` as
  /// the error of this one, which ends the waiting of all; a process that does not come out of its
  /// work for five seconds more is ended by force.
  RankWatch(std::shared_ptr<CallRecord> record, Communicator& ranks, Options options);

 private:
  void watch(const std::stop_token& end);
  void look(const std::stop_token& end);

  std::shared_ptr<CallRecord> record_;
  Communicator& ranks_;
  Options options_;
  int hanging_rank_ = -1, seen_ = 0;
  bool told_ = false;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace tessera
