// SPDX-License-Identifier: MIT
// StudioApp: what lives as long as the program: preferences, runs, launcher, translations, and the
// window, which is made anew when the language changes.
#pragma once

#include <QObject>
#include <QString>
#include <QTranslator>
#include <memory>
#include <vector>

class QApplication;

namespace tessera::ui {

class Desktop;
class Launcher;
class MainWindow;
class Preferences;
class Problems;
class RunStore;
class Tasks;

class StudioApp : public QObject {
  Q_OBJECT
 public:
  /// `preferences`: read before, since they name the data folder.
  StudioApp(QApplication& application, std::unique_ptr<Preferences> preferences);
  ~StudioApp() override;

  /// Shows the window; `location` is a link, or empty for the place of the last session.
  void show(const QString& location);
  /// Another start asked for a place; empty: only to come to the front.
  void handOver(const QString& location);

  MainWindow* window() const { return m_window.get(); }
  Preferences& preferences() { return *m_preferences; }
  RunStore& runs() { return *m_runs; }
  Launcher& launcher() { return *m_launcher; }
  Tasks& tasks() { return *m_tasks; }

  /// Languages there are translations for, with their own names; English first.
  static std::vector<std::pair<QString, QString>> languages();

 private:
  void go(const QString& location);
  void applyTheme();
  void applyLanguage();
  void makeWindow();
  QApplication& m_application;
  std::unique_ptr<Preferences> m_preferences;
  std::unique_ptr<Tasks> m_tasks;
  std::unique_ptr<RunStore> m_runs;
  std::unique_ptr<Launcher> m_launcher;
  std::unique_ptr<Desktop> m_desktop;
  std::unique_ptr<Problems> m_problems;
  QTranslator m_own, m_qt;
  std::unique_ptr<MainWindow> m_window;
};

/// Before anything else: the chosen data folder becomes TESSERA_HOME, for this process and those it
/// starts, unless the environment names one.
void useDataFolder(const Preferences& preferences);

}  // namespace tessera::ui
