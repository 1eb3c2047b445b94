// SPDX-License-Identifier: MIT
// A chart that is shown, and hands that touch it.
#pragma once

#include <QApplication>
#include <QMouseEvent>
#include <QWheelEvent>
#include <cmath>
#include <memory>
#include <utility>

#include "tests/ui/chart_fixture.h"
#include "tests/ui/harness.h"
#include "ui/widgets/chart/chart_panel.h"
#include "ui/widgets/chart/panel_spec.h"

namespace tessera::ui::test {

inline ChartPanelSpec specOf(const QString& id) {
  for (const ChartPanelSpec& spec : standardPanels()) {
    if (spec.id == id) return spec;
  }
  return {};
}

/// A panel of its own with one run in it, shown.
struct ShownPanel {
  explicit ShownPanel(std::shared_ptr<RunHistory> h,
                      const QString& id = QStringLiteral("grad_norm"))
      : history(std::move(h)), panel(group, specOf(id)) {
    group.setRuns({makeCurves(QStringLiteral("run-a"), history)});
    panel.setLogarithmic(false);
    show(panel, QSize(640, 300));
    panel.grab();
  }
  std::shared_ptr<RunHistory> history;
  ChartGroup group;
  ChartPanel panel;

  QPoint at(double x, double y) const {
    return {int(std::lround(panel.drawn().x.toPixel(x))),
            int(std::lround(panel.drawn().y.toPixel(y)))};
  }
  QPoint middle() const { return panel.drawn().plot.center().toPoint(); }
};

/// NOTE: QTest::mouseMove() without a button only sets the cursor of the screen, where windows of
/// other tests may lie.
inline void moveMouse(QWidget& widget, const QPoint& at) {
  QMouseEvent event(QEvent::MouseMove, at, widget.mapToGlobal(at), Qt::NoButton, Qt::NoButton, {});
  QApplication::sendEvent(&widget, &event);
}

inline void wheel(QWidget& widget, const QPoint& at, int notches, Qt::KeyboardModifiers modifiers) {
  QWheelEvent event(at, widget.mapToGlobal(at), {}, {0, notches * 120}, Qt::NoButton, modifiers,
                    Qt::NoScrollPhase, false);
  QApplication::sendEvent(&widget, &event);
}

}  // namespace tessera::ui::test
