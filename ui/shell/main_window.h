// SPDX-License-Identifier: MIT
// MainWindow: rail, pages, docks, status line, menus, palette. It knows pages by their rows in
// pages.cpp alone, and makes each when it is first gone to.
#pragma once

#include <QHash>
#include <QMainWindow>
#include <QPointer>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "ui/pages/page.h"
#include "ui/shell/palette.h"

class QActionGroup;
class QMenu;
class QStackedWidget;

namespace tessera::ui {

class Banner;
class BannerStack;
class Desktop;
class DockPanel;
class EmptyState;
class HostMonitor;
class LogsPanel;
class Problems;
class Rail;
class RunWatch;
class StatusLine;
class Toast;
struct DroppedPath;
struct RunNews;
struct AlertRule;

/// What outlives a window: it is made anew when the language changes.
struct StudioParts {
  RunStore& runs;
  Launcher& launcher;
  Tasks& tasks;
  Preferences& preferences;
  Desktop& desktop;
  Problems& problems;
};

class MainWindow : public QMainWindow, public Navigator {
  Q_OBJECT
 public:
  explicit MainWindow(const StudioParts& parts, QWidget* parent = nullptr);
  ~MainWindow() override;

  // Navigator
  void open(const Location& location) override;
  void notify(const QString& severity, const QString& text, const QString& action = {},
              const std::function<void()>& run = {}) override;
  void setProblem(const QString& key, const QString& severity, const QString& text,
                  const Location& place) override;
  void clearProblem(const QString& key) override;
  void toast(const QString& text, const std::function<void()>& undo = {}) override;

  /// Size, docks and place of the last session, or the first-start page.
  void restoreSession();
  void saveSession();
  void resetLayout();
  void comeToFront();

  Location location() const;
  QString currentPage() const { return m_current; }
  Page* page(const QString& id) const;  ///< null until it is gone to
  Studio& studio() { return *m_studio; }
  Problems& problems() { return m_parts.problems; }
  Palette& commandPalette() { return *m_palette; }
  Toast& toastLine() { return *m_toast; }
  DockPanel* dock(const QString& name) const;  ///< "inspector", "logs", "tasks", "problems"
  QAction* command(const QString& id) const;   ///< "view.palette"
  std::vector<Banner*> banners() const;
  void openPalette();
  void showShortcuts();
  void showGlossary(const QString& term = {});
  bool atFirstStart() const;

 protected:
  void closeEvent(QCloseEvent* event) override;
  void takeDrops();
  void dragEnterEvent(QDragEnterEvent* event) override;
  void dropEvent(QDropEvent* event) override;
  void changeEvent(QEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void hideEvent(QHideEvent* event) override;

 private:
  struct Command {
    QString id, title, keys, icon;
    QAction* action = nullptr;
  };

  // main_window_build.cpp
  void buildCentre();
  void buildDocks();
  void buildCommands();
  void buildMenus();
  QAction* newOfPage() const;
  QMenu* buildViewMenu();
  QMenu* buildThemeMenu();
  QAction* addCommand(const QString& id, const QString& title, const QString& keys,
                      const QString& icon, std::function<void()> run);
  void readShortcuts();
  std::vector<PaletteEntry> paletteEntries();
  void addRunEntries(std::vector<PaletteEntry>& entries);
  void addSettingEntries(std::vector<PaletteEntry>& entries);
  void addSpecEntries(std::vector<PaletteEntry>& entries);
  void addGlossaryEntries(std::vector<PaletteEntry>& entries);

  // main_window.cpp
  Page* makePage(const PageInfo& info);
  void showPage(const PageInfo& info, const Location& location);
  void showInspector(Page* page);
  void pageMoved();
  void showCommand(const Page* of);
  void goBack(int by);
  void tellActivity();
  void toggleDock(const QString& name);
  void askForLink();
  void copyLink();
  void showFirstStart();
  bool askAboutServer();
  bool tellOfLiveRuns();

  // main_window_drops.cpp
  void talkTo(const QString& path);
  void takeDropped(const DroppedPath& dropped);

  // main_window_notices.cpp
  /// `key`: of the problem that it tells of, by which takeBack() finds it.
  void showBanner(const QString& severity, const QString& text, const QString& action,
                  const std::function<void()>& run, const QString& key = {});
  void takeBack(const QString& key);
  void watchNews();
  void alert(const RunNews& news, const QString& key, const AlertRule& rule);
  void runProblem(const RunNews& news, const QString& severity);
  void desktopNotice(const RunNews& news, const QString& title);
  void checkDisk();

  StudioParts m_parts;
  std::unique_ptr<Selection> m_selection;
  std::unique_ptr<Studio> m_studio;
  std::unique_ptr<HostMonitor> m_host;
  std::unique_ptr<RunWatch> m_watch;

  Rail* m_rail = nullptr;
  QStackedWidget* m_stack = nullptr;
  BannerStack* m_banners = nullptr;
  QStackedWidget* m_inspectors = nullptr;
  LogsPanel* m_logs = nullptr;
  StatusLine* m_status = nullptr;
  Palette* m_palette = nullptr;
  Toast* m_toast = nullptr;
  QMenu* m_pageMenu = nullptr;
  QPointer<QWidget> m_firstStart;

  std::map<QString, Page*> m_pages;
  std::map<QString, DockPanel*> m_docks;
  std::vector<Command> m_commands;
  QHash<QString, QString> m_places;  ///< page -> its last place
  QString m_current;
  std::vector<Location> m_history;
  std::size_t m_at = 0;
  bool m_travelling = false, m_inspectorWanted = true, m_arranging = false, m_quitting = false;
};

}  // namespace tessera::ui
