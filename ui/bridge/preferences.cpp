// SPDX-License-Identifier: MIT
#include "ui/bridge/preferences.h"

#include <QSettings>

namespace tessera::ui {

namespace {
constexpr auto kTheme = "look/theme";
constexpr auto kLanguage = "look/language";
constexpr auto kDataFolder = "data/folder";
constexpr auto kLogLines = "data/log_lines";
constexpr auto kDiskWarning = "data/disk_warning_bytes";
constexpr auto kDesktop = "notices/desktop";
constexpr auto kStarted = "session/started";

QString noticeKey(Preferences::Notice notice) {
  switch (notice) {
    case Preferences::Notice::Finished:
      return QStringLiteral("notices/finished");
    case Preferences::Notice::Failed:
      return QStringLiteral("notices/failed");
    case Preferences::Notice::Attention:
      return QStringLiteral("notices/attention");
  }
  return {};
}

std::unique_ptr<QSettings> settingsOf(const QString& file) {
  if (!file.isEmpty()) return std::make_unique<QSettings>(file, QSettings::IniFormat);
  const QString home = qEnvironmentVariable("TESSERA_HOME");
  if (!home.isEmpty()) {
    return std::make_unique<QSettings>(home + QStringLiteral("/studio.ini"), QSettings::IniFormat);
  }
  return std::make_unique<QSettings>(QSettings::IniFormat, QSettings::UserScope,
                                     QStringLiteral("tessera"), QStringLiteral("studio"));
}
}  // namespace

Preferences::Preferences(const QString& file, QObject* parent)
    : QObject(parent), m_settings(settingsOf(file)) {}

Preferences::~Preferences() = default;

QVariant Preferences::value(const QString& key, const QVariant& fallback) const {
  QVariant value = m_settings->value(key);
  if (!value.isValid()) return fallback;
  if (fallback.isValid() && value.metaType() != fallback.metaType() &&
      !value.convert(fallback.metaType())) {
    return fallback;
  }
  return value;
}

void Preferences::setValue(const QString& key, const QVariant& value) {
  if (m_settings->contains(key) && m_settings->value(key) == value) return;
  m_settings->setValue(key, value);
  Q_EMIT changed(key);
}

void Preferences::remove(const QString& key) {
  m_settings->remove(key);
  Q_EMIT changed(key);
}

QString Preferences::theme() const {
  const QString theme = value(kTheme).toString();
  return theme == QLatin1String("light") || theme == QLatin1String("dark")
             ? theme
             : QStringLiteral("system");
}
void Preferences::setTheme(const QString& theme) {
  setValue(kTheme, theme);
}

QString Preferences::language() const {
  return value(kLanguage).toString();
}
void Preferences::setLanguage(const QString& language) {
  setValue(kLanguage, language);
}

QString Preferences::dataFolder() const {
  return value(kDataFolder).toString();
}
void Preferences::setDataFolder(const QString& folder) {
  setValue(kDataFolder, folder);
}

int Preferences::logLines() const {
  return qBound(1'000, value(kLogLines, 100'000).toInt(), 1'000'000);
}
void Preferences::setLogLines(int lines) {
  setValue(kLogLines, lines);
}

double Preferences::diskWarningBytes() const {
  return qMax(0.0, value(kDiskWarning, 2e9).toDouble());
}
void Preferences::setDiskWarningBytes(double bytes) {
  setValue(kDiskWarning, bytes);
}

bool Preferences::notifies(Notice notice) const {
  return value(noticeKey(notice), true).toBool();
}
void Preferences::setNotifies(Notice notice, bool on) {
  setValue(noticeKey(notice), on);
}

bool Preferences::desktopNotifications() const {
  return value(kDesktop, true).toBool();
}
void Preferences::setDesktopNotifications(bool on) {
  setValue(kDesktop, on);
}

QString Preferences::shortcut(const QString& command, const QString& fallback) const {
  return value(QStringLiteral("shortcuts/") + command, fallback).toString();
}
void Preferences::setShortcut(const QString& command, const QString& keys) {
  const QString key = QStringLiteral("shortcuts/") + command;
  keys.isNull() ? remove(key) : setValue(key, keys);
}

void Preferences::registerShortcut(const QString& command, const QString& title,
                                   const QString& usual) {
  for (ShortcutInfo& known : m_shortcuts) {
    if (known.command == command) {
      known = {command, title, usual};
      return;
    }
  }
  m_shortcuts.push_back({command, title, usual});
}

bool Preferences::firstStart() const {
  return !value(kStarted, false).toBool();
}
void Preferences::finishFirstStart() {
  setValue(kStarted, true);
}

QString Preferences::file() const {
  return m_settings->fileName();
}
void Preferences::sync() {
  m_settings->sync();
}

}  // namespace tessera::ui
