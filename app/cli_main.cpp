// SPDX-License-Identifier: MIT
// `tessera`: everything the studio does, in a terminal and on cluster nodes. commands.cpp lists
// what it can do.
#include "app/command_line.h"
#include "app/lifeline.h"
#include "app/signals.h"
#include "app/threads.h"

int main(int argc, char** argv) {
  tessera::app::prepare_threads(argv);
  tessera::app::watch_signals();
  tessera::app::watch_lifeline();
  return tessera::app::run_command_line(argc, argv);
}
