// SPDX-License-Identifier: MIT
// Links: tessera_ui_bridge
// A second start hands over; one that was killed leaves nothing in the way.
#include <signal.h>

#include <QLocalServer>
#include <QLocalSocket>
#include <QProcess>

#include "tests/ui/harness.h"
#include "ui/bridge/desktop/single_instance.h"

using namespace tessera::ui;

class SingleInstanceTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void secondHandsOverToFirst() {
    QTemporaryDir home;
    SingleInstance one(home.path()), two(home.path());
    QSignalSpy first(&one, &SingleInstance::first), received(&one, &SingleInstance::received);
    one.start({});
    QVERIFY(test::waitUntil([&] { return first.size() == 1; }));
    QSignalSpy handed(&two, &SingleInstance::handedOver), alsoFirst(&two, &SingleInstance::first);
    two.start(QStringLiteral("run/demo-1?view=experts&step=120"));
    QVERIFY(test::waitUntil([&] { return handed.size() == 1; }));
    QCOMPARE(received.size(), 1);
    QCOMPARE(received.first().first().toString(), "run/demo-1?view=experts&step=120");
    QCOMPARE(alsoFirst.size(), 0);
  }

  void homesDoNotMeet() {
    QTemporaryDir a, b;
    SingleInstance one(a.path()), two(b.path());
    QSignalSpy first(&one, &SingleInstance::first), second(&two, &SingleInstance::first);
    one.start({});
    two.start({});
    QVERIFY(test::waitUntil([&] { return first.size() == 1 && second.size() == 1; }));
  }

  void theSecondTakesOverWhenTheFirstIsGone() {
    QTemporaryDir home;
    auto one = std::make_unique<SingleInstance>(home.path());
    QSignalSpy first(one.get(), &SingleInstance::first);
    one->start({});
    QVERIFY(test::waitUntil([&] { return first.size() == 1; }));
    one.reset();
    SingleInstance two(home.path());
    QSignalSpy second(&two, &SingleInstance::first);
    two.start({});
    QVERIFY(test::waitUntil([&] { return second.size() == 1; }));
  }

  void aSocketOfAKilledOneIsNoObstacle() {
    QTemporaryDir home;
    // The process listens, says so and is killed: its socket stays behind.
    QProcess killed;
    killed.start(QCoreApplication::applicationFilePath(),
                 {QStringLiteral("--listen"), home.path()});
    QVERIFY(test::waitUntil([&] { return killed.readAllStandardOutput().contains("first"); }));
    ::kill(static_cast<pid_t>(killed.processId()), SIGKILL);
    QVERIFY(test::waitUntil([&] { return killed.state() == QProcess::NotRunning; }));
    SingleInstance two(home.path());
    QSignalSpy second(&two, &SingleInstance::first);
    two.start({});
    QVERIFY(test::waitUntil([&] { return second.size() == 1; }));
    SingleInstance three(home.path());
    QSignalSpy handed(&three, &SingleInstance::handedOver);
    three.start({});
    QVERIFY(test::waitUntil([&] { return handed.size() == 1; }));
  }

  void oneThatHangsIsNotWaitedForForever() {
    QTemporaryDir home;
    QProcess hung;
    hung.start(QCoreApplication::applicationFilePath(), {QStringLiteral("--listen"), home.path()});
    QVERIFY(test::waitUntil([&] { return hung.readAllStandardOutput().contains("first"); }));
    ::kill(static_cast<pid_t>(hung.processId()), SIGSTOP);
    SingleInstance two(home.path());
    QSignalSpy alone(&two, &SingleInstance::unanswered);
    two.start(QStringLiteral("page/home"));
    const bool answered = test::waitUntil([&] { return alone.size() == 1; }, 8'000);
    ::kill(static_cast<pid_t>(hung.processId()), SIGKILL);
    hung.waitForFinished();
    QVERIFY(answered);
  }
};

int main(int argc, char** argv) {
  test::TestApplication app(argc, argv);
  const QStringList arguments = QCoreApplication::arguments();
  if (arguments.value(1) == QLatin1String("--listen")) {
    SingleInstance one(arguments.value(2));
    QObject::connect(&one, &SingleInstance::first, &app, [] {
      std::puts("first");
      std::fflush(stdout);
    });
    one.start({});
    return QApplication::exec();
  }
  SingleInstanceTest tests;
  return test::runTests(tests, argc, argv);
}
#include "single_instance_test.moc"
