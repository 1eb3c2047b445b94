// SPDX-License-Identifier: MIT
#include "ui/widgets/search_field.h"

#include <QAction>
#include <QKeyEvent>
#include <QTimer>

#include "ui/theme/theme.h"

namespace tessera::ui {

SearchField::SearchField(const QString& placeholder, int pauseMs, QWidget* parent)
    : QLineEdit(parent), m_pause(new QTimer(this)) {
  setPlaceholderText(placeholder);
  setAccessibleName(placeholder);
  setClearButtonEnabled(true);
  auto* icon = addAction(theme::icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
  icon->setEnabled(true);
  m_pause->setSingleShot(true);
  m_pause->setInterval(pauseMs);
  connect(m_pause, &QTimer::timeout, this, [this] { Q_EMIT searched(text()); });
  connect(this, &QLineEdit::textChanged, this, [this](const QString& now) {
    if (!now.isEmpty()) return m_pause->start();
    m_pause->stop();
    Q_EMIT searched(now);
  });
  connect(this, &QLineEdit::returnPressed, this, [this] {
    if (!m_pause->isActive()) return;
    m_pause->stop();
    Q_EMIT searched(text());
  });
}

void SearchField::keyPressEvent(QKeyEvent* event) {
  switch (event->key()) {
    case Qt::Key_Escape:
      if (!text().isEmpty()) return clear();
      break;
    case Qt::Key_Up:
    case Qt::Key_Down:
    case Qt::Key_PageUp:
    case Qt::Key_PageDown:
      Q_EMIT left(event->key());
      return;
    default:
      break;
  }
  QLineEdit::keyPressEvent(event);
}

}  // namespace tessera::ui
