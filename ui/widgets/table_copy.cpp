// SPDX-License-Identifier: MIT
#include "ui/widgets/table_copy.h"

#include <QAction>
#include <QClipboard>
#include <QCoreApplication>
#include <QGuiApplication>
#include <QHeaderView>
#include <QTableView>
#include <algorithm>
#include <map>
#include <set>

namespace tessera::ui {

namespace {
/// Cells of their own lines and tabs would shift all that follows.
QString plainCell(const QVariant& value) {
  QString text = value.toString();
  return text.replace(u'\n', u' ').replace(u'\t', u' ');
}
}  // namespace

QString selectionAsText(const QTableView& view) {
  const QAbstractItemModel* model = view.model();
  if (!model || !view.selectionModel()) return {};
  std::map<int, std::map<int, QString>> rows;  // by row, then by place on the screen
  std::set<int> places;
  const QModelIndexList cells = view.selectionModel()->selectedIndexes();
  for (const QModelIndex& cell : cells) {
    if (view.isColumnHidden(cell.column()) || view.isRowHidden(cell.row())) continue;
    const int place = view.horizontalHeader()->visualIndex(cell.column());
    rows[cell.row()][place] = plainCell(cell.data());
    places.insert(place);
  }
  const auto line = [&](const auto& textAt) {
    QStringList texts;
    for (const int place : places) texts << textAt(place);
    return texts.join(u'\t');
  };
  QStringList lines;
  if (places.size() > 1 || rows.size() > 1) {
    lines << line([&](int place) {
      const int column = view.horizontalHeader()->logicalIndex(place);
      return plainCell(model->headerData(column, Qt::Horizontal));
    });
  }
  for (const auto& [row, texts] : rows) {
    lines << line([&texts = texts](int place) {
      const auto found = texts.find(place);
      return found == texts.end() ? QString() : found->second;
    });
  }
  return lines.join(u'\n');
}

void enableCopy(QTableView* view) {
  auto* copy = new QAction(QCoreApplication::translate("TableCopy", "Copy"), view);
  copy->setShortcut(QKeySequence::Copy);
  copy->setShortcutContext(Qt::WidgetShortcut);
  QObject::connect(copy, &QAction::triggered, view, [view] {
    const QString text = selectionAsText(*view);
    if (!text.isEmpty()) QGuiApplication::clipboard()->setText(text);
  });
  const bool alone = view->actions().isEmpty();
  view->addAction(copy);
  if (alone && view->contextMenuPolicy() == Qt::DefaultContextMenu) {
    view->setContextMenuPolicy(Qt::ActionsContextMenu);
  }
}

}  // namespace tessera::ui
