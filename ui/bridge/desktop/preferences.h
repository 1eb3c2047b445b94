// SPDX-License-Identifier: MIT
// Preferences: what the user likes, over QSettings. Everything else is in files of its own. They
// are read once and kept in memory; the file is written in a thread of its own.
#pragma once

#include <QHash>
#include <QObject>
#include <QString>
#include <QVariant>
#include <memory>
#include <vector>

namespace tessera::ui {

class WorkerThread;

class Preferences : public QObject {
  Q_OBJECT
 public:
  /// `file`: empty for studio.ini in TESSERA_HOME where that is set, else in the user's settings.
  explicit Preferences(const QString& file = {}, QObject* parent = nullptr);
  ~Preferences() override;

  /// Keys are "page/name", such as "configure/price_per_hour"; `fallback` also answers for a value
  /// that cannot be converted to its type.
  QVariant value(const QString& key, const QVariant& fallback = {}) const;
  void setValue(const QString& key, const QVariant& value);  ///< says changed() where it is new
  void remove(const QString& key);                           ///< the key and all below it

  QString theme() const;  ///< "system", "light" or "dark"
  void setTheme(const QString& theme);
  QString language() const;  ///< "en", "de"; empty: the system's
  void setLanguage(const QString& language);
  QString dataFolder() const;  ///< in place of home_folder() from the next start; empty: the usual
  void setDataFolder(const QString& folder);
  int logLines() const;  ///< kept in a view of a log
  void setLogLines(int lines);
  double diskWarningBytes() const;  ///< less free space than this is a problem; 0: never
  void setDiskWarningBytes(double bytes);

  enum class Notice { Finished, Failed, Attention };
  bool notifies(Notice notice) const;
  void setNotifies(Notice notice, bool on);
  /// Also through the desktop, not in the window alone.
  bool desktopNotifications() const;
  void setDesktopNotifications(bool on);

  /// Of a command of the shell ("view.palette"), in the portable form; `fallback` is the usual one.
  QString shortcut(const QString& command, const QString& fallback) const;
  void setShortcut(const QString& command, const QString& keys);  ///< null string: the usual one

  /// What commands there are, as the shell has made them known, in its order.
  struct ShortcutInfo {
    QString command, title, usual;
  };
  void registerShortcut(const QString& command, const QString& title, const QString& usual);
  const std::vector<ShortcutInfo>& shortcuts() const { return m_shortcuts; }

  bool firstStart() const;  ///< until finishFirstStart()
  void finishFirstStart();

  QString file() const { return m_file; }
  /// Waits until all of it is in the file, as the destructor does.
  void sync();

 Q_SIGNALS:
  void changed(const QString& key);

 private:
  class Writer;
  QString m_file;
  QHash<QString, QVariant> m_values;
  Writer* m_writer = nullptr;  ///< lives in m_thread
  std::unique_ptr<WorkerThread> m_thread;
  std::vector<ShortcutInfo> m_shortcuts;
};

}  // namespace tessera::ui
