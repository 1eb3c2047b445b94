// SPDX-License-Identifier: MIT
// DockPanel: a dock that tabs and hides. It does not float, since a floating dock cannot be docked
// again under Wayland in Qt 6.4; it opens in a window of its own instead, and comes back when that
// is closed.
#pragma once

#include <QDockWidget>
#include <QPointer>

class QHBoxLayout;

namespace tessera::ui {

class DockPanel : public QDockWidget {
  Q_OBJECT
 public:
  DockPanel(const QString& name, const QString& title, QWidget* parent);
  void setContent(QWidget* content);
  QWidget* content() const { return m_content; }
  /// Beside the title: buttons of the content.
  void addToBar(QWidget* widget);

  void openInWindow();
  void comeBack();
  bool inWindow() const { return !m_window.isNull(); }

 protected:
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QPointer<QWidget> m_content;
  QPointer<QWidget> m_window;
  QHBoxLayout* m_bar;
  QWidget* m_away;  ///< what the dock shows while its content is in a window
};

}  // namespace tessera::ui
