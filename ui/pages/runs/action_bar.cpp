// SPDX-License-Identifier: MIT
#include "ui/pages/runs/action_bar.h"

#include <QAction>
#include <QEvent>
#include <QMenu>
#include <QToolButton>
#include <algorithm>

#include "ui/theme/theme.h"

namespace tessera::ui {

namespace {
constexpr int kGap = theme::kHalf;

void dress(QToolButton* button) {
  button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
  button->setFocusPolicy(Qt::TabFocus);
  button->setAutoRaise(true);
}
}  // namespace

ActionBar::ActionBar(const std::vector<QAction*>& actions, QMenu* all, QWidget* parent)
    : QWidget(parent), m_more(new QToolButton(this)) {
  for (QAction* action : actions) {
    auto* button = new QToolButton(this);
    button->setDefaultAction(action);
    dress(button);
    m_buttons.push_back(button);
    connect(action, &QAction::changed, this, &ActionBar::arrange);  // its text may be another
  }
  m_more->setText(tr("More"));
  m_more->setAccessibleName(tr("More actions"));
  m_more->setIcon(theme::icon(QStringLiteral("more")));
  m_more->setPopupMode(QToolButton::InstantPopup);
  m_more->setMenu(all);
  all->setParent(m_more, all->windowFlags());
  dress(m_more);
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

QSize ActionBar::sizeHint() const {
  int width = m_more->sizeHint().width();
  for (const QToolButton* button : m_buttons) width += button->sizeHint().width() + kGap;
  return {width, m_more->sizeHint().height()};
}

QSize ActionBar::minimumSizeHint() const {
  return m_more->sizeHint();
}

void ActionBar::arrange() {
  const QSize more = m_more->sizeHint();
  const int room = width() - more.width();
  int x = 0;
  bool fits = true;
  for (QToolButton* button : m_buttons) {
    const QSize size = button->sizeHint();
    fits = fits && x + size.width() + kGap <= room;
    button->setVisible(fits);
    if (!fits) continue;
    button->setGeometry(x, 0, size.width(), height());
    x += size.width() + kGap;
  }
  m_more->setGeometry(std::max(0, room), 0, more.width(), height());
}

void ActionBar::resizeEvent(QResizeEvent*) {
  arrange();
}

void ActionBar::changeEvent(QEvent* event) {
  QWidget::changeEvent(event);
  if (event->type() == QEvent::FontChange || event->type() == QEvent::StyleChange) arrange();
}

}  // namespace tessera::ui
