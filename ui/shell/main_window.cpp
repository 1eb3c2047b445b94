// SPDX-License-Identifier: MIT
#include "ui/shell/main_window.h"

#include <QCheckBox>
#include <QClipboard>
#include <QCloseEvent>
#include <QGuiApplication>
#include <QInputDialog>
#include <QMessageBox>
#include <QPushButton>
#include <QScreen>
#include <QStackedWidget>
#include <QTimer>
#include <QToolBar>

#include "core/config/paths.h"
#include "ui/bridge/desktop/host_monitor.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/launch/model_server.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/shell/dock_panel.h"
#include "ui/shell/first_start.h"
#include "ui/shell/problems.h"
#include "ui/shell/rail.h"
#include "ui/shell/run_watch.h"
#include "ui/shell/status_line.h"
#include "ui/shell/toast.h"
#include "ui/theme/theme.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

namespace {
constexpr int kLayoutVersion = 1;
constexpr std::size_t kMostHistory = 100;
constexpr int kWidthForInspector = 1280;
constexpr auto kGeometry = "session/geometry";
constexpr auto kState = "session/state";
constexpr auto kPlace = "session/place";
constexpr auto kInspector = "session/inspector";

const PageInfo* infoOf(const QString& id) {
  for (const PageInfo& info : pages()) {
    if (id == QLatin1String(info.id)) return &info;
  }
  return nullptr;
}
}  // namespace

MainWindow::MainWindow(const StudioParts& parts, QWidget* parent)
    : QMainWindow(parent),
      m_parts(parts),
      m_selection(std::make_unique<Selection>()),
      m_studio(new Studio{parts.runs, parts.launcher, *m_selection, *this, parts.tasks,
                          parts.preferences}),
      m_host(std::make_unique<HostMonitor>(QString::fromStdString(runs_folder().string()))),
      m_watch(std::make_unique<RunWatch>(parts.runs)) {
  setWindowTitle(tr("Tessera Studio"));
  setWindowIcon(QIcon(
      QString::fromStdString((resources_folder() / "icons" / "tessera-studio.svg").string())));
  setMinimumSize(800, 560);
  takeDrops();
  setDockOptions(AllowTabbedDocks | AnimatedDocks);
  setCorner(Qt::BottomRightCorner, Qt::RightDockWidgetArea);
  buildCentre();
  buildDocks();
  buildCommands();
  buildMenus();
  readShortcuts();
  m_palette = new Palette(this);
  m_toast = new Toast(this);
  watchNews();
  connect(&parts.preferences, &Preferences::changed, this, [this](const QString& key) {
    if (key.startsWith(QLatin1String("shortcuts/"))) readShortcuts();
  });
}

MainWindow::~MainWindow() {
  // Pages hold the studio, which goes before the widgets of this window would.
  for (auto& [id, page] : m_pages) delete page;
  m_pages.clear();
}

Page* MainWindow::page(const QString& id) const {
  const auto it = m_pages.find(id);
  return it == m_pages.end() ? nullptr : it->second;
}

DockPanel* MainWindow::dock(const QString& name) const {
  const auto it = m_docks.find(name);
  return it == m_docks.end() ? nullptr : it->second;
}

Location MainWindow::location() const {
  const Page* shown = page(m_current);
  return shown ? shown->location() : Location{};
}

bool MainWindow::atFirstStart() const {
  return m_firstStart && m_stack->currentWidget() == m_firstStart;
}

// ---- Going to places ----------------------------------------------------------------------------

void MainWindow::open(const Location& location) {
  const PageInfo* info = infoOf(location.page);
  if (!info) {
    if (!location.page.isEmpty()) toast(tr("There is no page named %1").arg(location.page));
    return;
  }
  // A chat may be with a folder that is no run.
  const bool isRun = !location.subject.isEmpty() && !location.subject.startsWith(u'/');
  if (isRun) m_selection->setRun(location.subject);
  bool isStep = false;
  const qlonglong step = location.arguments.value(QStringLiteral("step")).toLongLong(&isStep);
  if (isStep) m_selection->setStep(step);
  showPage(*info, location);
}

Page* MainWindow::makePage(const PageInfo& info) {
  Page* made = info.make(*m_studio, m_stack);
  made->setObjectName(QStringLiteral("page.") + QLatin1String(info.id));
  m_stack->addWidget(made);
  m_pages.emplace(QLatin1String(info.id), made);
  connect(made, &Page::locationChanged, this, &MainWindow::pageMoved);
  connect(made, &Page::commandChanged, this, [this, made] { showCommand(made); });
  return made;
}

void MainWindow::showCommand(const Page* of) {
  if (of == page(m_current)) m_status->setCommand(inTerminal(of->command()));
}

void MainWindow::showPage(const PageInfo& info, const Location& location) {
  const QString id = QLatin1String(info.id);
  const QString before = m_current;
  Page* target = page(id);
  const bool isNew = !target;
  if (isNew) target = makePage(info);
  m_current = id;
  // The focus goes along: a page that is hidden with the focus in it would hand it to whatever is
  // next in the window. What has it elsewhere, such as a dock, keeps it.
  Page* left = page(before);
  const QWidget* focused = focusWidget();
  const bool follows = !focused || focused == this || m_rail->isAncestorOf(focused) ||
                       m_stack->isAncestorOf(focused);
  m_stack->setCurrentWidget(target);
  if (follows && before != id) target->setFocus(Qt::OtherFocusReason);
  if (m_firstStart) {
    m_parts.preferences.finishFirstStart();
    m_firstStart->deleteLater();
    m_firstStart.clear();
  }
  m_rail->setCurrent(id);
  // A page that is come back to without a place keeps what it shows; one that is new goes where it
  // was in the last session.
  const bool nowhere = location.subject.isEmpty() && location.arguments.isEmpty();
  const QString last = m_places.value(id);
  target->open(isNew && nowhere && !last.isEmpty() ? Location::fromText(last) : location);
  if (before != id) {
    if (left) left->setActivity(false, false);
    setWindowTitle(tr("%1 - Tessera Studio").arg(pageTitle(info)));
    showInspector(target);
    const QAction* fresh = newOfPage();
    command(QStringLiteral("file.new"))->setText(fresh ? fresh->text() : tr("New run"));
  }
  tellActivity();
  pageMoved();
}

void MainWindow::pageMoved() {
  Page* shown = page(m_current);
  if (!shown || (sender() && qobject_cast<Page*>(sender()) && sender() != shown)) return;
  const Location here = shown->location();
  m_places.insert(m_current, here.text());
  showCommand(shown);
  if (m_travelling) return;
  if (!m_history.empty() && m_history[m_at] == here) return;
  // Moves within a page replace each other: Back goes to the page before.
  if (!m_history.empty() && m_history[m_at].page == here.page &&
      m_history[m_at].subject == here.subject) {
    m_history[m_at] = here;
    return;
  }
  if (!m_history.empty()) m_history.resize(m_at + 1);
  m_history.push_back(here);
  if (m_history.size() > kMostHistory) m_history.erase(m_history.begin());
  m_at = m_history.size() - 1;
}

void MainWindow::goBack(int by) {
  const auto to = static_cast<std::ptrdiff_t>(m_at) + by;
  if (to < 0 || to >= static_cast<std::ptrdiff_t>(m_history.size())) return;
  m_at = static_cast<std::size_t>(to);
  m_travelling = true;
  open(m_history[m_at]);
  m_travelling = false;
}

void MainWindow::askForLink() {
  auto* dialog = new QInputDialog(this);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Open a link"));
  dialog->setLabelText(tr("A place in the studio, such as run/demo?view=experts&step=120"));
  dialog->setOkButtonText(tr("Open"));
  connect(dialog, &QInputDialog::textValueSelected, this, [this](const QString& text) {
    const Location location = Location::fromText(text);
    location.page.isEmpty() ? toast(tr("That is no link: %1").arg(text)) : open(location);
  });
  dialog->open();
}

void MainWindow::copyLink() {
  QGuiApplication::clipboard()->setText(QStringLiteral("tessera:") + location().text());
  toast(tr("The link is in the clipboard: Ctrl+L opens it"));
}

void MainWindow::showFirstStart() {
  auto* first = new FirstStart(*m_studio, *m_host);
  m_firstStart = first;
  m_stack->addWidget(first);
  m_stack->setCurrentWidget(first);
  m_rail->setCurrent({});
  connect(first, &FirstStart::done, this,
          [this](const QString& place) { open(Location::fromText(place)); });
}

// ---- Docks --------------------------------------------------------------------------------------

void MainWindow::showInspector(Page* shown) {
  DockPanel* panel = dock(QStringLiteral("inspector"));
  QWidget* inspector = shown->inspector();
  m_arranging = true;
  if (inspector) {
    if (m_inspectors->indexOf(inspector) < 0) m_inspectors->addWidget(inspector);
    m_inspectors->setCurrentWidget(inspector);
  } else {
    m_inspectors->setCurrentIndex(0);
  }
  // The dock is there with the pages that have something for it, unless it was closed.
  if (!panel->inWindow()) panel->setVisible(inspector && m_inspectorWanted);
  m_arranging = false;
}

void MainWindow::toggleDock(const QString& name) {
  DockPanel* panel = dock(name);
  if (!panel) return;
  if (panel->isVisible() && !panel->visibleRegion().isEmpty()) {
    Page* shown = page(m_current);
    if (shown && panel->isAncestorOf(focusWidget())) shown->setFocus(Qt::OtherFocusReason);
    return panel->hide();
  }
  panel->show();
  panel->raise();
  if (panel->content()) panel->content()->setFocus(Qt::ShortcutFocusReason);
}

void MainWindow::resetLayout() {
  m_arranging = true;
  for (auto& [name, panel] : m_docks) {
    panel->comeBack();
    removeDockWidget(panel);
  }
  addDockWidget(Qt::RightDockWidgetArea, m_docks["inspector"]);
  DockPanel* first = nullptr;
  for (const char* name : {"logs", "tasks", "problems"}) {
    DockPanel* panel = m_docks[name];
    addDockWidget(Qt::BottomDockWidgetArea, panel);
    if (first) tabifyDockWidget(first, panel);
    if (!first) first = panel;
    panel->hide();
  }
  // Sizes hold once the window has been laid out.
  QTimer::singleShot(0, this, [this, first] {
    resizeDocks({m_docks["inspector"]}, {300}, Qt::Horizontal);
    resizeDocks({first}, {200}, Qt::Vertical);
  });
  m_inspectorWanted = width() >= kWidthForInspector;
  m_arranging = false;
  if (Page* shown = page(m_current)) showInspector(shown);
}

// ---- Session ------------------------------------------------------------------------------------

void MainWindow::restoreSession() {
  Preferences& p = m_parts.preferences;
  const QRect room = screen()->availableGeometry();
  resize(std::min(1440, room.width()), std::min(900, room.height()));
  const QByteArray state = p.value(QLatin1String(kState)).toByteArray();
  if (state.isEmpty()) resetLayout();
  restoreGeometry(p.value(QLatin1String(kGeometry)).toByteArray());
  m_arranging = true;
  if (!state.isEmpty() && !restoreState(state, kLayoutVersion)) resetLayout();
  m_arranging = false;
  m_inspectorWanted = p.value(QLatin1String(kInspector), width() >= kWidthForInspector).toBool();
  for (const PageInfo& info : pages()) {
    const QString id = QLatin1String(info.id);
    m_places.insert(id, p.value(QStringLiteral("session/places/") + id).toString());
  }
  if (p.firstStart()) return showFirstStart();
  Location last = Location::fromText(p.value(QLatin1String(kPlace)).toString());
  if (!infoOf(last.page)) last = {QStringLiteral("home"), {}, {}};
  open(last);
}

void MainWindow::saveSession() {
  Preferences& p = m_parts.preferences;
  for (auto& [name, panel] : m_docks) panel->comeBack();
  p.setValue(QLatin1String(kGeometry), saveGeometry());
  p.setValue(QLatin1String(kState), saveState(kLayoutVersion));
  p.setValue(QLatin1String(kInspector), m_inspectorWanted);
  if (!m_current.isEmpty()) p.setValue(QLatin1String(kPlace), location().text());
  for (auto it = m_places.constBegin(); it != m_places.constEnd(); ++it) {
    if (!it.value().isEmpty()) p.setValue(QStringLiteral("session/places/") + it.key(), it.value());
  }
}

void MainWindow::comeToFront() {
  if (isMinimized()) showNormal();
  QMainWindow::show();
  raise();
  activateWindow();
}

void MainWindow::closeEvent(QCloseEvent* event) {
  if (!m_quitting && (askAboutServer() || tellOfLiveRuns())) return event->ignore();
  saveSession();
  QMainWindow::closeEvent(event);
}

/// Programs may be talking to it. True: the answer decides.
bool MainWindow::askAboutServer() {
  const auto* server =
      m_parts.preferences.findChild<ModelServer*>(QString(), Qt::FindDirectChildrenOnly);
  if (!server || !server->isAlive() || server->state() == ModelServer::State::Stopping) {
    return false;
  }
  auto* box = new QMessageBox(QMessageBox::NoIcon, tr("Quit"),
                              tr("The server ends with the studio"), {}, this);
  box->setAttribute(Qt::WA_DeleteOnClose);
  box->setInformativeText(tr("It serves %1, and %n request(s) of other programs are under way.",
                             nullptr, static_cast<int>(server->counts().running))
                              .arg(server->order().path));
  QPushButton* quit = box->addButton(tr("Stop it and quit"), QMessageBox::AcceptRole);
  box->setDefaultButton(quit);
  box->setEscapeButton(box->addButton(tr("Stay"), QMessageBox::RejectRole));
  connect(box, &QMessageBox::buttonClicked, this, [this, quit](QAbstractButton* pressed) {
    if (pressed != quit || tellOfLiveRuns()) return;
    m_quitting = true;
    close();
  });
  box->open();
  return true;
}

/// Runs go on without the studio, which is worth a word before it closes. True: it was said, and
/// the answer decides.
bool MainWindow::tellOfLiveRuns() {
  constexpr auto kTold = "notices/quit";
  QStringList names;
  for (const RunRow& row : *m_parts.runs.runs()) {
    if (isLive(row.state)) names << QString::fromStdString(row.name.empty() ? row.id : row.name);
  }
  if (names.isEmpty() || !m_parts.preferences.value(QLatin1String(kTold), true).toBool()) {
    return false;
  }
  constexpr qsizetype kMost = 5;
  if (names.size() > kMost) names = names.mid(0, kMost) << QStringLiteral("…");
  auto* box = new QMessageBox(QMessageBox::NoIcon, tr("Quit"),
                              tr("Training goes on without the studio"), {}, this);
  box->setAttribute(Qt::WA_DeleteOnClose);
  box->setInformativeText(tr("Still going: %1. They are here again at the next start; "
                             "Stop, on Home or in Monitor, ends one.")
                              .arg(names.join(QStringLiteral(", "))));
  box->setCheckBox(new QCheckBox(tr("Do not say this again")));
  QPushButton* quit = box->addButton(tr("Quit"), QMessageBox::AcceptRole);
  box->setDefaultButton(quit);
  box->setEscapeButton(box->addButton(tr("Stay"), QMessageBox::RejectRole));
  connect(box, &QMessageBox::buttonClicked, this, [this, box, quit](QAbstractButton* pressed) {
    if (pressed != quit) return;
    if (box->checkBox()->isChecked()) m_parts.preferences.setValue(QLatin1String(kTold), false);
    m_quitting = true;
    close();
  });
  box->open();
  return true;
}

void MainWindow::changeEvent(QEvent* event) {
  QMainWindow::changeEvent(event);
  if (event->type() == QEvent::ActivationChange || event->type() == QEvent::WindowStateChange) {
    tellActivity();
  }
}
void MainWindow::showEvent(QShowEvent* event) {
  QMainWindow::showEvent(event);
  tellActivity();
}
void MainWindow::hideEvent(QHideEvent* event) {
  QMainWindow::hideEvent(event);
  tellActivity();
}

void MainWindow::tellActivity() {
  const bool visible = isVisible() && !isMinimized();
  if (Page* shown = page(m_current)) shown->setActivity(visible, visible && isActiveWindow());
  if (m_watch) m_watch->setFollowing(visible);
  if (m_host) m_host->setInterval(!visible ? 0 : isActiveWindow() ? 2'000 : 10'000);
}

}  // namespace tessera::ui
