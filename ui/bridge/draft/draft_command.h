// SPDX-License-Identifier: MIT
// The command line that starts the run which a draft describes.
#pragma once

#include <cstdint>
#include <string>

#include "core/launch/launch_place.h"
#include "core/spec/spec.h"

namespace tessera::ui {

struct DraftCommand {
  RunSpec spec{};        ///< as it was read: relative paths are still relative
  std::string folder{};  ///< that relative paths are seen from

  // Where it began; exactly one of these is set.
  std::string preset{};  ///< its name
  std::string file{};    ///< path of the spec file
  std::string run{};     ///< folder of the run that is cloned or forked
  bool fork = false;
  std::int64_t step = -1;  ///< step of a fork's checkpoint; -1: the newest

  /// With --set options where they are few and say all: they are read back and compared. Otherwise
  /// the whole spec is written into a file below home_folder()/drafts, which the command names.
  /// The file is named by its content, so that a command that was copied stays right. Throws Error
  /// when the file cannot be written.
  std::string text() const;
};

/// The same at another place: `command` is a text() that starts the run on this machine. Throws
/// Error where the edited script of a place cannot be written into a file, and
/// std::filesystem::filesystem_error where its folder cannot be made.
std::string commandAt(const std::string& command, const LaunchPlace& place);

}  // namespace tessera::ui
