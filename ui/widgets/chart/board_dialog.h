// SPDX-License-Identifier: MIT
// Puts a board together: which charts it has, in which order, and several quantities in one chart.
#pragma once

#include <QDialog>

#include "ui/widgets/chart/boards.h"

class QLineEdit;
class QListWidget;
class QListWidgetItem;
class QPushButton;

namespace tessera::ui {

class TextLabel;

class BoardDialog : public QDialog {
  Q_OBJECT
 public:
  /// `board`: with an empty name, one that is new. `taken`: names of the other boards.
  BoardDialog(const ChartBoard& board, QStringList taken, QWidget* parent);

  QListWidget* list() const { return m_list; }
  QLineEdit* nameField() const { return m_name; }
  QPushButton* upButton() const { return m_up; }
  QPushButton* downButton() const { return m_down; }
  QPushButton* togetherButton() const { return m_together; }
  QPushButton* saveButton() const { return m_save; }
  ChartBoard board() const;
  bool eventFilter(QObject* object, QEvent* event) override;

 Q_SIGNALS:
  void saved(const ChartBoard& board);
  void deleted();

 private:
  QWidget* buildButtons(bool isNew);
  void addPanel(const QString& id, bool shown);
  void move(int by);
  void drawTogether();
  void reflect();
  QStringList m_taken;
  QLineEdit* m_name;
  QListWidget* m_list;
  TextLabel* m_problem;
  QPushButton *m_up, *m_down, *m_together, *m_save = nullptr;
};

}  // namespace tessera::ui
