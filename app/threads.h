// SPDX-License-Identifier: MIT
// How OpenMP's threads wait for each other, and how many there are by default.
//
// At the end of each parallel loop a thread waits for the others by spinning, by default for up to
// 300,000 turns (GOMP_SPINCOUNT), which is 3 to 13 ms. Alone on a machine that is right, since no
// wait lasts that long. Beside another busy program it is ruinous: the threads spin away the very
// time in which the one that they wait for could run. So they spin for a short time and then sleep.
#pragma once

#include <string>
#include <vector>

#include "core/spec/spec.h"

namespace tessera::app {

/// As many threads as host.threads says, for commands that compute by a spec themselves; 0 leaves
/// those that there are.
void use_threads(const RunSpec& spec);

/// To be called at the beginning of main(). Sets how long threads spin and, where a quota allows
/// less than the processors there are, how many there are, and starts the program anew under its
/// process number: libgomp reads both from the environment before main(). What the
/// environment says already stays as it is: after that start, all of it. One of several ranks gets
/// its share of the processors.
void prepare_threads(char** argv);

/// The variables that prepare_threads() has set, and not whoever started this program: they are for
/// this process alone.
std::vector<std::string> own_thread_variables();

}  // namespace tessera::app
