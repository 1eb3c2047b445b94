// SPDX-License-Identifier: MIT
// A rank ends with the agent that holds it: its standard input is a pipe of the agent, which the
// system closes whatever ends the agent.
#pragma once

namespace tessera::app {

/// Where TESSERA_LIFELINE says that standard input is such a pipe, a thread waits for its end. Then
/// the process is asked to stop as by SIGTERM, so that rank 0 saves for all; one that has not ended
/// 20 s later is ended. To be called after watch_signals(), before other threads are made.
void watch_lifeline();

}  // namespace tessera::app
