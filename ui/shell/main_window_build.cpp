// SPDX-License-Identifier: MIT
// How the window is put together: centre, docks, commands, menus, what the palette finds.
#include <QActionGroup>
#include <QApplication>
#include <QMenu>
#include <QMenuBar>
#include <QMessageBox>
#include <QStackedWidget>
#include <QToolBar>
#include <QVBoxLayout>

#include "core/spec/spec_table.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/banner_stack.h"
#include "ui/shell/bottom_docks.h"
#include "ui/shell/dock_panel.h"
#include "ui/shell/main_window.h"
#include "ui/shell/rail.h"
#include "ui/shell/reference_dialogs.h"
#include "ui/shell/status_line.h"
#include "ui/shell/toast.h"
#include "ui/theme/theme.h"
#include "ui/widgets/demo_starter.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/glossary.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

void MainWindow::buildCentre() {
  m_rail = new Rail;
  for (const PageInfo& info : pages()) {
    if (!info.inRail) continue;
    const bool low = QLatin1String(info.id) == QLatin1String("settings");
    m_rail->add(QLatin1String(info.id), QLatin1String(info.icon), pageTitle(info),
                QLatin1String(info.shortcut), low);
  }
  connect(m_rail, &Rail::chosen, this, [this](const QString& id) { open({id, {}, {}}); });
  auto* bar = new QToolBar(tr("Pages"));
  bar->setObjectName(QStringLiteral("rail"));
  bar->setMovable(false);
  bar->setFloatable(false);
  bar->toggleViewAction()->setEnabled(false);
  bar->setContextMenuPolicy(Qt::PreventContextMenu);
  bar->layout()->setContentsMargins(0, 0, 0, 0);
  m_rail->setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Expanding);
  bar->addWidget(m_rail);
  addToolBar(Qt::LeftToolBarArea, bar);

  auto* centre = new QWidget;
  auto* box = new QVBoxLayout(centre);
  box->setContentsMargins(0, 0, 0, 0);
  box->setSpacing(0);
  m_stack = new QStackedWidget;
  box->addWidget(m_stack, 1);
  m_banners = new BannerStack(centre);
  // Once the page has its places.
  connect(m_stack, &QStackedWidget::currentChanged, m_banners, &BannerStack::place,
          Qt::QueuedConnection);
  setCentralWidget(centre);
}

void MainWindow::buildDocks() {
  m_inspectors = new QStackedWidget;
  m_inspectors->addWidget(new EmptyState(tr("What is picked on the page is explained here."), {},
                                         QStringLiteral("inspector")));
  m_logs = new LogsPanel(*m_studio);
  const std::tuple<QString, QString, QWidget*> docks[] = {
      {QStringLiteral("inspector"), tr("Inspector"), m_inspectors},
      {QStringLiteral("logs"), tr("Logs"), m_logs},
      {QStringLiteral("tasks"), tr("Tasks"), new TasksPanel(*m_studio)},
      {QStringLiteral("problems"), tr("Problems"), new ProblemsPanel(*m_studio, m_parts.problems)}};
  for (const auto& [name, title, content] : docks) {
    auto* panel = new DockPanel(QStringLiteral("dock.") + name, title, this);
    panel->setContent(content);
    m_docks.emplace(name, panel);
    addDockWidget(
        name == QLatin1String("inspector") ? Qt::RightDockWidgetArea : Qt::BottomDockWidgetArea,
        panel);
  }
  // Closed by the user, not by going to a page that has nothing for it.
  connect(m_docks["inspector"], &QDockWidget::visibilityChanged, this, [this](bool visible) {
    const Page* shown = page(m_current);
    if (m_arranging || !isVisible() || isMinimized() || !shown) return;
    if (visible != m_docks["inspector"]->isHidden()) m_inspectorWanted = visible;
  });
  m_status = new StatusLine(*m_studio, *m_host, m_parts.problems);
  setStatusBar(m_status);
  connect(m_status, &StatusLine::dockWanted, this, &MainWindow::toggleDock);
  connect(m_status, &StatusLine::hostsWanted, this, [this] {
    open({QStringLiteral("hosts"), {}, {}});
  });
}

// ---- Commands -----------------------------------------------------------------------------------

QAction* MainWindow::addCommand(const QString& id, const QString& title, const QString& keys,
                                const QString& icon, std::function<void()> run) {
  auto* action = new QAction(title, this);
  action->setObjectName(id);
  if (!icon.isEmpty()) action->setIcon(theme::icon(icon));
  action->setIconVisibleInMenu(false);
  connect(action, &QAction::triggered, this, std::move(run));
  addAction(action);
  m_commands.push_back({id, title, keys, icon, action});
  m_parts.preferences.registerShortcut(id, title, keys);
  return action;
}

QAction* MainWindow::command(const QString& id) const {
  for (const Command& c : m_commands) {
    if (c.id == id) return c.action;
  }
  return nullptr;
}

void MainWindow::readShortcuts() {
  for (const Command& c : m_commands) {
    const QString keys = m_parts.preferences.shortcut(c.id, c.keys);
    c.action->setShortcut(QKeySequence::fromString(keys, QKeySequence::PortableText));
  }
}

void MainWindow::buildCommands() {
  for (const PageInfo& info : pages()) {
    const QString id = QLatin1String(info.id);
    addCommand(QStringLiteral("page.") + id, pageTitle(info), QLatin1String(info.shortcut),
               QLatin1String(info.icon), [this, id] {
                 open({id, {}, {}});
               });
  }
  const auto add = [this](const char* id, const QString& title, const char* keys, const char* icon,
                          auto run) {
    addCommand(QLatin1String(id), title, QLatin1String(keys), QLatin1String(icon), run);
  };
  auto* demo = new DemoStarter(*m_studio, this);
  connect(demo, &DemoStarter::started, this, [this](const QString& run) {
    open({QStringLiteral("monitor"), run, {}});
  });
  add("file.new", tr("New run"), "Ctrl+N", "plus", [this] {
    if (QAction* ofPage = newOfPage()) return ofPage->trigger();
    open({QStringLiteral("configure"), {}, {}});
  });
  add("file.demo", tr("Try the demo"), "", "demo", [demo] { demo->start(); });
  add("file.link", tr("Open a link..."), "Ctrl+L", "link", [this] { askForLink(); });
  add("file.copy_link", tr("Copy link to this place"), "Ctrl+Shift+L", "copy",
      [this] { copyLink(); });
  add("file.quit", tr("Quit"), "Ctrl+Q", "close", [this] { close(); });
  add("view.palette", tr("Find anything..."), "Ctrl+K", "search", [this] { openPalette(); });
  add("view.back", tr("Back"), "Alt+Left", "back", [this] { goBack(-1); });
  add("view.forward", tr("Forward"), "Alt+Right", "forward", [this] { goBack(1); });
  add("view.inspector", tr("Show or hide the Inspector"), "Ctrl+I", "inspector",
      [this] { toggleDock(QStringLiteral("inspector")); });
  add("view.logs", tr("Show or hide Logs"), "Ctrl+J", "logs",
      [this] { toggleDock(QStringLiteral("logs")); });
  add("view.tasks", tr("Show or hide Tasks"), "", "tasks",
      [this] { toggleDock(QStringLiteral("tasks")); });
  add("view.problems", tr("Show or hide Problems"), "", "problems",
      [this] { toggleDock(QStringLiteral("problems")); });
  add("view.reset", tr("Reset layout"), "", "zoom-reset", [this] {
    resetLayout();
    toast(tr("The layout is as it was at first"));
  });
  add("view.full_screen", tr("Full screen"), "F11", "window",
      [this] { isFullScreen() ? showNormal() : showFullScreen(); });
  add("help.shortcuts", tr("Shortcuts"), "Ctrl+/", "keyboard", [this] { showShortcuts(); });
  add("help.glossary", tr("Glossary"), "Shift+F1", "book", [this] { showGlossary(); });
}

/// The command of the page that makes a new one of what it shows, such as a chat.
QAction* MainWindow::newOfPage() const {
  Page* shown = page(m_current);
  if (!shown) return nullptr;
  for (QAction* action : shown->commands()) {
    if (action->objectName() == QLatin1String("new")) return action;
  }
  return nullptr;
}

// ---- Menus --------------------------------------------------------------------------------------

void MainWindow::buildMenus() {
  const auto fill = [this](QMenu* menu, std::initializer_list<const char*> ids) {
    for (const char* id : ids) {
      *id ? menu->addAction(command(QLatin1String(id))) : static_cast<void>(menu->addSeparator());
    }
    return menu;
  };
  fill(menuBar()->addMenu(tr("&File")),
       {"file.new", "file.demo", "", "file.link", "file.copy_link", "", "file.quit"});
  fill(buildViewMenu(), {"view.reset", "view.full_screen"});
  QMenu* go = menuBar()->addMenu(tr("&Go"));
  fill(go, {"view.palette", "", "view.back", "view.forward", ""});
  for (const PageInfo& info : pages()) {
    if (!info.inRail) continue;  // the manual is under Help
    go->addAction(command(QStringLiteral("page.") + QLatin1String(info.id)));
  }
  m_pageMenu = menuBar()->addMenu(tr("&Page"));
  connect(m_pageMenu, &QMenu::aboutToShow, this, [this] {
    m_pageMenu->clear();
    const Page* shown = page(m_current);
    const std::vector<QAction*> actions =
        shown ? const_cast<Page*>(shown)->commands() : std::vector<QAction*>();
    for (QAction* action : actions) m_pageMenu->addAction(action);
    if (m_pageMenu->isEmpty()) m_pageMenu->addAction(tr("No commands here"))->setEnabled(false);
  });
  // Actions that stayed in the menu bar would act by their keys on every other page too. What was
  // chosen is triggered before.
  connect(m_pageMenu, &QMenu::aboutToHide, m_pageMenu, &QMenu::clear, Qt::QueuedConnection);
  QMenu* help =
      fill(menuBar()->addMenu(tr("&Help")), {"page.manual", "", "help.shortcuts", "help.glossary"});
  help->addSeparator();
  connect(help->addAction(tr("About Tessera Studio")), &QAction::triggered, this, [this] {
    auto* box = new QMessageBox(QMessageBox::NoIcon, tr("About Tessera Studio"),
                                tr("Tessera Studio %1").arg(QApplication::applicationVersion()),
                                QMessageBox::Close, this);
    box->setInformativeText(
        tr("Trains, watches and talks to models of the DeepSeek-V3 family. MIT licence."));
    box->setAttribute(Qt::WA_DeleteOnClose);
    box->open();
  });
}

QMenu* MainWindow::buildViewMenu() {
  QMenu* view = menuBar()->addMenu(tr("&View"));
  for (const char* name : {"inspector", "logs", "tasks", "problems"}) {
    view->addAction(command(QStringLiteral("view.") + QLatin1String(name)));
  }
  QMenu* windows = view->addMenu(tr("Open in a window"));
  for (const char* name : {"inspector", "logs", "tasks", "problems"}) {
    DockPanel* panel = m_docks[QLatin1String(name)];
    connect(windows->addAction(panel->windowTitle()), &QAction::triggered, panel,
            &DockPanel::openInWindow);
  }
  view->addMenu(buildThemeMenu());
  view->addSeparator();
  return view;
}

QMenu* MainWindow::buildThemeMenu() {
  auto* menu = new QMenu(tr("Theme"), this);
  auto* group = new QActionGroup(menu);
  for (const auto& [id, title] : {std::pair{QStringLiteral("system"), tr("As the system")},
                                  std::pair{QStringLiteral("light"), tr("Light")},
                                  std::pair{QStringLiteral("dark"), tr("Dark")}}) {
    QAction* action = addCommand(QStringLiteral("theme.") + id, tr("Theme: %1").arg(title), {},
                                 QStringLiteral("theme"),
                                 [this, name = id] { m_parts.preferences.setTheme(name); });
    action->setCheckable(true);
    group->addAction(action);
    menu->addAction(action);
  }
  const auto check = [this] {
    if (QAction* now = command(QStringLiteral("theme.") + m_parts.preferences.theme())) {
      now->setChecked(true);
    }
  };
  connect(&m_parts.preferences, &Preferences::changed, menu, check);
  check();
  return menu;
}

// ---- Palette ------------------------------------------------------------------------------------

void MainWindow::openPalette() {
  m_palette->open(paletteEntries());
}

std::vector<PaletteEntry> MainWindow::paletteEntries() {
  std::vector<PaletteEntry> entries;
  const auto addAction = [&entries](QAction* action, const QString& kind, const QString& icon) {
    QString title = action->text();
    title.remove(u'&');
    entries.push_back({title, kind, action->shortcut().toString(QKeySequence::NativeText),
                       action->objectName(), icon, [action] { action->trigger(); },
                       action->isEnabled(), action->toolTip()});
  };
  if (Page* shown = page(m_current)) {
    for (QAction* action : shown->commands()) {
      if (!action->isSeparator()) addAction(action, tr("This page"), QStringLiteral("play"));
    }
  }
  for (const Command& c : m_commands) {
    const bool isPage = c.id.startsWith(QLatin1String("page."));
    addAction(c.action, isPage ? tr("Page") : tr("Command"), c.icon);
  }
  addRunEntries(entries);
  addSettingEntries(entries);
  addSpecEntries(entries);
  addGlossaryEntries(entries);
  return entries;
}

/// Every key of the spec leads to its field. Keys of stages and sources lead to those of the first.
void MainWindow::addSpecEntries(std::vector<PaletteEntry>& entries) {
  static const RunSpec kUsual = [] {
    RunSpec spec;
    spec.curriculum.resize(1);
    spec.data.sources.resize(1);
    return spec;
  }();
  for (const spec::Entry& entry : spec::flatten(kUsual)) {
    const QString path = QString::fromStdString(entry.path);
    entries.push_back({path, tr("Spec"), QString::fromStdString(entry.key->unit),
                       QString::fromStdString(entry.key->help), QStringLiteral("configure"),
                       [this, path] {
                         open({QStringLiteral("configure"), {}, {{QStringLiteral("key"), path}}});
                       }});
  }
}

void MainWindow::addGlossaryEntries(std::vector<PaletteEntry>& entries) {
  for (const QString& term : glossaryTerms()) {
    const GlossaryEntry* entry = glossaryEntry(term);
    if (!entry) continue;
    entries.push_back(
        {entry->title, tr("Glossary"), {}, term, QStringLiteral("book"), [this, term] {
           showGlossary(term);
         }});
  }
}

void MainWindow::addRunEntries(std::vector<PaletteEntry>& entries) {
  for (const RunRow& row : *m_parts.runs.runs()) {
    if (row.archived) continue;
    const QString id = QString::fromStdString(row.id);
    QString keywords;
    for (const std::string& tag : row.tags) keywords += QString::fromStdString(tag) + u' ';
    entries.push_back({id, tr("Run"), stateWord(row.state),
                       keywords + QString::fromStdString(row.name), QStringLiteral("monitor"),
                       [this, id] {
                         open({QStringLiteral("monitor"), id, {}});
                       }});
  }
}

void MainWindow::addSettingEntries(std::vector<PaletteEntry>& entries) {
  const std::pair<const char*, QString> settings[] = {{"theme", tr("Theme")},
                                                      {"language", tr("Language")},
                                                      {"folder", tr("Data folder")},
                                                      {"disk", tr("Warn when the disk fills")},
                                                      {"log_lines", tr("Lines kept of a log")},
                                                      {"notices", tr("Notifications")},
                                                      {"shortcuts", tr("Shortcuts of commands")}};
  for (const auto& [name, title] : settings) {
    entries.push_back(
        {title, tr("Setting"), {}, {}, QStringLiteral("settings"), [this, text = title] {
           open({QStringLiteral("settings"), {}, {{QStringLiteral("find"), text}}});
         }});
  }
}

void MainWindow::showShortcuts() {
  std::vector<ShortcutLine> lines;
  for (const Command& c : m_commands) {
    if (c.action->shortcut().isEmpty()) continue;
    const bool isPage = c.id.startsWith(QLatin1String("page."));
    lines.push_back({isPage ? tr("Pages") : tr("Commands"), c.title, c.action->shortcut()});
  }
  if (Page* shown = page(m_current)) {
    for (const QAction* action : shown->commands()) {
      if (action->shortcut().isEmpty()) continue;
      lines.push_back({tr("This page"), QString(action->text()).remove(u'&'), action->shortcut()});
    }
  }
  showShortcutsDialog(this, lines);
}

void MainWindow::showGlossary(const QString& term) {
  showGlossaryDialog(this, term);
}

}  // namespace tessera::ui
