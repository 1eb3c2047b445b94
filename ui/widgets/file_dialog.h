// SPDX-License-Identifier: MIT
// Dialogs that ask for a file or a folder.
#pragma once

#include <QString>
#include <functional>

class QFileDialog;
class QObject;
class QWidget;

namespace tessera::ui {

/// The dialog of this title, to be set up further (each time alike) and then opened. `chosen` gets
/// what is chosen in this opening, unless `owner` is gone by then. `at`: the path of a folder, or
/// of a file to propose, or the name alone. Without a folder in
/// it the dialog opens where a file was chosen last, in whichever dialog that was.
///
/// It is made once and kept by the outermost window: the destructor of Qt's dialog writes Qt's
/// settings and waits for the disk, which may be on the network, in the window's thread.
QFileDialog* fileDialog(QWidget* window, QObject* owner, const QString& title,
                        std::function<void(const QString&)> chosen, const QString& at = {});

}  // namespace tessera::ui
