// SPDX-License-Identifier: MIT
#include "ui/shell/studio_app.h"

#include <QApplication>
#include <QLibraryInfo>
#include <QLocale>
#include <QTimer>

#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/desktop.h"
#include "ui/shell/main_window.h"
#include "ui/shell/problems.h"
#include "ui/theme/theme.h"
#include "ui/widgets/engine_words.h"
#include "ui/widgets/glossary.h"

// NOTE: the resources of a static library have to be asked for, outside of any namespace.
static void initTranslations() {
  Q_INIT_RESOURCE(translations);
}

namespace tessera::ui {

namespace {
constexpr auto kSystemDark = "look/system_dark";

theme::Scheme schemeOf(const QString& name) {
  if (name == QLatin1String("light")) return theme::Scheme::Light;
  return name == QLatin1String("dark") ? theme::Scheme::Dark : theme::Scheme::System;
}
}  // namespace

void useDataFolder(const Preferences& preferences) {
  const QString folder = preferences.dataFolder();
  if (folder.isEmpty() || qEnvironmentVariableIsSet("TESSERA_HOME")) return;
  qputenv("TESSERA_HOME", folder.toLocal8Bit());
  setOwnHome(folder);
}

std::vector<std::pair<QString, QString>> StudioApp::languages() {
  return {{QStringLiteral("en"), QStringLiteral("English")},
          {QStringLiteral("de"), QStringLiteral("Deutsch")}};
}

StudioApp::StudioApp(QApplication& application, std::unique_ptr<Preferences> preferences)
    : m_application(application),
      m_preferences(std::move(preferences)),
      m_tasks(std::make_unique<Tasks>()),
      m_runs(std::make_unique<RunStore>()),
      m_launcher(std::make_unique<Launcher>()),
      m_desktop(std::make_unique<Desktop>()),
      m_problems(std::make_unique<Problems>()) {
  initTranslations();
  // What the desktop preferred last, until it says so again: no flash of the other scheme.
  const QVariant dark = m_preferences->value(QLatin1String(kSystemDark));
  if (dark.isValid()) theme::setSystemDark(m_application, dark.toBool());
  applyTheme();
  applyLanguage();
  connect(m_desktop.get(), &Desktop::schemeIsDark, this, [this](bool isDark) {
    m_preferences->setValue(QLatin1String(kSystemDark), isDark);
    theme::setSystemDark(m_application, isDark);
  });
  connect(m_preferences.get(), &Preferences::changed, this, [this](const QString& key) {
    if (key == QLatin1String("look/theme")) applyTheme();
    if (key != QLatin1String("look/language")) return;
    // The control that changed it is in the window that goes: after its event.
    QTimer::singleShot(0, this, [this] {
      applyLanguage();
      if (!m_window) return;
      m_window->saveSession();
      const Location here = m_window->location();
      makeWindow();
      m_window->open(here);
    });
  });
  m_desktop->askScheme();
  makeWindow();
}

StudioApp::~StudioApp() = default;

void StudioApp::applyTheme() {
  theme::apply(m_application, schemeOf(m_preferences->theme()));
}

void StudioApp::applyLanguage() {
  const QString wanted = m_preferences->language();
  const QLocale system = QLocale::system();
  QString language = wanted.isEmpty() ? system.name().left(2) : wanted;
  bool known = false;
  for (const auto& [id, name] : languages()) known = known || id == language;
  if (!known) language = QStringLiteral("en");
  // The system's own locale knows more than its language: the way its country writes numbers.
  const QLocale locale = system.name().startsWith(language) ? system : QLocale(language);
  QLocale::setDefault(locale);
  m_application.removeTranslator(&m_own);
  m_application.removeTranslator(&m_qt);
  if (m_qt.load(QStringLiteral("qtbase_") + language,
                QLibraryInfo::path(QLibraryInfo::TranslationsPath))) {
    m_application.installTranslator(&m_qt);
  }
  if (m_own.load(QStringLiteral(":/i18n/tessera_") + language)) {
    m_application.installTranslator(&m_own);
  }
  reloadGlossary();
  reloadEngineWords();
}

void StudioApp::makeWindow() {
  // The old one goes last: without any window the program would end.
  const std::unique_ptr<MainWindow> old = std::move(m_window);
  m_window = std::make_unique<MainWindow>(
      StudioParts{*m_runs, *m_launcher, *m_tasks, *m_preferences, *m_desktop, *m_problems});
  m_window->restoreSession();
  if (old && old->isVisible()) m_window->show();
}

void StudioApp::show(const QString& location) {
  m_window->show();
  go(location);
}

void StudioApp::handOver(const QString& location) {
  if (location.isEmpty()) m_window->toast(tr("The studio was open already: this is it"));
  go(location);
}

void StudioApp::go(const QString& location) {
  m_window->comeToFront();
  if (location.isEmpty()) return;
  const Location place = Location::fromText(location);
  if (place.page.isEmpty()) {
    m_window->notify(
        QStringLiteral("warning"),
        tr("\"%1\" names no place: use run/ID?view=PAGE&step=N or page/PAGE").arg(location));
  } else {
    m_window->open(place);
  }
}

}  // namespace tessera::ui
