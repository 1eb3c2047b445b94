// SPDX-License-Identifier: MIT
// Pictures of every page, empty and with a run that is going, in both themes and two sizes, some of
// them in German. Not a test: packaging/make-screenshots runs it, and people look at what it
// writes.
//   studio_pictures FOLDER [PROGRAM]    PROGRAM: the `tessera` that trains; without it, empty only
#include <QDir>
#include <QFileInfo>
#include <QProcess>
#include <cstdio>

#include "tests/ui/harness.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/chat/chat_inspector.h"
#include "ui/pages/chat/chat_page.h"
#include "ui/pages/chat/composer.h"
#include "ui/pages/chat/message_list.h"
#include "ui/pages/chat/message_widget.h"
#include "ui/pages/chat/token_view.h"
#include "ui/pages/page.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"
#include "ui/widgets/banner.h"

namespace {

using namespace tessera::ui;

constexpr int kPatienceMs = 300'000;
const QSize kSmall(1024, 700), kLarge(1920, 1080);

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

/// The Inspector is there by itself in windows with room for it; Chat has little without.
void arrange(MainWindow& window, const QSize& size) {
  window.resize(size);
  const Page* shown = window.page(window.currentPage());
  QWidget* inspector = shown ? const_cast<Page*>(shown)->inspector() : nullptr;
  const bool wanted = size == kLarge || window.currentPage() == QLatin1String("chat");
  if (inspector && inspector->isVisible() != wanted) {
    window.command(QStringLiteral("view.inspector"))->trigger();
  }
}

void take(StudioApp& app, const QString& name, int settleMs) {
  MainWindow& window = *app.window();
  for (const char* theme : {"light", "dark"}) {
    app.preferences().setTheme(QLatin1String(theme));
    for (const QSize size : {kSmall, kLarge}) {
      arrange(window, size);
      wait(settleMs);
      test::picture(window,
                    QStringLiteral("%1-%2-%3").arg(name, QLatin1String(theme)).arg(size.width()));
    }
  }
  std::printf("%s\n", qPrintable(name));
  std::fflush(stdout);
}

void takeEmpty(StudioApp& app) {
  for (const PageInfo& info : pages()) {
    app.window()->open({QLatin1String(info.id), {}, {}});
    wait(600);
    take(app, QLatin1String(info.id) + QStringLiteral("-empty"), 200);
  }
}

std::vector<Location> placesOf(const QString& run, const QString& other) {
  return {{QStringLiteral("home"), {}, {}},
          {QStringLiteral("configure"), {}, {{"preset", "demo"}}},
          {QStringLiteral("curriculum"), {}, {{"preset", "v3"}}},
          {QStringLiteral("runs"), run, {}},
          {QStringLiteral("monitor"), run, {}},
          {QStringLiteral("experts"), run, {}},
          {QStringLiteral("hosts"), {}, {}},
          {QStringLiteral("server"), run, {}},
          {QStringLiteral("settings"), {}, {}},
          {QStringLiteral("runs"), {}, {{"view", "compare"}, {"runs", run + ',' + other}}}};
}

QString nameOf(const Location& place) {
  const QString view = place.arguments.value(QStringLiteral("view"));
  return view.isEmpty() ? place.page : view;
}

/// Trains the demo for so many steps; its id once it is as far as wanted.
QString startRun(QProcess& process, const QString& program, StudioApp& app, const QString& name,
                 int steps, int wanted) {
  process.setProcessChannelMode(QProcess::ForwardedChannels);
  process.start(program, {"train", "demo", "--set", "samples.every_steps=40", "--set",
                          "validation.every_steps=20", "--set", "checkpoint.every_steps=60",
                          "--set", "run.name=\"" + name + '"', "--set",
                          QStringLiteral("curriculum[0].steps=%1").arg(steps)});
  QString id;
  test::waitUntil(
      [&] {
        app.runs().refresh();
        for (const auto& row : *app.runs().runs()) {
          if (row.step + 1 >= wanted && QString::fromStdString(row.name) == name) {
            id = QString::fromStdString(row.id);
          }
        }
        return !id.isEmpty() || process.state() == QProcess::NotRunning;
      },
      kPatienceMs);
  return id;
}

/// Says something to the run's newest checkpoint, and shows the answer as text and as tokens.
void takeChat(StudioApp& app, const QString& run) {
  app.window()->open({QStringLiteral("chat"), run, {}});
  auto* chat = qobject_cast<ChatPage*>(app.window()->page(QStringLiteral("chat")));
  test::waitUntil([&] { return !chat->talk().checkpoint(0).path.isEmpty(); }, kPatienceMs);
  chat->talk().sampling.maxTokens = 60;
  test::typeInto(chat->composer()->field(), QStringLiteral("Once upon a time there was a river"));
  test::waitUntil([&] { return chat->composer()->button()->isEnabled(); }, kPatienceMs);
  test::click(chat->composer()->button());
  test::waitUntil([&] { return chat->talk().conversation().size() == 2; }, kPatienceMs);
  test::waitUntil([&] { return !chat->talk().busy(); }, kPatienceMs);
  wait(1000);
  take(app, QStringLiteral("chat-live"), 500);
  test::click(test::button(chat, QStringLiteral("Tokens")));
  wait(500);
  TokenView* tokens = chat->list(0)->widgetOf(1)->tokenView();
  if (tokens) test::click(tokens->viewport(), tokens->positionOf(4));
  take(app, QStringLiteral("chat-tokens"), 500);
}

/// The news stand over every page until somebody has read them.
void closeNews(MainWindow& window) {
  while (!window.banners().empty()) {
    test::click(test::button(window.banners().back(), QStringLiteral("Close this message")));
    wait(50);
  }
}

void takeLive(StudioApp& app, const QString& run, const QString& other) {
  closeNews(*app.window());
  for (const Location& place : placesOf(run, other)) {
    app.window()->open(place);
    wait(1500);
    if (place.page == QLatin1String("hosts")) {
      Page* hosts = app.window()->page(place.page);
      test::click(test::button(hosts, QStringLiteral("Measure")));
      test::waitUntil([&] { return test::labelWith(hosts, QStringLiteral("FLOP/s")); },
                      kPatienceMs);
    }
    take(app, nameOf(place) + QStringLiteral("-live"), 500);
  }
  takeChat(app, run);
}

void takeGerman(StudioApp& app, const QString& run, const QString& other) {
  app.preferences().setLanguage(QStringLiteral("de"));
  app.preferences().setTheme(QStringLiteral("light"));
  wait(500);  // the window is made anew
  std::vector<Location> places = placesOf(run, other);
  places.push_back({QStringLiteral("chat"), run, {}});
  for (const Location& place : places) {
    app.window()->open(place);
    arrange(*app.window(), kSmall);
    wait(1500);
    test::picture(*app.window(), QStringLiteral("german-") + nameOf(place));
  }
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
  const QString program = arguments.value(2);
  const QByteArray beside = QFileInfo(program).absolutePath().toLocal8Bit();
  if (!program.isEmpty()) qputenv("PATH", beside + ':' + qgetenv("PATH"));
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
    takeEmpty(*studio);
  }
  if (program.isEmpty()) return 0;
  const test::TemporaryHome home;
  const auto studio = makeStudio(false);
  QProcess before, process;
  const QString other = startRun(before, program, *studio, QStringLiteral("warm-up"), 60, 60);
  const QString run = startRun(process, program, *studio, QStringLiteral("demo"), 850, 130);
  if (run.isEmpty()) std::fprintf(stderr, "the demo did not train; see above\n");
  if (!run.isEmpty()) {
    takeLive(*studio, run, other);
    takeGerman(*studio, run, other);
  }
  process.terminate();
  process.waitForFinished(60'000);
  before.waitForFinished(60'000);
  return run.isEmpty() ? 1 : 0;
}
