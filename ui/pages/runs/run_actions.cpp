// SPDX-License-Identifier: MIT
#include "ui/pages/runs/run_actions.h"

#include <QApplication>
#include <QClipboard>
#include <QDesktopServices>
#include <QFileDialog>
#include <QInputDialog>
#include <QMenu>
#include <QUrl>
#include <QUuid>
#include <algorithm>

#include "ui/bridge/launch/launcher.h"
#include "ui/models/runs_model.h"
#include "ui/pages/runs/compare_view.h"
#include "ui/theme/theme.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/state_badge.h"

namespace tessera::ui {

RunActions::RunActions(Studio& studio, QWidget* parent)
    : QObject(parent), m_studio(studio), m_window(parent) {
  addRunning();
  addMaking();
  addKeeping();
  addTaking();
  connect(&studio.launcher, &Launcher::startFailed, this,
          [this](const QString& asked, const QString& message) {
            if (!asked.startsWith("runs/")) return;
            m_studio.navigator.notify(QStringLiteral("error"),
                                      tr("%1 could not be resumed. %2").arg(asked.mid(5), message));
          });
  connect(&studio.launcher, &Launcher::started, this,
          [this](const QString& asked, const QString& id) {
            if (asked.startsWith("runs/")) m_studio.navigator.toast(tr("%1 goes on").arg(id));
          });
  connect(&studio.runs, &RunStore::trashChanged, this, &RunActions::refresh);
  connect(&studio.runs, &RunStore::removed, this, [this](const QString& id, const QString& name) {
    m_studio.navigator.toast(tr("%1 was moved to the trash").arg(name),
                             [&runs = m_studio.runs, id] { runs.restore(id); });
  });
  refresh();
}

RunActions::~RunActions() = default;

QAction* RunActions::add(const QString& text, const char* icon, const std::function<void()>& work,
                         const QKeySequence& keys) {
  auto* action = new QAction(theme::icon(QLatin1String(icon)), text, this);
  if (!keys.isEmpty()) {
    action->setShortcut(keys);
    // In all of the window while the table is shown, whatever has the focus.
    action->setShortcutContext(Qt::WindowShortcut);
  }
  connect(action, &QAction::triggered, this, work);
  m_all.push_back(action);
  return action;
}

void RunActions::addRunning() {
  open = add(tr("Open"), "monitor", [this] { openPage("monitor"); });
  experts = add(tr("Experts"), "experts", [this] { openPage("experts"); });
  chat = add(tr("Chat"), "chat", [this] { openPage("chat"); });
  compare = add(
      tr("Compare"), "compare", [this] { Q_EMIT compareRequested(m_ids); },
      QKeySequence(Qt::CTRL | Qt::SHIFT | Qt::Key_C));
  resume = add(tr("Resume"), "play", [this] { resumeSelected(); });
  queueResume = add(tr("Resume when the machine is free"), "queue", [this] {
    for (const RunRow* row : rows()) {
      QueueEntry entry;
      entry.name = row->name;
      entry.resume = row->id;
      m_studio.launcher.enqueue(entry);
    }
    m_studio.navigator.toast(tr("Added to the queue"));
  });
  stopSaving = add(tr("Save and stop"), "stop", [this] {
    for (const QString& id : m_ids) m_studio.launcher.control(id, Control::StopSaving);
  });
  stopNow = add(tr("Stop without saving"), "stop", [this] {
    for (const QString& id : m_ids) m_studio.launcher.control(id, Control::StopNow);
  });
}

void RunActions::addMaking() {
  clone = add(tr("Edit a copy"), "copy", [this] { toConfigure("clone"); });
  fork = add(tr("Fork"), "fork", [this] { toConfigure("fork"); });
  sweep = add(tr("Show its sweep"), "branch", [this] { Q_EMIT sweepRequested(sweepOfSelected()); });
  newSweep = add(tr("New sweep…"), "plus",
                 [this] { Q_EMIT newSweepRequested(m_ids.size() == 1 ? one() : QString()); });
}

void RunActions::addKeeping() {
  rename = add(tr("Rename"), "edit", [this] { Q_EMIT editRequested(one(), RunsModel::Name); });
  tag = add(tr("Add a tag…"), "tag", [this] { askForTag(); });
  note =
      add(tr("Edit the notes"), "edit", [this] { Q_EMIT editRequested(one(), RunsModel::Notes); });
  archive = add(tr("Archive"), "archive", [this] {
    const auto all = rows();
    setArchived(std::any_of(all.begin(), all.end(), [](const RunRow* r) { return !r->archived; }));
  });
  trash = add(
      tr("Move to the trash"), "trash",
      [this] {
        for (const QString& id : QStringList(m_ids)) m_studio.runs.remove(id);
      },
      QKeySequence(Qt::Key_Delete));
  bringBack =
      new QAction(theme::icon(QStringLiteral("undo")), tr("Bring back from the trash"), this);
  m_trash = std::make_unique<QMenu>();
  bringBack->setMenu(m_trash.get());
  connect(m_trash.get(), &QMenu::aboutToShow, this, &RunActions::fillTrash);
}

void RunActions::fillTrash() {
  m_trash->clear();
  for (const TrashedRun& run : m_studio.runs.trashed()) {
    QAction* one = m_trash->addAction(
        tr("%1, removed %2").arg(run.name.isEmpty() ? run.id : run.name, numbers::ageOf(run.when)));
    one->setToolTip(run.id);
    connect(one, &QAction::triggered, this,
            [&runs = m_studio.runs, id = run.id] { runs.restore(id); });
  }
}

void RunActions::addTaking() {
  exportNumbers = add(tr("Export every logged number…"), "export", [this] { exportSelected(); });
  exportTable = add(tr("Export this table…"), "table", [this] { Q_EMIT exportTableRequested(); });
  copyId = add(tr("Copy the id"), "copy",
               [this] { QApplication::clipboard()->setText(m_ids.join('\n')); });
  copyCommand = add(tr("Copy the command"), "terminal", [this] {
    QApplication::clipboard()->setText("tessera watch " + one());
    m_studio.navigator.toast(tr("Copied: %1").arg("tessera watch " + one()));
  });
  openFolder = add(tr("Open the folder"), "folder", [this] {
    const RunRow* row = m_studio.runs.run(one());
    if (!row) return;
    QDesktopServices::openUrl(QUrl::fromLocalFile(QString::fromStdString(row->folder.string())));
  });
}

void RunActions::fillMenu(QMenu& menu) const {
  const std::vector<std::vector<QAction*>> groups = {
      {open, experts, chat, compare},
      {resume, queueResume, stopSaving, stopNow},
      {clone, fork, newSweep, sweep},
      {rename, tag, note},
      {exportNumbers, exportTable, copyId, copyCommand, openFolder},
      {archive, trash, bringBack}};
  menu.setToolTipsVisible(true);
  for (const auto& group : groups) {
    if (!menu.isEmpty()) menu.addSeparator();
    for (QAction* action : group) menu.addAction(action);
  }
}

std::vector<const RunRow*> RunActions::rows() const {
  std::vector<const RunRow*> found;
  for (const QString& id : m_ids) {
    if (const RunRow* row = m_studio.runs.run(id)) found.push_back(row);
  }
  return found;
}

void RunActions::setSweeps(const QStringList& tags) {
  m_sweeps = tags;
  refresh();
}

/// The first tag of a selected run that is a sweep; empty: none is.
QString RunActions::sweepOfSelected() const {
  for (const RunRow* row : rows()) {
    for (const std::string& word : row->tags) {
      if (m_sweeps.contains(QString::fromStdString(word))) return QString::fromStdString(word);
    }
  }
  return {};
}

void RunActions::setSelected(const QStringList& ids) {
  m_ids = ids;
  refresh();
}

void RunActions::allow(QAction* action, bool allowed, const QString& reason) {
  action->setEnabled(allowed);
  const QString keys = action->shortcut().toString(QKeySequence::NativeText);
  const QString tip =
      keys.isEmpty() ? action->text() : QString("%1 (%2)").arg(action->text(), keys);
  action->setToolTip(allowed ? tip : reason);
}

void RunActions::refresh() {
  const auto all = rows();
  const auto every = [&](const auto& is) { return std::all_of(all.begin(), all.end(), is); };
  const bool any = !all.empty(), single = all.size() == 1;
  const bool live = any && every([](const RunRow* r) { return isLive(r->state); });
  const bool someLive = !every([](const RunRow* r) { return !isLive(r->state); });
  const bool missing = !every([](const RunRow* r) { return !r->missing; });
  const QString choose = tr("Choose a run first"), chooseOne = tr("Choose one run alone");
  const QString notOne = any ? chooseOne : choose, gone = tr("Its folder is gone");
  for (QAction* action : {open, experts, chat, clone, rename, note, openFolder}) {
    allow(action, single && !missing, missing ? gone : notOne);
  }
  allow(sweep, !sweepOfSelected().isEmpty(), any ? tr("It belongs to no sweep") : choose);
  allow(newSweep, true, {});
  allow(compare,
        !missing && all.size() >= 2 && static_cast<int>(all.size()) <= CompareView::kMostRuns,
        missing          ? gone
        : all.size() < 2 ? tr("Choose two runs or more")
                         : tr("At most %1 runs are compared").arg(CompareView::kMostRuns));
  const auto canGoOn = [](const RunRow* r) {
    return r->state == RunState::Stopped || r->state == RunState::Failed ||
           r->state == RunState::LostContact;
  };
  const QString notResumable = !any       ? choose
                               : missing  ? gone
                               : someLive ? tr("It is running")
                                          : tr("It has nothing left to do; fork it to go on");
  allow(resume, any && !missing && every(canGoOn), notResumable);
  allow(queueResume, any && !missing && every(canGoOn), notResumable);
  const QString notLive = any ? tr("It is not running") : choose;
  allow(stopSaving, live, notLive);
  allow(stopNow, live, notLive);
  allow(fork, single && !missing && all[0]->step >= 0,
        !single   ? notOne
        : missing ? gone
                  : tr("It has not made a step yet"));
  for (QAction* action : {tag, archive, exportNumbers}) {
    allow(action, any && !missing, missing ? gone : choose);
  }
  allow(copyId, any, choose);
  allow(copyCommand, single, notOne);
  allow(exportTable, !m_studio.runs.runs()->empty(), tr("There are no runs yet"));
  allow(trash, any && !someLive, someLive ? tr("It is running; stop it first") : choose);
  allow(bringBack, !m_studio.runs.trashed().empty(), tr("No run was moved to the trash"));
  const bool archived = any && every([](const RunRow* r) { return r->archived; });
  archive->setText(archived ? tr("Take out of the archive") : tr("Archive"));
}

void RunActions::openPage(const char* page) {
  m_studio.selection.setRun(one());
  m_studio.navigator.open({QLatin1String(page), one(), {}});
}

void RunActions::toConfigure(const char* argument) {
  m_studio.navigator.open({QStringLiteral("configure"), {}, {{QLatin1String(argument), one()}}});
}

void RunActions::resumeSelected() {
  for (const RunRow* row : rows()) {
    const QString id = QString::fromStdString(row->id);
    m_studio.launcher.resume(id, "runs/" + id);
  }
}

void RunActions::askForTag() {
  auto* dialog = new QInputDialog(m_window);
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setWindowTitle(tr("Add a tag"));
  dialog->setLabelText(tr("Tag for %n runs", nullptr, static_cast<int>(m_ids.size())));
  dialog->setOkButtonText(tr("Add"));
  connect(dialog, &QInputDialog::textValueSelected, this,
          [this](const QString& word) { addTag(word); });
  dialog->open();
}

void RunActions::addTag(const QString& words) {
  const QStringList added = RunsModel::tagsOf(words);
  if (added.isEmpty()) return;
  for (const QString& id : QStringList(m_ids)) {
    const RunRow* row = m_studio.runs.run(id);
    if (!row) continue;
    QStringList tags;
    for (const std::string& old : row->tags) tags << QString::fromStdString(old);
    tags += added;
    tags.removeDuplicates();
    m_studio.runs.setTags(id, tags);
  }
}

void RunActions::setArchived(bool archived) {
  const QStringList ids = m_ids;
  for (const QString& id : ids) m_studio.runs.setArchived(id, archived);
  const int count = static_cast<int>(ids.size());
  m_studio.navigator.toast(archived ? tr("%n runs were archived", nullptr, count)
                                    : tr("%n runs were taken out of the archive", nullptr, count),
                           [&runs = m_studio.runs, ids, archived] {
                             for (const QString& id : ids) runs.setArchived(id, !archived);
                           });
}

void RunActions::exportSelected() {
  const QStringList ids = m_ids;
  const bool single = ids.size() == 1;
  auto* dialog = fileDialog(
      m_window, this,
      single ? tr("Save everything that the run logged") : tr("Folder for one file a run"),
      [this, ids, single](const QString& target) {
        new NumbersExport(m_studio, ids, target, single, this);
      },
      single ? ids[0] + QStringLiteral(".csv") : QString());
  if (single) {
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(QStringLiteral("csv"));
    dialog->setNameFilters(
        {tr("CSV, one row a step (*.csv)"), tr("Every event, as tessera watch --json (*.jsonl)")});
  } else {
    dialog->setFileMode(QFileDialog::Directory);
    dialog->setOption(QFileDialog::ShowDirsOnly);
  }
  dialog->open();
}

}  // namespace tessera::ui
