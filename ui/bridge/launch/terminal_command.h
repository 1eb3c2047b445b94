// SPDX-License-Identifier: MIT
// The commands that the studio shows, as they work in a terminal that knows nothing of the studio.
#pragma once

#include <QString>
#include <string>

namespace tessera::ui {

/// `command` begins with "tessera". Where a shell would not find that program, or would find
/// another one, it is named by its path; where the studio's data folder is not the usual one, the
/// command sets TESSERA_HOME. An empty command stays empty.
QString inTerminal(const QString& command);

/// A word of a command as a shell reads it: in quotes where it needs them.
std::string shellWord(const std::string& word);
QString shellWord(const QString& word);

/// Remembers that this process has set TESSERA_HOME itself, so that a terminal does not have it.
void setOwnHome(const QString& folder);

}  // namespace tessera::ui
