// SPDX-License-Identifier: MIT
// Links: tessera_ui_widgets
// The common widgets: logs, empty states, banners, badges, search, file dialogs; preferences.
#include <QAbstractItemModelTester>
#include <QFile>
#include <QFileDialog>
#include <QFileInfo>
#include <QFileSystemModel>
#include <QListView>
#include <QLockFile>
#include <QPushButton>
#include <QScrollBar>
#include <QVBoxLayout>

#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/runs/log_tail.h"
#include "ui/widgets/banner.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/log_view.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/sparkline.h"
#include "ui/widgets/state_badge.h"

using namespace tessera;
using namespace tessera::ui;

class WidgetsTest : public QObject {
  Q_OBJECT

  static QStringList numbered(int from, int count) {
    QStringList lines;
    for (int i = from; i < from + count; ++i) lines += QStringLiteral("step %1 loss").arg(i);
    return lines;
  }

 private Q_SLOTS:
  void logKeepsTheNewestLines() {
    LogModel model(1'000);
    const QAbstractItemModelTester tester(&model);
    model.append(numbered(0, 900));
    model.append(numbered(900, 300));
    QCOMPARE(model.rowCount(), 1'000);
    QCOMPARE(model.index(0).data().toString(), "step 200 loss");
    model.append(numbered(1'200, 5'000));  // more than it holds, at once
    QCOMPARE(model.rowCount(), 1'000);
    QCOMPARE(model.index(999).data().toString(), "step 6199 loss");
    model.clear();
    QCOMPARE(model.rowCount(), 0);
  }

  void logFilterFollowsNewLinesAndLostOnes() {
    LogModel model(1'000);
    const QAbstractItemModelTester tester(&model);
    model.append(numbered(0, 1'000));
    QSignalSpy done(&model, &LogModel::filtered);
    model.setFilter(QStringLiteral("STEP 99"));
    QVERIFY(done.wait());
    QCOMPARE(model.rowCount(), 11);      // 99 and 990 to 999
    model.append(numbered(1'000, 500));  // 0 to 499 go, with 99 among them
    QVERIFY(done.wait());
    QCOMPARE(model.rowCount(), 10);
    QCOMPARE(model.index(0).data().toString(), "step 990 loss");
    model.append({QStringLiteral("step 99 again")});
    QVERIFY(done.wait());
    QCOMPARE(model.index(10).data().toString(), "step 99 again");
    model.setFilter({});
    QCOMPARE(model.rowCount(), 1'000);
  }

  void hundredThousandLinesAreSearchedWithoutAStall() {
    LogView view(100'000);
    QVERIFY(test::show(view, {800, 400}));
    for (int i = 0; i < 100; ++i) view.append(numbered(1'000 * i, 1'000));
    QSignalSpy done(&view.model(), &LogModel::filtered);
    QVERIFY(test::typeInto(view.searchField(), QStringLiteral("9999")));
    QVERIFY(test::waitUntil(
        [&] { return view.model().rowCount() == 19 && !view.model().filtering(); }));
    QVERIFY(test::labelWith(&view, QStringLiteral("of 100")));
  }

  void logFollowsUntilOneScrollsAway() {
    LogView view(10'000);
    QVERIFY(test::show(view, {600, 300}));
    view.append(numbered(0, 500));
    auto* list = view.findChild<QListView*>();
    QTest::qWait(20);
    QCOMPARE(list->verticalScrollBar()->value(), list->verticalScrollBar()->maximum());
    list->verticalScrollBar()->triggerAction(QAbstractSlider::SliderToMinimum);
    view.append(numbered(500, 10));
    QTest::qWait(20);
    QCOMPARE(list->verticalScrollBar()->value(), 0);
    QVERIFY(test::click(test::button(&view, QStringLiteral("Follow"))));
    QCOMPARE(list->verticalScrollBar()->value(), list->verticalScrollBar()->maximum());
  }

  void tailReadsWhatIsAppended() {
    QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("rank-0.log"));
    QStringList seen;
    LogTail tail;
    connect(&tail, &LogTail::lines, this, [&](const QStringList& lines) { seen += lines; });
    connect(&tail, &LogTail::restarted, this, [&] { seen.clear(); });
    tail.follow(path, 100);  // before it exists
    const auto write = [&](const QByteArray& text, QIODevice::OpenMode mode) {
      QFile file(path);
      QVERIFY(file.open(mode));
      file.write(text);
    };
    write("one\ntwo\nthr", QIODevice::WriteOnly);
    QVERIFY(test::waitUntil([&] { return seen.size() == 2; }));
    write("ee\n", QIODevice::Append);
    QVERIFY(test::waitUntil([&] { return seen.size() == 3; }));
    QCOMPARE(seen.last(), "three");
    write("new\n", QIODevice::WriteOnly);  // replaced by a shorter one
    QVERIFY(test::waitUntil([&] { return seen == QStringList{"new"}; }));
    disconnect(&tail, nullptr, this, nullptr);
  }

  void tailBeginsNearTheEndOfALongFile() {
    QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("long.log"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    for (int i = 0; i < 20'000; ++i)
      file.write(QByteArray("a line of the log, number ") + QByteArray::number(i) + "\n");
    file.close();
    QStringList seen;
    LogTail tail;
    connect(&tail, &LogTail::lines, &file, [&](const QStringList& lines) { seen += lines; });
    tail.follow(path, 100);
    QVERIFY(test::waitUntil([&] { return !seen.isEmpty() && seen.last().endsWith("19999"); }));
    QVERIFY(seen.size() < 1'000);
    QVERIFY(seen.first().startsWith("a line of the log"));  // never half a line
  }

  void emptyStateHasOneSentenceAndOneButton() {
    EmptyState state(QStringLiteral("No runs yet."), QStringLiteral("Try the demo"),
                     QStringLiteral("runs"));
    QVERIFY(test::show(state, {400, 300}));
    QSignalSpy pressed(&state, &EmptyState::pressed);
    QVERIFY(test::click(state.button()));
    QCOMPARE(pressed.size(), 1);
    test::picture(state, QStringLiteral("widgets/empty"));
    state.setButton({});
    QVERIFY(!state.button()->isVisible());
  }

  void bannerRunsItsActionAndCloses() {
    int ran = 0;
    Banner banner(QStringLiteral("error"), QStringLiteral("The disk is full."),
                  QStringLiteral("Free some"), [&] { ++ran; });
    QVERIFY(test::show(banner, {600, 60}));
    QSignalSpy closed(&banner, &Banner::closed);
    QVERIFY(test::click(banner.actionButton()));
    QCOMPARE(ran, 1);
    QCOMPARE(closed.size(), 1);
    QVERIFY(test::click(test::button(&banner, QStringLiteral("Close this message"))));
    QCOMPARE(closed.size(), 2);
    QVERIFY(banner.accessibleName().startsWith(QStringLiteral("Error")));
  }

  void everyStateHasAWordOfItsOwn() {
    QSet<QString> words;
    for (int i = 0; i <= static_cast<int>(RunState::LostContact); ++i) {
      const auto state = static_cast<RunState>(i);
      words += stateWord(state);
      StateBadge badge(state);
      QVERIFY(test::show(badge, badge.sizeHint()));
      QCOMPARE(badge.accessibleName(), stateWord(state));
      test::picture(badge, QStringLiteral("widgets/state-%1").arg(i));
    }
    QCOMPARE(words.size(), static_cast<int>(RunState::LostContact) + 1);
    QVERIFY(isLive(RunState::LostContact) && needsAttention(RunState::LostContact));
    QVERIFY(!isLive(RunState::Queued) && !isLive(RunState::Finished));
  }

  void sparklineSurvivesWhatIsNotANumber() {
    Sparkline line;
    for (const std::vector<float>& values :
         {std::vector<float>{}, {NAN}, {1}, {1, NAN, 2}, {NAN, INFINITY, 3}, {2, 2, 2}}) {
      line.setValues(values, QStringLiteral("Loss"));
      QVERIFY(!line.grab().isNull());
    }
    line.setValues({4, 3}, QStringLiteral("Loss"));
    QCOMPARE(line.accessibleName(), QStringLiteral("Loss: from 4.000 to 3.000"));
  }

  void searchWaitsForAPause() {
    SearchField field(QStringLiteral("Search"), 50);
    QVERIFY(test::show(field, {200, 30}));
    QSignalSpy searched(&field, &SearchField::searched);
    QVERIFY(test::typeInto(&field, QStringLiteral("abc")));
    QVERIFY(searched.wait());
    QCOMPARE(searched.last().first().toString(), "abc");
    const int before = static_cast<int>(searched.size());
    QTest::keyClicks(&field, QStringLiteral("d"));
    QTest::keyClick(&field, Qt::Key_Return);
    QCOMPARE(searched.size(), before + 1);
    QTest::keyClick(&field, Qt::Key_Escape);
    QCOMPARE(searched.last().first().toString(), "");
  }

  void disabledSaysWhy() {
    QPushButton button(QStringLiteral("Stop"));
    button.setToolTip(QStringLiteral("Stops the run"));
    setEnabledBecause(&button, false, QStringLiteral("It has ended"));
    QCOMPARE(button.toolTip(), "It has ended");
    setEnabledBecause(&button, true, {});
    QCOMPARE(button.toolTip(), "Stops the run");
  }

  void tasksKeepTheirOrder() {
    Tasks tasks;
    QSignalSpy changed(&tasks, &Tasks::changed);
    const auto a = tasks.begin(QStringLiteral("a")), b = tasks.begin(QStringLiteral("b"));
    tasks.setProgress(a, 0.5, QStringLiteral("half"));
    QCOMPARE(tasks.find(a)->progress, 0.5);
    QCOMPARE(tasks.running(), 2);
    tasks.finish(a, QStringLiteral("no room"));
    tasks.finish(a);  // once is enough
    QCOMPARE(tasks.find(a)->error, "no room");
    QCOMPARE(tasks.running(), 1);
    QCOMPARE(tasks.all().front().id, b);
    for (int i = 0; i < 150; ++i) tasks.finish(tasks.begin(QStringLiteral("x")));
    QCOMPARE(tasks.all().size(), 101u);
    QVERIFY(tasks.find(b));
  }

  void preferencesSurviveARestart() {
    QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("studio.ini"));
    {
      Preferences p(file);
      QVERIFY(p.firstStart());
      QCOMPARE(p.theme(), "system");
      QSignalSpy changed(&p, &Preferences::changed);
      p.setTheme(QStringLiteral("dark"));
      p.setTheme(QStringLiteral("dark"));
      QCOMPARE(changed.size(), 1);
      p.setValue(QStringLiteral("configure/price"), 2.5);
      p.setShortcut(QStringLiteral("view.palette"), QStringLiteral("Ctrl+P"));
      p.finishFirstStart();
    }
    Preferences p(file);
    QVERIFY(!p.firstStart());
    QCOMPARE(p.theme(), "dark");
    QCOMPARE(p.value(QStringLiteral("configure/price"), 0.0).toDouble(), 2.5);
    QCOMPARE(p.shortcut(QStringLiteral("view.palette"), QStringLiteral("Ctrl+K")), "Ctrl+P");
    p.setShortcut(QStringLiteral("view.palette"), QString());
    QCOMPARE(p.shortcut(QStringLiteral("view.palette"), QStringLiteral("Ctrl+K")), "Ctrl+K");
    p.setValue(QStringLiteral("look/theme"), QStringLiteral("purple"));
    QCOMPARE(p.theme(), "system");
  }

  void aFileDialogIsKeptAndAnswersWhoAskedLast() {
    QTemporaryDir folder;
    QWidget window;
    window.show();
    QStringList first, second;
    const auto ask = [&](QObject* owner, QStringList& answers, const QString& name) {
      QFileDialog* dialog = fileDialog(
          &window, owner, QStringLiteral("Save it"), [&](const QString& file) { answers << file; },
          folder.filePath(name));
      dialog->setAcceptMode(QFileDialog::AcceptSave);
      dialog->setNameFilters({QStringLiteral("Text (*.txt)"), QStringLiteral("JSON (*.json)")});
      dialog->setDefaultSuffix(QStringLiteral("txt"));
      dialog->open();
      return dialog;
    };
    QFileDialog* dialog = ask(&window, first, QStringLiteral("a"));
    QCOMPARE(QFileInfo(dialog->selectedFiles().value(0)).fileName(), "a.txt");
    dialog->reject();
    QCOMPARE(ask(&window, second, QStringLiteral("b")), dialog);
    QVERIFY(test::saveInDialog(&window, folder.filePath(QStringLiteral("c"))));
    QCOMPARE(first, QStringList());
    QCOMPARE(second, QStringList{folder.filePath(QStringLiteral("c.txt"))});

    auto owner = std::make_unique<QObject>();
    ask(owner.get(), first, QStringLiteral("d"));
    Q_EMIT dialog->filterSelected(QStringLiteral("JSON (*.json)"));
    QCOMPARE(dialog->defaultSuffix(), "json");
    owner.reset();
    QVERIFY(test::saveInDialog(&window, folder.filePath(QStringLiteral("e"))));
    QCOMPARE(first.size() + second.size(), 1);
  }

  /// Qt's own dialogs read the beginning of a file to tell its type; reading this one waits for
  /// ever (where it may be read).
  void aFileDialogReadsNoFile() {
    const QString waits = QStringLiteral("/proc/kmsg");
    if (!QFileInfo::exists(waits)) QSKIP("there is no /proc/kmsg here");
    QWidget window;
    window.show();
    QFileDialog* dialog = fileDialog(
        &window, &window, QStringLiteral("Open it"), [](const QString&) {},
        QStringLiteral("/proc"));
    dialog->open();
    auto* files = dialog->findChild<QFileSystemModel*>();
    QVERIFY(files);
    QVERIFY(test::waitUntil([&] {
      return files->rowCount(files->index(QStringLiteral("/proc"))) > 10 &&
             files->data(files->index(waits, 2)).toString() == QLatin1String("File");
    }));
    dialog->reject();
  }

  void whatIsBelowAPreferenceGoesWithIt() {
    QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("studio.ini"));
    {
      Preferences p(file);
      const auto set = [&](const char* key) { p.setValue(QLatin1String(key), 1); };
      for (const char* key : {"charts/a", "charts/b/c", "charts2", "other"}) set(key);
      p.remove(QStringLiteral("charts"));
      QVERIFY(!p.value(QStringLiteral("charts/a")).isValid());
      p.setValue(QStringLiteral("charts/d"), 2);
    }
    const Preferences p(file);
    QVERIFY(!p.value(QStringLiteral("charts/a")).isValid());
    QVERIFY(!p.value(QStringLiteral("charts/b/c")).isValid());
    for (const char* key : {"charts/d", "charts2", "other"}) {
      QVERIFY(p.value(QLatin1String(key)).isValid());
    }
  }

  void aFileThatCannotBeWrittenYetHoldsUpNothing() {
    QTemporaryDir folder;
    const QString file = folder.filePath(QStringLiteral("studio.ini"));
    QLockFile lock(file + QStringLiteral(".lock"));  // as another process holds it that writes
    QVERIFY(lock.lock());
    Preferences p(file);
    p.setTheme(QStringLiteral("dark"));
    QTest::qWait(3 * test::kStallMs);
    QCOMPARE(p.theme(), "dark");
    QVERIFY(!QFile::exists(file));
    lock.unlock();
    p.sync();
    QCOMPARE(Preferences(file).theme(), "dark");
  }
};

TESSERA_UI_MAIN(WidgetsTest)
#include "widgets_test.moc"
