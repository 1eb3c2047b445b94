// SPDX-License-Identifier: MIT
// The table of runs with its filters. What is selected is kept by id, through filters and new rows.
#pragma once

#include <QStringList>
#include <QWidget>

#include "ui/models/runs_proxy.h"
#include "ui/shell_context.h"

class QComboBox;
class QMenu;
class QStackedWidget;
class QTableView;
class QTimer;
class QToolButton;

namespace tessera::ui {

struct SavedFilter;
class ColumnDialog;
class EmptyState;
class SearchField;
class TextLabel;

class RunTable : public QWidget {
  Q_OBJECT
 public:
  explicit RunTable(Studio& studio, QWidget* parent = nullptr);
  ~RunTable() override;

  QStringList selected() const;  ///< ids, in the order of the table
  void select(const QStringList& ids);
  QString current() const;  ///< id of the row with the focus; may be empty
  QTableView* view() const { return m_view; }
  RunsModel& model() { return m_model; }
  RunsProxy& proxy() { return m_proxy; }
  SearchField* searchField() const { return m_search; }
  QComboBox* stateBox() const { return m_state; }
  QComboBox* tagBox() const { return m_tag; }
  QComboBox* groupBox() const { return m_group; }
  QToolButton* filtersButton() const { return m_filters; }
  QToolButton* columnsButton() const { return m_columns; }
  /// Settings and metrics as columns, as in RunColumns; kept with the preferences.
  void setExtraColumns(const QStringList& columns);
  ColumnDialog* chooseColumns();
  /// What is shown now, to be kept under a name; and such a filter again.
  SavedFilter currentFilter(const QString& name) const;
  void apply(const SavedFilter& filter);
  /// The rows that are shown, with every number as it was logged, as CSV; times in seconds since
  /// 1970.
  QString asCsv() const;
  void editCell(const QString& id, RunsModel::Column column);
  void setActive(bool active);
  bool eventFilter(QObject* object, QEvent* event) override;

 Q_SIGNALS:
  void selectionChanged();
  void openRequested(const QString& id);
  void menuRequested(const QPoint& globalPos);

 private:
  static constexpr const char *kExtraKey = "runs/extra_columns", *kGroupKey = "runs/group";

  QWidget* buildFilters();
  void buildView();
  void buildEmptyStates();
  void takeRows();
  void applyFilter();
  void clearFilter();
  void keepHeader();
  void fillTags();
  void fillGroups();
  void setGroup(const QString& key);
  void fillFilters(QMenu& menu);
  void askForName();
  void headerMenu(const QPoint& at);
  void showCount();
  void restoreSelection();
  void rememberSelection();

  Studio& m_studio;
  RunsModel m_model;
  RunsProxy m_proxy;
  SearchField* m_search;
  QComboBox *m_state, *m_tag, *m_group;
  QToolButton *m_filters, *m_columns;
  TextLabel* m_count;
  QTableView* m_view;
  QStackedWidget* m_stack;
  EmptyState *m_none, *m_noMatch;
  TextLabel* m_loading;
  QTimer* m_clock;
  QStringList m_selected;
  QString m_currentId;
  int m_currentColumn = 0;
  bool m_restoring = false;
};

}  // namespace tessera::ui
