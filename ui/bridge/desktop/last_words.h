// SPDX-License-Identifier: MIT
#pragma once

#include <QByteArray>
#include <QString>

namespace tessera::ui {

/// Why a process of ours failed, out of what it wrote: the last line, since notes may stand before
/// it, without the name that the program puts before its errors. Empty: it wrote nothing.
QString lastWords(const QByteArray& written);

}  // namespace tessera::ui
