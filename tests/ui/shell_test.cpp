// SPDX-License-Identifier: MIT
// The window around the pages: going to places, docks, palette, banners, session.
#include <QComboBox>
#include <QCursor>
#include <QDialog>
#include <QDir>
#include <QEnterEvent>
#include <QFile>
#include <QFileInfo>
#include <QLineEdit>
#include <QListView>
#include <QMenuBar>
#include <QMessageBox>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QStatusBar>
#include <QTableView>
#include <QTimer>
#include <QToolButton>
#include <QUndoStack>

#include "core/config/paths.h"
#include "core/events/events.h"
#include "core/run/run_folder.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/model_server.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/dock_panel.h"
#include "ui/shell/dropped.h"
#include "ui/shell/fuzzy.h"
#include "ui/shell/main_window.h"
#include "ui/shell/problems.h"
#include "ui/shell/rail.h"
#include "ui/shell/studio_app.h"
#include "ui/shell/toast.h"
#include "ui/theme/theme.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/search_field.h"

using namespace tessera;
using namespace tessera::ui;

namespace {
struct Started {
  explicit Started(bool first = false) {
    auto preferences = std::make_unique<Preferences>();
    if (!first) preferences->finishFirstStart();
    preferences->setTheme(QStringLiteral("light"));
    preferences->setLanguage(QStringLiteral("en"));
    app = std::make_unique<StudioApp>(test::application(), std::move(preferences));
    app->show({});
  }
  MainWindow& window() { return *app->window(); }
  std::unique_ptr<StudioApp> app;
};

std::string makeRun(const QString& runs, const char* name) {
  RunSpec spec = load_spec("demo");
  spec.run.name = name;
  const RunFolder folder = RunFolder::create(runs.toStdString(), spec);
  EventWriter log(folder.events_path());
  log.append(StateEvent{.state = RunState::Running});
  StepEvent step;
  step.loss = 5.5;
  log.append(step);
  log.append(StateEvent{.state = RunState::Finished, .step = 0});
  return folder.id();
}
}  // namespace

class ShellTest : public QObject {
  Q_OBJECT

  static QStringList titles(Palette& palette) {
    QStringList all;
    for (int i = 0; i < palette.model().rowCount(); ++i) all += palette.model().entry(i).title;
    return all;
  }

 private Q_SLOTS:
  void linksAndTheirText() {
    const Location run = Location::fromText(QStringLiteral("run/demo-1?view=experts&step=120"));
    QCOMPARE(run.page, "experts");
    QCOMPARE(run.subject, "demo-1");
    QCOMPARE(run.arguments.value("step"), "120");
    QCOMPARE(Location::fromText(run.text()), run);
    QCOMPARE(Location::fromText(QStringLiteral("run/x")).page, "monitor");
    QCOMPARE(Location::fromText(QStringLiteral("tessera://page/chat")).page, "chat");
    for (const char* wrong : {"", "run/", "page/", "what/ever", "?view=x", "demo"}) {
      QVERIFY(Location::fromText(QLatin1String(wrong)).page.isEmpty());
    }
    const Location odd{QStringLiteral("runs"), {}, {{"find", "a b&c=d/e \u00e4?"}}};
    QCOMPARE(Location::fromText(odd.text()), odd);
  }

  void fuzzyFindsWhatIsMeant() {
    QVERIFY(fuzzyMatch(u"rl", u"Reset layout").score > fuzzyMatch(u"rl", u"Curl").score - 20);
    QVERIFY(fuzzyMatch(u"reset", u"Reset layout").score > fuzzyMatch(u"reset", u"Presets").score);
    QCOMPARE(fuzzyMatch(u"xyz", u"Reset layout").score, -1);
    QCOMPARE(fuzzyMatch(u"", u"anything").score, 0);
    QVERIFY(fuzzyMatch(u"lay res", u"Reset layout").score > 0);  // words in any order
    QCOMPARE(fuzzyMatch(u"rlay", u"Reset layout").positions, (std::vector<int>{0, 6, 7, 8}));
  }

  void everyPageIsGoneToByRailAndKey() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    auto* rail = window.findChild<Rail*>();
    for (const PageInfo& info : pages()) {
      const QString id = QLatin1String(info.id);
      if (info.inRail) {
        QVERIFY(test::click(rail->button(id)));
        QCOMPARE(window.currentPage(), id);
        QVERIFY(window.page(id)->isVisible());
        QVERIFY(rail->button(id)->isChecked());
      }
      window.open({QStringLiteral("home"), {}, {}});
      window.command(QStringLiteral("page.") + id)->trigger();
      QCOMPARE(window.currentPage(), id);
    }
  }

  void backAndForward() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    window.open({QStringLiteral("home"), {}, {}});
    window.open({QStringLiteral("hosts"), {}, {}});
    window.open({QStringLiteral("settings"), {}, {}});
    window.command(QStringLiteral("view.back"))->trigger();
    QCOMPARE(window.currentPage(), "hosts");
    window.command(QStringLiteral("view.back"))->trigger();
    QCOMPARE(window.currentPage(), "home");
    window.command(QStringLiteral("view.forward"))->trigger();
    QCOMPARE(window.currentPage(), "hosts");
  }

  void unknownPlacesAreSaid() {
    const test::TemporaryHome home;
    Started studio;
    studio.window().open({QStringLiteral("nowhere"), {}, {}});
    QVERIFY(studio.window().toastLine().text().contains(QStringLiteral("nowhere")));
    studio.app->handOver(QStringLiteral("rubbish"));
    QCOMPARE(studio.window().banners().size(), 1u);
  }

  void selectionFollowsLinks() {
    const test::TemporaryHome home;
    const std::string id = makeRun(home.runs(), "linked");
    Started studio;
    Selection& selection = studio.window().studio().selection;
    studio.app->handOver(QStringLiteral("run/%1?view=home&step=7").arg(QString::fromStdString(id)));
    QCOMPARE(selection.run(), QString::fromStdString(id));
    QCOMPARE(selection.step(), 7);
    selection.setRun(QStringLiteral("other"));
    QCOMPARE(selection.step(), -1);
  }

  void paletteFindsCommandsPagesRunsAndSettings() {
    const test::TemporaryHome home;
    const std::string id = makeRun(home.runs(), "tulip");
    Started studio;
    MainWindow& window = studio.window();
    QVERIFY(test::waitUntil(
        [&] { return studio.app->runs().loaded() && !studio.app->runs().runs()->empty(); }));
    window.command(QStringLiteral("view.palette"))->trigger();
    Palette& palette = window.commandPalette();
    QVERIFY(palette.isVisible());
    const auto first = [&](const QString& text) {
      palette.field()->clear();
      QTest::keyClicks(palette.field(), text);
      return palette.model().rowCount() > 0 ? palette.model().entry(0) : PaletteEntry{};
    };
    QCOMPARE(first(QStringLiteral("tulip")).kind, "Run");
    QCOMPARE(first(QStringLiteral("hosts")).kind, "Page");
    QCOMPARE(first(QStringLiteral("reset lay")).title, "Reset layout");
    QVERIFY(first(QStringLiteral("data fol")).kind == QStringLiteral("Setting"));
    test::picture(window, QStringLiteral("shell/palette"));
    first(QStringLiteral("qqqq"));
    QCOMPARE(palette.model().rowCount(), 0);
    QVERIFY(test::labelWith(&palette, QStringLiteral("Nothing is called")));
    first(QStringLiteral("hosts"));
    QTest::keyClick(palette.field(), Qt::Key_Return);
    QVERIFY(!palette.isVisible());
    QCOMPARE(window.currentPage(), "hosts");
  }

  void paletteClosesAndGivesTheFocusBack() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    window.open({QStringLiteral("settings"), {}, {}});
    auto* field = window.page(QStringLiteral("settings"))->findChild<SearchField*>();
    QVERIFY(test::click(field));
    window.openPalette();
    QTest::keyClicks(window.commandPalette().field(), QStringLiteral("abc"));
    QTest::keyClick(window.commandPalette().field(), Qt::Key_Escape);
    QVERIFY(!window.commandPalette().isVisible());
    QCOMPARE(window.focusWidget(), static_cast<QWidget*>(field));
    QCOMPARE(field->text(), "");
    window.openPalette();
    QVERIFY(test::click(window.page(QStringLiteral("settings")), {5, 5}));
    QVERIFY(!window.commandPalette().isVisible());
  }

  void docksHideShowAndComeBack() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    DockPanel* logs = window.dock(QStringLiteral("logs"));
    QVERIFY(!logs->isVisible());
    QVERIFY(test::click(test::button(window.statusBar(), QStringLiteral("Logs"))));
    QVERIFY(logs->isVisible());
    // Lines begin at the dock's edge, under the choice of whose log it is.
    auto* log = logs->findChild<QListView*>();
    auto* source = logs->findChild<QComboBox*>();
    QVERIFY(test::choose(source, QStringLiteral("The studio")));
    for (QListView* list : logs->findChildren<QListView*>()) {
      if (list->isVisible()) log = list;
    }
    QVERIFY(log->isVisible());
    QCOMPARE(log->mapTo(logs->content(), QPoint()).x(), 0);
    QVERIFY(log->mapTo(logs->content(), QPoint()).y() >= source->height());
    test::picture(window, QStringLiteral("shell/logs"));
    window.command(QStringLiteral("view.problems"))->trigger();
    QVERIFY(!window.dock(QStringLiteral("problems"))->visibleRegion().isEmpty());
    test::picture(window, QStringLiteral("shell/problems"));
    // In a window of its own, and back when that is closed.
    DockPanel* tasks = window.dock(QStringLiteral("tasks"));
    QWidget* content = tasks->content();
    tasks->show();
    tasks->openInWindow();
    QVERIFY(tasks->inWindow());
    QVERIFY(content->window() != &window);
    content->window()->close();
    QVERIFY(!tasks->inWindow());
    QCOMPARE(content->window(), static_cast<QWidget*>(&window));
    window.command(QStringLiteral("view.reset"))->trigger();
    QVERIFY(!logs->isVisible());
  }

  /// A dock that is opened while a toast is up does not hide its Undo.
  void aToastStaysOverDocks() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    bool undone = false;
    window.toast(QStringLiteral("Taken away"), [&] { undone = true; });
    window.command(QStringLiteral("view.logs"))->trigger();
    DockPanel* logs = window.dock(QStringLiteral("logs"));
    QVERIFY(test::waitUntil([&] { return logs->isVisible(); }));
    QTest::qWait(100);
    auto* toast = window.findChild<Toast*>();
    QVERIFY(toast &&
            toast->geometry().intersects(QRect(logs->mapTo(&window, QPoint()), logs->size())));
    QVERIFY(test::click(test::button(toast, QStringLiteral("Undo"))));
    QVERIFY(undone);
  }

  /// What one types into stays in sight, and can be clicked, while a toast is up.
  void aToastLeavesFieldsFree() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    window.open({QStringLiteral("chat"), {}, {}});
    auto* field = window.page(QStringLiteral("chat"))->findChild<QPlainTextEdit*>();
    for (auto* one : window.page(QStringLiteral("chat"))->findChildren<QPlainTextEdit*>()) {
      if (one->accessibleName() == QLatin1String("Message")) field = one;
    }
    QVERIFY(field && field->isVisible());
    bool undone = false;
    window.toast(QStringLiteral("Exported"), [&] { undone = true; });
    QWidget* bar = field->parentWidget();
    const auto placeOf = [&](QWidget* w) { return QRect(w->mapTo(&window, QPoint()), w->size()); };
    Toast& toast = window.toastLine();
    QVERIFY(toast.isVisible());
    QVERIFY(!toast.geometry().intersects(placeOf(bar)));
    QVERIFY(test::click(field));
    QVERIFY(test::typeInto(field, QStringLiteral("one")));
    for (int i = 0; i < 5; ++i) QTest::keyClick(field, Qt::Key_Return, Qt::ShiftModifier);
    QVERIFY(test::waitUntil([&] { return !toast.geometry().intersects(placeOf(bar)); }));
    QVERIFY(test::click(toast.undoButton()));
    QVERIFY(undone);
  }

  /// A banner stays until it is closed: it lies above what is typed into too, also where the page
  /// is opened while it is up, and a toast does not hide it.
  void aBannerLeavesTheComposerFree() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    window.notify(QStringLiteral("info"), QStringLiteral("demo finished"));
    window.open({QStringLiteral("chat"), {}, {}});
    QPlainTextEdit* field = nullptr;
    for (auto* one : window.page(QStringLiteral("chat"))->findChildren<QPlainTextEdit*>()) {
      if (one->accessibleName() == QLatin1String("Message")) field = one;
    }
    QVERIFY(field);
    const auto placeOf = [&](QWidget* w) { return QRect(w->mapTo(&window, QPoint()), w->size()); };
    const auto apart = [&](QWidget* a, QWidget* b) { return !placeOf(a).intersects(placeOf(b)); };
    Banner* banner = window.banners().front();
    QVERIFY(test::waitUntil([&] { return apart(banner, field->parentWidget()); }));
    QVERIFY(test::click(field));
    window.toast(QStringLiteral("Saved"));
    QVERIFY(apart(&window.toastLine(), banner));
    QVERIFY(apart(&window.toastLine(), field));
    window.open({QStringLiteral("hosts"), {}, {}});
    const int foot = window.height() - placeOf(banner).bottom();
    QVERIFY(test::waitUntil([&] { return window.height() - placeOf(banner).bottom() < foot; }));
  }

  /// A pointer that rests where the toast comes up does not keep it; one that moves there does.
  void aToastGoesUnderAPointerThatRests() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    Toast& toast = window.toastLine();
    window.toast(QStringLiteral("Exported"));
    const QPoint middle = toast.geometry().center();
    toast.dismiss();
    QCursor::setPos(window.mapToGlobal(middle));
    QTest::qWait(50);
    window.toast(QStringLiteral("Exported"));
    auto* timer = toast.findChild<QTimer*>();
    QVERIFY(timer && timer->isActive());
    const QPointF in(toast.rect().center()), on(toast.mapToGlobal(toast.rect().center()));
    QEnterEvent enter(in, in, on);
    QApplication::sendEvent(&toast, &enter);
    QVERIFY(timer->isActive());
    QMouseEvent move(QEvent::MouseMove, in + QPointF(4, 0), on + QPointF(4, 0), Qt::NoButton,
                     Qt::NoButton, {});
    QApplication::sendEvent(&toast, &move);
    QVERIFY(!timer->isActive());
  }

  void bannersStayUntilClosedAndDoNotPileUp() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    int ran = 0;
    window.notify(QStringLiteral("error"), QStringLiteral("No room on the disk"),
                  QStringLiteral("Free some"), [&] { ++ran; });
    window.notify(QStringLiteral("error"), QStringLiteral("No room on the disk"));
    QCOMPARE(window.banners().size(), 1u);
    for (int i = 0; i < 5; ++i)
      window.notify(QStringLiteral("info"), QStringLiteral("note %1").arg(i));
    int visible = 0;
    for (const Banner* banner : window.banners()) visible += banner->isVisible() ? 1 : 0;
    QCOMPARE(visible, 3);
    test::picture(window, QStringLiteral("shell/banners"));
    while (window.banners().size() > 1) {
      QVERIFY(
          test::click(test::button(window.banners().back(), QStringLiteral("Close this message"))));
    }
    QVERIFY(test::click(window.banners().front()->actionButton()));
    QCOMPARE(ran, 1);
    QVERIFY(window.banners().empty());
  }

  void toastUndoes() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    int undone = 0;
    window.toast(QStringLiteral("Archived"), [&] { ++undone; });
    window.toast(QStringLiteral("Second"));
    QCOMPARE(window.toastLine().text(), "Archived");
    test::picture(window, QStringLiteral("shell/toast"));
    QVERIFY(test::click(window.toastLine().undoButton()));
    QCOMPARE(undone, 1);
    QCOMPARE(window.toastLine().text(), "Second");  // it waited
    QVERIFY(!window.toastLine().undoButton()->isVisible());
  }

  void problemsAreThereOnceAndGo() {
    Problems problems;
    QSignalSpy changed(&problems, &Problems::changed);
    const auto disk = [](const char* text) {
      return ShellProblem{.key = QStringLiteral("disk"),
                          .severity = QStringLiteral("warning"),
                          .text = QLatin1String(text),
                          .action = {},
                          .place = {}};
    };
    problems.set(disk("1 GB"));
    problems.set(disk("1 GB"));
    QCOMPARE(changed.size(), 1);
    problems.set(disk("0 GB"));
    QCOMPARE(problems.all().size(), 1u);
    problems.clear(QStringLiteral("disk"));
    problems.clear(QStringLiteral("disk"));
    QCOMPARE(changed.size(), 3);
  }

  /// What was said over the page can still be read when its line was closed, and when the window
  /// was made anew in another language.
  void errorsStayUnderProblems() {
    const test::TemporaryHome home;
    Started studio;
    auto run = std::make_shared<int>(0);
    studio.window().notify(QStringLiteral("error"), QStringLiteral("No room on the disk"),
                           QStringLiteral("Try again"), [run] { ++*run; });
    studio.window().notify(QStringLiteral("info"), QStringLiteral("Only a note"));
    studio.window().setProblem(QStringLiteral("plan/0"), QStringLiteral("error"),
                               QStringLiteral("Plan: too large"),
                               {QStringLiteral("settings"), {}, {}});
    QVERIFY(test::click(
        test::button(studio.window().banners().front(), QStringLiteral("Close this message"))));
    QCOMPARE(studio.window().problems().all().size(), 2u);
    auto* status = studio.window().statusBar();
    QVERIFY(test::button(status, QStringLiteral("2 problems")));

    MainWindow* before = &studio.window();
    studio.app->preferences().setLanguage(QStringLiteral("de"));
    QVERIFY(test::waitUntil([&] { return studio.app->window() != before; }));
    QCOMPARE(studio.window().problems().all().size(), 2u);
    QVERIFY(test::click(test::button(studio.window().statusBar(), QStringLiteral("2 Probleme"))));
    DockPanel* dock = studio.window().dock(QStringLiteral("problems"));
    QVERIFY(test::waitUntil(
        [&] { return test::labelWith(dock, QStringLiteral("No room on the disk")) != nullptr; }));
    // Whoever would have tried again went with the old window; places are still places.
    QVERIFY(!test::button(dock, QStringLiteral("Try again")));
    QVERIFY(test::click(test::button(dock, QStringLiteral("Show"))));
    QCOMPARE(studio.window().currentPage(), "settings");
    QCOMPARE(studio.window().problems().all().size(), 2u);  // looking at it does not solve it
    studio.window().clearProblem(QStringLiteral("plan"));
    QCOMPARE(studio.window().problems().all().size(), 1u);
    QCOMPARE(*run, 0);
    studio.app->preferences().setLanguage(QStringLiteral("en"));
    QVERIFY(test::waitUntil([&] {
      return test::button(studio.window().statusBar(), QStringLiteral("1 problem")) != nullptr;
    }));
  }

  /// Keys that a page shows act as soon as it is gone to, whatever was clicked before.
  void shortcutsOfAPageActAtOnce() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    window.open({QStringLiteral("configure"), {}, {{"preset", "demo"}}});
    DraftSpec& draft = DraftSpec::of(studio.app->preferences());
    QVERIFY(test::waitUntil([&] { return draft.loaded() && draft.settled(); }));
    QVERIFY(!draft.setValue("model.hidden_size", spec::Value(std::int64_t{64})));
    QVERIFY(test::waitUntil([&] { return draft.settled(); }));
    const auto press = [&](int key, Qt::KeyboardModifiers modifiers = Qt::ControlModifier) {
      QWidget* focused = window.focusWidget() ? window.focusWidget() : &window;
      QTest::keyClick(focused, static_cast<Qt::Key>(key), modifiers);
    };
    press(Qt::Key_1);
    QCOMPARE(window.currentPage(), "home");
    press(Qt::Key_2);
    QCOMPARE(window.currentPage(), "configure");
    press(Qt::Key_Z);
    QVERIFY(test::waitUntil([&] { return draft.spec().model.hidden_size == 128; }));
    press(Qt::Key_F);
    auto* search = qobject_cast<QLineEdit*>(window.focusWidget());
    QVERIFY(search);
    QCOMPARE(search->placeholderText(), "Find a setting");
    // By the rail too, and with the focus in a dock.
    QVERIFY(test::click(window.findChild<Rail*>()->button("home")));
    QVERIFY(test::click(window.findChild<Rail*>()->button("configure")));
    press(Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
    QVERIFY(test::waitUntil([&] { return draft.spec().model.hidden_size == 64; }));
    window.command(QStringLiteral("view.logs"))->trigger();
    QVERIFY(window.dock(QStringLiteral("logs"))->isAncestorOf(window.focusWidget()));
    press(Qt::Key_Z);
    QVERIFY(test::waitUntil([&] { return draft.spec().model.hidden_size == 128; }));
  }

  /// The command below is that of what is shown now, also after edits and undo.
  void theCommandFollowsThePage() {
    const test::TemporaryHome home;
    Started studio;
    studio.window().open({QStringLiteral("configure"), {}, {{"preset", "demo"}}});
    DraftSpec& draft = DraftSpec::of(studio.app->preferences());
    auto* status = studio.window().statusBar();
    const auto shows = [&](const QString& command) {
      return test::waitUntil([&] {
        for (const auto* label : status->findChildren<ElidedLabel*>()) {
          if (label->fullText().endsWith(command)) return true;
        }
        return false;
      });
    };
    QVERIFY(shows(QStringLiteral("tessera train demo")));
    QVERIFY(!draft.setValue("model.num_hidden_layers", spec::Value(std::int64_t{3})));
    QVERIFY(shows(QStringLiteral("tessera train demo --set model.num_hidden_layers=3")));
    draft.undoStack().undo();
    QVERIFY(shows(QStringLiteral("tessera train demo")));
  }

  void newIsOfThePage() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    QCOMPARE(window.command("file.new")->text(), "New run");
    window.open({QStringLiteral("chat"), {}, {}});
    QCOMPARE(window.command("file.new")->text(), "New chat");
    window.command("file.new")->trigger();
    QCOMPARE(window.currentPage(), "chat");
    window.open({QStringLiteral("runs"), {}, {}});
    window.command("file.new")->trigger();
    QCOMPARE(window.currentPage(), "configure");
  }

  /// The rail is numbered from top to bottom.
  void theRailCounts() {
    int n = 0;
    for (const PageInfo& info : pages()) {
      if (!info.inRail || QLatin1String(info.id) == QLatin1String("settings")) continue;
      QCOMPARE(QLatin1String(info.shortcut), QStringLiteral("Ctrl+%1").arg(++n));
    }
  }

  void quittingTellsOfLiveRuns() {
    const test::TemporaryHome home;
    RunSpec spec = load_spec("demo");
    spec.run.name = "busy";
    const RunFolder folder = RunFolder::create(home.runs().toStdString(), spec);
    EventWriter log(folder.events_path());
    log.append(StateEvent{.state = RunState::Running});
    const RunLock lock(folder);
    Started studio;
    const QString id = QString::fromStdString(folder.id());
    QVERIFY(test::waitUntil([&] {
      const RunRow* row = studio.app->runs().run(id);
      return row && row->state == RunState::Running;
    }));
    studio.window().close();
    QVERIFY(studio.window().isVisible());
    auto* box = studio.window().findChild<QMessageBox*>();
    QVERIFY(box && box->isVisible());
    QVERIFY(box->informativeText().contains(QStringLiteral("busy")));
    test::picture(*box, QStringLiteral("shell/quit"));
    QVERIFY(test::click(test::button(box, QStringLiteral("Stay"))));
    QVERIFY(studio.window().isVisible());
    QVERIFY(test::waitUntil([&] { return !studio.window().findChild<QMessageBox*>(); }));
    studio.window().close();
    box = studio.window().findChild<QMessageBox*>();
    QVERIFY(box && test::click(test::button(box, QStringLiteral("Quit"))));
    QVERIFY(test::waitUntil([&] { return !studio.window().isVisible(); }));
  }

  /// A server ends with the studio: that is asked first, and staying leaves it as it is.
  void quittingAsksAboutAServer() {
    const test::TemporaryHome home;
    const QString script = QDir(home.home()).filePath(QStringLiteral("server"));
    QFile file(script);
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write("#!/bin/sh\necho 'm answers at http://127.0.0.1:1/v1 (x)'\nexec sleep 1000\n");
    file.close();
    QVERIFY(file.setPermissions(QFileDevice::ReadOwner | QFileDevice::ExeOwner));
    Started studio;
    auto* server = new ModelServer([script] { return script; }, &studio.app->preferences());
    ServerOrder order;
    order.path = QStringLiteral("/models/some");
    order.port = 0;
    server->start(order);
    QVERIFY(test::waitUntil([&] { return server->state() == ModelServer::State::Running; }));
    studio.window().close();
    QVERIFY(studio.window().isVisible());
    auto* box = studio.window().findChild<QMessageBox*>();
    QVERIFY(box && box->isVisible());
    QVERIFY(box->informativeText().contains(QStringLiteral("/models/some")));
    test::picture(*box, QStringLiteral("shell/quit-server"));
    QVERIFY(test::click(test::button(box, QStringLiteral("Stay"))));
    QVERIFY(test::waitUntil([&] { return !studio.window().findChild<QMessageBox*>(); }));
    QVERIFY(server->isAlive());
    studio.window().close();
    box = studio.window().findChild<QMessageBox*>();
    QVERIFY(box && test::click(test::button(box, QStringLiteral("Stop it and quit"))));
    QVERIFY(test::waitUntil([&] { return !studio.window().isVisible(); }));
    server->stop();
    QVERIFY(test::waitUntil([&] { return !server->isAlive(); }));
  }

  void knowsWhatIsDropped() {
    const test::TemporaryHome home;
    const std::string id = makeRun(home.runs(), "dropped");
    const QString run = home.runs() + u'/' + QString::fromStdString(id);
    const QDir files(home.home());
    const auto write = [&](const QString& name, const QByteArray& bytes = "x") {
      QDir().mkpath(QFileInfo(files.filePath(name)).path());
      QFile file(files.filePath(name));
      if (file.open(QIODevice::WriteOnly)) file.write(bytes);
      return files.filePath(name);
    };
    QDir().mkpath(run + QStringLiteral("/checkpoints/step-10"));
    const auto kind = [](const QString& path) { return classifyDropped(path).kind; };
    QCOMPARE(kind(run), Dropped::Run);
    QCOMPARE(classifyDropped(run + QStringLiteral("/events.log")).path, run);
    QCOMPARE(kind(run + QStringLiteral("/checkpoints/step-10")), Dropped::Checkpoint);
    QCOMPARE(kind(write(QStringLiteral("a.toml"))), Dropped::Spec);
    QCOMPARE(kind(write(QStringLiteral("b.jsonl.zst"))), Dropped::Text);
    QCOMPARE(kind(QFileInfo(write(QStringLiteral("texts/deep/c.TXT"))).path()), Dropped::Text);
    QCOMPARE(kind(QFileInfo(write(QStringLiteral("model/config.json"))).path()),
             Dropped::Checkpoint);
    QCOMPARE(kind(write(QStringLiteral("program.py"), "print('hello')\n")), Dropped::Text);
    QCOMPARE(kind(QFileInfo(write(QStringLiteral("sources/main.rs"), "fn main() {}\n")).path()),
             Dropped::Text);
    const QByteArray picture("\x89PNG\r\n\0\0\0\rIHDR", 16);
    QCOMPARE(kind(write(QStringLiteral("picture.png"), picture)), Dropped::Nothing);
    QCOMPARE(kind(QFileInfo(write(QStringLiteral("album/one.png"), picture)).path()),
             Dropped::Nothing);
    QVERIFY(classifyDropped(QStringLiteral("/not/here")).why.contains(QStringLiteral("not there")));
  }

  /// The keys of a page are its own, also after its commands were looked at in the menu.
  void keysOfAPageEndWithIt() {
    const test::TemporaryHome home;
    makeRun(home.runs(), "stays");
    Started studio;
    MainWindow& window = studio.window();
    window.open({QStringLiteral("runs"), {}, {}});
    Page* runs = window.page(QStringLiteral("runs"));
    QTableView* table = nullptr;
    QVERIFY(test::waitUntil([&] {
      for (auto* each : runs->findChildren<QTableView*>()) {
        if (each->isVisible() && each->model()->rowCount() == 1) table = each;
      }
      return table != nullptr;
    }));
    QVERIFY(
        test::click(table->viewport(), table->visualRect(table->model()->index(0, 0)).center()));
    QMenu* menu = nullptr;
    for (QAction* action : window.menuBar()->actions()) {
      if (action->text() == QLatin1String("&Page")) menu = action->menu();
    }
    menu->popup(window.mapToGlobal(QPoint(40, 40)));
    QVERIFY(test::waitUntil([&] { return menu->isVisible(); }));
    QVERIFY(menu->actions().size() > 5);
    menu->close();
    window.open({QStringLiteral("settings"), {}, {}});
    QVERIFY(test::waitUntil([&] { return menu->isEmpty(); }));
    window.setFocus();
    QTest::keyClick(&window, Qt::Key_Delete);
    QTest::qWait(300);
    QCOMPARE(table->model()->rowCount(), 1);
  }

  /// Over a field of text as well: its address would be written into the spec there.
  void filesAreTheWindowsWhereverTheyAreLetGo() {
    const test::TemporaryHome home;
    QFile notes(home.home() + QStringLiteral("/notes.txt"));
    QVERIFY(notes.open(QIODevice::WriteOnly) && notes.write("Some words.\n") > 0);
    notes.close();
    Started studio;
    MainWindow& window = studio.window();
    window.open(
        {QStringLiteral("configure"), {}, {{QStringLiteral("preset"), QStringLiteral("demo")}}});
    QPlainTextEdit* text = nullptr;
    QVERIFY(test::waitUntil([&] {
      for (auto* edit : window.page(QStringLiteral("configure"))->findChildren<QPlainTextEdit*>()) {
        if (edit->isVisible() && edit->toPlainText().contains(QStringLiteral("preset")))
          text = edit;
      }
      return text != nullptr;
    }));
    QMimeData data;
    data.setUrls({QUrl::fromLocalFile(notes.fileName())});
    const QPoint at = text->viewport()->rect().center();
    QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(text->viewport(), &enter);
    QVERIFY(enter.isAccepted());
    QDropEvent drop(at, Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
    QApplication::sendEvent(text->viewport(), &drop);
    QVERIFY(test::waitUntil([&] { return text->toPlainText().contains(notes.fileName()); }));
    QVERIFY(!text->toPlainText().contains(QStringLiteral("file:")));
    QVERIFY(text->toPlainText().contains(QStringLiteral("[[data.sources]]")));
  }

  void aRunThatFailsIsNews() {
    const test::TemporaryHome home;
    RunSpec spec = load_spec("demo");
    spec.run.name = "unlucky";
    const RunFolder folder = RunFolder::create(home.runs().toStdString(), spec);
    EventWriter log(folder.events_path());
    const ProcessId self = this_process();
    log.append(StateEvent{.state = RunState::Running});
    log.append(HeartbeatEvent{.pid = self.pid, .host = self.host, .boot_id = self.boot_id});
    const RunLock lock(folder);
    Started studio;
    const QString id = QString::fromStdString(folder.id());
    QVERIFY(test::waitUntil([&] {
      const RunRow* row = studio.app->runs().run(id);
      return row && row->state == RunState::Running;
    }));
    QVERIFY(studio.window().problems().all().empty());
    log.append(StateEvent{.state = RunState::Failed, .reason = "loss is not a number"});
    studio.app->runs().refresh();
    QVERIFY(test::waitUntil([&] { return !studio.window().problems().all().empty(); }));
    QVERIFY(studio.window().problems().all().front().text.contains("loss is not a number"));
    QCOMPARE(studio.window().banners().size(), 1u);
    QCOMPARE(studio.window().banners().front()->severity(), "error");
  }

  void sessionIsRemembered() {
    const test::TemporaryHome home;
    {
      Started studio;
      studio.window().open({QStringLiteral("settings"), {}, {{"find", "theme"}}});
      studio.window().resize(1000, 640);
      studio.window().close();
    }
    Started again;
    QCOMPARE(again.window().currentPage(), "settings");
    QCOMPARE(again.window().location().arguments.value("find"), "theme");
  }

  void firstStartShowsOnceAndNeedsNothing() {
    const test::TemporaryHome home;
    {
      Started studio(true);
      QVERIFY(studio.window().atFirstStart());
      QVERIFY(test::labelWith(&studio.window(), QStringLiteral("This machine")));
      QTest::qWait(300);
      test::picture(studio.window(), QStringLiteral("shell/first-start"));
      QVERIFY(test::click(test::button(&studio.window(), QStringLiteral("Start without it"))));
      QVERIFY(!studio.window().atFirstStart());
      QCOMPARE(studio.window().currentPage(), "home");
    }
    Started again;
    QVERIFY(!again.window().atFirstStart());
  }

  void themeAppliesAtOnce() {
    const test::TemporaryHome home;
    Started studio;
    studio.window().open({QStringLiteral("settings"), {}, {}});
    studio.app->preferences().setTheme(QStringLiteral("dark"));
    QVERIFY(theme::isDark());
    QCOMPARE(QApplication::palette().color(QPalette::Window), theme::colors().window);
    test::picture(studio.window(), QStringLiteral("shell/settings-dark"));
    studio.app->preferences().setTheme(QStringLiteral("light"));
    QVERIFY(!theme::isDark());
  }

  void languageAppliesAtOnce() {
    const test::TemporaryHome home;
    Started studio;
    studio.window().open({QStringLiteral("settings"), {}, {}});
    auto* box = studio.window().page("settings")->findChild<QComboBox*>();
    QVERIFY(box);
    studio.app->preferences().setLanguage(QStringLiteral("de"));
    QVERIFY(test::waitUntil([&] {
      return test::labelWith(studio.app->window(), QStringLiteral("Einstellungen")) != nullptr;
    }));
    QCOMPARE(studio.window().currentPage(), "settings");
    test::picture(studio.window(), QStringLiteral("shell/settings-german"));
    studio.app->preferences().setLanguage(QStringLiteral("en"));
    QVERIFY(test::waitUntil([&] {
      return test::labelWith(studio.app->window(), QStringLiteral("Language")) != nullptr;
    }));
  }

  void shortcutsCanBeChangedAndAreListed() {
    const test::TemporaryHome home;
    Started studio;
    MainWindow& window = studio.window();
    studio.app->preferences().setShortcut(QStringLiteral("view.palette"), QStringLiteral("Ctrl+P"));
    QCOMPARE(window.command("view.palette")->shortcut(), QKeySequence("Ctrl+P"));
    QSet<QString> keys;
    for (const auto& info : studio.app->preferences().shortcuts()) {
      if (info.usual.isEmpty()) continue;
      QVERIFY2(!keys.contains(info.usual), qPrintable(info.usual));
      keys += info.usual;
    }
    window.command(QStringLiteral("help.shortcuts"))->trigger();
    auto* dialog = window.findChild<QDialog*>(QStringLiteral("shortcuts"));
    QVERIFY(dialog && dialog->isVisible());
    QVERIFY(test::labelWith(dialog, QStringLiteral("Find anything")));
    test::picture(*dialog, QStringLiteral("shell/shortcuts"));
    dialog->close();
    window.command(QStringLiteral("help.glossary"))->trigger();
    auto* glossary = window.findChild<QDialog*>(QStringLiteral("glossary"));
    QVERIFY(glossary && glossary->isVisible());
    test::picture(*glossary, QStringLiteral("shell/glossary"));
    glossary->close();
  }
};

TESSERA_UI_MAIN(ShellTest)
#include "shell_test.moc"
