// SPDX-License-Identifier: MIT
#include "ui/widgets/chart/chart_text.h"

#include <QCache>
#include <QCoreApplication>
#include <QFontMetricsF>
#include <QPainter>
#include <QStaticText>

namespace tessera::ui::chart {

namespace {
struct Key {
  QFont font;
  QString text;
  bool operator==(const Key&) const = default;
};
std::size_t qHash(const Key& key, std::size_t seed) {
  return qHashMulti(seed, key.font, key.text);
}

struct Shaped {
  double width, height;
  QStaticText text;
};

/// Emptied with the application, which owns the fonts behind it.
QCache<Key, Shaped>& cache() {
  constexpr qsizetype kKept = 1000;
  static auto* const texts = [] {
    qAddPostRoutine([] { cache().clear(); });
    return new QCache<Key, Shaped>(kKept);
  }();
  return *texts;
}

Shaped& shaped(const QFont& font, const QString& text) {
  const Key key{font, text};
  if (Shaped* known = cache().object(key)) return *known;
  const QFontMetricsF metrics(font);
  auto* made = new Shaped{metrics.horizontalAdvance(text), metrics.height(), QStaticText(text)};
  made->text.setTextFormat(Qt::PlainText);
  made->text.prepare({}, font);
  cache().insert(key, made);
  return *made;
}
}  // namespace

double textWidth(const QFont& font, const QString& text) {
  return text.isEmpty() ? 0 : shaped(font, text).width;
}

QString elided(const QFont& font, const QString& text, Qt::TextElideMode mode, double room) {
  if (textWidth(font, text) <= room) return text;
  return QFontMetricsF(font).elidedText(text, mode, room);
}

void drawText(QPainter& painter, const QFont& font, const QRectF& box, const QString& text,
              Qt::Alignment side) {
  if (text.isEmpty()) return;
  const Shaped& s = shaped(font, text);
  const double x = side & Qt::AlignRight ? box.right() - s.width : box.left();
  painter.setFont(font);
  painter.drawStaticText(QPointF(x, box.top() + (box.height() - s.height) / 2), s.text);
}

}  // namespace tessera::ui::chart
