// SPDX-License-Identifier: MIT
// Scales: 1 1.5 2
// Every page, without runs and with one, in both themes and both languages: it shows something,
// nothing is cut off that a person would read, every button has a name, and all of it can be
// reached by keyboard.
#include <QAbstractButton>
#include <QLabel>
#include <QScrollArea>

#include "tests/ui/harness.h"
#include "tests/ui/run_files.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/theme/theme.h"

using namespace tessera::ui;

class PagesSmokeTest : public QObject {
  Q_OBJECT

  std::unique_ptr<test::TemporaryHome> m_home;
  std::unique_ptr<StudioApp> m_app;
  QString m_run;

  static int colorsIn(const QImage& image) {
    QSet<QRgb> colors;
    for (int y = 0; y < image.height(); y += 3) {
      for (int x = 0; x < image.width(); x += 3) colors += image.pixel(x, y);
    }
    return static_cast<int>(colors.size());
  }

  static QString cutOffButton(const QWidget* page) {
    for (auto* button : page->findChildren<QAbstractButton*>()) {
      // One sign is an icon, with what room it was given.
      if (!button->isVisible() || button->text().size() < 2) continue;
      // Tool buttons would rather shorten their text than say what they need.
      const QSize needs =
          button->inherits("QToolButton") ? button->sizeHint() : button->minimumSizeHint();
      if (button->width() + 2 < needs.width()) {
        return QStringLiteral("\"%1\" is %2 wide and needs %3")
            .arg(button->text())
            .arg(button->width())
            .arg(needs.width());
      }
    }
    return {};
  }

  static QString namelessButton(const QWidget* page) {
    for (auto* button : page->findChildren<QAbstractButton*>()) {
      if (button->isHidden()) continue;  // what it is called is known when it is shown
      const QString object = button->objectName();
      // Qt's own, inside of its widgets.
      if (object.startsWith(QLatin1String("qt_")) || button->inherits("QTableCornerButton") ||
          button->inherits("QLineEditIconButton")) {
        continue;
      }
      if (button->text().isEmpty() && button->accessibleName().isEmpty() &&
          button->toolTip().isEmpty()) {
        const QWidget* parent = button->parentWidget();
        return QStringLiteral("%1 in %2")
            .arg(QLatin1String(button->metaObject()->className()),
                 QLatin1String(parent ? parent->metaObject()->className() : ""));
      }
    }
    return {};
  }

 private Q_SLOTS:
  void initTestCase() {
    m_home = std::make_unique<test::TemporaryHome>();
    auto preferences = std::make_unique<Preferences>();
    preferences->finishFirstStart();
    preferences->setLanguage(QStringLiteral("en"));
    m_app = std::make_unique<StudioApp>(test::application(), std::move(preferences));
    m_app->show({});
  }
  void cleanupTestCase() {
    m_app.reset();
    m_home.reset();
  }

  void pageWithoutRuns_data() { rows(); }
  void pageWithoutRuns() {
    QFETCH(QString, id);
    shows({id, {}, {}});
  }

  void pageWithARun_data() { rows(); }
  void pageWithARun() {
    QFETCH(QString, id);
    shows({id, writtenRun(), {}});
  }

 private:
  /// Made when it is first asked for: the tests before that are of a studio without runs.
  QString writtenRun() {
    if (!m_run.isEmpty()) return m_run;
    test::WrittenRun run(m_home->runs().toStdString(), "written");
    run.state(tessera::RunState::Running);
    for (int step = 0; step < 200; ++step) {
      run.steps(step, step + 1);
      if (step % 10 == 0) run.experts(step);
    }
    run.state(tessera::RunState::Stopped, "asked to stop");
    run.log->sync();
    m_run = run.id();
    m_app->runs().refresh();
    test::waitUntil([this] { return m_app->runs().run(m_run) != nullptr; });
    return m_run;
  }

  static void rows() {
    QTest::addColumn<QString>("id");
    QTest::addColumn<QString>("theme");
    QTest::addColumn<QSize>("size");
    for (const PageInfo& info : pages()) {
      for (const char* theme : {"light", "dark"}) {
        for (const QSize size : {QSize(1024, 700), QSize(1920, 1080)}) {
          QTest::addRow("%s %s %d", info.id, theme, size.width())
              << QString::fromLatin1(info.id) << QString::fromLatin1(theme) << size;
        }
      }
    }
  }

  void shows(const Location& place) {
    const QString id = place.page;
    QFETCH(QString, theme);
    QFETCH(QSize, size);
    MainWindow& window = *m_app->window();
    m_app->preferences().setTheme(theme);
    window.resize(size);
    window.open(place);
    // The larger one with the Inspector, where the page has something for it.
    Page* shown = window.page(id);
    if (shown->inspector() && shown->inspector()->isVisible() != (size.width() > 1200)) {
      window.command(QStringLiteral("view.inspector"))->trigger();
    }
    QTest::qWait(150);
    QCOMPARE(window.currentPage(), id);
    QVERIFY(shown->isVisible());
    // The window is as small as it was asked to be: no page needs more room than the smallest.
    QVERIFY2(window.width() == size.width() && window.height() == size.height(),
             qPrintable(QStringLiteral("the page makes the window %1 x %2")
                            .arg(window.width())
                            .arg(window.height())));
    const QImage image = shown->grab().toImage();
    QVERIFY(colorsIn(image) > 5);
    const QString cut = cutOffButton(shown), nameless = namelessButton(shown);
    QVERIFY2(cut.isEmpty(), qPrintable(cut));
    QVERIFY2(nameless.isEmpty(), qPrintable(nameless));
    QCOMPARE(Location::fromText(shown->location().text()), shown->location());
    if (const QWidget* inspector = shown->inspector(); inspector && inspector->isVisible()) {
      const QString cutThere = cutOffButton(inspector), namelessThere = namelessButton(inspector);
      QVERIFY2(cutThere.isEmpty(), qPrintable(cutThere));
      QVERIFY2(namelessThere.isEmpty(), qPrintable(namelessThere));
    }
    test::picture(window, QStringLiteral("pages/%1%2-%3-%4@%5")
                              .arg(id, place.subject.isEmpty() ? QString() : "-run", theme)
                              .arg(size.width())
                              .arg(window.devicePixelRatio()));
  }

 private Q_SLOTS:
  /// German words are longer: nothing may be cut off by them in the smallest window either.
  void germanFits_data() {
    QTest::addColumn<QString>("id");
    for (const PageInfo& info : pages()) {
      QTest::addRow("%s", info.id) << QString::fromLatin1(info.id);
    }
  }
  void germanFits() {
    QFETCH(QString, id);
    if (m_app->preferences().language() != QLatin1String("de")) {
      m_app->preferences().setLanguage(QStringLiteral("de"));
      QVERIFY(test::waitUntil([&] {
        m_app->window()->open({QStringLiteral("home"), {}, {}});  // the window is made anew
        return m_app->window()->windowTitle().contains(QStringLiteral("Start"));
      }));
    }
    MainWindow& window = *m_app->window();
    window.resize(1024, 700);
    window.open({id, m_run, {}});
    QTest::qWait(150);
    QCOMPARE(window.width(), 1024);
    const QString cut = cutOffButton(window.page(id));
    QVERIFY2(cut.isEmpty(), qPrintable(cut));
    test::picture(window, QStringLiteral("pages/german-") + id);
  }

  void tabReachesButtons() {
    MainWindow& window = *m_app->window();
    for (const PageInfo& info : pages()) {
      window.open({QLatin1String(info.id), {}, {}});
      window.activateWindow();
      Page* shown = window.page(QLatin1String(info.id));
      QSet<QWidget*> reached;
      QWidget* first = shown->nextInFocusChain();
      for (QWidget* w = first; w; w = w->nextInFocusChain()) {
        if (shown->isAncestorOf(w) && (w->focusPolicy() & Qt::TabFocus) != 0) reached += w;
        if (w->nextInFocusChain() == first) break;
      }
      for (auto* button : shown->findChildren<QAbstractButton*>()) {
        if (!button->isVisible() || button->objectName().startsWith(QLatin1String("qt_"))) continue;
        if (qobject_cast<QScrollArea*>(button->parentWidget())) continue;
        if (button->inherits("QTabBar") || button->parentWidget()->inherits("QLineEdit") ||
            button->parentWidget()->inherits("QTabBar")) {
          continue;
        }
        QVERIFY2(reached.contains(button) || button->focusPolicy() == Qt::NoFocus ||
                     !button->isEnabled(),
                 qPrintable(QLatin1String(info.id) + QStringLiteral(": ") + button->text()));
      }
    }
  }
};

TESSERA_UI_MAIN(PagesSmokeTest)
#include "pages_smoke_test.moc"
