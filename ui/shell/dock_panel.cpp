// SPDX-License-Identifier: MIT
#include "ui/shell/dock_panel.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QPainter>
#include <QToolButton>
#include <QVBoxLayout>

#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"

namespace tessera::ui {

namespace {
class TitleBar : public QWidget {
 public:
  using QWidget::QWidget;

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    painter.fillRect(rect(), theme::colors().surface);
    painter.fillRect(QRect(0, 0, width(), 1), theme::colors().border);
  }
};
}  // namespace

DockPanel::DockPanel(const QString& name, const QString& title, QWidget* parent)
    : QDockWidget(title, parent), m_bar(nullptr) {
  setObjectName(name);
  setFeatures(DockWidgetClosable | DockWidgetMovable);
  auto* bar = new TitleBar(this);
  m_bar = new QHBoxLayout(bar);
  m_bar->setContentsMargins(theme::kGrid, 2, theme::kHalf, 1);
  m_bar->setSpacing(theme::kHalf);
  auto* heading = new TextLabel(title, theme::TextSize::Caption);
  heading->setTone(TextLabel::Tone::Secondary);
  m_bar->addWidget(heading);
  m_bar->addStretch();
  auto* window = iconButton(QStringLiteral("window"), tr("Open %1 in a window").arg(title));
  auto* close = iconButton(QStringLiteral("close"), tr("Hide %1").arg(title));
  for (QToolButton* button : {window, close}) {
    button->setIconSize(QSize(16, 16));
    m_bar->addWidget(button);
  }
  connect(window, &QToolButton::clicked, this, &DockPanel::openInWindow);
  connect(close, &QToolButton::clicked, this, &QDockWidget::close);
  setTitleBarWidget(bar);
  auto* away = new EmptyState(tr("%1 is in a window of its own.").arg(title), tr("Bring it back"));
  connect(away, &EmptyState::pressed, this, &DockPanel::comeBack);
  m_away = away;
  m_away->setParent(this);
  m_away->hide();
}

void DockPanel::setContent(QWidget* content) {
  m_content = content;
  setWidget(content);
}

void DockPanel::addToBar(QWidget* widget) {
  m_bar->insertWidget(m_bar->count() - 2, widget);
}

void DockPanel::openInWindow() {
  if (m_window || !m_content) return;
  const QSize size = m_content->size().expandedTo(QSize(480, 320));
  m_window = new QWidget(window(), Qt::Window);
  m_window->setAttribute(Qt::WA_DeleteOnClose, false);
  m_window->setWindowTitle(windowTitle());
  m_window->installEventFilter(this);
  auto* box = new QVBoxLayout(m_window);
  box->setContentsMargins(0, 0, 0, 0);
  setWidget(m_away);
  m_away->show();
  box->addWidget(m_content);
  m_content->show();
  m_window->resize(size);
  m_window->show();
}

void DockPanel::comeBack() {
  if (!m_window) return;
  QWidget* window = m_window;
  m_window.clear();
  window->removeEventFilter(this);
  m_away->hide();
  setWidget(m_content);
  m_content->show();
  m_away->setParent(this);
  window->hide();
  window->deleteLater();
}

bool DockPanel::eventFilter(QObject* watched, QEvent* event) {
  if (watched == m_window && event->type() == QEvent::Close) {
    comeBack();
    return true;
  }
  return QDockWidget::eventFilter(watched, event);
}

}  // namespace tessera::ui
