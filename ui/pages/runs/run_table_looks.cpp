// SPDX-License-Identifier: MIT
// What the table of runs shows beside the runs themselves: columns of one's own, groups, filters
// that were saved.
#include <QComboBox>
#include <QHeaderView>
#include <QInputDialog>
#include <QKeyEvent>
#include <QMenu>
#include <QTableView>

#include "ui/bridge/desktop/preferences.h"
#include "ui/pages/runs/column_dialog.h"
#include "ui/pages/runs/run_table.h"
#include "ui/pages/runs/saved_filters.h"
#include "ui/widgets/search_field.h"

namespace tessera::ui {

namespace {

/// A combo box whose entry with this data is chosen; the first one where it has none.
void choose(QComboBox* box, const QVariant& data) {
  box->setCurrentIndex(std::max(0, box->findData(data)));
}
}  // namespace

void RunTable::setExtraColumns(const QStringList& columns) {
  if (columns == m_model.extraColumns()) return;
  const QString group = m_model.keyOf(m_proxy.group());
  const QString sorted = m_model.keyOf(m_view->horizontalHeader()->sortIndicatorSection());
  const Qt::SortOrder order = m_view->horizontalHeader()->sortIndicatorOrder();
  m_model.setExtraColumns(columns);
  m_studio.preferences.setValue(kExtraKey, columns);
  m_studio.runs.setColumns(columns);
  for (int c = RunsModel::ColumnCount; c < m_model.columnCount(); ++c) {
    m_view->setColumnHidden(c, false);
    m_view->setColumnWidth(
        c, std::max(m_view->columnWidth(c), m_view->horizontalHeader()->sectionSizeHint(c)));
  }
  const int column = m_model.columnOf(sorted);
  m_view->sortByColumn(column < 0 ? int(RunsModel::Created) : column,
                       column < 0 ? Qt::DescendingOrder : order);
  keepHeader();
  fillGroups();
  setGroup(group);
}

ColumnDialog* RunTable::chooseColumns() {
  std::vector<ColumnDialog::Usual> usual;
  QHeaderView* header = m_view->horizontalHeader();
  for (int c = 0; c < RunsModel::ColumnCount; ++c) {
    usual.push_back({m_model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString(),
                     !header->isSectionHidden(c)});
  }
  auto* dialog = new ColumnDialog(usual, m_model.extraColumns(), this);
  connect(dialog, &ColumnDialog::usualToggled, header,
          [header](int column, bool shown) { header->setSectionHidden(column, !shown); });
  connect(dialog, &ColumnDialog::extraChanged, this,
          [this](const QStringList& columns) { setExtraColumns(columns); });
  connect(&m_studio.runs, &RunStore::settingNames, dialog, &ColumnDialog::setSettings);
  m_studio.runs.requestSettingNames();
  dialog->open();
  return dialog;
}

void RunTable::headerMenu(const QPoint& at) {
  QHeaderView* header = m_view->horizontalHeader();
  auto* menu = new QMenu(this);
  menu->setAttribute(Qt::WA_DeleteOnClose);
  menu->addAction(tr("More columns…"), this, [this] { chooseColumns(); });
  const int column = header->logicalIndexAt(at);
  const bool ours = column >= 0 && column != RunsModel::Curve && column != RunsModel::Name;
  if (ours) {
    const QString title = m_model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    menu->addAction(tr("Group by %1").arg(title), this,
                    [this, key = m_model.keyOf(column)] { choose(m_group, key); });
  }
  menu->addSeparator();
  for (int c = 1; c < m_model.columnCount(); ++c) {
    QAction* shown =
        menu->addAction(m_model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString());
    shown->setCheckable(true);
    shown->setChecked(!header->isSectionHidden(c));
    connect(shown, &QAction::toggled, this, [this, header, c](bool on) {
      if (c < RunsModel::ColumnCount) return header->setSectionHidden(c, !on);
      QStringList left = m_model.extraColumns();
      left.removeAll(m_model.keyOf(c));
      setExtraColumns(left);
    });
  }
  menu->popup(header->mapToGlobal(at));
}

void RunTable::fillGroups() {
  const QSignalBlocker quiet(m_group);
  const QVariant chosen = m_group->currentData();
  m_group->clear();
  m_group->addItem(tr("Not grouped"), QString());
  for (int c = 0; c < m_model.columnCount(); ++c) {
    if (c == RunsModel::Curve) continue;
    const QString title = m_model.headerData(c, Qt::Horizontal, Qt::DisplayRole).toString();
    m_group->addItem(tr("Group: %1").arg(title), m_model.keyOf(c));
  }
  choose(m_group, chosen);
}

void RunTable::setGroup(const QString& key) {
  const QSignalBlocker quiet(m_group);
  const int column = key.isEmpty() ? -1 : m_model.columnOf(key);
  choose(m_group, column < 0 ? QString() : key);
  m_proxy.setGroup(column);
  m_studio.preferences.setValue(kGroupKey, column < 0 ? QString() : key);
  showCount();
}

/// On the head of a group: Left and Right close and open it, Space and Enter do either.
bool RunTable::eventFilter(QObject* object, QEvent* event) {
  if (object != m_view || event->type() != QEvent::KeyPress) {
    return QWidget::eventFilter(object, event);
  }
  const QModelIndex current = m_view->currentIndex();
  if (!current.isValid() || !m_proxy.isGroup(current.row())) {
    return QWidget::eventFilter(object, event);
  }
  const int row = current.row();
  switch (static_cast<QKeyEvent*>(event)->key()) {
    case Qt::Key_Left:
      m_proxy.setOpen(row, false);
      return true;
    case Qt::Key_Right:
      m_proxy.setOpen(row, true);
      return true;
    case Qt::Key_Space:
    case Qt::Key_Return:
    case Qt::Key_Enter:
      m_proxy.setOpen(row, !m_proxy.isOpen(row));
      return true;
    default:
      return QWidget::eventFilter(object, event);
  }
}

SavedFilter RunTable::currentFilter(const QString& name) const {
  return {.name = name,
          .words = m_search->text(),
          .state = m_state->currentData().toString(),
          .tag = m_tag->currentIndex() > 0 ? m_tag->currentText() : QString(),
          .group = m_group->currentData().toString(),
          .columns = m_model.extraColumns()};
}

void RunTable::apply(const SavedFilter& filter) {
  setExtraColumns(filter.columns);
  {
    const QSignalBlocker quietState(m_state), quietTag(m_tag);
    m_search->setText(filter.words);
    choose(m_state, filter.state);
    m_tag->setCurrentIndex(std::max(0, m_tag->findText(filter.tag)));
  }
  if (!filter.tag.isEmpty() && m_tag->currentIndex() == 0) {
    m_studio.navigator.toast(tr("No run has the tag %1 any more").arg(filter.tag));
  }
  applyFilter();
  setGroup(filter.group);
}

void RunTable::fillFilters(QMenu& menu) {
  menu.clear();
  const std::vector<SavedFilter> all = savedFilters(m_studio.preferences);
  if (all.empty()) menu.addAction(tr("No filter is saved yet"))->setEnabled(false);
  for (const SavedFilter& filter : all) {
    QAction* shown = menu.addAction(QString(filter.name).replace(u'&', QStringLiteral("&&")), this,
                                    [this, filter] { apply(filter); });
    shown->setCheckable(true);
    shown->setChecked(currentFilter(filter.name) == filter);
  }
  menu.addSeparator();
  menu.addAction(tr("Save this filter…"), this, [this] { askForName(); });
  if (all.empty()) return;
  QMenu* remove = menu.addMenu(tr("Delete a filter"));
  for (const SavedFilter& filter : all) {
    remove->addAction(QString(filter.name).replace(u'&', QStringLiteral("&&")), this,
                      [this, filter] {
                        removeFilter(m_studio.preferences, filter.name);
                        m_studio.navigator.toast(
                            tr("The filter %1 was deleted").arg(filter.name),
                            [&kept = m_studio.preferences, filter] { saveFilter(kept, filter); });
                      });
  }
}

void RunTable::askForName() {
  auto* dialog = new QInputDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Save this filter"));
  dialog->setLabelText(
      tr("Name of the filter. It keeps words, state, tag, groups and columns; one "
         "with the same name is replaced."));
  connect(dialog, &QInputDialog::textValueSelected, this, [this](const QString& given) {
    const QString name = given.simplified();
    if (name.isEmpty()) return;
    saveFilter(m_studio.preferences, currentFilter(name));
    m_studio.navigator.toast(tr("Saved as %1").arg(name));
  });
  dialog->open();
}

}  // namespace tessera::ui
