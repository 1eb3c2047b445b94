// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
// Colours that can be read, maps that rise evenly, digits of equal width.
#include <QtTest/qtestspontaneevent.h>
#include <QAbstractButton>
#include <QChart>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDir>
#include <QFontMetricsF>
#include <QLineEdit>
#include <QLineSeries>
#include <QPainter>
#include <QScrollArea>
#include <QScrollBar>
#include <QSpinBox>
#include <QVBoxLayout>
#include <QValueAxis>
#include <QWheelEvent>

#include "core/config/paths.h"
#include "tests/ui/harness.h"
#include "ui/theme/theme.h"

using namespace tessera::ui;

class ThemeTest : public QObject {
  Q_OBJECT

 private:
  static QList<QPair<QString, QColor>> surfaces(const theme::Colors& c) {
    return {{"window", c.window}, {"surface", c.surface}, {"raised", c.raised}};
  }
  static double lightness(QRgb rgb) {  // CIELAB
    const auto linear = [](double v) {
      return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
    };
    const double y = 0.2126 * linear(qRed(rgb) / 255.0) + 0.7152 * linear(qGreen(rgb) / 255.0) +
                     0.0722 * linear(qBlue(rgb) / 255.0);
    return y > 0.008856 ? 116 * std::cbrt(y) - 16 : 903.3 * y;
  }

 private Q_SLOTS:
  void textCanBeRead() {
    for (const bool dark : {false, true}) {
      const theme::Colors& c = theme::colorsOf(dark);
      for (const auto& [name, surface] : surfaces(c)) {
        for (const QColor& ink : {c.text, c.textSecondary, c.link, c.good, c.warning, c.bad}) {
          const double ratio = theme::contrast(ink, surface);
          QVERIFY2(ratio >= 4.5, qPrintable(QStringLiteral("%1 on %2 (dark %3): %4")
                                                .arg(ink.name(), name)
                                                .arg(dark)
                                                .arg(ratio)));
        }
        QVERIFY(theme::contrast(c.textDisabled, surface) >= 2.5);
      }
      QVERIFY(theme::contrast(c.selectionText, c.selection) >= 4.5);
      QVERIFY(theme::contrast(c.accentText, c.accent) >= 4.5);
      for (const QColor& line : c.lines) {
        QVERIFY2(theme::contrast(line, c.raised) >= 3, qPrintable(line.name()));
      }
    }
  }

  void contrastIsThatOfWcag() {
    QCOMPARE(theme::contrast(Qt::white, Qt::black), 21.0);
    QCOMPARE(qRound(100 * theme::contrast(QColor(0x77, 0x77, 0x77), Qt::white)), 448);
  }

  void sequentialRisesEvenly() {
    const double whole = lightness(theme::sequential(1)) - lightness(theme::sequential(0));
    QVERIFY(whole > 60);
    for (int i = 0; i < 16; ++i) {
      const double step =
          lightness(theme::sequential((i + 1) / 16.0)) - lightness(theme::sequential(i / 16.0));
      QVERIFY2(step > 0.5 * whole / 16 && step < 1.6 * whole / 16, qPrintable(QString::number(i)));
    }
  }

  void divergingIsSymmetricAndNeutralInTheMiddle() {
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(test::application(), scheme);
      const QColor middle(theme::diverging(0.5));
      QVERIFY(middle.hslSaturation() < 12 || qAbs(middle.red() - middle.blue()) < 6);
      for (const double away : {0.1, 0.3, 0.5}) {
        const double below = lightness(theme::diverging(0.5 - away));
        const double above = lightness(theme::diverging(0.5 + away));
        QVERIFY2(std::abs(below - above) < 6, qPrintable(QString::number(below - above)));
      }
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }

  void mapsTakeAnything() {
    QCOMPARE(theme::sequential(-1), theme::sequential(0));
    QCOMPARE(theme::sequential(2), theme::sequential(1));
    QCOMPARE(theme::sequential(std::nan("")), theme::colors().border.rgb());
  }

  void paletteIsComplete() {
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(test::application(), scheme);
      const QPalette p = QApplication::palette();
      using Pair = QPair<QPalette::ColorRole, QPalette::ColorRole>;
      for (const auto& [ink, ground] :
           {Pair{QPalette::WindowText, QPalette::Window}, Pair{QPalette::Text, QPalette::Base},
            Pair{QPalette::ButtonText, QPalette::Button},
            Pair{QPalette::ToolTipText, QPalette::ToolTipBase},
            Pair{QPalette::Link, QPalette::Base}, Pair{QPalette::LinkVisited, QPalette::Base},
            Pair{QPalette::PlaceholderText, QPalette::Base},
            Pair{QPalette::HighlightedText, QPalette::Highlight}}) {
        for (const auto group : {QPalette::Active, QPalette::Inactive}) {
          QVERIFY(theme::contrast(p.color(group, ink), p.color(group, ground)) >= 4.5);
        }
      }
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }

  void digitsAreOfEqualWidth() {
    for (const bool bold : {false, true}) {
      const QFont font = theme::font(theme::TextSize::Title, true, bold);
      const QFontMetricsF metrics(font);
      const double zero = metrics.horizontalAdvance(QStringLiteral("0000000000"));
      for (char16_t digit = u'1'; digit <= u'9'; ++digit) {
        const double wide = metrics.horizontalAdvance(QString(10, QChar(digit)));
        QVERIFY2(std::abs(wide - zero) < 0.5, qPrintable(QFontInfo(font).family()));
      }
    }
  }

  void systemSchemeFollowsTheDesktop() {
    theme::apply(test::application(), theme::Scheme::System);
    theme::setSystemDark(test::application(), true);
    QVERIFY(theme::isDark());
    theme::setSystemDark(test::application(), false);
    QVERIFY(!theme::isDark());
    theme::apply(test::application(), theme::Scheme::Dark);
    theme::setSystemDark(test::application(), true);
    theme::setSystemDark(test::application(), false);
    QVERIFY(theme::isDark());
    theme::apply(test::application(), theme::Scheme::Light);
  }

  void everyIconIsDrawnInTheTextColour() {
    const QDir icons(QString::fromStdString((tessera::resources_folder() / "icons").string()));
    const QStringList files = icons.entryList({"*.svg"});
    QVERIFY(files.size() > 40);
    for (const auto scheme : {theme::Scheme::Light, theme::Scheme::Dark}) {
      theme::apply(test::application(), scheme);
      for (const QString& file : files) {
        if (file == "tessera-studio.svg") continue;
        const QImage image = theme::icon(file.chopped(4)).pixmap(QSize(20, 20), 1.0).toImage();
        int inked = 0;
        for (int y = 0; y < image.height(); ++y) {
          for (int x = 0; x < image.width(); ++x) {
            const QColor pixel = image.pixelColor(x, y);
            if (pixel.alpha() < 100) continue;
            ++inked;
            QVERIFY2(theme::contrast(pixel, theme::colors().raised) > 4.5, qPrintable(file));
          }
        }
        QVERIFY2(inked > 2, qPrintable(file));
      }
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }

  /// Icons of Qt's own do not follow the theme: on dark buttons they are black.
  void dialogButtonsHaveNoIconsOfQt() {
    const QDialogButtonBox buttons(QDialogButtonBox::Close | QDialogButtonBox::Ok |
                                   QDialogButtonBox::Cancel);
    for (const QAbstractButton* button : buttons.buttons()) QVERIFY(button->icon().isNull());
  }

  void sameRunSameColour() {
    QCOMPARE(theme::lineColor(QStringLiteral("demo-1")),
             theme::lineColor(QStringLiteral("demo-1")));
    QCOMPARE(theme::lineColor(-1), theme::lineColor(7));
    QSet<QRgb> seen;
    for (int i = 0; i < 64; ++i) seen += theme::lineColor(QStringLiteral("run-%1").arg(i)).rgb();
    QCOMPARE(seen.size(), 8);
  }

  void chartsAreDressed() {
    theme::apply(test::application(), theme::Scheme::Dark);
    QChart chart;
    auto* series = new QLineSeries(&chart);
    chart.addSeries(series);
    chart.createDefaultAxes();
    theme::dress(chart);
    QCOMPARE(chart.backgroundBrush().color(), theme::colors().raised);
    for (QAbstractAxis* axis : chart.axes()) {
      QVERIFY(theme::contrast(axis->labelsColor(), theme::colors().raised) >= 4.5);
    }
    theme::apply(test::application(), theme::Scheme::Light);
  }

  /// A box that passes under the pointer while a page is scrolled keeps its value, and the page
  /// scrolls on; one that has the focus turns with the wheel.
  void theWheelScrollsThePageAndNotItsBoxes() {
    theme::apply(test::application(), theme::Scheme::Light);
    QScrollArea page;
    auto* content = new QWidget;
    auto* column = new QVBoxLayout(content);
    auto* choice = new QComboBox;
    choice->addItems(
        {QStringLiteral("warmup"), QStringLiteral("constant"), QStringLiteral("rest")});
    choice->setCurrentIndex(1);
    auto* whole = new QSpinBox;
    auto* real = new QDoubleSpinBox;
    for (QWidget* box : std::initializer_list<QWidget*>{choice, whole, real}) {
      column->addWidget(box);
    }
    whole->setValue(5);
    real->setValue(5);
    content->setMinimumHeight(3000);
    page.setWidget(content);
    page.setWidgetResizable(true);
    QVERIFY(test::show(page, QSize(300, 300)));
    page.setFocus();
    const auto wheel = [](QWidget* over) {
      QWheelEvent event(over->rect().center(), over->mapToGlobal(over->rect().center()), {},
                        {0, -120}, Qt::NoButton, {}, Qt::NoScrollPhase, false);
      QSpontaneKeyEvent::setSpontaneous(&event);  // as of a mouse: only such go on to parents
      test::application().notify(over, &event);
    };
    for (QWidget* box : std::initializer_list<QWidget*>{choice, whole, real}) {
      QVERIFY(!(box->focusPolicy() & Qt::WheelFocus & ~Qt::StrongFocus));
      page.verticalScrollBar()->setValue(0);
      wheel(box);
      if (auto* line = box->findChild<QLineEdit*>()) wheel(line);
      QVERIFY(page.verticalScrollBar()->value() > 0);
    }
    QCOMPARE(choice->currentIndex(), 1);
    QCOMPARE(whole->value(), 5);
    QCOMPARE(real->value(), 5.0);
    page.verticalScrollBar()->setValue(0);
    page.activateWindow();
    whole->setFocus();
    QTRY_VERIFY(whole->hasFocus());
    wheel(whole);
    QCOMPARE(whole->value(), 4);
  }
};

TESSERA_UI_MAIN(ThemeTest)
#include "theme_test.moc"
