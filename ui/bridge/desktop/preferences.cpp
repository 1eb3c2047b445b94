// SPDX-License-Identifier: MIT
#include "ui/bridge/desktop/preferences.h"

#include <QSettings>

#include "ui/bridge/desktop/worker_thread.h"

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

/// Writes the file, in a thread of its own: homes are on slow disks and on the network.
class Preferences::Writer : public QObject {
 public:
  explicit Writer(QString file) : m_file(std::move(file)) {}

  void set(const QString& key, const QVariant& value) { open().setValue(key, value); }
  void remove(const QString& key) { open().remove(key); }
  void sync() { open().sync(); }

 private:
  /// Made in the thread that uses it; it writes when that thread has nothing else to do.
  QSettings& open() {
    if (!m_settings) m_settings = std::make_unique<QSettings>(m_file, QSettings::IniFormat);
    return *m_settings;
  }

  QString m_file;
  std::unique_ptr<QSettings> m_settings;
};

Preferences::Preferences(const QString& file, QObject* parent) : QObject(parent) {
  const auto settings = settingsOf(file);
  m_file = settings->fileName();
  for (const QString& key : settings->allKeys()) m_values.insert(key, settings->value(key));
  m_writer = new Writer(m_file);
  m_thread = std::make_unique<WorkerThread>(QStringLiteral("preferences"), m_writer);
}

Preferences::~Preferences() {
  sync();
}

QVariant Preferences::value(const QString& key, const QVariant& fallback) const {
  QVariant value = m_values.value(key);
  if (!value.isValid()) return fallback;
  if (fallback.isValid() && value.metaType() != fallback.metaType() &&
      !value.convert(fallback.metaType())) {
    return fallback;
  }
  return value;
}

void Preferences::setValue(const QString& key, const QVariant& value) {
  const auto known = m_values.constFind(key);
  if (known != m_values.constEnd() && *known == value) return;
  m_values.insert(key, value);
  tell(m_writer, [writer = m_writer, key, value] { writer->set(key, value); });
  Q_EMIT changed(key);
}

void Preferences::remove(const QString& key) {
  m_values.removeIf([&](const auto& entry) {
    return entry.key() == key || entry.key().startsWith(key + QLatin1Char('/'));
  });
  tell(m_writer, [writer = m_writer, key] { writer->remove(key); });
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

void Preferences::sync() {
  QMetaObject::invokeMethod(
      m_writer, [writer = m_writer] { writer->sync(); }, Qt::BlockingQueuedConnection);
}

}  // namespace tessera::ui
