// SPDX-License-Identifier: MIT
// Icons are drawn from their SVG in the colour of the moment, so that an icon made once is right in
// either scheme and at every scale.
#include <QFile>
#include <QHash>
#include <QIconEngine>
#include <QPainter>
#include <QPixmapCache>
#include <QSvgRenderer>

#include "core/base/error.h"
#include "core/config/paths.h"
#include "ui/theme/theme.h"

namespace tessera::ui::theme {

namespace {

QByteArray sourceOf(const QString& name) {
  static QHash<QString, QByteArray> sources;
  const auto known = sources.constFind(name);
  if (known != sources.constEnd()) return *known;
  QByteArray svg;
  try {
    QFile file(QString::fromStdString((resources_folder() / "icons").string()) + "/" + name +
               ".svg");
    if (file.open(QIODevice::ReadOnly)) svg = file.readAll();
  } catch (const Error&) {
    // Without its resources folder the program says so at start; here the icon stays empty.
  }
  if (svg.isEmpty()) qWarning("no icon named %s", qPrintable(name));
  return sources.insert(name, svg).value();
}

QColor colorFor(QIcon::Mode mode, QIcon::State state) {
  const Colors& c = colors();
  if (mode == QIcon::Disabled) return c.textDisabled;
  if (mode == QIcon::Selected) return c.selectionText;
  return state == QIcon::On ? c.accent : c.text;
}

class TintedSvg : public QIconEngine {
 public:
  explicit TintedSvg(QString name) : m_name(std::move(name)) {}

  void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override {
    const qreal scale = painter->device() ? painter->device()->devicePixelRatio() : 1;
    const QPixmap picture = scaledPixmap(rect.size() * scale, mode, state, scale);
    painter->drawPixmap(rect, picture);
  }
  QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override {
    return scaledPixmap(size, mode, state, 1);
  }
  QPixmap scaledPixmap(const QSize& size, QIcon::Mode mode, QIcon::State state,
                       qreal /*scale*/) override {
    if (size.isEmpty()) return {};  // of a button that has no room yet
    const QColor color = colorFor(mode, state);
    const QString key = QStringLiteral("icon/%1/%2x%3/%4")
                            .arg(m_name)
                            .arg(size.width())
                            .arg(size.height())
                            .arg(color.rgb(), 0, 16);
    QPixmap picture;
    if (QPixmapCache::find(key, &picture)) return picture;
    picture = QPixmap(size);
    picture.fill(Qt::transparent);
    QSvgRenderer svg(sourceOf(m_name).replace("currentColor", color.name().toLatin1()));
    svg.setAspectRatioMode(Qt::KeepAspectRatio);
    QPainter painter(&picture);
    if (svg.isValid()) svg.render(&painter);
    painter.end();
    QPixmapCache::insert(key, picture);
    return picture;
  }
  QIconEngine* clone() const override { return new TintedSvg(m_name); }
  QString key() const override { return QStringLiteral("tessera-svg"); }
  bool isNull() override { return sourceOf(m_name).isEmpty(); }

 private:
  QString m_name;
};

}  // namespace

QIcon icon(const QString& name) {
  return QIcon(new TintedSvg(name));
}

}  // namespace tessera::ui::theme
