// SPDX-License-Identifier: MIT
#include "ui/widgets/sparkline.h"

#include <QPainter>
#include <QPainterPath>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/numbers.h"

namespace tessera::ui {

void paintSparkline(QPainter& painter, const QRectF& rect, std::span<const float> values,
                    const QColor& color) {
  float least = INFINITY, most = -INFINITY;
  for (const float v : values) {
    if (std::isfinite(v)) least = std::min(least, v), most = std::max(most, v);
  }
  if (least > most) return;
  const QRectF in = rect.adjusted(2, 3, -3, -3);
  const double span = most > least ? most - least : 1;
  const double across =
      in.width() / static_cast<double>(std::max<std::size_t>(values.size(), 2) - 1);
  QPainterPath path;
  QPointF last;
  bool open = false;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      open = false;
      continue;
    }
    last = {in.left() + across * static_cast<double>(i),
            in.bottom() - (static_cast<double>(values[i]) - least) / span * in.height()};
    open ? path.lineTo(last) : path.moveTo(last);
    open = true;
  }
  painter.save();
  painter.setRenderHint(QPainter::Antialiasing);
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(color, 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
  painter.drawPath(path);
  painter.setPen(Qt::NoPen);
  painter.setBrush(color);
  painter.drawEllipse(last, 2.2, 2.2);
  painter.restore();
}

Sparkline::Sparkline(QWidget* parent) : QWidget(parent) {
  setSizePolicy(QSizePolicy::Preferred, QSizePolicy::Fixed);
}

void Sparkline::setValues(std::vector<float> values, const QString& what) {
  m_values = std::move(values);
  QString tip = tr("%1: nothing yet").arg(what);
  if (!m_values.empty()) {
    const auto text = [](float v) { return numbers::fixed(static_cast<double>(v), 3); };
    tip = tr("%1: from %2 to %3").arg(what, text(m_values.front()), text(m_values.back()));
  }
  setToolTip(tip);
  setAccessibleName(tip);
  update();
}

void Sparkline::setColor(const QColor& color) {
  m_color = color;
  update();
}

void Sparkline::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintSparkline(painter, rect(), m_values, m_color.isValid() ? m_color : theme::colors().accent);
}

}  // namespace tessera::ui
