// SPDX-License-Identifier: MIT
// Which board of charts is shown: a list to choose from, and ways to make and change boards.
#pragma once

#include <QWidget>

#include "ui/widgets/chart/boards.h"

class QComboBox;
class QToolButton;

namespace tessera::ui {

class BoardDialog;

class BoardPicker : public QWidget {
  Q_OBJECT
 public:
  explicit BoardPicker(Preferences& preferences, QWidget* parent = nullptr);

  std::vector<ChartPanelSpec> panels() const;
  QComboBox* box() const { return m_box; }
  QToolButton* editButton() const { return m_edit; }
  QToolButton* newButton() const { return m_new; }
  BoardDialog* edit();  ///< null while all charts are shown
  BoardDialog* make();
  void undoDelete();  ///< brings back what boardDeleted() told of

 Q_SIGNALS:
  void panelsChanged();
  void boardDeleted(const QString& name);

 private:
  void fill();
  void show(const QString& name);
  BoardDialog* openDialog(const QString& name, const QStringList& panels);
  Preferences& m_preferences;
  std::vector<ChartBoard> m_before;  ///< the last deletion
  QString m_deleted;
  QComboBox* m_box;
  QToolButton *m_edit, *m_new;
};

}  // namespace tessera::ui
