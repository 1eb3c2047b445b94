// SPDX-License-Identifier: MIT
// Sweeps: the runs of one tag in a table, the best first, and drawn over the keys that differ.
#pragma once

#include <QAbstractTableModel>
#include <QSortFilterProxyModel>
#include <QWidget>
#include <memory>
#include <vector>

#include "ui/pages/runs/sweep_data.h"
#include "ui/shell_context.h"

class QComboBox;
class QLabel;
class QPushButton;
class QStackedLayout;
class QTableView;
class QTimer;
class QVBoxLayout;

namespace tessera::ui {

class ElidedLabel;
class EmptyState;
class NewSweepDialog;
class SweepLines;
class SweepPlot;
class SweepPoints;

/// A row for each run in the table's order; keys as columns between progress and losses.
class SweepModel : public QAbstractTableModel {
  Q_OBJECT
 public:
  enum Role { SortRole = Qt::UserRole };
  using QAbstractTableModel::QAbstractTableModel;

  void setTable(std::shared_ptr<const SweepTable> table);
  int firstKey() const { return 3; }

  int rowCount(const QModelIndex& parent = {}) const override;
  int columnCount(const QModelIndex& parent = {}) const override;
  QVariant data(const QModelIndex& index, int role) const override;
  QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

 private:
  QString text(const SweepRun& run, int column) const;
  QVariant sortValue(const SweepRun& run, int column) const;
  std::shared_ptr<const SweepTable> m_table;
};

/// Leaves out what brushes leave out; numbers sort as numbers, what is none comes last.
class SweepProxy : public QSortFilterProxyModel {
  Q_OBJECT
 public:
  using QSortFilterProxyModel::QSortFilterProxyModel;
  void setShown(std::vector<bool> shown);

 protected:
  bool filterAcceptsRow(int row, const QModelIndex& parent) const override;
  bool lessThan(const QModelIndex& a, const QModelIndex& b) const override;

 private:
  std::vector<bool> m_shown;
};

class SweepView : public QWidget {
  Q_OBJECT
 public:
  explicit SweepView(Studio& studio, QWidget* parent = nullptr);
  ~SweepView() override;

  /// Shows the sweep with this tag; empty: the newest.
  void setTag(const QString& tag);
  QString tag() const { return m_tag; }
  /// Tags of all sweeps as they were read last.
  const QStringList& tags() const { return m_tags; }
  void setActive(bool active);
  /// `run`: its spec is offered as what the sweep begins from; empty: none.
  NewSweepDialog* askForSweep(const QString& run);

  const SweepTable* table() const { return m_table.get(); }
  QTableView* view() const { return m_view; }
  SweepLines& lines() { return *m_lines; }
  std::vector<SweepPoints*> points() const { return m_points; }
  QComboBox* tagBox() const { return m_box; }
  void saveCsv(const QString& file);
  void savePicture(const QString& file);

 Q_SIGNALS:
  void tagsChanged();
  void tagChanged();
  void openRequested(const QString& run);
  void compareRequested(const QStringList& runs);
  void newRequested();

 private:
  QWidget* buildHead();
  QWidget* buildPlots();
  void buildTable();
  void connectPlot(SweepPlot* plot);
  void read();
  void take(const QStringList& tags, std::shared_ptr<const SweepTable> table,
            const QString& problem);
  void buildPoints();
  void showAbout();
  void light(int run, const QObject* by);
  void openRun(int run);
  void compare();
  void chooseFile(bool picture);

  Studio& m_studio;
  QString m_tag;
  QStringList m_tags;
  std::shared_ptr<const SweepTable> m_table;
  std::shared_ptr<SweepValues> m_known;
  SweepModel m_model;
  SweepProxy m_proxy;
  QTableView* m_view;
  QComboBox* m_box;
  ElidedLabel* m_about;
  QPushButton *m_compare, *m_clear;
  SweepLines* m_lines;
  QWidget *m_plots, *m_pointsBox;
  QVBoxLayout* m_pointsColumn;
  std::vector<SweepPoints*> m_points;
  QStackedLayout* m_stack;
  EmptyState *m_none, *m_noRuns;
  QTimer* m_refresh;
  bool m_active = false, m_reading = false, m_again = false, m_hasTags = false;
};

}  // namespace tessera::ui
