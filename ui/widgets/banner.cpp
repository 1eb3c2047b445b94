// SPDX-License-Identifier: MIT
#include "ui/widgets/banner.h"

#include <QCoreApplication>
#include <QHBoxLayout>
#include <QPainter>
#include <QPushButton>
#include <QToolButton>

#include "ui/widgets/controls.h"

namespace tessera::ui {

QString severityWord(const QString& severity) {
  if (severity == QLatin1String("error")) return QCoreApplication::translate("Banner", "Error");
  if (severity == QLatin1String("warning")) return QCoreApplication::translate("Banner", "Warning");
  return QCoreApplication::translate("Banner", "Note");
}

QString severityIcon(const QString& severity) {
  if (severity == QLatin1String("error")) return QStringLiteral("error");
  if (severity == QLatin1String("warning")) return QStringLiteral("warning");
  return QStringLiteral("info");
}

QColor severityColor(const QString& severity) {
  const theme::Colors& c = theme::colors();
  if (severity == QLatin1String("error")) return c.bad;
  return severity == QLatin1String("warning") ? c.warning : c.accent;
}

Banner::Banner(const QString& severity, const QString& text, const QString& action,
               std::function<void()> run, QWidget* parent)
    : QFrame(parent), m_severity(severity), m_text(new TextLabel(text)) {
  auto* row = new QHBoxLayout(this);
  row->setContentsMargins(3 * theme::kGrid + theme::kIcon, theme::kHalf + 2, theme::kGrid,
                          theme::kHalf + 2);
  m_text->setWrapped()->setSelectable();
  row->addWidget(m_text, 1);
  if (!action.isEmpty()) {
    m_action = new QPushButton(action);
    row->addWidget(m_action);
    connect(m_action, &QPushButton::clicked, this, [this, run = std::move(run)] {
      const bool stays = m_stays;  // the action may be the end of this banner
      if (run) run();
      if (!stays) Q_EMIT closed();
    });
  }
  auto* close = iconButton(QStringLiteral("close"), tr("Close this message"));
  row->addWidget(close);
  connect(close, &QToolButton::clicked, this, &Banner::closed);
  setAccessibleName(severityWord(severity) + QStringLiteral(": ") + text);
}

QString Banner::text() const {
  return m_text->text();
}

void Banner::setText(const QString& text) {
  m_text->setText(text);
  setAccessibleName(severityWord(m_severity) + QStringLiteral(": ") + text);
}

void Banner::paintEvent(QPaintEvent*) {
  const theme::Colors& c = theme::colors();
  const QColor color = severityColor(m_severity);
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setPen(QPen(theme::mixed(c.border, color, 0.5), 1));
  painter.setBrush(theme::mixed(c.raised, color, 0.08));
  painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
  painter.setPen(Qt::NoPen);
  painter.setBrush(color);
  painter.drawRoundedRect(QRectF(0, 0, 4, height()), 2, 2);
  const QRect icon(theme::kGrid + theme::kHalf, (height() - theme::kIcon) / 2, theme::kIcon,
                   theme::kIcon);
  theme::icon(severityIcon(m_severity)).paint(&painter, icon);
}

}  // namespace tessera::ui
