// SPDX-License-Identifier: MIT
// What every transport on the CPU must do, whether its ranks are threads or processes.
#pragma once

#include <string>
#include <vector>

#include "core/base/communicator.h"

namespace tessera {

struct CommunicatorCase {
  std::string name;
  /// Run by every rank of a group of two or more. Throws Error where something is not as it must
  /// be.
  void (*work)(Communicator& rank);
  /// For cases that must fail: a part of the message that this rank is to end with.
  std::string (*message)(int rank, int size) = nullptr;
};

const std::vector<CommunicatorCase>& communicator_cases();

/// Runs the case on this rank; what went wrong, empty where nothing did. A rank that fails tells
/// the others, as the ranks of a run do.
std::string run_case(const CommunicatorCase& one, Communicator& rank);

}  // namespace tessera
