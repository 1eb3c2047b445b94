// SPDX-License-Identifier: MIT
// Copying from tables: all that is selected, not the cell at hand alone.
#pragma once

#include <QString>

class QAbstractItemView;
class QTableView;

namespace tessera::ui {

/// What is selected as a spreadsheet takes it: a line a row, tabs between cells, the titles of the
/// columns first where more than one cell is selected. Hidden columns are left out.
QString selectionAsText(const QTableView& view);
/// Ctrl+C and a menu entry copy the selection.
void enableCopy(QTableView* view);

}  // namespace tessera::ui
