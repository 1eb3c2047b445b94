// SPDX-License-Identifier: MIT
#pragma once

#include <QString>
#include <cstdint>

namespace tessera::ui {

/// Where a draft came from.
struct DraftOrigin {
  enum class Kind { Preset, File, Clone, Fork };
  Kind kind = Kind::Preset;
  QString name;            ///< name of the preset, path of the file, id of the run
  std::int64_t step = -1;  ///< step of a fork's checkpoint; -1: the newest

  bool isRun() const { return kind == Kind::Clone || kind == Kind::Fork; }
};

}  // namespace tessera::ui
