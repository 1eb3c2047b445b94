// SPDX-License-Identifier: MIT
// Fusion, drawn flat. Fusion derives its outlines by darkening the window's colour, so that in a
// dark scheme frames vanish; here every frame is the border token.
#pragma once

#include <QProxyStyle>

class QStyleOptionComboBox;
class QStyleOptionComplex;

namespace tessera::ui::theme {

class StudioStyle : public QProxyStyle {
  Q_OBJECT
 public:
  StudioStyle();

  using QProxyStyle::polish;
  void polish(QWidget* widget) override;
  void drawPrimitive(PrimitiveElement element, const QStyleOption* option, QPainter* painter,
                     const QWidget* widget) const override;
  void drawControl(ControlElement element, const QStyleOption* option, QPainter* painter,
                   const QWidget* widget) const override;
  void drawComplexControl(ComplexControl control, const QStyleOptionComplex* option,
                          QPainter* painter, const QWidget* widget) const override;
  int pixelMetric(PixelMetric metric, const QStyleOption* option,
                  const QWidget* widget) const override;
  int styleHint(StyleHint hint, const QStyleOption* option, const QWidget* widget,
                QStyleHintReturn* data) const override;
  QSize sizeFromContents(ContentsType type, const QStyleOption* option, const QSize& size,
                         const QWidget* widget) const override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  QStyleOptionComboBox elided(const QStyleOptionComboBox& option, const QWidget* widget) const;
  bool drawFrame(PrimitiveElement element, const QStyleOption& option, QPainter& painter,
                 const QWidget* widget) const;
};

}  // namespace tessera::ui::theme
