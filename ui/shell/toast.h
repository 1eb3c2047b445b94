// SPDX-License-Identifier: MIT
// Toast: a line at the bottom of the window that goes by itself, with Undo where there is something
// to undo. The next waits until it is gone, so that none is missed. It lies above what one types
// into: a text field with the focus, and every widget with the property kKeepsToastsOff.
#pragma once

#include <QFrame>
#include <deque>
#include <functional>

class QPushButton;
class QTimer;

namespace tessera::ui {

class TextLabel;

class Toast : public QFrame {
  Q_OBJECT
 public:
  explicit Toast(QWidget* over);
  void say(const QString& text, std::function<void()> undo = {});
  QString text() const;
  QPushButton* undoButton() const { return m_undo; }
  void dismiss();  ///< the one that is shown

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;
  void enterEvent(QEnterEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void paintEvent(QPaintEvent* event) override;

 private:
  struct Line {
    QString text;
    std::function<void()> undo;
  };
  void showNext();
  void place();
  std::deque<Line> m_waiting;
  Line m_shown;
  TextLabel* m_text;
  QPushButton* m_undo;
  QTimer* m_timer;
  QPoint m_pointer;  ///< where it was when the line came up
};

}  // namespace tessera::ui
