// SPDX-License-Identifier: MIT
// A row of buttons for actions. Those that do not fit are left out whole, from the last on: the
// menu at its end offers all of them.
#pragma once

#include <QWidget>
#include <vector>

class QMenu;
class QToolButton;

namespace tessera::ui {

class ActionBar : public QWidget {
  Q_OBJECT
 public:
  ActionBar(const std::vector<QAction*>& actions, QMenu* all, QWidget* parent);
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 protected:
  void resizeEvent(QResizeEvent* event) override;
  void changeEvent(QEvent* event) override;

 private:
  void arrange();
  std::vector<QToolButton*> m_buttons;
  QToolButton* m_more;
};

}  // namespace tessera::ui
