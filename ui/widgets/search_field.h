// SPDX-License-Identifier: MIT
// A line to search in: with its icon, a way to clear it, and a pause before it asks.
#pragma once

#include <QLineEdit>

class QTimer;

namespace tessera::ui {

class SearchField : public QLineEdit {
  Q_OBJECT
 public:
  /// `pauseMs` after the last key searched() is said; Enter says it at once.
  explicit SearchField(const QString& placeholder, int pauseMs = 120, QWidget* parent = nullptr);

 Q_SIGNALS:
  void searched(const QString& text);
  void left(int key);  ///< up, down, page keys: for the list below

 protected:
  void keyPressEvent(QKeyEvent* event) override;

 private:
  QTimer* m_pause;
};

}  // namespace tessera::ui
