// SPDX-License-Identifier: MIT
#include "ui/pages/configure/configure_page.h"

#include <QAction>
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QPushButton>
#include <QRegularExpression>
#include <QSplitter>
#include <QTimer>
#include <QToolButton>
#include <QUndoStack>
#include <QUuid>
#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "ui/bridge/desktop/preferences.h"
#include "ui/bridge/desktop/tasks.h"
#include "ui/bridge/draft/draft_command.h"
#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/draft/machine_speed.h"
#include "ui/bridge/launch/launcher.h"
#include "ui/bridge/launch/terminal_command.h"
#include "ui/bridge/runs/run_store.h"
#include "ui/pages/configure/data_dialog.h"
#include "ui/pages/configure/place_bar.h"
#include "ui/pages/configure/plan_pane.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/file_dialog.h"
#include "ui/widgets/numbers.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/spec/field_row.h"
#include "ui/widgets/spec/problem_text.h"

namespace tessera::ui {

namespace {
constexpr auto kPrefix = "configure/%1";
constexpr int kKeepMs = 400;

QString key(const char* name) {
  return QString::fromLatin1(kPrefix).arg(QString::fromLatin1(name));
}
QString word(const std::string& text) {
  return QString::fromStdString(text);
}
}  // namespace

ConfigurePage::ConfigurePage(Studio& studio, QWidget* parent)
    : DraftPage(studio, tr("Choose a preset to begin with, or open a spec of your own."),
                QStringLiteral("configure"), parent),
      m_speed(MachineSpeed::of(studio.preferences)) {
  build();
  m_keeper = new QTimer(this);
  m_keeper->setSingleShot(true);
  m_keeper->setInterval(kKeepMs);
  connect(m_keeper, &QTimer::timeout, this, &ConfigurePage::keep);
  connect(m_across, &QSplitter::splitterMoved, m_keeper, qOverload<>(&QTimer::start));
  connect(m_down, &QSplitter::splitterMoved, m_keeper, qOverload<>(&QTimer::start));
  addCommands();
  connectDraft();
  connectLauncher();
  connectPlace();
  listPresets();
  restore();
  showOrigin();
  showButtons();
}

/// A start goes on without the page, as a process of its own.
ConfigurePage::~ConfigurePage() {
  if (m_task >= 0) studio().tasks.finish(m_task);
}

// ---- Following ----------------------------------------------------------------------------------

void ConfigurePage::connectDraft() {
  connect(&m_draft, &DraftSpec::changed, this, [this] {
    m_planIsOfDraft = false;
    if (m_draft.settled()) {
      tellPlace();
      requestPlan();
    }
    showCommand();
    showOrigin();
    showButtons();
    const bool dirty = m_draft.dirty();
    if (std::exchange(m_wasDirty, dirty) != dirty) Q_EMIT locationChanged();
  });
  connect(&m_draft, &DraftSpec::draftLoaded, this, [this] {
    showBody();
    showOrigin();
    Q_EMIT locationChanged();
  });
  connect(&m_draft, &DraftSpec::failed, this, [this](const QString& message) {
    studio().navigator.notify(QStringLiteral("error"), message);
  });
  connect(&m_draft, &DraftSpec::saved, this, [this](const QString& path) {
    studio().navigator.toast(tr("Saved as %1").arg(path));
    Q_EMIT locationChanged();
  });
  connect(&m_plans, &PlanService::ready, this, &ConfigurePage::takePlan);
  connect(m_plan, &PlanPane::fixed, this, &ConfigurePage::fix);
  connect(m_plan, &PlanPane::goTo, this, &ConfigurePage::goTo);
  connect(m_plan, &PlanPane::assumptionsChanged, this, [this] {
    m_keeper->start();
    requestPlan();
  });
  connect(m_plan, &PlanPane::measureAsked, this, [this] {
    m_measureAsked = true;
    m_speed.measure(Launcher::program());
  });
  connect(&m_speed, &MachineSpeed::measured, this, [this](const QString& problem) {
    if (std::exchange(m_measureAsked, false) && !problem.isEmpty()) {
      studio().navigator.notify(QStringLiteral("error"),
                                tr("This machine could not be measured: %1").arg(problem));
    }
    requestPlan();
  });
  if (m_draft.loaded()) {
    showBody();
    tellPlace();
    requestPlan();
    showCommand();
  }
}

/// What is to be started, for whoever checks where.
void ConfigurePage::tellPlace() {
  if (!m_place || !m_draft.loaded() || !m_draft.hasValues()) return;
  m_place->setSpec(std::make_shared<const RunSpec>(m_draft.spec()),
                   m_draft.origin().kind == DraftOrigin::Kind::Fork);
}

QString ConfigurePage::command() const {
  QString problem;
  return commandThere(problem);
}

/// Empty with the reason where there is none.
QString ConfigurePage::commandThere(QString& problem) const {
  const QString here = DraftPage::command();
  if (here.isEmpty()) problem = tr("The text cannot be read");
  try {
    return word(commandAt(here.toStdString(), m_place->place()));
  } catch (const std::exception& error) {
    problem = tr("The file of its script cannot be written: %1").arg(word(error.what()));
    return {};
  }
}

void ConfigurePage::showCommand() {
  QString problem;
  const QString command = inTerminal(commandThere(problem));
  m_command->setFullText(command.isEmpty() ? tr("No command: %1").arg(problem) : command);
  setEnabledBecause(m_copyCommand, !command.isEmpty(), problem);
  Q_EMIT commandChanged();
}

void ConfigurePage::requestPlan() {
  if (!m_draft.loaded()) return;
  PlanRequest request{.spec = m_draft.spec(), .problems = m_draft.problems()};
  for (const auto& [path, refused] : m_draft.refused()) request.problems.push_back(refused.problem);
  request.folder = m_draft.folderForPaths();
  request.hasValues = m_draft.hasValues();
  request.keep = m_draft.lastSet();
  if (m_draft.origin().kind == DraftOrigin::Kind::Fork && m_draft.hasValues()) {
    request.fork = ForkOf{.parent = m_draft.baseline(),
                          .folder = m_draft.runFolder().toStdString(),
                          .step = m_draft.origin().step};
  }
  request.pricePerHour = m_plan->price();
  if (m_plan->memoryGigabytes() > 0) {
    request.memoryBytes = static_cast<std::size_t>(m_plan->memoryGigabytes() * 1e9);
  }
  // Elsewhere the ranks of the place make the replicas, and this machine's memory says nothing.
  m_plannedData = m_place->data();
  m_plannedElsewhere = !m_place->place().is_here();
  if (m_plannedData) request.spec.parallel.data = *m_plannedData;
  request.elsewhere = m_plannedElsewhere;
  m_planIsOfDraft = m_draft.settled();
  m_plans.request(std::move(request));
}

void ConfigurePage::takePlan(const PlanPtr& plan) {
  m_form->setProblems(plan->problems);
  m_form->setPlan(plan);
  m_text->setProblems(plan->problems);
  tellProblems(*plan);
  showOrigin();
  showButtons();
}

/// Errors of the plan stand in the Problems dock too, each with the way to its field.
void ConfigurePage::tellProblems(const Plan& plan) {
  constexpr int kMost = 20;
  int count = 0;
  studio().navigator.clearProblem(QStringLiteral("plan"));
  for (const PlanProblem& p : plan.problems) {
    if (p.problem.severity != Severity::Error || count == kMost) continue;
    Location place{QStringLiteral("configure"), {}, {}};
    if (!p.problem.key.empty()) place.arguments[QStringLiteral("key")] = word(p.problem.key);
    QString line = word(p.problem.file);
    if (p.problem.line > 0) line += QStringLiteral(":%1").arg(p.problem.line);
    if (!line.isEmpty()) line += QStringLiteral(": ");
    studio().navigator.setProblem(QStringLiteral("plan/%1").arg(count++), QStringLiteral("error"),
                                  tr("Plan: %1").arg(line + problemText(p.problem)), place);
  }
}

void ConfigurePage::showOrigin() {
  const DraftOrigin& origin = m_draft.origin();
  const int changes = m_draft.differenceCount();
  QString from;
  switch (origin.kind) {
    case DraftOrigin::Kind::Preset:
      m_presets->setCurrentIndex(m_presets->findData(origin.name));
      break;
    case DraftOrigin::Kind::File:
      from = QDir::toNativeSeparators(origin.name);
      break;
    case DraftOrigin::Kind::Clone:
      from = tr("clone of %1").arg(origin.name);
      break;
    case DraftOrigin::Kind::Fork:
      from = origin.step >= 0 ? tr("fork of %1 after step %2").arg(origin.name).arg(origin.step)
                              : tr("fork of %1 at its newest checkpoint").arg(origin.name);
      if (const PlanPtr plan = m_plans.plan(); plan && plan->steps_before > 0) {
        from +=
            QStringLiteral(" · ") + tr("%1 of %2 steps are left")
                                        .arg(numbers::whole(plan->steps_left),
                                             numbers::whole(plan->steps_left + plan->steps_before));
      }
      break;
  }
  if (origin.kind != DraftOrigin::Kind::Preset) m_presets->setCurrentIndex(-1);
  if (!m_draft.loaded()) return m_origin->setFullText({});
  const QString count = changes == 0   ? tr("unchanged")
                        : changes == 1 ? tr("1 setting changed")
                                       : tr("%1 settings changed").arg(changes);
  m_origin->setFullText(from.isEmpty() ? count : from + QStringLiteral(" · ") + count);
  m_launch->setText(origin.kind == DraftOrigin::Kind::Fork ? tr("Launch fork") : tr("Launch"));
}

/// Elsewhere the place says where the run trains, and not host.kind.
bool ConfigurePage::planAllows(const Plan& plan) const {
  const bool elsewhere = !m_place->place().is_here();
  return plan.ok() ||
         std::all_of(plan.problems.begin(), plan.problems.end(), [&](const PlanProblem& p) {
           return p.problem.severity != Severity::Error ||
                  (elsewhere && p.problem.key == "host.kind");
         });
}

void ConfigurePage::showButtons() {
  showUndo();
  QString why;
  const PlanPtr plan = m_plans.plan();
  if (!m_draft.loaded()) {
    why = tr("Choose a preset first");
  } else if (!m_tag.isEmpty()) {
    why = tr("It is being started");
  } else if (!m_place->problem().isEmpty()) {
    why = m_place->problem();
  } else if (!m_planIsOfDraft || m_plans.pending() || !plan) {
    why = tr("The plan is being made");
  } else if (!planAllows(*plan)) {
    why = tr("There are problems; the plan at the right names them");
  } else if (Launcher::program().isEmpty()) {
    why = tr("The program `tessera` was not found beside this one");
  }
  m_plan->setPlaceFits(m_place->problem().isEmpty());
  setEnabledBecause(m_launch, why.isEmpty(), why);
  setEnabledBecause(m_enqueue, why.isEmpty(), why);
  setEnabledBecause(m_save, m_draft.loaded(), tr("Choose a preset first"));
}

void ConfigurePage::fix(const PlanProblem& problem) {
  if (problem.fix) m_draft.apply(problem.problem, *problem.fix);
}

void ConfigurePage::goTo(const QString& path, int line) {
  if (path.isEmpty()) return m_text->goToLine(line);
  m_search->clear();
  m_form->goTo(path.toStdString());
}

// ---- Doing --------------------------------------------------------------------------------------

void ConfigurePage::connectLauncher() {
  Launcher& launcher = studio().launcher;
  connect(&launcher, &Launcher::started, this, [this](const QString& tag, const QString& run) {
    if (tag.isEmpty() || tag != m_tag) return;
    m_tag.clear();
    m_draft.markLaunched(m_launchedText);
    endStart();
    showButtons();
    // The copy of a run elsewhere is listed once its first words are here.
    m_awaited = run;
    studio().runs.refresh();
    showRun(run);
  });
  connect(&studio().runs, &RunStore::runsChanged, this, [this] {
    if (!m_awaited.isEmpty() && studio().runs.run(m_awaited)) showRun(m_awaited);
  });
  connect(
      &launcher, &Launcher::startCameTo, this, [this](const QString& tag, const StartPhase& phase) {
        if (tag.isEmpty() || tag != m_tag) return;
        m_place->showPhase(phase);
        studio().tasks.setProgress(m_task, Launcher::phaseShare(phase), Launcher::phaseText(phase));
      });
  connect(&launcher, &Launcher::startCancelled, this, [this](const QString& tag) {
    if (tag.isEmpty() || tag != m_tag) return;
    m_tag.clear();
    endStart();
    showButtons();
    studio().navigator.toast(tr("The start was cancelled; nothing of it is left"));
  });
  connect(&launcher, &Launcher::startFailed, this,
          [this](const QString& tag, const QString& message) {
            if (tag.isEmpty() || tag != m_tag) return;
            m_tag.clear();
            endStart(message);
            showButtons();
            studio().navigator.notify(QStringLiteral("error"), message, tr("Try again"),
                                      [this] { launch(); });
          });
}

void ConfigurePage::connectPlace() {
  connect(m_place, &PlaceBar::changed, this, [this] {
    const bool elsewhere = !m_place->place().is_here();
    const bool isOther = m_place->data() != m_plannedData || elsewhere != m_plannedElsewhere;
    // Where the place does not fit, the plan that is there stays.
    if (isOther && m_place->problem().isEmpty()) requestPlan();
    showCommand();
    showButtons();
  });
  connect(m_place, &PlaceBar::cancelled, this, [this] { studio().launcher.cancel(m_tag); });
  tellPlace();
}

void ConfigurePage::endStart(const QString& problem) {
  m_place->endStart();
  if (m_task >= 0) studio().tasks.finish(std::exchange(m_task, -1), problem);
}

/// A run of this machine exists by now. One elsewhere may not be listed yet, and is waited for.
void ConfigurePage::showRun(QString run) {  // a copy: it may be m_awaited
  if (m_elsewhere && !studio().runs.run(run)) return;
  m_awaited.clear();
  studio().selection.setRun(run);
  studio().navigator.open({QStringLiteral("monitor"), run, {}});
}

void ConfigurePage::launch() {
  if (!m_launch->isEnabled()) return;
  m_tag = QUuid::createUuid().toString(QUuid::Id128);
  m_launchedText = m_draft.text();
  showButtons();
  const DraftOrigin& origin = m_draft.origin();
  const QString spec = word(m_draft.resolved());
  const LaunchPlace place = m_place->place();
  m_elsewhere = !place.is_here();
  if (m_elsewhere) {
    m_place->beginStart();
    m_task = studio().tasks.begin(
        tr("Starting %1 on %2").arg(word(m_draft.spec().run.name), word(place.text())),
        [&launcher = studio().launcher, tag = m_tag] { launcher.cancel(tag); });
  }
  if (origin.kind == DraftOrigin::Kind::Fork) {
    studio().launcher.fork(origin.name, origin.step, spec, m_tag, place);
  } else {
    studio().launcher.start(spec, m_tag, place);
  }
}

void ConfigurePage::enqueue() {
  if (!m_enqueue->isEnabled()) return;
  QueueEntry entry;
  entry.id = QUuid::createUuid().toString(QUuid::Id128).toStdString();
  entry.name = m_draft.spec().run.name;
  entry.spec = m_draft.resolved();
  entry.place = m_place->place();
  const DraftOrigin& origin = m_draft.origin();
  if (origin.kind == DraftOrigin::Kind::Fork) {
    entry.fork_from = origin.name.toStdString();
    entry.fork_step = origin.step;
  }
  Launcher& launcher = studio().launcher;
  launcher.enqueue(entry);
  studio().navigator.toast(tr("%1 waits in the queue").arg(word(entry.name)),
                           [&launcher, id = word(entry.id)] { launcher.removeFromQueue(id); });
}

void ConfigurePage::save() {
  if (!m_draft.loaded()) return;
  const QString name = word(m_draft.spec().run.name) + QStringLiteral(".toml");
  const DraftOrigin& origin = m_draft.origin();
  const QString there = origin.kind == DraftOrigin::Kind::File ? origin.name : name;
  auto* dialog = fileDialog(
      this, &m_draft, tr("Save as spec"), [this](const QString& file) { m_draft.save(file); },
      there);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setNameFilter(tr("Specs (*.toml)"));
  dialog->setDefaultSuffix(QStringLiteral("toml"));
  dialog->open();
}

/// In a window of its own beside the form: one goes through documents while one edits.
void ConfigurePage::lookAtData() {
  if (!m_draft.loaded()) return;
  if (auto* open = findChild<DataDialog*>()) {
    open->raise();
    open->activateWindow();
    return open->read();
  }
  (new DataDialog(m_draft, this))->show();
}

void ConfigurePage::openFile() {
  auto* dialog = fileDialog(this, &m_draft, tr("Open spec file"),
                            [this](const QString& file) { m_draft.loadFile(file); });
  dialog->setNameFilter(tr("Specs (*.toml)"));
  dialog->setFileMode(QFileDialog::ExistingFile);
  dialog->open();
}

// ---- Where it is --------------------------------------------------------------------------------

void ConfigurePage::open(const Location& location) {
  const auto& arguments = location.arguments;
  const QString preset = arguments.value(QStringLiteral("preset"));
  const QString spec = arguments.value(QStringLiteral("spec"));
  const QString clone = arguments.value(QStringLiteral("clone"));
  const QString fork = arguments.value(QStringLiteral("fork"));
  const QString run = fork.isEmpty() ? clone : fork;
  const QString kept = arguments.value(QStringLiteral("draft"));
  const QString section = arguments.value(QStringLiteral("section"));
  if (location == this->location()) return;
  if (!kept.isEmpty()) {
    if (kept != m_draft.keptId()) m_draft.loadKept(kept);
  } else if (!preset.isEmpty()) {
    m_draft.loadPreset(preset);
  } else if (!spec.isEmpty()) {
    m_draft.loadFile(spec);
  } else if (!run.isEmpty()) {
    const RunRow* row = studio().runs.run(run);
    if (!row) {
      studio().navigator.notify(QStringLiteral("error"), tr("There is no run %1.").arg(run));
      return;
    }
    bool given = false;
    const qlonglong step = arguments.value(QStringLiteral("step")).toLongLong(&given);
    m_draft.loadRun(run, QString::fromStdString(row->folder.string()), !fork.isEmpty(),
                    given ? step : -1);
  }
  const QString key = arguments.value(QStringLiteral("key"));
  if (!key.isEmpty()) goTo(key);
  const QString text = arguments.value(QStringLiteral("text"));
  if (!text.isEmpty()) addSource(text);
  for (std::size_t i = 0; i < formSections().size(); ++i) {
    if (section.compare(QLatin1String(formSections()[i].title), Qt::CaseInsensitive) == 0) {
      m_form->showSection(static_cast<int>(i));
    }
  }
}

/// A text that was dropped on the window. Where there is no draft yet, the demo's takes it.
void ConfigurePage::addSource(const QString& path) {
  if (!m_draft.loaded()) {
    connect(
        &m_draft, &DraftSpec::draftLoaded, this, [this, path] { addSource(path); },
        Qt::SingleShotConnection);
    return m_draft.loadPreset(QStringLiteral("demo"));
  }
  QString name = QFileInfo(path).baseName();
  static const QRegularExpression strange(QStringLiteral("[^A-Za-z0-9_-]+"));
  name.replace(strange, QStringLiteral("-"));
  m_draft.change(tr("Add the source %1").arg(name), "data.sources", {}, [&](RunSpec& spec) {
    DataSource source;
    source.name = name.toStdString();
    for (int n = 2; std::any_of(spec.data.sources.begin(), spec.data.sources.end(),
                                [&](const DataSource& s) { return s.name == source.name; });
         ++n) {
      source.name = name.toStdString() + '-' + std::to_string(n);
    }
    source.paths = {path.toStdString()};
    // As much as the others have on average: with 1 beside 70 and 20 it would hardly be read.
    double weights = 0;
    for (const DataSource& other : spec.data.sources) weights += other.weight;
    if (weights > 0) source.weight = weights / static_cast<double>(spec.data.sources.size());
    spec.data.sources.push_back(source);
  });
  goTo(QStringLiteral("data.sources[%1].paths").arg(m_draft.spec().data.sources.size() - 1));
  studio().navigator.toast(tr("%1 is a source of this draft now").arg(path),
                           [this] { m_draft.undoStack().undo(); });
}

Location ConfigurePage::location() const {
  Location here{QStringLiteral("configure"), {}, {}};
  if (!m_draft.loaded()) return here;
  const DraftOrigin& origin = m_draft.origin();
  // What was changed is on the shelf of drafts, and is come back to there.
  if (const QString kept = m_draft.keptId(); m_draft.dirty() && !kept.isEmpty()) {
    here.arguments[QStringLiteral("draft")] = kept;
    return here;
  }
  switch (origin.kind) {
    case DraftOrigin::Kind::Preset:
      here.arguments[QStringLiteral("preset")] = origin.name;
      break;
    case DraftOrigin::Kind::File:
      here.arguments[QStringLiteral("spec")] = origin.name;
      break;
    case DraftOrigin::Kind::Clone:
      here.arguments[QStringLiteral("clone")] = origin.name;
      break;
    case DraftOrigin::Kind::Fork:
      here.arguments[QStringLiteral("fork")] = origin.name;
      if (origin.step >= 0) {
        here.arguments[QStringLiteral("step")] = QString::number(origin.step);
      }
      break;
  }
  return here;
}

void ConfigurePage::listPresets() {
  connect(&m_draft, &DraftSpec::presetsListed, this, [this](const QList<QStringList>& presets) {
    m_presets->clear();
    for (const QStringList& preset : presets) {
      m_presets->addItem(preset[0], preset[0]);
      m_presets->setItemData(m_presets->count() - 1, preset[1], Qt::ToolTipRole);
    }
    showOrigin();
  });
  m_draft.listPresets();
}

void ConfigurePage::restore() {
  const Preferences& preferences = studio().preferences;
  m_plan->setPrice(preferences.value(key("price_per_hour"), 2.0).toDouble());
  m_plan->setMemoryGigabytes(preferences.value(key("memory_gigabytes"), 0.0).toDouble());
  if (preferences.value(key("all"), false).toBool()) m_allKeys->setChecked(true);
  const QByteArray across = preferences.value(key("across"), QByteArray()).toByteArray();
  if (across.isEmpty() || !m_across->restoreState(across)) m_across->setSizes({640, 300});
  const QByteArray down = preferences.value(key("down"), QByteArray()).toByteArray();
  if (down.isEmpty() || !m_down->restoreState(down)) m_down->setSizes({420, 180});
}

void ConfigurePage::keep() {
  Preferences& preferences = studio().preferences;
  preferences.setValue(key("price_per_hour"), m_plan->price());
  preferences.setValue(key("memory_gigabytes"), m_plan->memoryGigabytes());
  preferences.setValue(key("all"), m_allKeys->isChecked());
  preferences.setValue(key("across"), m_across->saveState());
  preferences.setValue(key("down"), m_down->saveState());
}

}  // namespace tessera::ui
