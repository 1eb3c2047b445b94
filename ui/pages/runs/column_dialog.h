// SPDX-License-Identifier: MIT
// Which columns the table of runs has: those of every run, the last value of any metric, and any
// setting that the specs of the runs have.
#pragma once

#include <QDialog>
#include <QStringList>

class QTreeWidget;
class QTreeWidgetItem;

namespace tessera::ui {

class SearchField;

class ColumnDialog : public QDialog {
  Q_OBJECT
 public:
  /// A column that the table always has and may hide.
  struct Usual {
    QString title;
    bool shown = true;
  };
  /// `usual`: by column, the first one is not offered. `extra`: those shown, as in RunColumns.
  ColumnDialog(const std::vector<Usual>& usual, const QStringList& extra, QWidget* parent);

  /// "model.hidden_size", in the order in which they are offered.
  void setSettings(const QStringList& names);
  QTreeWidget* list() const { return m_list; }
  SearchField* searchField() const { return m_search; }

 Q_SIGNALS:
  void usualToggled(int column, bool shown);
  void extraChanged(const QStringList& columns);

 private:
  QTreeWidgetItem* addPart(const QString& title);
  void addChoice(QTreeWidgetItem* part, const QString& title, const QString& key, bool shown);
  void take(QTreeWidgetItem* item);
  void search(const QString& words);
  QTreeWidget* m_list;
  SearchField* m_search;
  QTreeWidgetItem *m_usual, *m_metrics, *m_settings;
  QStringList m_extra;
};

}  // namespace tessera::ui
