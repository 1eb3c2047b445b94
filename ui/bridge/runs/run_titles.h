// SPDX-License-Identifier: MIT
// What runs are called where several are shown together: the name, and the end of the id where two
// have the same name.
#pragma once

#include <QString>
#include <QStringList>

namespace tessera::ui {

class RunStore;

/// One title for each id: "demo"; "demo · 0ca5" where another of them is called demo as well; the
/// whole id where that does not tell them apart either, or where the library does not know the run.
QStringList runTitles(const RunStore& runs, const QStringList& ids);

}  // namespace tessera::ui
