// SPDX-License-Identifier: MIT
// What a path is that was dropped on the window.
#pragma once

#include <QString>

namespace tessera::ui {

enum class Dropped {
  Spec,        ///< a TOML file
  Run,         ///< a run folder, or a file in one
  Checkpoint,  ///< step-N of a run, or a folder in the released format
  Text,        ///< a file or folder that a source of data may read
  Nothing,     ///< nothing that the studio can do something with
};

struct DroppedPath {
  Dropped kind = Dropped::Nothing;
  QString path;  ///< path of the spec, the run folder, the checkpoint or the text
  QString why;   ///< the reason for Nothing, for people
};

/// Looks at names and folders, never into large files.
DroppedPath classifyDropped(const QString& path);

}  // namespace tessera::ui
