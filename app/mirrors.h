// SPDX-License-Identifier: MIT
// Copies of runs on other hosts, for commands that meet them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/launch/mirror_keeper.h"
#include "core/run/mirror_note.h"

namespace tessera::app {

/// The file of this program, for processes that go on without this one.
std::string running_program();

/// Where the list of mirrors lies.
std::filesystem::path mirror_list_folder();

/// Mirrors of this user that are to be followed.
MirrorList mirror_list();

/// Has them followed, where there are any and nobody does. What stands in the way is told on
/// standard error: the command at hand goes on with what is here.
void keep_mirrors_going();

/// Marks the run of a launch for being mirrored, once its folder on `host` is known. Nothing where
/// this machine lists that folder itself. What stands in the way is returned; empty: nothing.
std::string mirror_launched_run(const std::string& host, const std::string& run,
                                const std::string& ssh, const std::vector<std::string>& program);

/// "", where it is the default.
std::string ssh_to_note(const std::string& command);

}  // namespace tessera::app
