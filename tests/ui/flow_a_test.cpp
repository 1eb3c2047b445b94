// SPDX-License-Identifier: MIT
// Slow
// Flow A as a person clicks it: first start, the demo, watching it, talking to it: three clicks.
#include <QAbstractButton>
#include <QFileInfo>
#include <QPlainTextEdit>

#include "core/run/run_folder.h"
#include "tests/build_paths.h"
#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"

using namespace tessera;
using namespace tessera::ui;

class FlowATest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void demoWatchChat() {
    const QFileInfo program(QStringLiteral(TESSERA_PROGRAM));
    if (!program.isExecutable()) QSKIP("the program `tessera` is not built");
    qputenv("PATH", program.path().toLocal8Bit() + ":" + qgetenv("PATH"));
    const test::TemporaryHome home;
    StudioApp app(test::application(), std::make_unique<Preferences>());
    app.preferences().setLanguage(QStringLiteral("en"));
    app.show({});
    app.window()->resize(1280, 800);
    QVERIFY(app.window()->atFirstStart());
    QTest::qWait(200);  // pages are made anew in the language

    QVERIFY(test::click(test::button(app.window(), "Try the demo")));  // 1
    QVERIFY(test::waitUntil([&] { return app.window()->currentPage() == "monitor"; }, 60'000));
    const QString run = app.window()->studio().selection.run();
    QVERIFY(!run.isEmpty());
    const auto row = [&] { return app.runs().run(run); };
    QVERIFY(test::waitUntil([&] { return row() && row()->step >= 5; }, 300'000));
    test::picture(*app.window(), "flow-a/watching");

    // There is something to talk to as soon as there is a checkpoint.
    const auto chat = [&] { return test::button(app.window(), "Open in Chat"); };
    QVERIFY(chat());
    app.launcher().control(run, Control::Save);
    QVERIFY(test::waitUntil([&] { return chat() && chat()->isEnabled(); }, 300'000));
    QVERIFY(test::click(chat()));  // 2
    QCOMPARE(app.window()->currentPage(), "chat");
    QWidget* field = nullptr;
    for (auto* edit : app.window()->page("chat")->findChildren<QPlainTextEdit*>()) {
      if (edit->isVisible() && edit->accessibleName() == "Message") field = edit;
    }
    QVERIFY(test::typeInto(field, "Once upon a time"));
    QVERIFY(test::waitUntil(
        [&] {
          QAbstractButton* send = test::button(app.window(), "Send");
          return send && send->isEnabled();
        },
        60'000));
    QVERIFY(test::click(test::button(app.window(), "Send")));  // 3
    QVERIFY(test::waitUntil(
        [&] {
          QAbstractButton* again = test::button(app.window(), "Regenerate as a branch");
          return again && again->isEnabled();  // the answer is there
        },
        120'000));
    test::picture(*app.window(), "flow-a/talking");

    app.launcher().control(run, Control::StopNow);
    QVERIFY(test::waitUntil([&] { return row() && is_final(row()->state); }, 120'000));
  }
};

TESSERA_UI_MAIN(FlowATest)
#include "flow_a_test.moc"
