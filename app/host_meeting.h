// SPDX-License-Identifier: MIT
// What comes before ranks on several hosts: the same program on each, an address by which the first
// one is reached, one folder of runs.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/launch/host_list.h"
#include "core/launch/program_copy.h"
#include "core/launch/reach.h"
#include "core/launch/ssh.h"

namespace tessera::app {

/// How the program calls its own build; agents must be of the same.
std::string own_build();

/// Options that all commands for hosts share.
struct HostOptions {
  std::string hosts, host_file, ssh, program, folder;
  int local = 0;
  bool copy = false;

  /// In the order of ranks: this machine first. Throws Error where none is named, or the list is
  /// wrong.
  std::vector<HostSlots> list() const;
};

/// Where the program is looked for on hosts; sends it there first where that is asked for.
RemoteProgram prepare_program(const Ssh& ssh, const HostOptions& options,
                              const std::vector<HostSlots>& hosts, const CopyWatch& watch = {});

struct HostMeeting {
  HostAddress address;                  ///< where the others reach the first host
  int port = 0;                         ///< free there
  std::string folder;                   ///< holds the runs; in full
  std::vector<std::string> interfaces;  ///< by host: it reaches the first one there; may be empty
};
/// Lets the hosts try. `folder` empty: each has its own default. Throws Error naming the host, and
/// once `stop` is set.
HostMeeting meet_hosts(const Ssh& ssh, const std::vector<HostSlots>& hosts,
                       const RemoteProgram& program, const std::string& folder,
                       const std::atomic<bool>* stop = nullptr);

}  // namespace tessera::app
