// SPDX-License-Identifier: MIT
// Digits of equal width in the family of the program.
#pragma once

#include <QByteArray>
#include <QString>

namespace tessera::ui::theme {

/// `family` itself where its digits are as wide as each other; otherwise the name of a copy of it
/// whose tabular figures are always on; `family` again where it has none.
QString tabularFamily(const QString& family);

/// A font file (OpenType) with its feature `tnum` made one that is always applied, under another
/// name. Empty where the file has no such feature. For tests.
QByteArray withTabularFigures(QByteArray font, const QByteArray& family, const QByteArray& renamed);

}  // namespace tessera::ui::theme
