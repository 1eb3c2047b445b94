// SPDX-License-Identifier: MIT
// A problem of a spec in the language of the window.
#pragma once

#include <QString>

#include "core/plan/fixes.h"
#include "core/spec/spec.h"

namespace tessera::ui {

/// "model.n_group: 5 does not divide the 16 experts; expected ...", without its file and line,
/// which the window shows by where it stands.
QString problemText(const Problem& problem, bool withKey = true);
/// What the button beside it does: "Set model.n_group to 4".
QString fixText(const Fix& fix);

}  // namespace tessera::ui
