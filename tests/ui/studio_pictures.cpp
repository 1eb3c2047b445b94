// SPDX-License-Identifier: MIT
// Pictures of every page, empty and with a run that is going, in both themes and two sizes. Not a
// test: packaging/make-screenshots runs it, and people look at what it writes.
//   studio_pictures FOLDER [PROGRAM]    PROGRAM: the `tessera` that trains; without it, empty only
#include <QDir>
#include <QProcess>
#include <cstdio>

#include "tests/ui/harness.h"
#include "ui/bridge/launcher.h"
#include "ui/bridge/preferences.h"
#include "ui/bridge/run_store.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/state_badge.h"

namespace {

using namespace tessera::ui;

std::unique_ptr<StudioApp> makeStudio(bool first) {
  auto preferences = std::make_unique<Preferences>();
  if (!first) preferences->finishFirstStart();
  preferences->setLanguage(QStringLiteral("en"));
  auto app = std::make_unique<StudioApp>(test::application(), std::move(preferences));
  app->show({});
  return app;
}

void wait(int ms) {
  QTest::qWait(ms);
}

void take(StudioApp& app, const QString& name, int settleMs) {
  MainWindow& window = *app.window();
  for (const char* theme : {"light", "dark"}) {
    app.preferences().setTheme(QLatin1String(theme));
    for (const QSize size : {QSize(1024, 700), QSize(1920, 1080)}) {
      window.resize(size);
      wait(settleMs);
      test::picture(window,
                    QStringLiteral("%1-%2-%3").arg(name, QLatin1String(theme)).arg(size.width()));
    }
  }
}

void takePages(StudioApp& app, const QString& kind, const QString& run, int settleMs) {
  for (const PageInfo& info : pages()) {
    Location place{QLatin1String(info.id), run, {}};
    if (run.isEmpty() || place.page == QLatin1String("home")) place.subject.clear();
    app.window()->open(place);
    wait(settleMs);
    take(app, place.page + u'-' + kind, settleMs / 3);
    std::printf("%s %s\n", info.id, qPrintable(kind));
    std::fflush(stdout);
  }
}

/// The demo, small enough to be far along soon, and its id once it trains.
QString startRun(QProcess& process, const QString& program, StudioApp& app) {
  process.setProcessChannelMode(QProcess::ForwardedChannels);
  process.start(program, {"train", "demo", "--set", "samples.every_steps=40", "--set",
                          "validation.every_steps=20", "--set", "checkpoint.every_steps=60"});
  QString id;
  test::waitUntil(
      [&] {
        app.runs().refresh();
        for (const auto& row : *app.runs().runs()) {
          if (row.step >= 80) id = QString::fromStdString(row.id);
        }
        return !id.isEmpty() || process.state() == QProcess::NotRunning;
      },
      300'000);
  return id;
}

}  // namespace

int main(int argc, char** argv) {
  test::TestApplication app(argc, argv);
  const QStringList arguments = QCoreApplication::arguments();
  if (arguments.size() < 2) {
    std::fprintf(stderr, "usage: studio_pictures FOLDER [PROGRAM]\n");
    return 2;
  }
  qputenv("TESSERA_PICTURES", QFileInfo(arguments[1]).absoluteFilePath().toLocal8Bit());
  app.setWatching(false);
  {
    const test::TemporaryHome home;
    const auto first = makeStudio(true);
    wait(800);
    take(*first, QStringLiteral("first-start"), 200);
  }
  {
    const test::TemporaryHome home;
    const auto studio = makeStudio(false);
    takePages(*studio, QStringLiteral("empty"), {}, 600);
  }
  if (arguments.size() < 3) return 0;
  const test::TemporaryHome home;
  const auto studio = makeStudio(false);
  QProcess process;
  const QString run = startRun(process, arguments[2], *studio);
  if (run.isEmpty()) std::fprintf(stderr, "the demo did not train; see above\n");
  if (!run.isEmpty()) takePages(*studio, QStringLiteral("live"), run, 1'500);
  process.terminate();
  process.waitForFinished(60'000);
  return run.isEmpty() ? 1 : 0;
}
