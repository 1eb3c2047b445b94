// SPDX-License-Identifier: MIT
// What ranks tell each other from the host: texts, and how a piece of work ended. All of these are
// collective calls. `ranks` is null where one process works alone.
#pragma once

#include <exception>
#include <string>
#include <vector>

#include "core/base/communicator.h"

namespace tessera {

/// The text of every rank, in the order of ranks, on every rank.
std::vector<std::string> gather_texts(Communicator* ranks, const std::string& text);

/// The text of rank `from`, on every rank.
std::string text_of_rank(Communicator* ranks, const std::string& text, int from);

/// What ended the work of one rank ends it on all: a rank's own problem is thrown again; the others
/// throw Error that names the first rank with one and its reason, or Stopped where nothing failed
/// and some rank was asked to stop. Nothing where `problem` is null on every rank.
void agree(Communicator* ranks, const std::exception_ptr& problem);

/// Work of every rank, each for itself, and then agree(). NOTE: the work itself must not call other
/// ranks, since those that have failed already do not answer.
template <class Work>
void work_together(Communicator* ranks, const Work& work) {
  std::exception_ptr problem;
  try {
    work();
  } catch (...) {
    problem = std::current_exception();
  }
  agree(ranks, problem);
}

}  // namespace tessera
