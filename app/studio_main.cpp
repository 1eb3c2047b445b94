// SPDX-License-Identifier: MIT
// `tessera-studio [LINK]`: the desktop application. A second start hands its link to the first.
#include <QApplication>
#include <QCommandLineParser>
#include <QMessageBox>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string_view>

#include "core/base/error.h"
#include "core/base/log.h"
#include "core/config/paths.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/single_instance.h"
#include "ui/shell/main_window.h"
#include "ui/shell/studio_app.h"

namespace {

using namespace tessera::ui;

struct Arguments {
  QString location, theme;
  bool alone = false;
};

Arguments parse(const QCoreApplication& application) {
  QCommandLineParser parser;
  parser.setApplicationDescription(
      QStringLiteral("Trains, watches and talks to DeepSeek-V3-family models."));
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument(QStringLiteral("link"),
                               QStringLiteral("A place: run/ID?view=experts&step=N, page/chat"),
                               QStringLiteral("[link]"));
  const QCommandLineOption alone(QStringLiteral("new-window"),
                                 QStringLiteral("Do not hand over to a studio that is open"));
  const QCommandLineOption look(QStringLiteral("theme"), QStringLiteral("system, light or dark"),
                                QStringLiteral("name"));
  parser.addOptions({alone, look});
  parser.process(application);
  return {parser.positionalArguments().value(0), parser.value(look), parser.isSet(alone)};
}

/// A message where no window is yet.
int fail(const QString& text) {
  tessera::log::error("{}", text.toStdString());
  QMessageBox::critical(nullptr, QStringLiteral("Tessera Studio"), text);
  return 1;
}

int run(QApplication& application) {
  const Arguments arguments = parse(application);
  auto preferences = std::make_unique<Preferences>();
  if (!arguments.theme.isEmpty()) preferences->setTheme(arguments.theme);
  useDataFolder(*preferences);
  // Both throw: where the program was not installed whole, where its folders cannot be made.
  tessera::resources_folder();
  tessera::runs_folder();

  std::unique_ptr<StudioApp> studio;
  SingleInstance instance(QString::fromStdString(tessera::home_folder().string()));
  const auto open = [&] {
    studio = std::make_unique<StudioApp>(application, std::move(preferences));
    studio->show(arguments.location);
  };
  QObject::connect(&instance, &SingleInstance::first, &application, open);
  QObject::connect(&instance, &SingleInstance::handedOver, &application, [&application] {
    std::puts("tessera-studio is open already: its window has been brought to the front");
    application.quit();
  });
  QObject::connect(&instance, &SingleInstance::unanswered, &application, [&] {
    open();
    studio->window()->notify(
        QStringLiteral("warning"),
        StudioApp::tr("Another studio is open and does not answer; this one works beside it."));
  });
  QObject::connect(&instance, &SingleInstance::received, &application,
                   [&](const QString& location) {
                     if (studio) studio->handOver(location);
                   });
  if (arguments.alone) {
    open();
  } else {
    instance.start(arguments.location);
  }
  return QApplication::exec();
}

/// Whether only words are asked for, which need no display.
bool asksForWords(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](std::string_view argument) {
    return argument == "--version" || argument == "-v" || argument == "--help" ||
           argument == "-h" || argument == "--help-all";
  });
}

/// NOTE: where Qt finds no display it aborts, with advice that helps nobody ("reinstall").
bool hasDisplay(int argc, char** argv) {
  const auto given = [](const char* name) { return !qEnvironmentVariableIsEmpty(name); };
  return given("DISPLAY") || given("WAYLAND_DISPLAY") || given("QT_QPA_PLATFORM") ||
         std::any_of(argv + 1, argv + argc,
                     [](std::string_view argument) { return argument.ends_with("-platform"); });
}

void setNames() {
  QCoreApplication::setApplicationName(QStringLiteral("tessera-studio"));
  QCoreApplication::setApplicationVersion(QStringLiteral(TESSERA_VERSION));
}

}  // namespace

int main(int argc, char** argv) {
  setNames();
  if (asksForWords(argc, argv)) {
    const QCoreApplication application(argc, argv);
    parse(application);  // says them and ends
    return 0;
  }
  if (!hasDisplay(argc, argv)) {
    std::fputs(
        "tessera-studio: there is no display to open a window on; hint: start it on a desktop, or "
        "through `ssh -X`, or use the program `tessera`, which does the same in a terminal\n",
        stderr);
    return 1;
  }
  QApplication application(argc, argv);
  QApplication::setDesktopFileName(QStringLiteral("tessera-studio"));
  try {
    return run(application);
  } catch (const tessera::Error& error) {
    return fail(QString::fromStdString(error.what()));
  } catch (const std::exception& error) {
    return fail(QStringLiteral("unexpected: ") + QString::fromUtf8(error.what()));
  }
}
