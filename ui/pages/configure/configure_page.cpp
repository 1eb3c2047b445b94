// SPDX-License-Identifier: MIT
#include "ui/pages/configure/configure_page.h"

#include <QAction>
#include <QButtonGroup>
#include <QClipboard>
#include <QComboBox>
#include <QDir>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPushButton>
#include <QSplitter>
#include <QTimer>
#include <QToolButton>
#include <QUndoStack>
#include <QUuid>
#include <QVBoxLayout>

#include "ui/bridge/draft/draft_spec.h"
#include "ui/bridge/launcher.h"
#include "ui/bridge/preferences.h"
#include "ui/bridge/run_store.h"
#include "ui/pages/configure/plan_pane.h"
#include "ui/pages/configure/spec_form.h"
#include "ui/pages/configure/spec_text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/controls.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/search_field.h"
#include "ui/widgets/spec/field_row.h"

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
    : Page(studio, parent),
      m_draft(DraftSpec::of(studio.preferences)),
      m_empty(new EmptyState(tr("Choose a preset to begin with, or open a spec of your own."),
                             tr("Begin with the demo"), QStringLiteral("configure"), this)) {
  auto* layout = new QVBoxLayout(this);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(makeTop());
  layout->addWidget(separator(Qt::Horizontal, this));

  m_body = new QWidget(this);
  auto* body = new QVBoxLayout(m_body);
  body->setContentsMargins(0, 0, 0, 0);
  m_plan = new PlanPane(m_plans, m_body);
  m_down = new QSplitter(Qt::Vertical, m_body);
  m_down->addWidget(makeFormSide());
  m_down->addWidget(makeTextSide());
  m_down->setStretchFactor(0, 3);
  m_down->setStretchFactor(1, 1);
  m_down->setChildrenCollapsible(false);
  m_across = new QSplitter(Qt::Horizontal, m_body);
  m_across->addWidget(m_down);
  m_across->addWidget(m_plan);
  m_across->setStretchFactor(0, 1);
  m_across->setStretchFactor(1, 0);
  m_across->setCollapsible(0, false);
  body->addWidget(m_across);
  layout->addWidget(m_body, 1);
  layout->addWidget(m_empty, 1);
  m_body->hide();

  m_keeper = new QTimer(this);
  m_keeper->setSingleShot(true);
  m_keeper->setInterval(kKeepMs);
  connect(m_keeper, &QTimer::timeout, this, &ConfigurePage::keep);
  connect(m_across, &QSplitter::splitterMoved, m_keeper, qOverload<>(&QTimer::start));
  connect(m_down, &QSplitter::splitterMoved, m_keeper, qOverload<>(&QTimer::start));
  connect(m_empty, &EmptyState::pressed, this,
          [this] { m_draft.loadPreset(QStringLiteral("demo")); });

  addCommand(tr("Launch"), "play", QKeySequence(Qt::CTRL | Qt::Key_Return), [this] { launch(); });
  addCommand(tr("Enqueue"), "queue", {}, [this] { enqueue(); });
  addCommand(tr("Save as spec…"), "save", QKeySequence::Save, [this] { save(); });
  addCommand(tr("Open spec file…"), "folder", QKeySequence::Open, [this] { openFile(); });
  addCommand(tr("Undo"), "undo", QKeySequence::Undo, [this] { m_draft.undoStack().undo(); });
  addCommand(tr("Redo"), "redo", QKeySequence::Redo, [this] { m_draft.undoStack().redo(); });
  addCommand(tr("Find a setting"), "search", QKeySequence::Find, [this] { m_search->setFocus(); });
  addCommand(tr("Write every key into the text"), "edit", {}, [this] { m_draft.writeOut(); });

  connectDraft();
  connectLauncher();
  listPresets();
  restore();
  showOrigin();
  showButtons();
}

ConfigurePage::~ConfigurePage() = default;

QAction* ConfigurePage::addCommand(const QString& name, const char* icon, const QKeySequence& keys,
                                   const std::function<void()>& run) {
  auto* action = new QAction(theme::icon(QString::fromLatin1(icon)), name, this);
  action->setShortcut(keys);
  action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
  connect(action, &QAction::triggered, this, run);
  addAction(action);
  m_commands.push_back(action);
  return action;
}

std::vector<QAction*> ConfigurePage::commands() {
  return m_commands;
}

QString ConfigurePage::command() const {
  return m_draft.loaded() ? m_draft.command() : QString();
}

// ---- Parts --------------------------------------------------------------------------------------

QWidget* ConfigurePage::makeTop() {
  auto* top = new QWidget(this);
  auto* row = new QHBoxLayout(top);
  row->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  row->setSpacing(theme::kGrid);
  m_presets = new QComboBox(top);
  m_presets->setAccessibleName(tr("Preset"));
  m_presets->setPlaceholderText(tr("Choose a preset"));
  m_presets->setMinimumWidth(150);
  m_presets->setFocusPolicy(Qt::StrongFocus);
  QToolButton* file = iconButton(QStringLiteral("folder"), tr("Open spec file"), top);
  m_origin = new TextLabel({}, theme::TextSize::Caption, top);
  m_origin->setTone(TextLabel::Tone::Secondary);
  m_undoButton = iconButton(QStringLiteral("undo"), tr("Undo"), top);
  m_redoButton = iconButton(QStringLiteral("redo"), tr("Redo"), top);
  QToolButton* save = iconButton(QStringLiteral("save"), tr("Save as spec"), top);
  m_enqueue = new QPushButton(theme::icon(QStringLiteral("queue")), tr("Enqueue"), top);
  m_enqueue->setToolTip(tr("Starts when the runs before it have ended"));
  m_launch = primaryButton(tr("Launch"), top);
  row->addWidget(m_presets);
  row->addWidget(file);
  row->addWidget(m_origin, 1);
  row->addWidget(m_undoButton);
  row->addWidget(m_redoButton);
  row->addWidget(save);
  row->addWidget(m_enqueue);
  row->addWidget(m_launch);
  connect(m_presets, &QComboBox::activated, this,
          [this](int index) { m_draft.loadPreset(m_presets->itemData(index).toString()); });
  connect(file, &QToolButton::clicked, this, &ConfigurePage::openFile);
  connect(save, &QToolButton::clicked, this, &ConfigurePage::save);
  connect(m_undoButton, &QToolButton::clicked, this, [this] { m_draft.undoStack().undo(); });
  connect(m_redoButton, &QToolButton::clicked, this, [this] { m_draft.undoStack().redo(); });
  connect(m_enqueue, &QPushButton::clicked, this, &ConfigurePage::enqueue);
  connect(m_launch, &QPushButton::clicked, this, &ConfigurePage::launch);
  return top;
}

QWidget* ConfigurePage::makeFormSide() {
  auto* side = new QWidget(this);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  auto* bar = new QHBoxLayout;
  bar->setContentsMargins(theme::kGrid * 2, theme::kGrid, theme::kGrid * 2, theme::kGrid);
  m_search = new SearchField(tr("Find a setting"), 120, side);
  m_basic = new QPushButton(tr("Basic"), side);
  m_allKeys = new QPushButton(tr("All"), side);
  auto* group = new QButtonGroup(side);
  for (QPushButton* button : {m_basic, m_allKeys}) {
    button->setCheckable(true);
    group->addButton(button);
  }
  m_basic->setToolTip(tr("The settings that most runs need"));
  m_allKeys->setToolTip(tr("Every key of the spec"));
  m_basic->setChecked(true);
  bar->addWidget(m_search, 1);
  bar->addWidget(m_basic);
  bar->addWidget(m_allKeys);
  layout->addLayout(bar);
  m_form = new SpecForm(m_draft, side);
  layout->addWidget(m_form, 1);
  side->setMinimumHeight(160);
  connect(m_search, &SearchField::searched, m_form, &SpecForm::setSearch);
  connect(m_allKeys, &QPushButton::toggled, this, [this](bool all) {
    m_form->setAll(all);
    m_keeper->start();
  });
  connect(m_form, &SpecForm::fixed, this, &ConfigurePage::fix);
  connect(m_form, &SpecForm::sectionChanged, this, [this] {
    if (m_form->all()) m_allKeys->setChecked(true);
    if (!m_search->text().isEmpty()) m_search->clear();
    m_keeper->start();
  });
  connect(m_form, &SpecForm::curriculumAsked, this, [this] {
    studio().navigator.open({QStringLiteral("curriculum"), {}, {}});
  });
  return side;
}

QWidget* ConfigurePage::makeTextSide() {
  auto* side = new QWidget(this);
  auto* layout = new QVBoxLayout(side);
  layout->setContentsMargins(0, 0, 0, 0);
  layout->setSpacing(0);
  layout->addWidget(separator(Qt::Horizontal, side));
  m_text = new SpecText(m_draft, side);
  layout->addWidget(m_text, 1);
  layout->addWidget(separator(Qt::Horizontal, side));
  layout->addWidget(makeCommandLine());
  side->setMinimumHeight(110);
  return side;
}

QWidget* ConfigurePage::makeCommandLine() {
  auto* line = new QWidget(this);
  auto* row = new QHBoxLayout(line);
  row->setContentsMargins(theme::kGrid * 2, theme::kHalf, theme::kGrid, theme::kHalf);
  m_command = new ElidedLabel({}, line);
  m_command->setFont(theme::monospace());
  m_command->setTextInteractionFlags(Qt::TextSelectableByMouse);
  m_command->setAccessibleName(tr("The same by command line"));
  QToolButton* copy = iconButton(QStringLiteral("copy"), tr("Copy the command"), line);
  row->addWidget(m_command, 1);
  row->addWidget(copy);
  connect(copy, &QToolButton::clicked, this, [this] {
    QGuiApplication::clipboard()->setText(m_draft.command());
    studio().navigator.toast(tr("Copied: %1").arg(m_draft.command()));
  });
  return line;
}

// ---- Following ----------------------------------------------------------------------------------

void ConfigurePage::connectDraft() {
  connect(&m_draft, &DraftSpec::changed, this, [this] {
    m_planIsOfDraft = false;
    if (m_draft.settled()) requestPlan();
    m_command->setFullText(m_draft.command());
    showOrigin();
    showButtons();
  });
  connect(&m_draft, &DraftSpec::draftLoaded, this, [this] {
    m_body->show();
    m_empty->hide();
    showOrigin();
    Q_EMIT locationChanged();
  });
  connect(&m_draft, &DraftSpec::failed, this, [this](const QString& message) {
    studio().navigator.notify(QStringLiteral("error"), message);
  });
  connect(&m_draft, &DraftSpec::saved, this, [this](const QString& path) {
    studio().navigator.toast(tr("Saved as %1").arg(path));
    m_command->setFullText(m_draft.command());
  });
  connect(&m_draft.undoStack(), &QUndoStack::indexChanged, this, &ConfigurePage::showButtons);
  connect(&m_draft.undoStack(), &QUndoStack::cleanChanged, this, &ConfigurePage::showButtons);
  connect(&m_plans, &PlanService::ready, this, &ConfigurePage::takePlan);
  connect(m_plan, &PlanPane::fixed, this, &ConfigurePage::fix);
  connect(m_plan, &PlanPane::goTo, this, &ConfigurePage::goTo);
  connect(m_plan, &PlanPane::assumptionsChanged, this, [this] {
    m_keeper->start();
    requestPlan();
  });
  connect(m_plan, &PlanPane::measureAsked, this, [this] { m_plans.measure(Launcher::program()); });
  connect(&m_plans, &PlanService::measured, this, [this](const QString& problem) {
    if (!problem.isEmpty()) {
      studio().navigator.notify(QStringLiteral("error"),
                                tr("This machine could not be measured: %1").arg(problem));
    }
    requestPlan();
  });
  if (m_draft.loaded()) {
    m_body->show();
    m_empty->hide();
    requestPlan();
    m_command->setFullText(m_draft.command());
  }
}

void ConfigurePage::requestPlan() {
  if (!m_draft.loaded()) return;
  PlanRequest request{.spec = m_draft.spec(), .problems = m_draft.problems()};
  request.folder = m_draft.folderForPaths();
  request.pricePerHour = m_plan->price();
  if (m_plan->memoryGigabytes() > 0) {
    request.memoryBytes = static_cast<std::size_t>(m_plan->memoryGigabytes() * 1e9);
  }
  m_planIsOfDraft = m_draft.settled();
  m_plans.request(std::move(request));
}

void ConfigurePage::takePlan(const PlanPtr& plan) {
  m_form->setProblems(plan->problems);
  m_text->setProblems(plan->problems);
  showButtons();
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
      from = origin.step >= 0 ? tr("fork of %1 at step %2").arg(origin.name).arg(origin.step)
                              : tr("fork of %1 at its newest checkpoint").arg(origin.name);
      break;
  }
  if (origin.kind != DraftOrigin::Kind::Preset) m_presets->setCurrentIndex(-1);
  if (!m_draft.loaded()) return m_origin->clear();
  const QString count = changes == 0   ? tr("unchanged")
                        : changes == 1 ? tr("1 setting changed")
                                       : tr("%1 settings changed").arg(changes);
  m_origin->setText(from.isEmpty() ? count : from + QStringLiteral(" · ") + count);
  m_origin->setToolTip(m_origin->text());
  m_launch->setText(origin.kind == DraftOrigin::Kind::Fork ? tr("Launch fork") : tr("Launch"));
}

void ConfigurePage::showButtons() {
  QUndoStack& undo = m_draft.undoStack();
  setEnabledBecause(m_undoButton, undo.canUndo(), tr("Nothing to undo"));
  setEnabledBecause(m_redoButton, undo.canRedo(), tr("Nothing to redo"));
  if (undo.canUndo()) m_undoButton->setToolTip(tr("Undo: %1").arg(undo.undoText()));
  if (undo.canRedo()) m_redoButton->setToolTip(tr("Redo: %1").arg(undo.redoText()));
  QString why;
  const PlanPtr plan = m_plans.plan();
  if (!m_draft.loaded()) {
    why = tr("Choose a preset first");
  } else if (!m_tag.isEmpty()) {
    why = tr("It is being started");
  } else if (!m_planIsOfDraft || m_plans.pending() || !plan) {
    why = tr("The plan is being made");
  } else if (!plan->ok()) {
    why = tr("There are problems; the plan at the right names them");
  } else if (Launcher::program().isEmpty()) {
    why = tr("The program `tessera` was not found beside this one");
  }
  setEnabledBecause(m_launch, why.isEmpty(), why);
  setEnabledBecause(m_enqueue, why.isEmpty(), why);
}

void ConfigurePage::fix(const PlanProblem& problem) {
  if (problem.fix) m_draft.apply(problem.problem, *problem.fix);
}

void ConfigurePage::goTo(const QString& path) {
  m_search->clear();
  m_form->goTo(path.toStdString());
}

// ---- Doing --------------------------------------------------------------------------------------

void ConfigurePage::connectLauncher() {
  Launcher& launcher = studio().launcher;
  connect(&launcher, &Launcher::started, this, [this](const QString& tag, const QString& run) {
    if (tag.isEmpty() || tag != m_tag) return;
    m_tag.clear();
    showButtons();
    studio().selection.setRun(run);
    studio().navigator.open({QStringLiteral("monitor"), run, {}});
  });
  connect(&launcher, &Launcher::startFailed, this,
          [this](const QString& tag, const QString& message) {
            if (tag.isEmpty() || tag != m_tag) return;
            m_tag.clear();
            showButtons();
            studio().navigator.notify(QStringLiteral("error"), message, tr("Try again"),
                                      [this] { launch(); });
          });
}

void ConfigurePage::launch() {
  if (!m_launch->isEnabled()) return;
  m_tag = QUuid::createUuid().toString(QUuid::Id128);
  showButtons();
  const DraftOrigin& origin = m_draft.origin();
  const QString spec = word(m_draft.resolved());
  if (origin.kind == DraftOrigin::Kind::Fork) {
    studio().launcher.fork(origin.name, origin.step, spec, m_tag);
  } else {
    studio().launcher.start(spec, m_tag);
  }
}

void ConfigurePage::enqueue() {
  if (!m_enqueue->isEnabled()) return;
  QueueEntry entry;
  entry.id = QUuid::createUuid().toString(QUuid::Id128);
  entry.name = word(m_draft.spec().run.name);
  entry.spec = word(m_draft.resolved());
  const DraftOrigin& origin = m_draft.origin();
  if (origin.kind == DraftOrigin::Kind::Fork) {
    entry.forkFrom = origin.name;
    entry.forkStep = origin.step;
  }
  Launcher& launcher = studio().launcher;
  launcher.enqueue(entry);
  studio().navigator.toast(tr("%1 waits in the queue").arg(entry.name),
                           [&launcher, id = entry.id] { launcher.removeFromQueue(id); });
}

void ConfigurePage::save() {
  if (!m_draft.loaded()) return;
  const QString name = word(m_draft.spec().run.name) + QStringLiteral(".toml");
  const DraftOrigin& origin = m_draft.origin();
  const QString there = origin.kind == DraftOrigin::Kind::File ? origin.name : name;
  auto* dialog = new QFileDialog(this, tr("Save as spec"), there, tr("Specs (*.toml)"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setAcceptMode(QFileDialog::AcceptSave);
  dialog->setDefaultSuffix(QStringLiteral("toml"));
  dialog->selectFile(there);
  connect(dialog, &QFileDialog::fileSelected, &m_draft, &DraftSpec::save);
  dialog->open();
}

void ConfigurePage::openFile() {
  auto* dialog = new QFileDialog(this, tr("Open spec file"), QString(), tr("Specs (*.toml)"));
  dialog->setAttribute(Qt::WA_DeleteOnClose);
  dialog->setFileMode(QFileDialog::ExistingFile);
  connect(dialog, &QFileDialog::fileSelected, &m_draft, &DraftSpec::loadFile);
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
  const QString section = arguments.value(QStringLiteral("section"));
  if (location == this->location()) return;
  if (!preset.isEmpty()) {
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
  for (std::size_t i = 0; i < formSections().size(); ++i) {
    if (section.compare(QLatin1String(formSections()[i].title), Qt::CaseInsensitive) == 0) {
      m_form->showSection(static_cast<int>(i));
    }
  }
}

Location ConfigurePage::location() const {
  Location here{QStringLiteral("configure"), {}, {}};
  if (!m_draft.loaded()) return here;
  const DraftOrigin& origin = m_draft.origin();
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
